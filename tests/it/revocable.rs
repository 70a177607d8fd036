//! Stubs that are lent and taken back, alone or with everything that was obtained through them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use farcall::{Revocable, Stub};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::{Transport, behaviours, open, until};

type Number = RpcFn<fn(i64) -> i64>;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused: {0}")]
pub struct Refused(i64);

/// Capabilities at several depths of a value.
#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Bundle {
    pub first: LeafStub,
    pub more: Vec<Option<Number>>,
    pub map: BTreeMap<String, (u8, LeafStub)>,
}

#[derive(Clone, Default)]
struct Shared {
    log: Arc<Mutex<Vec<i64>>>,
    calls: Arc<AtomicI64>,
    started: Arc<Notify>,
    go: Arc<Notify>,
    alive: Arc<()>,
}

/// What is lent.
#[derive(Default)]
pub struct Vault {
    shared: Shared,
    own: Mutex<Option<LeafStub>>,
    kept: Mutex<Option<LeafStub>>,
}

pub struct Leaf(Shared, i64);

#[rpc_target]
impl Leaf {
    pub fn number(&self) -> i64 {
        self.0.calls.fetch_add(1, SeqCst);
        self.1
    }

    pub fn next(&self) -> Self {
        Self(self.0.clone(), self.1 + 1)
    }

    pub fn echo(&self, leaf: LeafStub) -> LeafStub {
        leaf
    }

    pub fn note(&self, n: i64) {
        self.0.log.lock().unwrap().push(n);
    }
}

fn bundle(shared: &Shared) -> Bundle {
    let leaf = |n| Leaf(shared.clone(), n).into_stub();
    Bundle {
        first: leaf(1),
        more: vec![None, Some(RpcFn::new(|n: i64| n + 1))],
        map: BTreeMap::from([("a".to_owned(), (7, leaf(2)))]),
    }
}

#[rpc_target]
impl Vault {
    pub fn note(&self, n: i64) {
        self.shared.log.lock().unwrap().push(n);
    }

    pub fn fails(&self, n: i64) -> Result<i64, Refused> {
        Err(Refused(n))
    }

    pub fn leaf(&self, n: i64) -> Leaf {
        Leaf(self.shared.clone(), n)
    }

    /// The same one each time.
    pub fn own_leaf(&self) -> LeafStub {
        self.own.lock().unwrap().get_or_insert_with(|| Leaf(self.shared.clone(), 5).into_stub()).clone()
    }

    pub async fn late_leaf(&self) -> Leaf {
        self.shared.started.notify_one();
        self.shared.go.notified().await;
        Leaf(self.shared.clone(), 9)
    }

    pub async fn late_number(&self) -> i64 {
        self.shared.started.notify_one();
        self.shared.go.notified().await;
        11
    }

    pub fn adder(&self, more: i64) -> Number {
        RpcFn::new(move |n: i64| n + more)
    }

    pub fn bundle(&self) -> Bundle {
        bundle(&self.shared)
    }

    pub fn pass(&self, bundle: Bundle) -> Bundle {
        bundle
    }

    pub async fn wait(&self) -> i64 {
        let _alive = Arc::clone(&self.shared.alive);
        self.shared.started.notify_one();
        std::future::pending().await
    }

    pub fn is_own(&self, leaf: LeafStub) -> bool {
        self.own_leaf().same_target(&leaf)
    }

    pub fn keep(&self, leaf: LeafStub) {
        *self.kept.lock().unwrap() = Some(leaf);
    }

    pub async fn use_kept(&self) -> Result<i64, Error> {
        let kept = self.kept.lock().unwrap().clone();
        kept.unwrap().number().await
    }

    pub async fn call_kept(&self, leaf: LeafStub) -> Result<i64, Error> {
        leaf.next().next().number().await
    }

    pub async fn sum(&self, bundle: Bundle) -> i64 {
        let mut sum = bundle.first.number().await.unwrap();
        for function in bundle.more.into_iter().flatten() {
            sum += function.call(100).await.unwrap();
        }
        for (_, leaf) in bundle.map.into_values() {
            sum += leaf.number().await.unwrap();
        }
        sum
    }

    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }
}

/// Stands before what was lent, and returns the promises of its calls.
pub struct Front(VaultStub);

#[rpc_target]
impl Front {
    pub fn leaf(&self, n: i64) -> Promise<LeafStub> {
        self.0.leaf(n)
    }

    pub fn bundle(&self) -> Promise<Bundle> {
        self.0.bundle()
    }

    pub async fn wait(&self) -> Promise<i64> {
        tokio::task::yield_now().await;
        self.0.wait()
    }

    pub fn pass(&self, bundle: Bundle) -> Promise<Bundle> {
        self.0.pass(bundle)
    }
}

/// Somebody to whom the loan is passed on.
#[derive(Default)]
pub struct Friend {
    kept: Mutex<Option<VaultStub>>,
}

#[rpc_target]
impl Friend {
    pub fn take(&self, vault: VaultStub) {
        *self.kept.lock().unwrap() = Some(vault);
    }

    pub async fn leaf_number(&self, n: i64) -> Result<i64, Error> {
        let kept = self.kept.lock().unwrap().clone();
        kept.unwrap().leaf(n).next().number().await
    }

    pub async fn wait(&self) -> Result<i64, Error> {
        let kept = self.kept.lock().unwrap().clone();
        kept.unwrap().wait().await
    }

    pub fn forget(&self) {
        self.kept.lock().unwrap().take();
    }
}

fn assert_refused<T>(result: Result<T, Error>) {
    let Err(error) = result else { panic!("it was revoked") };
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disposed, false), "{error}");
    assert!(error.message().contains("revoked: the loan is over"), "{error}");
}

fn assert_struck<T>(result: Result<T, Error>) {
    let Err(error) = result else { panic!("it was revoked") };
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disposed, true), "{error}");
    assert!(error.message().contains("revoked: the loan is over"), "{error}");
}

const OVER: &str = "the loan is over";

behaviours! {
    async fn r238_revocable_stub_forwards_until_it_is_revoked(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::wrap(stub);
        let calls: Vec<_> = (0..50).map(|n| lent.note(n)).collect();
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(*shared.log.lock().unwrap(), (0..50).collect::<Vec<_>>());
        assert_eq!(lent.fails(3).await.unwrap_err().user(), Some(&Refused(3)));
        assert_eq!(lent.leaf(1).next().number().await.unwrap(), 2);
        assert_eq!(lent.sum(lent.bundle()).await.unwrap(), 104);
        let clone = lent.clone();
        assert!(clone.same_target(&lent));
        assert!(revoker.revoke_because(OVER));
        let runs = shared.calls.load(SeqCst);
        assert_refused(lent.leaf(1).await.map(drop));
        assert_refused(clone.double(2).await);
        let Err(error) = lent.leaf(1).next().number().await else { panic!("what is behind it fails") };
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Upstream, ErrorKind::Disposed));
        // The first reason stays.
        assert!(!revoker.revoke());
        assert_refused(clone.double(2).await);
        assert_eq!(shared.calls.load(SeqCst), runs);
        // What it stood before is let go, although the stubs are still there.
        until(|| Arc::strong_count(&shared.alive) == 1).await;
        link.server_holds(0).await;
        drop((lent, clone));
    }

    async fn r238_revoking_cancels_the_calls_under_way(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        let (waiting, unread) = (lent.wait(), lent.double(4));
        shared.started.notified().await;
        let behind = lent.late_leaf().number();
        shared.started.notified().await;
        assert_eq!(Arc::strong_count(&shared.alive), 3);
        let waiting = tokio::spawn(waiting.into_future());
        tokio::task::yield_now().await;
        revoker.revoke_because(OVER);
        assert_struck(waiting.await.unwrap());
        assert_struck(unread.await);
        assert_struck(behind.await);
        until(|| Arc::strong_count(&shared.alive) == 2).await;
        // Others go on.
        assert_eq!(stub.double(4).await.unwrap(), 8);
        link.server_holds(0).await;
    }

    async fn r238_revoking_cancels_a_detached_call(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, _link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        Promise::detach(lent.wait());
        shared.started.notified().await;
        stub.double(1).await.unwrap();
        assert_eq!(Arc::strong_count(&shared.alive), 3);
        revoker.revoke();
        until(|| Arc::strong_count(&shared.alive) == 2).await;
    }

    async fn r238_revocable_function(transport: Transport) {
        let (stub, _link) = open(transport, Vault::default()).await;
        let (lent, revoker) = Revocable::wrap(stub.adder(5).await.unwrap());
        assert_eq!(lent.call(1).await.unwrap(), 6);
        // Of a function that is still a promise.
        let (early, early_revoker) = Revocable::wrap(stub.adder(7).clone());
        assert_eq!(early.call(1).await.unwrap(), 8);
        revoker.revoke_because(OVER);
        assert_refused(lent.call(1).await);
        assert_eq!(early.call(2).await.unwrap(), 9);
        early_revoker.revoke_because(OVER);
        assert_refused(early.call(1).await);
    }

    async fn r238_revocable_stub_is_revoked_behind_a_third_party(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, a) = open(transport, vault).await;
        let (friend, c) = open(transport, Friend::default()).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        friend.take(&lent).await.unwrap();
        assert_eq!(friend.leaf_number(3).await.unwrap(), 4);
        let waiting = friend.wait();
        shared.started.notified().await;
        revoker.revoke_because(OVER);
        let Err(CallError::User(error)) = waiting.await else { panic!("its method hears of it") };
        assert_struck::<()>(Err(error));
        until(|| Arc::strong_count(&shared.alive) == 2).await;
        let Err(CallError::User(error)) = friend.leaf_number(3).await else { panic!("its method hears of it") };
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Upstream, ErrorKind::Disposed));
        assert_eq!(stub.double(3).await.unwrap(), 6);
        friend.forget().await.unwrap();
        drop(lent);
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn r238_revocable_main_object(transport: Transport) {
        let vault: VaultStub = Vault::default().into_stub();
        let (lent, revoker) = Revocable::membrane(vault);
        let (stub, _link) = open(transport, lent).await;
        let leaf = stub.leaf(1).await.unwrap();
        assert_eq!(stub.bundle().first().next().number().await.unwrap(), 2);
        assert_eq!(leaf.number().await.unwrap(), 1);
        revoker.revoke_because(OVER);
        assert_refused(stub.double(1).await);
        assert_refused(leaf.number().await);
    }

    async fn r238_promises_through_a_gate_are_returned_by_methods(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, a) = open(transport, vault).await;
        let (lent, revoker) = Revocable::membrane(stub.clone());
        let (front, c) = open(transport, Front(lent)).await;
        let leaf = front.leaf(1).await.unwrap();
        let mine = bundle(&shared);
        let before = Arc::strong_count(&shared.alive);
        assert_eq!(front.bundle().first().next().number().await.unwrap(), 2);
        assert_eq!(front.bundle().await.unwrap().first.next().number().await.unwrap(), 2);
        let back = front.pass(mine.clone()).await.unwrap();
        assert!(back.first.same_target(&mine.first));
        until(|| Arc::strong_count(&shared.alive) == before).await;
        let waiting = front.wait();
        shared.started.notified().await;
        assert_eq!(Arc::strong_count(&shared.alive), before + 1);
        let given_up = front.wait();
        shared.started.notified().await;
        drop(given_up);
        until(|| Arc::strong_count(&shared.alive) == before + 1).await;
        revoker.revoke_because(OVER);
        assert_struck(waiting.await);
        assert_refused(leaf.number().await);
        assert_refused(front.leaf(1).await.map(drop));
        assert_eq!(back.first.number().await.unwrap(), 1, "it is the caller's own");
        drop((back, mine, leaf));
        until(|| Arc::strong_count(&shared.alive) == 2).await;
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn r238_order_holds_when_a_promise_comes_home_through_a_gate(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, _a) = open(transport, vault).await;
        for (lent, _revoker) in [Revocable::wrap(stub.clone()), Revocable::membrane(stub.clone())] {
            let (friend, _c) = open(transport, Friend::default()).await;
            friend.take(&lent).await.unwrap();
            shared.log.lock().unwrap().clear();
            let mine: LeafStub = Leaf(shared.clone(), 0).into_stub();
            let promise = lent.leaf(1).echo(&mine);
            let held: LeafStub = promise.clone();
            let mut calls: Vec<_> = (0..20).map(|n| promise.note(n)).collect();
            let home = promise.await.unwrap();
            for n in 20..60 {
                calls.push(if n % 2 == 0 { home.note(n) } else { held.note(n) });
            }
            for call in calls {
                call.await.unwrap();
            }
            let log = shared.log.lock().unwrap().clone();
            let of = |parity: i64| log.iter().copied().filter(|n| *n < 20 || n % 2 == parity).collect::<Vec<_>>();
            let expected = |parity: i64| (0..60).filter(|n| *n < 20 || n % 2 == parity).collect::<Vec<_>>();
            // Through one stub, each.
            assert_eq!((of(1), log.len()), (expected(1), 60));
            assert_eq!(log[..20], (0..20).collect::<Vec<_>>());
            assert_eq!(of(0), expected(0), "what comes home does not overtake");
        }
    }

    async fn r238_plain_revocable_takes_back_the_stub_and_not_what_came_of_it(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, _link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        let taken = lent.leaf(1).await.unwrap();
        let promised: LeafStub = lent.leaf(2).clone();
        assert_eq!(promised.number().await.unwrap(), 2);
        let callback = Leaf(shared.clone(), 40);
        lent.keep(callback).await.unwrap();
        revoker.revoke_because(OVER);
        assert_eq!(taken.next().number().await.unwrap(), 2);
        assert_refused(promised.number().await);
        assert_eq!(stub.use_kept().await.unwrap(), 40);
    }

    async fn r238_membrane_takes_back_what_was_obtained_through_it(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::membrane(stub.clone());
        let bundle = lent.bundle().await.unwrap();
        let leaf = lent.leaf(3).await.unwrap().next().await.unwrap();
        let early: LeafStub = lent.leaf(6).clone();
        let adder = lent.adder(1).await.unwrap();
        // All of it works.
        assert_eq!(lent.sum(bundle.clone()).await.unwrap(), 104);
        assert_eq!((leaf.number().await.unwrap(), early.number().await.unwrap()), (4, 6));
        assert_eq!(bundle.more[1].as_ref().unwrap().call(1).await.unwrap(), 2);
        assert_eq!(bundle.map["a"].1.next().number().await.unwrap(), 3);
        assert_eq!(adder.call(1).await.unwrap(), 2);
        let outside = stub.leaf(8).await.unwrap();
        let waiting = leaf.echo(stub.late_leaf()).number();
        shared.started.notified().await;
        revoker.revoke_because(OVER);
        assert_struck(waiting.await);
        assert_refused(leaf.number().await);
        assert_refused(early.number().await);
        assert_refused(bundle.first.number().await);
        assert_refused(bundle.more[1].as_ref().unwrap().call(1).await);
        assert_refused(bundle.map["a"].1.next().await.map(drop));
        assert_refused(adder.call(1).await);
        // What was there before, or came another way, is not touched.
        assert_eq!(outside.next().number().await.unwrap(), 9);
        drop(outside);
        shared.go.notify_one();
        link.server_holds(0).await;
    }

    async fn r238_membrane_takes_back_what_was_passed_in(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::membrane(stub.clone());
        let mine = Leaf(Shared::default(), 30);
        let alive = Arc::downgrade(&mine.0.alive);
        lent.keep(mine).await.unwrap();
        assert_eq!(lent.use_kept().await.unwrap(), 30);
        assert_eq!(stub.use_kept().await.unwrap(), 30);
        // Their results come out to the caller's side as they are.
        assert_eq!(lent.call_kept(Leaf(shared.clone(), 1)).await.unwrap(), 3);
        revoker.revoke_because(OVER);
        until(|| alive.strong_count() == 0).await;
        let Err(CallError::User(error)) = stub.use_kept().await else { panic!("it was passed in") };
        assert_refused::<()>(Err(error));
        link.server_holds(0).await;
    }

    async fn r238_membrane_unwraps_what_comes_home(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, link) = open(transport, vault).await;
        let (lent, _revoker) = Revocable::membrane(stub.clone());
        let leaf = lent.leaf(1).await.unwrap();
        // In the caller's hand.
        let mine: LeafStub = Leaf(shared.clone(), 2).into_stub();
        assert!(leaf.echo(&mine).await.unwrap().same_target(&mine));
        let bundle = bundle(&shared);
        let back = lent.pass(bundle.clone()).await.unwrap();
        assert!(back.first.same_target(&bundle.first));
        assert!(back.map["a"].1.same_target(&bundle.map["a"].1));
        let promise = leaf.echo(&mine);
        let early = promise.note(1);
        let home = promise.await.unwrap();
        home.note(2).await.unwrap();
        early.await.unwrap();
        assert_eq!(*shared.log.lock().unwrap(), [1, 2]);
        until(|| home.same_target(&mine)).await;
        // At the target.
        let theirs = lent.own_leaf().await.unwrap();
        assert!(lent.is_own(&theirs).await.unwrap());
        assert!(lent.is_own(lent.own_leaf()).await.unwrap());
        assert!(!lent.is_own(&mine).await.unwrap());
        // One target has one stub on either side of it.
        assert!(theirs.same_target(&lent.own_leaf().await.unwrap()));
        assert!(!theirs.same_target(&stub.own_leaf().await.unwrap()), "another authority");
        drop((theirs, leaf, back, home, mine, bundle));
        drop(stub.keep(lent.own_leaf()).await);
        assert_eq!(stub.use_kept().await.unwrap(), 5);
        drop(link);
    }

    async fn r238_membrane_takes_promises_as_arguments(transport: Transport) {
        let vault = Vault::default();
        let shared = vault.shared.clone();
        let (stub, _link) = open(transport, vault).await;
        let (lent, revoker) = Revocable::membrane(stub.clone());
        assert_eq!(lent.double(lent.double(3)).await.unwrap(), 12);
        assert_eq!(lent.double(stub.double(3)).await.unwrap(), 12);
        assert_eq!(stub.double(lent.double(3)).await.unwrap(), 12);
        assert_eq!(lent.sum(stub.bundle()).await.unwrap(), 104);
        let theirs = lent.pass(stub.bundle()).await.unwrap();
        assert_eq!(theirs.first.number().await.unwrap(), 1);
        let (inside, outside) = (lent.double(stub.late_number()), stub.double(lent.late_number()));
        shared.started.notified().await;
        revoker.revoke_because(OVER);
        assert_struck(inside.await);
        let error = outside.await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Upstream, ErrorKind::Disposed), "{error}");
        assert!(error.message().contains(OVER), "{error}");
        // They came from outside and went back there.
        assert_eq!(theirs.first.number().await.unwrap(), 1);
    }

    async fn r238_dropped_revoker_revokes_nothing_unless_asked_to(transport: Transport) {
        let (stub, _link) = open(transport, Vault::default()).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        drop(revoker);
        assert_eq!(lent.double(2).await.unwrap(), 4);
        let (lent, revoker) = Revocable::wrap(stub.clone());
        {
            let _guard = revoker.clone().revoke_on_drop();
            assert_eq!(lent.double(2).await.unwrap(), 4);
            assert_eq!(revoker.reason(), None);
        }
        assert_eq!(lent.double(2).await.unwrap_err().kind(), ErrorKind::Disposed);
        assert_eq!(revoker.reason().map(|reason| reason.kind()), Some(ErrorKind::Disposed));
        let (lent, revoker) = Revocable::wrap(stub);
        revoker.revoke_on_drop().revoke_because(OVER);
        assert_refused(lent.double(2).await);
    }

    async fn r238_stub_is_revoked_by_what_it_calls(transport: Transport) {
        let (stub, _link) = open(transport, Vault::default()).await;
        let slot = Arc::new(Mutex::new(None::<farcall::Revoker>));
        let revoke = Arc::clone(&slot);
        let function: Number = RpcFn::new(move |n: i64| {
            revoke.lock().unwrap().take().unwrap().revoke_because(OVER);
            n
        });
        let (lent, revoker) = Revocable::membrane(function);
        *slot.lock().unwrap() = Some(revoker);
        assert_struck(lent.call(1).await);
        assert_refused(lent.call(1).await);
        drop(stub);
    }

    async fn r238_stub_is_not_wrapped_without_end(transport: Transport) {
        let (stub, _link) = open(transport, Vault::default()).await;
        let (mut lent, mut revokers) = (stub, Vec::new());
        for _ in 0..64 {
            let revoker;
            (lent, revoker) = Revocable::membrane(lent);
            revokers.push(revoker);
        }
        assert_eq!(lent.sum(lent.bundle()).await.unwrap(), 104);
        let (over, _revoker) = Revocable::wrap(lent.clone());
        let error = over.double(1).await.unwrap_err();
        assert_eq!(error.origin(), ErrorKind::Limit, "{error}");
        assert!(error.message().contains("wrapped 65 times; the limit is 64"), "{error}");
        // In the middle.
        revokers[30].revoke_because(OVER);
        assert!(lent.double(1).await.unwrap_err().message().contains(OVER));
    }
}

#[tokio::test]
async fn r238_pipelining_through_a_revocable_stub_takes_one_round_trip() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (stub, link) = open(transport, Vault::default()).await;
        stub.double(1).await.unwrap();
        for wrap in [Revocable::wrap::<VaultStub>, Revocable::membrane] {
            let (lent, _revoker) = wrap(stub.clone());
            let counters = link.counters.as_ref().unwrap();
            let before = counters.read();
            assert_eq!(lent.leaf(1).next().next().number().await.unwrap(), 3);
            assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
            let before = counters.read();
            assert_eq!(lent.bundle().first().next().number().await.unwrap(), 2);
            assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
            let before = counters.read();
            assert_eq!(lent.double(lent.double(3)).await.unwrap(), 12);
            assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
        }
    }
}

behaviours! {
    async fn r162_revoked_stub_tells_that_it_was_taken_back(transport: Transport) {
        let (stub, link) = open(transport, Leaver).await;
        let (lent, revoker) = Revocable::wrap(stub.clone());
        let (first, second) = (tokio::spawn({ let lent = lent.clone(); async move { lent.closed().await } }), lent.downgrade());
        tokio::task::yield_now().await;
        assert_eq!(lent.here().await.unwrap(), 1);
        assert!(revoker.revoke_because("enough"));
        let reason = first.await.unwrap();
        assert!(matches!(&reason, farcall::Reason::Revoked(error) if error.message().contains("enough")), "{reason}");
        assert_eq!(second.closed().await, reason);
        assert_eq!(lent.closed().await, reason);
        assert_eq!(lent.here().await.unwrap_err(), *reason.error());
        // What it was made of is whole, and one that breaks takes what stands before it with it.
        let (lent, _revoker) = Revocable::wrap(stub.clone());
        assert_eq!(lent.here().await.unwrap(), 1);
        if transport.has_wire() {
            link.cut();
            assert!(matches!(lent.closed().await, farcall::Reason::Disconnected(_)));
        }
    }
}

pub struct Leaver;

#[rpc_target]
impl Leaver {
    pub fn here(&self) -> i64 {
        1
    }
}
