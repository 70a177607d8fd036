//! `closed()` of what stands before another stub: gates, and methods taken off their stub.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use farcall::prelude::*;
use farcall::{Reason, Revocable, Revoker, Stub};

use crate::closed::{ChildStub, Parent, ParentStub, poll_once, stays_broken};
use crate::kit::{Transport, behaviours, open};

const WRAPS: [fn(ChildStub) -> (ChildStub, Revoker); 2] = [Revocable::wrap, Revocable::membrane];

fn is_pending(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn disconnected() -> Error {
    Error::new(ErrorKind::Disconnected, "as the test wants it")
}

behaviours! {
    async fn r162_revoked_stub_breaks(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        for wrap in WRAPS {
            let child = parent.child().await.unwrap();
            let (lent, revoker) = wrap(child.clone());
            assert_eq!(lent.ping().await.unwrap(), 1);
            let (weak, waiting) = (lent.downgrade(), tokio::spawn(lent.downgrade().closed()));
            assert!(poll_once(lent.closed()).is_pending() && poll_once(weak.closed()).is_pending());
            assert!(weak.upgrade().unwrap().same_target(&lent));
            assert_eq!(parent.ping().await.unwrap(), 2);
            assert!(!waiting.is_finished() && revoker.revoke_because("the loan is over"));
            let reason = waiting.await.unwrap();
            let revoked = matches!(&reason, Reason::Revoked(error) if error.kind() == ErrorKind::Disposed);
            assert!(revoked && reason.message().ends_with("the loan is over"), "{reason}");
            stays_broken(&lent, &reason).await;
            assert!(!revoker.revoke_because("again"));
            assert_eq!((lent.closed().await, weak.closed().await), (reason.clone(), reason));
            assert!(poll_once(child.closed()).is_pending());
            assert_eq!(child.ping().await.unwrap(), 1);
        }
        // What stands behind the gate breaks what stands before it.
        let (lent, _revoker) = Revocable::wrap(parent.child().await.unwrap());
        let Some(client) = &link.client else { return };
        let waiting = tokio::spawn(lent.downgrade().closed());
        assert_eq!(lent.ping().await.unwrap(), 1);
        client.close(disconnected());
        let reason = waiting.await.unwrap();
        assert!(matches!(&reason, Reason::Disconnected(_)), "{reason}");
        stays_broken(&lent, &reason).await;
    }

    async fn r162_weak_stub_hears_that_what_stood_before_another_went(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        let child = parent.child().await.unwrap();
        let released = |reason: &Reason| matches!(reason, Reason::Released(_));
        for wrap in WRAPS {
            let (lent, _revoker) = wrap(child.clone());
            let clone = lent.clone();
            let mut waiting = pin!(lent.downgrade().closed());
            assert!(is_pending(waiting.as_mut()));
            drop(lent);
            assert_eq!(clone.ping().await.unwrap(), 1);
            assert!(is_pending(waiting.as_mut()));
            drop(clone);
            assert!(released(&waiting.await));
        }
        let bound: RpcFn<fn() -> i64> = RpcFn::bind(&child, ChildStub::ping);
        let waiting = tokio::spawn(bound.downgrade().closed());
        assert_eq!(bound.call().await.unwrap(), 1);
        drop(bound);
        assert!(released(&waiting.await.unwrap()));
        // What they stood before is whole.
        assert!(poll_once(child.closed()).is_pending());
        assert_eq!(child.ping().await.unwrap(), 1);
        drop(child);
        link.server_holds(0).await;
    }

    async fn r162_promise_through_a_gate_is_whole_while_it_is_polled(transport: Transport) {
        let main = Parent::default();
        let (parent, _link) = open(transport, main.clone()).await;
        for wrap in [Revocable::wrap::<ParentStub>, Revocable::membrane] {
            let (lent, _revoker) = wrap(parent.clone());
            let promise = lent.late(true);
            let promised = promise.downgrade();
            let mut promise = pin!(promise.into_future());
            let over = AtomicBool::new(false);
            let seen = std::thread::scope(|scope| {
                let looks = scope.spawn(|| {
                    let mut looks = 0;
                    while !over.load(Ordering::Relaxed) || looks == 0 {
                        assert!(is_pending(pin!(promised.closed())), "after {looks} looks");
                        looks += 1;
                    }
                });
                for _ in 0..20_000 {
                    assert!(is_pending(promise.as_mut()));
                }
                over.store(true, Ordering::Relaxed);
                looks.join()
            });
            seen.unwrap();
            main.go();
            assert_eq!(promise.await.unwrap().ping().await.unwrap(), 1);
            // The promise was the only one to hold it.
            assert!(matches!(promised.closed().await, Reason::Released(_)));
        }
    }

    async fn r162_promise_through_a_gate_is_heard_of_again_when_it_was_polled(transport: Transport) {
        let main = Parent::default();
        let (parent, _link) = open(transport, main.clone()).await;
        let (lent, revoker) = Revocable::wrap(parent.clone());
        let promise = lent.late(true);
        let waiting = tokio::spawn(promise.downgrade().closed());
        let mut promise = pin!(promise.into_future());
        for _ in 0..3 {
            assert!(is_pending(promise.as_mut()));
            assert_eq!(parent.ping().await.unwrap(), 2);
        }
        assert!(!waiting.is_finished());
        revoker.revoke();
        assert!(matches!(waiting.await.unwrap(), Reason::Revoked(_)));
        assert!(promise.await.is_err());
    }

    async fn r162_stub_is_watched_however_much_it_stands_before(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        let child = parent.child().await.unwrap();
        let far = |child: ChildStub| {
            let (lent, revoker) = Revocable::wrap(child);
            let ping: RpcFn<fn() -> i64> = RpcFn::bind(&lent, ChildStub::ping);
            let mut stub = farcall::stub_from(async move { ping });
            for _ in 0..63 {
                stub = RpcFn::bind(&stub, RpcFn::<fn() -> i64>::call);
            }
            let (stub, _) = Revocable::wrap(stub);
            (stub, revoker)
        };
        let (stub, revoker) = far(child.clone());
        assert_eq!(stub.call().await.unwrap(), 1);
        let waiting = tokio::spawn(stub.downgrade().closed());
        assert!(poll_once(stub.closed()).is_pending());
        revoker.revoke_because("at the far end");
        let reason = waiting.await.unwrap();
        assert!(matches!(&reason, Reason::Revoked(error) if error.message().ends_with("the far end")), "{reason}");
        let (stub, _revoker) = far(child);
        let Some(client) = &link.client else { return };
        assert_eq!(stub.call().await.unwrap(), 1);
        client.close(disconnected());
        assert!(matches!(stub.closed().await, Reason::Disconnected(_)));
    }
}
