//! Small whole programs, as a user would write them.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use farcall::Limits;
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open, open_with, until};

/// What the program looks at from outside: how often something ran, and what is still held.
#[derive(Clone, Default)]
pub struct Watch {
    runs: Arc<AtomicU32>,
    held: Arc<()>,
}

impl Watch {
    /// Waits until nothing but this and the service's own holds it.
    async fn released(&self) {
        until(|| Arc::strong_count(&self.held) == 2).await;
    }

    fn holders(&self) -> usize {
        Arc::strong_count(&self.held) - 2
    }
}

type Increment = RpcFn<fn(Option<i64>) -> i64>;
type Progress = RpcFn<fn(i64)>;

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("no {0}")]
pub struct Missing(pub String);

pub struct Counter {
    value: i64,
    watch: Watch,
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.watch.runs.fetch_add(1, SeqCst);
        self.value
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    pub employees: u32,
    pub send_email: RpcFn<fn(String) -> String>,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Foo {
    pub bar: Bar,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Bar {
    pub baz: RpcFn<fn() -> String>,
}

/// A function with a property.
pub struct Answer;

#[rpc_target]
impl Answer {
    #[rpc(call)]
    pub fn ask(&self, question: &str) -> String {
        format!("{question}!")
    }

    #[rpc(get)]
    pub fn number(&self) -> i64 {
        123
    }
}

pub struct User {
    id: u32,
    visits: u32,
    _watch: Watch,
}

#[rpc_target]
impl User {
    pub fn visit(&mut self) -> (u32, u32) {
        self.visits += 1;
        (self.id, self.visits)
    }
}

#[derive(Clone, Default)]
pub struct Service {
    watch: Watch,
    kept: Arc<Mutex<Option<Progress>>>,
}

#[rpc_target]
impl Service {
    pub fn counter_function(&self) -> Increment {
        let (mut sum, watch) = (0, self.watch.clone());
        RpcFn::new(move |amount: Option<i64>| {
            // All of it is captured.
            let watch = &watch;
            watch.runs.fetch_add(1, SeqCst);
            sum += amount.unwrap_or(1);
            sum
        })
    }

    pub fn new_counter(&self) -> Counter {
        Counter { value: 0, watch: self.watch.clone() }
    }

    pub async fn progress(&self, callback: Progress, keep: bool) -> Result<(), Error> {
        for n in 0..3 {
            callback.call(n).await?;
        }
        if keep {
            *self.kept.lock().unwrap() = Some(callback);
        }
        Ok(())
    }

    pub async fn later(&self) -> Result<bool, Error> {
        let kept = self.kept.lock().unwrap().take();
        match kept {
            Some(callback) => callback.call(3).await.map(|()| true),
            None => Ok(false),
        }
    }

    pub async fn company_by_name(&self, name: &str) -> Result<Company, Missing> {
        let (row, employees) = match name {
            "acme" => ("Acme Ltd", 12),
            "globex" => ("Globex", 7),
            _ => return Err(Missing(name.to_owned())),
        };
        let runs = Arc::clone(&self.watch.runs);
        let send_email = RpcFn::new(move |text: String| {
            runs.fetch_add(1, SeqCst);
            format!("to {row}: {text}")
        });
        Ok(Company { name: row.to_owned(), employees, send_email })
    }

    pub async fn foo(&self) -> Foo {
        Foo { bar: Bar { baz: RpcFn::new(|| "qux".to_owned()) } }
    }

    pub fn answer(&self) -> Answer {
        Answer
    }

    pub async fn find_user(&self, id: u32) -> Result<User, Missing> {
        if id == 0 {
            return Err(Missing("user".to_owned()));
        }
        Ok(User { id, visits: 0, _watch: self.watch.clone() })
    }

    pub fn ping(&self) {}
}

behaviours! {
    async fn r291_counter_as_a_function(transport: Transport) {
        let service = Service::default();
        let watch = service.watch.clone();
        let (stub, _link) = open(transport, service).await;
        {
            let increment = stub.counter_function().await.unwrap();
            assert_eq!(increment.call(2).await.unwrap(), 2);
            assert_eq!(increment.call(None).await.unwrap(), 3, "a left-out amount counts as one");
            assert_eq!(increment.call(-5).await.unwrap(), -2);
            assert_eq!((watch.runs.load(SeqCst), watch.holders()), (3, 1));
        }
        watch.released().await;
    }

    async fn r292_callback_during_and_after_the_call(transport: Transport) {
        let (stub, _link) = open(transport, Service::default()).await;
        let calls = Arc::new(AtomicU32::new(0));
        let callback = || {
            let calls = Arc::clone(&calls);
            move |_: i64| {
                calls.fetch_add(1, SeqCst);
            }
        };
        stub.progress(callback(), false).await.unwrap();
        assert_eq!(calls.load(SeqCst), 3, "all within the call");
        until(|| Arc::strong_count(&calls) == 1).await;
        assert!(!stub.later().await.unwrap());
        assert_eq!(calls.load(SeqCst), 3);
        stub.progress(callback(), true).await.unwrap();
        assert_eq!(calls.load(SeqCst), 6);
        stub.ping().await.unwrap();
        assert_eq!(Arc::strong_count(&calls), 2, "it is kept");
        assert!(stub.later().await.unwrap());
        assert_eq!(calls.load(SeqCst), 7);
        until(|| Arc::strong_count(&calls) == 1).await;
    }

    async fn r293_company_with_send_email(transport: Transport) {
        let service = Service::default();
        let runs = Arc::clone(&service.watch.runs);
        let (stub, _link) = open(transport, service).await;
        let acme = stub.company_by_name("acme").await.unwrap();
        let globex = stub.company_by_name("globex").await.unwrap();
        assert_eq!((acme.name.as_str(), acme.employees), ("Acme Ltd", 12));
        assert_eq!((globex.name.as_str(), globex.employees), ("Globex", 7));
        assert_eq!(runs.load(SeqCst), 0);
        assert_eq!(acme.send_email.call("hi").await.unwrap(), "to Acme Ltd: hi");
        assert_eq!(stub.company_by_name("globex").send_email().call("ho").await.unwrap(), "to Globex: ho");
        assert_eq!(runs.load(SeqCst), 2);
        let missing = stub.company_by_name("nobody").await.err();
        assert_eq!(missing, Some(CallError::User(Missing("nobody".to_owned()))));
    }

    async fn r294_counter_as_a_target(transport: Transport) {
        let service = Service::default();
        let reads = Arc::clone(&service.watch.runs);
        let (stub, _link) = open(transport, service).await;
        let counter = stub.new_counter().await.unwrap();
        assert_eq!(counter.increment(2).await.unwrap(), 2);
        assert_eq!(counter.increment(1).await.unwrap(), 3);
        assert_eq!(counter.increment(-5).await.unwrap(), -2);
        assert_eq!(reads.load(SeqCst), 0);
        assert_eq!(counter.value().await.unwrap(), -2);
        assert_eq!(counter.value().await.unwrap(), -2);
        assert_eq!(reads.load(SeqCst), 2);
    }

    async fn r301_user_lives_while_held(transport: Transport) {
        let service = Service::default();
        let watch = service.watch.clone();
        let (stub, _link) = open(transport, service.clone()).await;
        let (other, _other_link) = open(transport, service).await;
        // The second service has the watch too.
        let base = Arc::strong_count(&watch.held);
        let user = stub.find_user(7).await.unwrap();
        for visits in 1..=3 {
            assert_eq!(user.visit().await.unwrap(), (7, visits));
            assert_eq!(Arc::strong_count(&watch.held), base + 1);
        }
        let same_id = other.find_user(7).await.unwrap();
        assert_eq!(same_id.visit().await.unwrap(), (7, 1), "another caller has a user of its own");
        drop(user);
        until(|| Arc::strong_count(&watch.held) == base + 1).await;
        assert_eq!(same_id.visit().await.unwrap(), (7, 2));
        drop(same_id);
        until(|| Arc::strong_count(&watch.held) == base).await;
        assert!(stub.find_user(0).visit().await.is_err());
    }

    async fn r302_counter_is_released_on_every_way_out(transport: Transport) {
        async fn use_it(stub: &ServiceStub, way: &str) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
            let counter = stub.new_counter().await?;
            counter.increment(1).await?;
            match way {
                "error" => Err(Missing("way".to_owned()))?,
                "panic" => panic!("this is one way out"),
                "dropped" => std::future::pending().await,
                _ => {}
            }
            Ok(counter.increment(1).await?)
        }
        let service = Service::default();
        let watch = service.watch.clone();
        let (stub, _link) = open(transport, service).await;
        assert_eq!(use_it(&stub, "normal").await.unwrap(), 2);
        watch.released().await;
        assert!(use_it(&stub, "error").await.is_err());
        watch.released().await;
        let panicking = stub.clone();
        assert!(tokio::spawn(async move { use_it(&panicking, "panic").await.is_ok() }).await.is_err());
        watch.released().await;
        let mut halfway = Box::pin(use_it(&stub, "dropped"));
        tokio::select! {
            _ = &mut halfway => panic!("it does not end"),
            () = until(|| watch.holders() == 1) => {}
        }
        drop(halfway);
        watch.released().await;
    }

    async fn r305_clones_types_and_errors_in_one_program(transport: Transport) {
        type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
        async fn program(stub: &ServiceStub) -> Outcome<(i64, u32)> {
            let counter = stub.new_counter().await?;
            let mine = counter.clone();
            let task = tokio::spawn(async move { mine.increment(20).await });
            counter.increment(task.await??).await?;
            let user = stub.find_user(1).await?;
            let sum: i64 = counter.value().await?;
            let (_, visits): (u32, u32) = user.visit().await?;
            stub.find_user(0).await?;
            Ok((sum, visits))
        }
        let service = Service::default();
        let watch = service.watch.clone();
        let (stub, _link) = open(transport, service).await;
        let error = program(&stub).await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&CallError::User(Missing("user".to_owned()))));
        let text = format!("{error} {error:?}");
        assert!(text.contains("no user") && !text.contains(".rs") && !text.contains("backtrace"), "{text}");
        assert_eq!(watch.runs.load(SeqCst), 1);
        watch.released().await;
    }
}

const WIRES: [Transport; 3] = [Transport::Duplex, Transport::Tcp, Transport::Unix];

#[tokio::test]
async fn r297_one_round_trip_against_two() {
    const DELAY: Duration = Duration::from_millis(50);
    for transport in WIRES {
        let (stub, link) = open_with(transport, DELAY, Limits::default(), Service::default()).await;
        stub.ping().await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let (before, start) = (counters.read(), Instant::now());
        assert_eq!(stub.new_counter().increment(2).await.unwrap(), 2);
        assert!(start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
        let (before, start) = (counters.read(), Instant::now());
        let counter = stub.new_counter().await.unwrap();
        assert_eq!(counter.increment(2).await.unwrap(), 2);
        assert!(start.elapsed() >= 4 * DELAY, "{:?}", start.elapsed());
        assert_eq!(counters.since(before).round_trips, 2, "{transport:?}");
    }
}

#[tokio::test]
async fn r298_function_two_values_deep_in_one_round_trip() {
    for transport in WIRES {
        let (stub, link) = open(transport, Service::default()).await;
        stub.ping().await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        assert_eq!(stub.foo().bar().baz().call().await.unwrap(), "qux");
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
    }
}

#[tokio::test]
async fn r300_function_with_a_property() {
    for transport in WIRES {
        let (stub, link) = open(transport, Service::default()).await;
        let answer = stub.answer().await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        assert_eq!(answer.call("why").await.unwrap(), "why!");
        let cost = counters.since(before);
        assert_eq!((cost.frames_out, cost.frames_in), (1, 1), "{transport:?}");
        let before = counters.read();
        assert_eq!(answer.number().await.unwrap(), 123);
        let cost = counters.since(before);
        assert_eq!((cost.frames_out, cost.frames_in), (1, 1), "{transport:?}");
    }
}
