//! Contexts that are aborted, and what came out of their calls.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use farcall::prelude::*;
use farcall::{Reason, Running};
use tokio::sync::{Notify, Semaphore};

use super::{Caller, call, host};
use crate::kit::{Transport, behaviours, until};

type Number = RpcFn<fn(i64) -> i64>;

const WHY: &str = "the worker aborted the call: it is enough";

/// What a test and its worker have in common.
#[derive(Default)]
struct Stage {
    abort: Notify,
    aborted: Notify,
    started: std::sync::atomic::AtomicUsize,
    ended: std::sync::atomic::AtomicUsize,
}

static STAGES: LazyLock<Mutex<HashMap<String, Arc<Stage>>>> = LazyLock::new(Mutex::default);

#[derive(Env)]
pub struct Env {
    test: String,
}

impl Env {
    fn stage(&self) -> Arc<Stage> {
        Arc::clone(STAGES.lock().unwrap().entry(self.test.clone()).or_default())
    }
}

pub struct Cabinet {
    ctx: Ctx,
    stage: Arc<Stage>,
}

#[entrypoint]
impl Cabinet {
    fn new(env: Arc<Env>, ctx: Ctx) -> Self {
        let stage = env.stage();
        let ended = ctx.cancelled();
        let counted = Arc::clone(&stage);
        tokio::spawn(async move {
            ended.await;
            counted.ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        Self { ctx, stage }
    }

    /// A drawer, whose context is aborted when the test says so.
    pub fn open(&self) -> Drawer {
        self.abort_later();
        Drawer { value: 0, stage: Arc::clone(&self.stage) }
    }

    /// The same drawer twice.
    pub fn twice(&self) -> (DrawerStub, DrawerStub) {
        let drawer: DrawerStub = Drawer { value: 0, stage: Arc::clone(&self.stage) }.into_stub();
        (drawer.clone(), drawer)
    }

    /// The caller's own function comes back.
    pub fn back(&self, number: Number) -> Number {
        self.abort_later();
        number
    }

    /// Hands on what is promised elsewhere, and waits for it as a method does.
    pub fn promised(&self) -> Promise<DrawerStub> {
        self.abort_later();
        let other: DrawerStub = Drawer { value: 0, stage: Arc::clone(&self.stage) }.into_stub();
        other.box_later_plain()
    }

    pub fn promised_never(&self) -> Promise<bool> {
        self.abort_later();
        let other: DrawerStub = Drawer { value: 0, stage: Arc::clone(&self.stage) }.into_stub();
        other.hold()
    }

    pub fn ping(&self) -> bool {
        true
    }
}

impl Cabinet {
    /// Aborts the context when the test says so.
    fn abort_later(&self) {
        let (ctx, stage) = (self.ctx.clone(), Arc::clone(&self.stage));
        tokio::spawn(async move {
            stage.abort.notified().await;
            ctx.abort("it is enough");
            stage.aborted.notify_one();
        });
    }
}

/// Its methods run one after another.
pub struct Drawer {
    value: i64,
    stage: Arc<Stage>,
}

#[rpc_target]
impl Drawer {
    pub fn put(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }

    /// Holds the drawer for ever.
    pub async fn hold(&mut self) -> bool {
        self.stage.started.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::future::pending().await
    }

    pub fn box_inside(&mut self) -> Self {
        Self { value: 100, stage: Arc::clone(&self.stage) }
    }

    pub async fn box_later(&mut self) -> Result<Self, Fault> {
        tokio::task::yield_now().await;
        Ok(Self { value: 200, stage: Arc::clone(&self.stage) })
    }

    pub fn adder(&mut self) -> Number {
        let mut value = self.value;
        RpcFn::new(move |n: i64| {
            value += n;
            value
        })
    }

    /// A method of another drawer, as a function.
    pub fn bound(&mut self) -> Number {
        let other: DrawerStub = Self { value: 300, stage: Arc::clone(&self.stage) }.into_stub();
        RpcFn::bind(&other, DrawerStub::put)
    }

    /// Hands on what is promised elsewhere.
    pub fn promised(&mut self) -> Promise<DrawerStub> {
        let other: DrawerStub = Self { value: 400, stage: Arc::clone(&self.stage) }.into_stub();
        other.box_later_plain()
    }

    pub async fn box_later_plain(&mut self) -> Self {
        tokio::task::yield_now().await;
        Self { value: 500, stage: Arc::clone(&self.stage) }
    }

    /// Waits for the caller's function while it holds the drawer.
    pub async fn ask(&mut self, number: Number) -> Result<i64, Error> {
        number.call(self.value).await
    }
}

struct Test {
    _host: Running,
    cabinet: CabinetStub,
    _caller: Caller,
    stage: Arc<Stage>,
}

impl Test {
    async fn new(transport: Transport, of: &str) -> Self {
        let test = format!("{of}-{transport:?}-{:?}", std::thread::current().id());
        let host = host::<Cabinet>(transport, &format!("[vars]\ntest = {test:?}")).await;
        let (cabinet, caller) = call::<CabinetStub>(transport, &host, "service").await;
        let stage = Env { test }.stage();
        Self { _host: host, cabinet, _caller: caller, stage }
    }

    async fn abort(&self) {
        self.stage.abort.notify_one();
        self.stage.aborted.notified().await;
    }

    fn started(&self) -> usize {
        self.stage.started.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn ended(&self) -> usize {
        self.stage.ended.load(std::sync::atomic::Ordering::SeqCst)
    }
}

fn is_aborted(error: &Error, may_have_run: bool) {
    assert_eq!((error.kind(), error.message()), (ErrorKind::Cancelled, WHY));
    assert_eq!(error.may_have_run(), may_have_run, "{error}");
}

behaviours! {
    async fn r178_abort_fails_every_call_that_runs_in_the_context(transport: Transport) {
        let test = Test::new(transport, "r178").await;
        let drawer = test.cabinet.open().await.unwrap();
        let inside = drawer.box_inside().await.unwrap();
        let (running, deeper) = (drawer.hold(), inside.hold());
        let running = tokio::spawn(running.into_future());
        let deeper = tokio::spawn(deeper.into_future());
        until(|| test.started() == 2).await;
        // It waits its turn, and so does what was built on it.
        let queued = tokio::spawn(drawer.put(1).into_future());
        let through = tokio::spawn(drawer.box_inside().put(1).into_future());
        test.abort().await;
        is_aborted(&running.await.unwrap().unwrap_err(), true);
        is_aborted(&deeper.await.unwrap().unwrap_err(), true);
        let queued = queued.await.unwrap().unwrap_err();
        assert_eq!((queued.kind(), queued.message()), (ErrorKind::Cancelled, WHY));
        let through = through.await.unwrap().unwrap_err();
        assert_eq!(through.kind(), ErrorKind::Upstream);
        assert!(through.message().contains("it is enough"), "{through}");
        // Another call has a context of its own.
        assert!(test.cabinet.ping().await.unwrap());
    }

    async fn r179_calls_after_an_abort_get_its_reason(transport: Transport) {
        let test = Test::new(transport, "r179").await;
        let drawer = test.cabinet.open().await.unwrap();
        let (inside, later) = (drawer.box_inside().await.unwrap(), drawer.box_later().await.unwrap());
        let (adder, bound) = (drawer.adder().await.unwrap(), drawer.bound().await.unwrap());
        let promised = drawer.promised().await.unwrap();
        let clone = drawer.clone();
        assert_eq!(drawer.put(5).await.unwrap(), 5);
        assert_eq!(inside.put(1).await.unwrap(), 101);
        assert_eq!(later.put(1).await.unwrap(), 201);
        assert_eq!(adder.call(1).await.unwrap(), 1);
        assert_eq!(bound.call(1).await.unwrap(), 301);
        assert_eq!(promised.put(1).await.unwrap(), 501);
        test.abort().await;
        for _ in 0..2 {
            for stub in [&drawer, &clone, &inside, &later, &promised] {
                is_aborted(&stub.put(1).await.unwrap_err(), false);
            }
            is_aborted(&adder.call(1).await.unwrap_err(), false);
            is_aborted(&bound.call(1).await.unwrap_err(), false);
        }
        let through = drawer.box_inside().put(1).await.unwrap_err();
        assert!(through.message().contains("it is enough"), "{through}");
        // A context of its own is whole.
        assert_eq!(test.cabinet.open().put(3).await.unwrap(), 3);
    }

    async fn r179_abort_breaks_what_is_watched_in_the_same_process(transport: Transport) {
        let test = Test::new(transport, "r179-closed").await;
        let drawer = test.cabinet.open().await.unwrap();
        let inside = drawer.box_inside().await.unwrap();
        let weak = drawer.downgrade();
        let watching = tokio::spawn(async move { weak.closed().await });
        test.abort().await;
        is_aborted(&drawer.put(1).await.unwrap_err(), false);
        if transport == Transport::InProcess {
            assert!(matches!(drawer.closed().await, Reason::Revoked(error) if error.message() == WHY));
            assert!(matches!(inside.closed().await, Reason::Revoked(_)));
            assert!(matches!(watching.await.unwrap(), Reason::Revoked(_)));
        } else {
            // What breaks behind the peer is told by calls.
            assert!(!watching.is_finished());
            watching.abort();
        }
    }

    async fn r178_abort_leaves_alone_what_is_not_of_the_context(transport: Transport) {
        let test = Test::new(transport, "r178-own").await;
        let own: Number = RpcFn::new(|n: i64| n + 1);
        let back = test.cabinet.back(own.clone()).await.unwrap();
        assert!(back.same_target(&own));
        let other = test.cabinet.twice().await.unwrap().0;
        test.abort().await;
        assert_eq!(other.put(2).await.unwrap(), 2);
        assert_eq!(own.call(1).await.unwrap(), 2);
        if transport.has_wire() {
            assert_eq!(back.call(1).await.unwrap(), 2);
        }
    }

    async fn r155_context_lives_until_what_came_out_of_its_stubs_is_released(transport: Transport) {
        let test = Test::new(transport, "r155-deep").await;
        let drawer = test.cabinet.open().await.unwrap();
        let inside = drawer.box_inside().await.unwrap();
        let adder = inside.adder().await.unwrap();
        let bound = inside.bound().await.unwrap();
        drop(drawer);
        assert_eq!(inside.put(1).await.unwrap(), 101);
        drop(inside);
        assert_eq!(adder.call(2).await.unwrap(), 102);
        drop(adder);
        assert_eq!(bound.call(2).await.unwrap(), 302);
        assert_eq!(test.ended(), 0);
        drop(bound);
        until(|| test.ended() == 1).await;
    }

    async fn r155_context_lives_while_calls_on_its_stubs_run(transport: Transport) {
        let test = Test::new(transport, "r155-calls").await;
        let drawer = test.cabinet.open().await.unwrap();
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let waits: Number = RpcFn::new_async(move |n: i64| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                n
            }
        });
        let (first, second) = (drawer.ask(waits.clone()), drawer.ask(waits));
        drop(drawer);
        // Neither the one that runs nor the one that waits its turn has a stub that it was made on.
        assert!(test.cabinet.ping().await.unwrap());
        until(|| test.ended() == 1).await;
        go.add_permits(1);
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(test.ended(), 1);
        go.add_permits(1);
        assert_eq!(second.await.unwrap(), 0);
        until(|| test.ended() == 2).await;
    }

    async fn r155_promise_that_is_handed_on_is_within_the_context(transport: Transport) {
        let test = Test::new(transport, "r155-promise").await;
        let drawer = test.cabinet.promised().await.unwrap();
        assert_eq!(drawer.put(1).await.unwrap(), 501);
        let never = tokio::spawn(test.cabinet.promised_never().into_future());
        until(|| test.started() == 1).await;
        assert_eq!(test.ended(), 0);
        // Who waits is told, one after the other.
        test.abort().await;
        test.abort().await;
        is_aborted(&drawer.put(1).await.unwrap_err(), false);
        is_aborted(&never.await.unwrap().unwrap_err(), true);
        until(|| test.ended() == 2).await;
    }

    async fn stubs_of_one_result_on_one_target_are_the_same(transport: Transport) {
        let test = Test::new(transport, "same").await;
        let (one, two) = test.cabinet.twice().await.unwrap();
        assert!(one.same_target(&two));
        assert_eq!((one.put(1).await.unwrap(), two.put(1).await.unwrap()), (1, 2));
    }
}

/// A drawer that came out of a worker is found to wait for itself like any other.
#[tokio::test]
async fn target_of_a_worker_that_waits_for_itself_is_told_so() {
    crate::kit::in_time(async {
        let test = Test::new(Transport::InProcess, "deadlock").await;
        let drawer = test.cabinet.open().await.unwrap();
        let again = drawer.clone();
        let told = Arc::new(Mutex::new(None));
        let tells = Arc::clone(&told);
        let asked = drawer
            .ask(RpcFn::new_async(move |n: i64| {
                let (again, tells) = (again.clone(), Arc::clone(&tells));
                async move {
                    match again.put(n).await {
                        Ok(value) => value,
                        Err(error) => {
                            tells.lock().unwrap().replace(error.kind());
                            -1
                        }
                    }
                }
            }))
            .await;
        let told = *told.lock().unwrap();
        let told = told.or_else(|| Some(asked.unwrap_err().user()?.kind()));
        assert_eq!(told, Some(ErrorKind::Deadlock));
    })
    .await;
}
