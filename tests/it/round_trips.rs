//! What calls cost in frames and round trips, counted in the transport.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use farcall::prelude::*;
use farcall::probe::Counts;

use crate::kit::{Link, Transport, behaviours, open, until};
use crate::pipelining::{Api, ApiStub, Refused};

/// Whether nothing of the connection can run between two calls of a test.
fn one_thread() -> bool {
    tokio::runtime::Handle::current().runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread
}

/// Does something on a connection on which nothing is under way, and says what it cost by the time it was done.
async fn cost<T>(api: &ApiStub, link: &Link, operation: impl Future<Output = T>) -> (T, Counts) {
    assert_eq!(api.sum(1, 2).await.unwrap(), 3);
    let counters = link.counters.as_ref().unwrap();
    let before = counters.read();
    let result = operation.await;
    (result, counters.since(before))
}

/// Does something that takes one round trip. With several threads only its result is looked at: a driver may send
/// the first call before the second is made.
async fn in_one_round_trip<T>(api: &ApiStub, link: &Link, operation: impl Future<Output = T>) -> T {
    let (result, cost) = cost(api, link, operation).await;
    assert!(cost.round_trips == 1 || !one_thread(), "{cost:?}");
    result
}

behaviours! { wire
    async fn r117_pipelined_chain_takes_one_round_trip(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let two = in_one_round_trip(&api, &link, async { api.root().depth().await }).await;
        assert_eq!(two.unwrap(), 0);
        let three = in_one_round_trip(&api, &link, async { api.root().next().depth().await }).await;
        assert_eq!(three.unwrap(), 1);
        let ten = in_one_round_trip(&api, &link, async {
            let mut node = api.root();
            for _ in 0..8 {
                node = node.next();
            }
            node.depth().await
        });
        assert_eq!(ten.await.unwrap(), 8);
    }

    async fn r118_awaited_chain_takes_a_round_trip_each(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let (depth, cost) = cost(&api, &link, async {
            let node = api.root().await.unwrap();
            let node = node.next().await.unwrap();
            node.depth().await.unwrap()
        }).await;
        assert_eq!(depth, 1);
        assert!(if one_thread() { cost.round_trips == 3 } else { cost.round_trips >= 3 }, "{cost:?}");
    }

    async fn r119_pipelines_through_value_fields(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        macro_rules! number {
            ($company:ident => $desk:expr) => {
                in_one_round_trip(&api, &link, async {
                    let $company = api.company(0);
                    $desk.number().await.unwrap()
                }).await
            };
        }
        assert_eq!(number!(company => company.inbox()), 1);
        assert_eq!(number!(company => company.outbox()), 2);
        assert_eq!(number!(company => company.renamed()), 3);
        assert_eq!(number!(company => company.address().desk()), 4);
        assert_eq!(number!(company => company.branch().desk()), 5);
        assert_eq!(number!(company => company.pair()._1()), 6);
    }

    async fn r120_pipelines_to_stubs_and_functions_alike(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let stub = in_one_round_trip(&api, &link, async { api.root().plus(3).await });
        assert_eq!(stub.await.unwrap(), 3);
        let function = in_one_round_trip(&api, &link, async { api.function().call(3).await });
        assert_eq!(function.await.unwrap(), 4);
        let both = in_one_round_trip(&api, &link, async {
            let company = api.company(0);
            let (stub, function) = (company.inbox().number(), company.tell().call(3));
            (stub.await.unwrap(), function.await.unwrap())
        });
        assert_eq!(both.await, (1, 30));
    }

    async fn r129_dropped_promise_gives_its_result_back(transport: Transport) {
        let main = Api::default();
        let alive = Arc::downgrade(&main.alive);
        let (api, link) = open(transport, main).await;
        // On one thread the first goes before its call is sent; the second while its answer is under way, if not
        // later: its call was made before one that has answered.
        drop(api.watched());
        let promise = api.watched();
        assert_eq!(api.sum(1, 2).await.unwrap(), 3);
        drop(promise);
        until(|| alive.strong_count() == 1).await;
        link.server_holds(0).await;
        assert_eq!(link.client.as_ref().unwrap().table_sizes(), (0, 1));
    }

    async fn r130_result_only_called_through_is_not_sent(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let size = 1024 * 1024;
        let (_, cost) = cost(&api, &link, async {
            assert_eq!(api.company(size).inbox().number().await.unwrap(), 1);
            assert_eq!(api.length(api.company(size).payload()).await.unwrap(), u64::from(size));
            assert_eq!(api.length(api.bytes(size)).await.unwrap(), u64::from(size));
            Promise::detach(api.bytes(size));
            assert_eq!(api.sum(1, 2).await.unwrap(), 3);
        }).await;
        // With several threads a driver may be so quick that it sends a call before it is known that its result
        // is not wanted.
        assert!(cost.bytes_in < 1024 || !one_thread(), "{cost:?}");
    }

    async fn r132_promise_as_argument_takes_one_round_trip(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let expiry = in_one_round_trip(&api, &link, async { api.expiry(api.log_in("good")).await });
        assert_eq!(expiry.await.unwrap(), 7);
    }

    async fn r132_promised_field_is_an_argument(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let name = in_one_round_trip(&api, &link, async { api.name_of(api.log_in("good").user_id()).await });
        assert_eq!(name.await.unwrap(), "user 42");
    }

    async fn r237_authenticate_and_use_in_one_round_trip(transport: Transport) {
        let main = Api::default();
        let revealed = Arc::clone(&main.revealed);
        let (api, link) = open(transport, main).await;
        let refused = in_one_round_trip(&api, &link, async { api.secret("bad").reveal().await });
        let error = refused.await.unwrap_err();
        assert_eq!((error.kind(), error.user()), (ErrorKind::Upstream, Some(Refused)));
        assert_eq!(revealed.load(Ordering::Relaxed), 0);
        let secret = in_one_round_trip(&api, &link, async { api.secret("good").reveal().await });
        assert_eq!(secret.await.unwrap(), "open sesame");
    }

    async fn r132_promised_stub_is_an_argument(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let depth = in_one_round_trip(&api, &link, async { api.ask_node(api.root().next()).await });
        assert_eq!(depth.await.unwrap(), 1);
        // The call is not held up until its argument has settled, and holds up nothing itself.
        let asked = api.ask_node(api.late_root());
        assert_eq!(api.sum(1, 2).await.unwrap(), 3);
        api.go().await.unwrap();
        assert_eq!(asked.await.unwrap(), 0);
    }

    async fn calls_made_before_the_first_is_awaited_take_one_round_trip(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        let (sums, cost) = cost(&api, &link, async {
            let (a, b) = (api.sum(1, 2), api.sum(3, 4));
            (a.await.unwrap(), b.await.unwrap())
        }).await;
        assert_eq!(sums, (3, 7));
        assert!((cost.round_trips, cost.frames_in) == (1, 2) || !one_thread(), "{cost:?}");
        assert!(cost.frames_out == 2 || !one_thread(), "{cost:?}");
    }

    async fn awaited_call_costs_at_most_two_frames_and_one(transport: Transport) {
        let (api, link) = open(transport, Api::default()).await;
        for n in 0..50 {
            let (sum, cost) = cost(&api, &link, async { api.sum(n, 1).await.unwrap() }).await;
            assert_eq!((sum, cost.frames_in), (n + 1, 1));
            assert!(if one_thread() { cost.frames_out == 1 } else { cost.frames_out <= 3 }, "{cost:?}");
        }
    }

    async fn promise_is_referred_to_and_awaited_in_either_order(transport: Transport) {
        let (api, _link) = open(transport, Api::default()).await;
        for _ in 0..20 {
            let (session, node) = (api.log_in("good"), api.root());
            let (name, depth) = (api.name_of(session.user_id()), node.plus(2));
            assert_eq!(session.await.unwrap().user_id, 42);
            let settled = node.await.unwrap();
            assert_eq!((name.await.unwrap().as_str(), depth.await.unwrap()), ("user 42", 2));
            assert_eq!(settled.plus(1).await.unwrap(), 1);
            // Awaited by another task, and called through meanwhile.
            let node = api.root();
            let stub = node.clone();
            let awaited = tokio::spawn(node.into_future());
            assert_eq!(stub.plus(4).await.unwrap(), 4);
            assert_eq!(awaited.await.unwrap().unwrap().plus(5).await.unwrap(), 5);
        }
    }
}
