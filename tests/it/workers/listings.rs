//! The listings of the documentation, one small worker each.

use std::sync::Arc;

use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{UNKNOWN_METHOD, call, host};
use crate::kit::raw::{Call, Stage, disguised, method};
use crate::kit::{Transport, behaviours};

// Two workers.

pub struct WorkerB;

#[entrypoint]
impl WorkerB {
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

#[derive(Env)]
pub struct EnvOfA {
    worker_b: Service<WorkerBStub>,
}

pub struct WorkerA {
    env: Arc<EnvOfA>,
}

#[entrypoint]
impl WorkerA {
    fn new(env: Arc<EnvOfA>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn sum(&self) -> i64 {
        self.env.worker_b.add(1, 2).await.unwrap()
    }
}

// Greet from env.

#[derive(Env)]
pub struct Greeting {
    greeting: String,
}

pub struct Greeter {
    env: Arc<Greeting>,
    calls: u32,
}

#[entrypoint]
impl Greeter {
    fn new(env: Arc<Greeting>, _ctx: Ctx) -> Self {
        Self { env, calls: 0 }
    }

    pub fn greet(&mut self, name: &str) -> String {
        self.calls += 1;
        format!("{}{name}", self.env.greeting)
    }

    pub fn calls(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }
}

// Signup with work that goes on.

pub struct Signup {
    ctx: Ctx,
}

static EVENTS: std::sync::Mutex<Vec<(String, mpsc::UnboundedSender<&'static str>)>> =
    std::sync::Mutex::new(Vec::new());

impl Signup {
    async fn send_event(email: String) {
        let found =
            EVENTS.lock().unwrap().iter().find(|(of, _)| *of == email).map(|(_, events)| events.clone());
        let events = found.unwrap();
        tokio::task::yield_now().await;
        // The test may have seen enough.
        let _ = events.send("sent");
    }
}

#[entrypoint]
impl Signup {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub fn signup(&self, email: String, go: RpcFn<fn()>) -> String {
        let go = go.call();
        self.ctx.wait_until(async move {
            // The event is sent once the caller lets it go, or is gone.
            let _ = go.await;
            Self::send_event(email).await;
        });
        "Success".to_owned()
    }
}

// Counters.

pub struct CounterService;

#[derive(Default)]
pub struct Counter {
    value: i64,
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.value
    }
}

#[entrypoint]
impl CounterService {
    pub fn new_counter(&self) -> Counter {
        Counter::default()
    }

    pub fn counter_function(&self) -> RpcFn<fn(Option<i64>) -> i64> {
        let mut value = 0;
        RpcFn::new(move |amount: Option<i64>| {
            value += amount.unwrap_or(1);
            value
        })
    }
}

/// The default of a worker with two.
pub struct Other;

#[entrypoint(default)]
impl Other {
    pub fn add(&self, a: i64, b: i64) -> i64 {
        1000 + a + b
    }
}

// A company.

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    pub send_email: RpcFn<fn(String) -> usize>,
}

pub struct Directory;

#[entrypoint]
impl Directory {
    pub async fn company_by_name(&self, name: String) -> Company {
        Company { name, send_email: RpcFn::new(|text: String| text.len()) }
    }
}

behaviours! {
    async fn r287_two_workers_with_a_binding(transport: Transport) {
        // Each from its own configuration; the binding names no entrypoint, for the other has but one.
        let b = host::<WorkerB>(transport, "").await;
        let (a, called) = match b.addresses().first() {
            Some(address) => {
                let services = format!(
                    "services = [{{ binding = \"WORKER_B\", service = \"service\", address = \"{address}\" }}]"
                );
                let a = host::<WorkerA>(transport, &services).await;
                let (stub, _) = call::<WorkerAStub>(transport, &a, "service").await;
                let called = stub.sum().await;
                (a, called)
            }
            None => {
                let texts = [
                    ("a.toml", "name = \"a\"\nservices = [{ binding = \"WORKER_B\", service = \"b\" }]"),
                    ("b.toml", "name = \"b\""),
                ];
                let host = Host::from_texts(texts).unwrap().environment([]);
                let both = host.worker_of::<WorkerA>("a").worker_of::<WorkerB>("b").start().await.unwrap();
                let (stub, _) = call::<WorkerAStub>(transport, &both, "a").await;
                let called = stub.sum().await;
                (both, called)
            }
        };
        assert_eq!(called.unwrap(), 3);
        tokio::join!(a.shutdown(), b.shutdown());
    }

    async fn r288_two_calls_meet_two_objects(transport: Transport) {
        let host = host::<Greeter>(transport, "vars = { GREETING = \"\" }").await;
        let (greeter, _caller) = call::<GreeterStub>(transport, &host, "service").await;
        for _ in 0..3 {
            assert_eq!(greeter.calls().await.unwrap(), 1);
        }
        let (first, second) = (greeter.calls(), greeter.calls());
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 1));
    }

    async fn r289_greets_from_the_callees_own_variable(transport: Transport) {
        let host = host::<Greeter>(transport, "vars = { GREETING = \"Hello, \" }").await;
        let (greeter, _caller) = call::<GreeterStub>(transport, &host, "service").await;
        assert_eq!(greeter.greet("Ann").await.unwrap(), "Hello, Ann");
    }

    async fn r290_signup_answers_before_its_event_which_outlives_the_caller(transport: Transport) {
        let host = host::<Signup>(transport, "").await;
        let (signup, caller) = call::<SignupStub>(transport, &host, "service").await;
        let email = format!("ann-{:?}-{:?}@example.org", transport, std::thread::current().id());
        let (sender, mut events) = mpsc::unbounded_channel();
        EVENTS.lock().unwrap().push((email.clone(), sender));
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let mut gone = Some(gone);
        let wait: RpcFn<fn()> = RpcFn::new_async(move || {
            let gone = gone.take();
            async move {
                // Nobody says so: it ends with the caller.
                let _ = gone.unwrap().await;
            }
        });
        assert_eq!(signup.signup(email, wait).await.unwrap(), "Success");
        // The answer is here, and the event was not sent.
        assert!(events.try_recv().is_err());
        if caller.connection.is_some() {
            caller.leave();
        } else {
            drop((signup, go));
        }
        assert_eq!(events.recv().await, Some("sent"));
    }

    async fn r291_counter_as_a_function_of_an_entrypoint(transport: Transport) {
        let host = host::<CounterService>(transport, "").await;
        let (service, _caller) = call::<CounterServiceStub>(transport, &host, "service").await;
        let counter = service.counter_function().await.unwrap();
        assert_eq!(counter.call(2).await.unwrap(), 2);
        assert_eq!(counter.call(None).await.unwrap(), 3);
        assert_eq!(counter.call(-5).await.unwrap(), -2);
    }

    async fn r293_company_of_an_entrypoint_with_send_email(transport: Transport) {
        let host = host::<Directory>(transport, "").await;
        let (directory, _caller) = call::<DirectoryStub>(transport, &host, "service").await;
        let company = directory.company_by_name("acme").await.unwrap();
        assert_eq!(company.name, "acme");
        assert_eq!(company.send_email.call("hi").await.unwrap(), 2);
        // And in one round trip.
        assert_eq!(directory.company_by_name("acme").send_email().call("hello").await.unwrap(), 5);
    }

    async fn r294_counter_as_a_target_of_an_entrypoint(transport: Transport) {
        let host = host::<CounterService>(transport, "").await;
        let (service, _caller) = call::<CounterServiceStub>(transport, &host, "service").await;
        let counter = service.new_counter().await.unwrap();
        assert_eq!(counter.increment(2).await.unwrap(), 2);
        assert_eq!(counter.increment(1).await.unwrap(), 3);
        assert_eq!(counter.increment(-5).await.unwrap(), -2);
        assert_eq!(counter.value().await.unwrap(), -2);
    }

    async fn r295_binding_names_an_entrypoint(transport: Transport) {
        let host = host::<(CounterService, Other)>(transport, "").await;
        let (service, _caller) = call::<CounterServiceStub>(transport, &host, "service/CounterService").await;
        assert_eq!(service.new_counter().increment(2).await.unwrap(), 2);
        let (default, _caller) = call::<OtherStub>(transport, &host, "service").await;
        assert_eq!(default.add(1, 2).await.unwrap(), 1003);
    }
}

behaviours! { wire
    async fn r290_private_method_cannot_be_called_by_its_name(transport: Transport) {
        let host = host::<Signup>(transport, "").await;
        let mut raw = Stage::of(transport, host.endpoint()).raw_wanting("service", "").await;
        let like = method::<SignupStub>("signup");
        for name in ["send_event", "new", "ctx"] {
            raw.refused(&Call::of(disguised(name, like), &[]), UNKNOWN_METHOD).await;
        }
    }
}
