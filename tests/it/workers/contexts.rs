//! The context of a call: how long it lives, what goes on after it, how it ends.

use std::sync::Arc;
use std::time::Duration;

use farcall::prelude::*;
use farcall::{CallContext, End, Running};
use tokio::sync::{Notify, mpsc};

use super::{call, host};
use crate::kit::{Transport, behaviours};

/// Tells what happens, to the test whose worker has this name.
#[derive(Env)]
pub struct Env {
    test: String,
}

/// What has been told, and what is waited for.
#[derive(Clone)]
struct Stage {
    told: mpsc::UnboundedSender<String>,
    go: Arc<Notify>,
}

static STAGES: std::sync::Mutex<Vec<(String, Stage)>> = std::sync::Mutex::new(Vec::new());

impl Env {
    fn stage(&self) -> Stage {
        STAGES.lock().unwrap().iter().find(|(test, _)| *test == self.test).unwrap().1.clone()
    }
}

impl Stage {
    fn tell(&self, text: &str) {
        // The test may have heard enough.
        let _ = self.told.send(text.to_owned());
    }
}

/// Tells when it is dropped.
struct Tells(Stage, &'static str);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.tell(self.1);
    }
}

pub struct Work {
    ctx: Ctx,
    stage: Stage,
}

impl Work {
    /// Tells how the context ends.
    fn watch(&self) {
        let (ended, stage) = (self.ctx.cancelled(), self.stage.clone());
        tokio::spawn(async move {
            let text = match ended.await {
                End::Done => "done",
                End::Gone(_) => "gone",
                End::Aborted(_) => "aborted",
                _ => "something else",
            };
            stage.tell(text);
        });
    }
}

pub struct Kept;

#[rpc_target]
impl Kept {
    pub fn ping(&self) -> bool {
        true
    }
}

#[entrypoint]
impl Work {
    fn new(env: Arc<Env>, ctx: Ctx) -> Self {
        Self { stage: env.stage(), ctx }
    }

    pub fn plain(&self) -> bool {
        self.watch();
        true
    }

    pub async fn later(&self) -> bool {
        self.watch();
        self.stage.tell("started");
        let _tells = Tells(self.stage.clone(), "dropped");
        self.stage.go.notified().await;
        true
    }

    pub fn kept(&self) -> Kept {
        self.watch();
        Kept
    }

    pub async fn kept_later(&self) -> Vec<Kept> {
        self.watch();
        tokio::task::yield_now().await;
        vec![Kept, Kept]
    }

    pub fn wait(&self) -> bool {
        self.watch();
        let stage = self.stage.clone();
        self.ctx.wait_until(async move {
            stage.go.notified().await;
            stage.tell("waited");
        });
        true
    }

    pub fn wait_for_ever(&self) -> bool {
        self.watch();
        let tells = Tells(self.stage.clone(), "task dropped");
        self.ctx.wait_until(async move {
            let _tells = tells;
            std::future::pending::<()>().await;
        });
        true
    }

    pub fn wait_often(&self, times: u32) {
        for _ in 0..times {
            let go = Arc::clone(&self.stage.go);
            self.ctx.wait_until(async move { go.notified().await });
        }
    }

    pub fn many(&self) -> bool {
        let stage = self.stage.clone();
        let fails = true;
        self.ctx.wait_until(async move { assert!(!fails, "as the test wants it") });
        self.ctx.wait_until(async { Err::<(), _>("as the test wants it") });
        self.ctx.wait_until(async move { stage.tell("third") });
        true
    }

    /// What it holds of another is in a field of nobody: in the method, and in a task that waits.
    pub async fn hold(&self, number: RpcFn<fn(i64) -> i64>, waiting: RpcFn<fn(i64) -> i64>) -> i64 {
        self.ctx.wait_until(async move {
            let _held = waiting;
            std::future::pending::<()>().await;
        });
        self.stage.tell("started");
        self.stage.go.notified().await;
        self.ctx.abort("it is enough");
        number.call(1).await.unwrap_or(0) + std::future::pending::<i64>().await
    }

    /// What a task that waits sees beside its call.
    pub fn look_later(&self) -> bool {
        let stage = self.stage.clone();
        self.ctx.wait_until(async move {
            stage.go.notified().await;
            let context = CallContext::current();
            let (tenant, trace) = (context.baggage("tenant"), context.trace().map(ToString::to_string));
            stage.tell(&format!("{tenant:?} {trace:?} {:?}", context.deadline()));
        });
        CallContext::current().deadline().is_some()
    }

    /// The method and a task wait for the same thing.
    pub async fn share(&self) -> u32 {
        let go = Arc::clone(&self.stage.go);
        let shared = Arc::new(Shared { found: tokio::sync::OnceCell::new(), go });
        let (other, stage) = (Arc::clone(&shared), self.stage.clone());
        self.ctx.wait_until(async move {
            stage.tell(if other.get().await == 7 { "shared" } else { "not shared" });
        });
        self.stage.tell("started");
        shared.get().await
    }

    pub async fn abort(&self) -> bool {
        self.watch();
        let tells = Tells(self.stage.clone(), "task dropped");
        self.ctx.wait_until(async move {
            let _tells = tells;
            std::future::pending::<()>().await;
        });
        let ctx = self.ctx.clone();
        tokio::spawn(async move { ctx.abort("it is enough") });
        std::future::pending().await
    }
}

/// What several may wait for, and one of them finds.
struct Shared {
    found: tokio::sync::OnceCell<u32>,
    go: Arc<Notify>,
}

impl Shared {
    async fn get(&self) -> u32 {
        let find = || async {
            self.go.notified().await;
            7
        };
        *self.found.get_or_init(find).await
    }
}

/// Hands on what it gets of another entrypoint.
pub struct Gateway {
    env: Arc<GatewayEnv>,
}

#[derive(Env)]
pub struct GatewayEnv {
    work: Service<WorkStub>,
}

#[entrypoint(default)]
impl Gateway {
    fn new(env: Arc<GatewayEnv>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn kept(&self) -> Result<KeptStub, Error> {
        self.env.work.kept().await
    }
}

struct Test {
    host: Running,
    work: WorkStub,
    caller: super::Caller,
    told: mpsc::UnboundedReceiver<String>,
    go: Arc<Notify>,
}

impl Test {
    async fn new(transport: Transport, of: &str, lines: &str) -> Self {
        let test = format!("{of}-{transport:?}-{:?}", std::thread::current().id());
        let (sender, told) = mpsc::unbounded_channel();
        let go = Arc::new(Notify::new());
        STAGES.lock().unwrap().push((test.clone(), Stage { told: sender, go: Arc::clone(&go) }));
        let services = "services = [{ binding = \"work\", service = \"service\", entrypoint = \"Work\" }]";
        let lines = format!("{lines}\n{services}\n[vars]\ntest = {test:?}");
        let host = host::<(Work, Gateway)>(transport, &lines).await;
        let (work, caller) = call::<WorkStub>(transport, &host, "service/Work").await;
        Self { host, work, caller, told, go }
    }

    async fn hears(&mut self, expected: &str) {
        assert_eq!(self.told.recv().await.as_deref(), Some(expected));
    }

    fn hears_nothing(&mut self) {
        assert_eq!(self.told.try_recv().ok(), None);
    }
}

behaviours! {
    async fn r150_plain_result_keeps_no_context(transport: Transport) {
        let mut test = Test::new(transport, "r150", "").await;
        assert!(test.work.plain().await.unwrap());
        test.hears("done").await;
    }

    async fn r155_context_lives_until_the_stubs_of_its_result_are_released(transport: Transport) {
        let mut test = Test::new(transport, "r155", "").await;
        let kept = test.work.kept().await.unwrap();
        assert!(kept.ping().await.unwrap());
        test.hears_nothing();
        drop(kept);
        test.hears("done").await;

        let mut kept = test.work.kept_later().await.unwrap();
        assert!(kept[0].ping().await.unwrap());
        kept.truncate(1);
        assert!(kept[0].ping().await.unwrap());
        test.hears_nothing();
        drop(kept);
        test.hears("done").await;
    }

    async fn r155_context_lives_until_a_stub_that_was_handed_on_is_released(transport: Transport) {
        let mut test = Test::new(transport, "r155-on", "").await;
        let (gateway, _caller) = call::<GatewayStub>(transport, &test.host, "service").await;
        let kept = gateway.kept().await.unwrap();
        assert!(kept.ping().await.unwrap());
        let other = kept.clone();
        drop(kept);
        assert!(other.ping().await.unwrap());
        test.hears_nothing();
        drop(other);
        test.hears("done").await;
    }

    async fn r155_context_lives_while_its_method_runs(transport: Transport) {
        let mut test = Test::new(transport, "r155-runs", "").await;
        let later = tokio::spawn(test.work.later().into_future());
        test.hears("started").await;
        test.hears_nothing();
        test.go.notify_one();
        assert!(later.await.unwrap().unwrap());
        test.hears("dropped").await;
        test.hears("done").await;
    }

    async fn context_of_a_call_that_is_given_up_ends_as_gone(transport: Transport) {
        let mut test = Test::new(transport, "given-up", "").await;
        let later = tokio::spawn(test.work.later().into_future());
        test.hears("started").await;
        later.abort();
        test.hears("dropped").await;
        test.hears("gone").await;
    }

    async fn r194_waiting_task_goes_on_after_the_answer(transport: Transport) {
        let mut test = Test::new(transport, "r194", "").await;
        assert!(test.work.wait().await.unwrap());
        // It also keeps the context.
        test.hears_nothing();
        test.go.notify_one();
        test.hears("waited").await;
        test.hears("done").await;
    }

    async fn r196_waiting_task_that_fails_stops_no_other(transport: Transport) {
        let mut test = Test::new(transport, "r196", "").await;
        assert!(test.work.many().await.unwrap());
        test.hears("third").await;
        assert!(test.work.many().await.unwrap());
        test.hears("third").await;
    }

    async fn r154_stubs_that_a_context_holds_are_released_at_its_end(transport: Transport) {
        let mut test = Test::new(transport, "r154", "").await;
        let (alive, waits) = (Arc::new(()), Arc::new(()));
        let function = |held: &Arc<()>| {
            let held = Arc::clone(held);
            RpcFn::new(move |n: i64| n + Arc::strong_count(&held) as i64)
        };
        let call = tokio::spawn(test.work.hold(function(&alive), function(&waits)).into_future());
        test.hears("started").await;
        assert_eq!((Arc::strong_count(&alive), Arc::strong_count(&waits)), (2, 2));
        test.go.notify_one();
        assert_eq!(call.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        crate::kit::until(|| Arc::strong_count(&alive) == 1 && Arc::strong_count(&waits) == 1).await;
    }

    async fn r261_waiting_task_belongs_to_the_trace_of_its_call_and_not_to_its_deadline(transport: Transport) {
        let mut test = Test::new(transport, "r261", "").await;
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = CallContext::current()
            .with_trace(farcall::context::TraceContext::parse(header).unwrap())
            .with_deadline(Duration::from_secs(60))
            .with_baggage("tenant", "blue")
            .unwrap();
        assert!(context.scope(async { test.work.look_later().await }).await.unwrap());
        test.go.notify_one();
        let told = test.told.recv().await.unwrap();
        assert!(told.starts_with("Some(\"blue\") Some(\"00-0af7651916cd43dd8448eb211c80319c-"), "{told}");
        assert!(told.ends_with(" None"), "{told}");
    }

    async fn r199_what_a_waiting_task_waits_for_may_be_waited_for_elsewhere(transport: Transport) {
        let mut test = Test::new(transport, "r199", "").await;
        let shared = tokio::spawn(test.work.share().into_future());
        test.hears("started").await;
        test.go.notify_one();
        assert_eq!(shared.await.unwrap().unwrap(), 7);
        test.hears("shared").await;
    }

    async fn abort_fails_the_call_and_drops_what_waits(transport: Transport) {
        let mut test = Test::new(transport, "abort", "").await;
        let error = test.work.abort().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(error.message(), "the worker aborted the call: it is enough");
        let mut heard = vec![test.told.recv().await.unwrap(), test.told.recv().await.unwrap()];
        heard.sort_unstable();
        assert_eq!(heard, ["aborted", "task dropped"]);
    }

    async fn r195_waiting_task_is_dropped_when_its_grace_is_over(transport: Transport) {
        let mut test = Test::new(transport, "r195-grace", "grace_seconds = 0.01").await;
        assert!(test.work.wait_for_ever().await.unwrap());
        test.hears("task dropped").await;
        test.hears("done").await;
    }

    async fn calls_are_refused_while_too_many_tasks_wait(transport: Transport) {
        let test = Test::new(transport, "too-many", "").await;
        test.work.wait_often(65_535).await.unwrap();
        test.work.wait_often(1).await.unwrap();
        let error = test.work.plain().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
        assert!(!error.may_have_run());
        assert!(error.message().contains("65536 tasks wait in this host; the limit `WAITING_TASKS`"), "{error}");
        // The host's own service answers all the same, and says so.
        let health = test.host.service::<farcall::HealthStub>("farcall");
        let waiting = || async { health.status().waiting_tasks().await.unwrap() };
        assert_eq!(waiting().await, 65_536);
        while waiting().await > 0 {
            test.go.notify_waiters();
            tokio::task::yield_now().await;
        }
        assert!(test.work.plain().await.unwrap());
    }

    async fn host_that_stops_gives_waiting_tasks_their_grace(transport: Transport) {
        let mut test = Test::new(transport, "stop", "").await;
        assert!(test.work.wait().await.unwrap());
        let Test { host, go, .. } = test;
        let stopping = tokio::spawn(host.shutdown());
        // It would wait for the task for longer than a test may take.
        go.notify_one();
        assert_eq!(test.told.recv().await.as_deref(), Some("waited"));
        stopping.await.unwrap();
    }
}

behaviours! { wire
    async fn r156_context_ends_when_its_caller_goes_held_stubs_or_not(transport: Transport) {
        let mut test = Test::new(transport, "r156", "").await;
        let _kept = test.work.kept().await.unwrap();
        let _later = tokio::spawn(test.work.later().into_future());
        test.hears("started").await;
        test.caller.leave();
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(test.told.recv().await.unwrap());
        }
        heard.sort_unstable();
        assert_eq!(heard, ["dropped", "gone", "gone"]);
    }

    async fn r195_waiting_task_outlives_its_caller(transport: Transport) {
        let mut test = Test::new(transport, "r195", "").await;
        assert!(test.work.wait().await.unwrap());
        test.caller.leave();
        test.hears("gone").await;
        test.hears_nothing();
        test.go.notify_one();
        test.hears("waited").await;
    }
}

#[tokio::test(start_paused = true)]
async fn r195_grace_begins_when_the_call_has_ended() {
    let ctx = Ctx::for_test();
    let stage = Arc::new(Notify::new());
    let waits = Arc::clone(&stage);
    let begun = tokio::time::Instant::now();
    // A context made by hand ends with its last clone.
    ctx.wait_until(async move { waits.notified().await });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    stage.notify_one();
    ctx.tasks_ended().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(3600));
}

#[test]
fn r197_waiting_needs_a_context() {
    // There is no function that takes a task and no context: what there is is a method of one.
    fn takes_a_context(ctx: &Ctx, work: std::future::Ready<()>) {
        ctx.wait_until(work);
    }
    let _ = takes_a_context;
}
