//! `closed()`: when a stub breaks, why, and what calls on it do from then on.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use farcall::prelude::*;
use farcall::{Reason, WeakStub};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::raw::{Stage, frame, release, text};
use crate::kit::{Transport, behaviours, open, until};

#[derive(Debug, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("no such child: {0}")]
pub struct Missing(i64);

/// Counts its drops.
#[derive(Clone, Default)]
pub struct Drops(Arc<AtomicUsize>);

pub struct Child(Drops);

#[rpc_target]
impl Child {
    pub fn ping(&self) -> i64 {
        1
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Family {
    pub first: ChildStub,
    pub second: Option<ChildStub>,
}

#[derive(Clone, Default)]
pub struct Parent {
    drops: Drops,
    go: Arc<Notify>,
}

impl Parent {
    /// Lets a child that is late come.
    pub fn go(&self) {
        self.go.notify_one();
    }
}

#[rpc_target]
impl Parent {
    pub fn child(&self) -> Child {
        Child(self.drops.clone())
    }

    pub fn none(&self, n: i64) -> Result<Child, Missing> {
        Err(Missing(n))
    }

    pub async fn late(&self, there_is_one: bool) -> Result<Child, Missing> {
        self.go.notified().await;
        if there_is_one { Ok(Child(self.drops.clone())) } else { Err(Missing(7)) }
    }

    pub fn family(&self) -> Family {
        Family { first: Child(self.drops.clone()).into_stub(), second: None }
    }

    pub fn echo(&self, child: ChildStub) -> ChildStub {
        child
    }

    pub fn ping(&self) -> i64 {
        2
    }
}

/// A task that waits.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether it is ready at its first poll; if it is not, whether it leaves nothing of its task behind.
pub fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let task = Arc::new(Task::default());
    let polled = {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::clone(&task));
        let mut cx = Context::from_waker(&waker);
        match future.as_mut().poll(&mut cx) {
            Poll::Pending => future.as_mut().poll(&mut cx),
            ready => ready,
        }
    };
    assert_eq!(Arc::strong_count(&task), 1, "nothing remembers who waited");
    polled
}

/// It is broken for this reason, whoever asks and as often as they do, and calls fail at once with the same.
pub async fn stays_broken(stub: &ChildStub, reason: &Reason) {
    for _ in 0..3 {
        assert_eq!(poll_once(stub.closed()), Poll::Ready(reason.clone()));
        let error = poll_once(stub.ping().into_future());
        assert_eq!(error, Poll::Ready(Err(reason.error().clone())));
        assert!(!reason.error().may_have_run());
    }
    let clone = stub.clone();
    assert_eq!(&clone.closed().await, reason);
    assert_eq!(&clone.downgrade().closed().await, reason);
    assert_eq!(clone.ping().await.unwrap_err(), *reason.error());
}

behaviours! {
    async fn r162_rejected_promise_tells_the_error_of_its_call(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        // Waited for before it fails, and although nobody asks for the result.
        let promise = parent.none(3);
        let early: ChildStub = promise.clone();
        drop(promise);
        let reason = early.closed().await;
        let Reason::Rejected(error) = &reason else { panic!("{reason}") };
        assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "no such child: 3"));
        assert_eq!(error.user::<Missing>().unwrap().0, 3);
        stays_broken(&early, &reason).await;
        // After it has failed.
        let promise = parent.none(4);
        let late: ChildStub = promise.clone();
        assert!(promise.await.is_err());
        let reason = late.closed().await;
        assert_eq!(reason.message(), "no such child: 4");
        stays_broken(&late, &reason).await;
        // And a part of a value that is not there.
        let family = parent.family();
        let second: ChildStub = family.second().clone();
        let reason = second.closed().await;
        assert!(matches!(&reason, Reason::Rejected(error) if error.origin() == ErrorKind::BadPath), "{reason}");
        stays_broken(&second, &reason).await;
        assert_eq!(family.first().ping().await.unwrap(), 1);
        drop((early, late, second, family));
        link.server_holds(0).await;
    }

    async fn r162_promise_is_watched_for_what_it_becomes(transport: Transport) {
        let main = Parent::default();
        let (parent, link) = open(transport, main.clone()).await;
        let (kept, none): (ChildStub, ChildStub) = (parent.late(true).clone(), parent.late(false).clone());
        assert!(poll_once(kept.closed()).is_pending() && poll_once(none.closed()).is_pending());
        let watching = [&kept, &none].map(|stub| tokio::spawn(stub.downgrade().closed()));
        assert_eq!(parent.ping().await.unwrap(), 2);
        main.go();
        main.go();
        let [kept_breaks, none_breaks] = watching;
        let reason = none_breaks.await.unwrap();
        assert_eq!(reason.message(), "no such child: 7");
        stays_broken(&none, &reason).await;
        assert_eq!(kept.ping().await.unwrap(), 1);
        assert!(poll_once(kept.closed()).is_pending() && !kept_breaks.is_finished());
        let Some(client) = &link.client else {
            drop(kept);
            assert!(matches!(kept_breaks.await.unwrap(), Reason::Released(_)));
            return;
        };
        client.close(Error::new(ErrorKind::Disconnected, "as the test wants it"));
        let reason = kept_breaks.await.unwrap();
        assert!(matches!(&reason, Reason::Disconnected(error) if error.message() == "as the test wants it"));
        stays_broken(&kept, &reason).await;
        // What broke before the connection did stays broken for its own reason (r163).
        assert!(matches!(none.closed().await, Reason::Rejected(_)));
        assert_eq!(none.ping().await.unwrap_err().message(), "no such child: 7");
    }

    async fn r162_weak_stub_holds_neither_target_nor_connection(transport: Transport) {
        let main = Parent::default();
        let (parent, link) = open(transport, main.clone()).await;
        let child = parent.child().await.unwrap();
        let weak: WeakStub<ChildStub> = child.downgrade();
        assert_eq!(weak.upgrade().unwrap().ping().await.unwrap(), 1);
        assert!(weak.upgrade().unwrap().same_target(&child));
        let waiting = tokio::spawn(weak.clone().closed());
        assert_eq!(child.ping().await.unwrap(), 1);
        assert!(!waiting.is_finished() && main.drops.0.load(Ordering::SeqCst) == 0);
        drop(child);
        let reason = waiting.await.unwrap();
        assert!(matches!(&reason, Reason::Released(error) if error.kind() == ErrorKind::Disposed), "{reason}");
        until(|| main.drops.0.load(Ordering::SeqCst) == 1).await;
        assert!(weak.upgrade().is_none());
        link.server_holds(0).await;
        // The connection closes when its last stub goes, whoever waits for it.
        let main_is_broken = tokio::spawn(parent.downgrade().closed());
        drop(parent);
        assert!(matches!(main_is_broken.await.unwrap(), Reason::Released(_)));
        if let (Some(client), Some(server)) = (&link.client, &link.server) {
            tokio::join!(client.closed(), server.closed());
        }
        assert_eq!(weak.closed().await, reason);
    }

    async fn r162_local_target_never_breaks(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        let local: ChildStub = Child(Drops::default()).into_stub();
        let home = parent.echo(&local).await.unwrap();
        let promise = parent.echo(&local);
        let promised: ChildStub = promise.clone();
        assert!(promise.await.unwrap().same_target(&local));
        assert!(poll_once(local.closed()).is_pending() && poll_once(home.closed()).is_pending());
        if let Some(client) = &link.client {
            client.close(Error::new(ErrorKind::Disconnected, "as the test wants it"));
        }
        for stub in [&local, &home, &promised] {
            assert_eq!(stub.ping().await.unwrap(), 1);
            assert!(poll_once(stub.closed()).is_pending());
        }
    }
}

behaviours! { wire
    async fn r162_lost_connection_breaks_every_stub_for_every_waiter(transport: Transport) {
        let main = Parent::default();
        let (parent, link) = open(transport, main.clone()).await;
        let child = parent.child().await.unwrap();
        let (pending, family) = (parent.late(true), parent.family());
        let promised: ChildStub = pending.clone();
        let part: ChildStub = family.first().clone();
        let mut waiting = Vec::new();
        for _ in 0..50 {
            waiting.push(tokio::spawn(child.downgrade().closed()));
            waiting.push(tokio::spawn(promised.downgrade().closed()));
            waiting.push(tokio::spawn(parent.downgrade().closed()));
            waiting.push(tokio::spawn(part.downgrade().closed()));
        }
        assert_eq!(child.ping().await.unwrap(), 1);
        assert!(poll_once(child.closed()).is_pending());
        link.cut_callee();
        let reason = child.closed().await;
        assert!(matches!(&reason, Reason::Disconnected(error) if error.kind() == ErrorKind::Disconnected));
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), reason);
        }
        for stub in [&child, &promised, &part] {
            stays_broken(stub, &reason).await;
        }
        assert_eq!(parent.ping().await.unwrap_err(), *reason.error());
    }

    async fn r163_first_reason_stays(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        let child = parent.child().await.unwrap();
        let client = link.client.as_ref().unwrap();
        client.close(Error::new(ErrorKind::Limit, "the peer is too much"));
        let reason = child.closed().await;
        assert!(matches!(&reason, Reason::Aborted(error) if error.kind() == ErrorKind::Limit), "{reason}");
        assert_eq!(reason.to_string(), "aborted: the peer is too much");
        stays_broken(&child, &reason).await;
        client.close(Error::new(ErrorKind::Disconnected, "too late"));
        link.cut();
        stays_broken(&child, &reason).await;
        // A stub that was promised afterwards never was one.
        let promised: ChildStub = parent.late(true).clone();
        let rejected = promised.closed().await;
        assert!(matches!(&rejected, Reason::Rejected(error) if error.origin() == ErrorKind::Limit), "{rejected}");
        assert_eq!(rejected.message(), reason.message());
        stays_broken(&promised, &rejected).await;
    }

    async fn r162_closed_in_peace_is_disconnected_too(transport: Transport) {
        let (parent, link) = open(transport, Parent::default()).await;
        let child = parent.child().await.unwrap();
        let waiting = tokio::spawn(child.downgrade().closed());
        link.server.as_ref().unwrap().shutdown();
        let reason = waiting.await.unwrap();
        assert!(matches!(reason, Reason::Disconnected(_)), "{reason}");
        stays_broken(&child, &reason).await;
    }
}

behaviours! { wire
    async fn r162_peer_that_aborts_breaks_the_stubs_on_it(transport: Transport) {
        let (why, release_of_nothing) = (frame(9, &[&[13], &text("why")]), release(-1, 1));
        for (bytes, said) in [(why, "the peer ended the session: why"), (release_of_nothing, "it does not hold")] {
            let mut raw = Stage::new(transport, Parent::default()).raw().await;
            let stub: ChildStub = farcall::main_stub(&raw.server);
            let waiting = tokio::spawn(stub.downgrade().closed());
            assert!(poll_once(stub.closed()).is_pending());
            raw.send(&bytes).await;
            let reason = waiting.await.unwrap();
            assert!(matches!(&reason, Reason::Aborted(error) if error.kind() == ErrorKind::Protocol), "{reason}");
            assert!(reason.message().contains(said), "{reason}");
            stays_broken(&stub, &reason).await;
        }
    }
}

behaviours! {
    async fn r123_call_on_what_failed_already_says_why(transport: Transport) {
        // Straight, and through a gateway that only passes calls on.
        let (parent, link) = open(transport, Parent::default()).await;
        let (through, gateway_link) = open(transport, Gateway(parent.clone())).await;
        let remote = through.parent().await.unwrap();
        for parent in [&parent, &remote] {
            let failed = parent.none(5);
            let child: ChildStub = failed.clone();
            let CallError::User(Missing(5)) = failed.await.unwrap_err() else { panic!("its own error") };
            let error = child.ping().await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "no such child: 5"));
            assert_eq!(error.user::<Missing>().unwrap().0, 5);
            // As an argument, too.
            let error = parent.echo(&child).ping().await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "no such child: 5"));
            // Not settled when the call is made.
            let error = parent.none(6).ping().await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Upstream, "no such child: 6"));
        }
        drop((remote, through));
        link.server_holds(0).await;
        gateway_link.server_holds(0).await;
    }
}

pub struct Gateway(ParentStub);

#[rpc_target]
impl Gateway {
    pub fn parent(&self) -> ParentStub {
        self.0.clone()
    }
}
