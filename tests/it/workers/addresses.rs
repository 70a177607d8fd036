//! What every stub can do, with the stub of a service.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use farcall::{Endpoint, Reason, Revocable, Running, stub_from};

use super::{host, socket};
use crate::kit::{Transport, behaviours, open, until};

type Number = RpcFn<fn(i64) -> i64>;

static RELEASED: AtomicUsize = AtomicUsize::new(0);

pub struct Desk;

#[entrypoint]
impl Desk {
    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }

    pub fn drawer(&self) -> Drawer {
        Drawer(0)
    }

    pub async fn later(&self, number: Number) -> Result<i64, Error> {
        number.call(1).await
    }

    pub async fn never(&self) -> i64 {
        std::future::pending().await
    }

    #[rpc(on_release)]
    fn put_away(&mut self) {
        RELEASED.fetch_add(1, SeqCst);
    }
}

pub struct Drawer(i64);

#[rpc_target]
impl Drawer {
    pub fn put(&mut self, n: i64) -> i64 {
        self.0 += n;
        self.0
    }
}

/// Uses what it is given.
pub struct User;

#[rpc_target]
impl User {
    pub async fn double(&self, desk: DeskStub, n: i64) -> Result<i64, Error> {
        desk.double(n).await
    }

    pub fn keep(&self, desk: DeskStub) -> DeskStub {
        desk
    }

    pub fn kept(&self, _desk: DeskStub) -> Kept {
        Kept { _desk }
    }
}

pub struct Kept {
    _desk: DeskStub,
}

#[rpc_target]
impl Kept {
    pub fn ping(&self) -> bool {
        true
    }
}

/// A service, and whoever serves it. `None`: over this transport there is none.
async fn desk(transport: Transport) -> Option<(Running, Service<DeskStub>)> {
    let running = match transport {
        Transport::Duplex => return None,
        _ => host::<Desk>(transport, "").await,
    };
    let desk = match transport {
        Transport::InProcess => running.service("service"),
        _ => Service::at("service", running.addresses().to_vec()),
    };
    Some((running, desk))
}

behaviours! {
    async fn r162_service_never_breaks_and_its_weak_stub_holds_nothing(transport: Transport) {
        let Some((running, desk)) = desk(transport).await else { return };
        assert_eq!(desk.double(2).await.unwrap(), 4);
        let stub = DeskStub::clone(&desk);
        let closed = tokio::spawn(async move { stub.closed().await });
        let weak = desk.downgrade();
        let mut released = std::pin::pin!(weak.closed());
        assert!(weak.upgrade().unwrap().same_target(&desk));
        running.shutdown().await;
        assert!(!desk.double(2).await.unwrap_err().may_have_run());
        // Whoever can be connected again is not broken.
        assert!(!closed.is_finished());
        let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(released.as_mut().poll(cx).is_pending()));
        assert!(pending.await);
        closed.abort();
        let _ = closed.await;
        drop(desk);
        assert!(matches!(released.await, Reason::Released(_)));
        assert!(weak.upgrade().is_none());
    }

    async fn service_is_waited_for_and_compared_like_any_stub(transport: Transport) {
        let Some((_running, desk)) = desk(transport).await else { return };
        // There is no line to wait in before there is a connection.
        desk.ready().await;
        assert_eq!(desk.double(2).await.unwrap(), 4);
        desk.ready().await;
        let call = desk.double(4);
        Promise::sent(&call).await;
        assert_eq!(call.await.unwrap(), 8);
        let other = desk.clone();
        assert!(desk.same_target(&other) && DeskStub::clone(&desk).same_target(&other));
        let elsewhere: Service<DeskStub> = Service::at("service", [format!("unix:{}", socket().display())]);
        assert!(!desk.same_target(&elsewhere));
        // What comes out of it is not the service.
        let drawer = desk.drawer().await.unwrap();
        assert!(drawer.same_target(&drawer.clone()) && !drawer.same_target(&desk.drawer().await.unwrap()));
    }

    async fn service_that_is_lent_can_be_taken_back(transport: Transport) {
        let Some((_running, desk)) = desk(transport).await else { return };
        let (lent, revoker) = Revocable::membrane(DeskStub::clone(&desk));
        let drawer = lent.drawer();
        assert_eq!(drawer.put(3).await.unwrap(), 3);
        let drawer = drawer.await.unwrap();
        assert_eq!(lent.later(RpcFn::new(|n: i64| n + 6)).await.unwrap(), 7);
        let running = tokio::spawn(lent.never().into_future());
        let callback: Number = RpcFn::bind(&lent, DeskStub::double);
        assert_eq!(callback.call(5).await.unwrap(), 10);
        assert!(revoker.revoke());
        for error in [
            running.await.unwrap().unwrap_err(),
            lent.double(1).await.unwrap_err(),
            drawer.put(1).await.unwrap_err(),
            callback.call(1).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Disposed);
        }
        assert_eq!(desk.double(1).await.unwrap(), 2);
    }

    async fn method_of_a_service_is_a_function(transport: Transport) {
        let Some((_running, desk)) = desk(transport).await else { return };
        let double: Number = RpcFn::bind(&*desk, DeskStub::double);
        assert_eq!(double.call(4).await.unwrap(), 8);
        assert_eq!(desk.later(&double).await.unwrap(), 2);
        let found: DeskStub = stub_from({
            let desk = DeskStub::clone(&desk);
            async move { desk }
        });
        assert_eq!(found.double(desk.double(2)).await.unwrap(), 8);
        assert_eq!(found.drawer().put(5).await.unwrap(), 5);
    }

    async fn service_that_is_passed_on_is_counted_like_any_stub(transport: Transport) {
        let Some((_running, desk)) = desk(transport).await else { return };
        let (user, link) = open::<UserStub>(transport, User).await;
        assert_eq!(user.double(&*desk, 4).await.unwrap(), 8);
        // It is itself again when it comes home.
        assert!(user.keep(&*desk).await.unwrap().same_target(&desk));
        let kept = user.kept(&*desk).await.unwrap();
        assert!(kept.ping().await.unwrap());
        if let Some(client) = &link.client {
            let exports = client.snapshot().exports;
            assert_eq!(exports.len(), 1, "{exports:?}");
            assert_eq!((exports[0].interface, exports[0].count), (Some("Desk"), 1));
            drop(kept);
            until(|| client.snapshot().is_clean()).await;
        }
    }
}

/// Each object has its release hook run after its call, whoever made it.
#[tokio::test]
async fn r153_release_hook_of_an_entrypoint_runs_after_each_call() {
    crate::kit::in_time(async {
        let before = RELEASED.load(SeqCst);
        let running = host::<Desk>(Transport::InProcess, "").await;
        let desk = running.service::<DeskStub>("service");
        for _ in 0..3 {
            assert_eq!(desk.double(1).await.unwrap(), 2);
        }
        until(|| RELEASED.load(SeqCst) >= before + 3).await;
    })
    .await;
}

/// A connection that a worker is offered over by hand knows what it exports.
#[tokio::test]
async fn main_object_is_known_by_its_interface() {
    let running = host::<Desk>(Transport::InProcess, "").await;
    let (a, b) = tokio::io::duplex(64 * 1024);
    let (client, driver) = Endpoint::new().connect_over(a);
    let desk: DeskStub = farcall::main_stub(&client);
    let (server, served) = running.endpoint().accept_over(b);
    let both = tokio::spawn(async move { drop(tokio::join!(driver, served)) });
    assert_eq!(desk.double(1).await.unwrap(), 2);
    let drawer = desk.drawer().await.unwrap();
    assert_eq!(drawer.put(1).await.unwrap(), 1);
    let exports = server.snapshot().exports;
    assert_eq!((exports[0].interface, exports[0].count), (Some("Drawer"), 1));
    both.abort();
}
