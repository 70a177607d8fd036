//! Services: addresses that connect when they are needed, and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use farcall::{HealthStub, Running};
use tokio::net::TcpListener;

use super::listings::{WorkerB, WorkerBStub};
use super::socket;
use crate::kit::{in_time, until};

async fn serve(address: &str) -> Running {
    let text = format!("name = \"b\"\nlisten = [\"{address}\"]");
    let host = Host::from_texts([("b.toml", text.as_str())]).unwrap().environment([]);
    host.worker::<WorkerB>().start().await.unwrap()
}

/// Has several bindings to one place.
pub struct Twice {
    env: Arc<TwiceBound>,
}

#[derive(Env)]
pub struct TwiceBound {
    one: Service<WorkerBStub>,
    two: Service<WorkerBStub>,
}

#[entrypoint]
impl Twice {
    fn new(env: Arc<TwiceBound>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn sum(&self) -> i64 {
        self.env.one.add(1, 2).await.unwrap() + self.env.two.add(3, 4).await.unwrap()
    }
}

#[tokio::test]
async fn bindings_to_one_place_share_one_connection() {
    in_time(async {
        let b = serve("tcp://127.0.0.1:0").await;
        let bound =
            |name| format!("{{ binding = \"{name}\", service = \"b\", address = \"{}\" }}", b.addresses()[0]);
        let text = format!("name = \"a\"\nservices = [{}, {}]", bound("one"), bound("two"));
        let a = Host::from_texts([("a.toml", text.as_str())]).unwrap().environment([]);
        let a = a.worker::<Twice>().start().await.unwrap();
        for _ in 0..2 {
            assert_eq!(a.service::<TwiceStub>("a").sum().await.unwrap(), 10);
        }
        let health = b.service::<HealthStub>("farcall");
        assert_eq!(health.status().connections().await.unwrap(), 1);
    })
    .await;
}

/// Reaches for what it was not given.
pub struct Reacher {
    env: Arc<Reach>,
    ctx: Ctx,
}

#[derive(Env)]
pub struct Reach {
    given: Service<WorkerBStub>,
    other: Option<Service<WorkerBStub>>,
}

#[entrypoint]
impl Reacher {
    fn new(env: Arc<Reach>, ctx: Ctx) -> Self {
        Self { env, ctx }
    }

    /// What it gets of its binding, of one that its file does not have, and of a worker beside it by the type.
    pub async fn reach(&self) -> (i64, bool, Option<String>) {
        let beside = self.ctx.exports().service::<WorkerB>().err().map(|error| error.to_string());
        (self.env.given.add(1, 2).await.unwrap(), self.env.other.is_some(), beside)
    }
}

#[tokio::test]
async fn r30_worker_reaches_what_its_configuration_binds_and_nothing_else() {
    in_time(async {
        let a = "name = \"a\"\nservices = [{ binding = \"given\", service = \"b\" }]";
        let host = Host::from_texts([("a.toml", a), ("b.toml", "name = \"b\"")]).unwrap().environment([]);
        let host = host.worker_of::<Reacher>("a").worker_of::<WorkerB>("b").start().await.unwrap();
        let reached = host.service::<ReacherStub>("a").reach().await.unwrap();
        let beside = "unsupported: `WorkerB` is no entrypoint of this worker";
        assert_eq!(reached, (3, false, Some(beside.to_owned())));
        // Nobody outside reaches a host that listens nowhere, and a worker beside is found by nobody's name for it.
        assert!(host.addresses().is_empty());
        let (a, b) = tokio::io::duplex(64 * 1024);
        let wanted = farcall::Greeting { name: "given".to_owned(), ..farcall::Greeting::default() };
        let (connection, driver) = farcall::Endpoint::new().want(wanted).connect_over(a);
        let adder: WorkerBStub = farcall::main_stub(&connection);
        let (_, served) = host.endpoint().accept_over(b);
        tokio::spawn(async move { drop(tokio::join!(driver, served)) });
        let error = adder.add(1, 2).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Unsupported, "there is no service `given` in this host")
        );
    })
    .await;
}

/// An address at which nobody serves yet.
fn nowhere() -> String {
    format!("unix:{}", socket().display())
}

#[tokio::test]
async fn r253_service_connects_lazily_and_again() {
    in_time(async {
        let address = nowhere();
        let adder: Service<WorkerBStub> = Service::at("b", [address.clone()]);
        // Nobody is there: the call fails, and says that it did not run.
        let error = adder.add(1, 2).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(!error.may_have_run() && error.is_retryable());
        assert!(error.message().starts_with("`b` could not be reached at unix:"), "{error}");

        for _ in 0..3 {
            let host = serve(&address).await;
            // Those that are made while it connects wait for that, in order.
            let sums: Vec<_> = (0..10).map(|n| adder.add(n, 1)).collect();
            for (n, sum) in sums.into_iter().enumerate() {
                assert_eq!(sum.await.unwrap(), n as i64 + 1);
            }
            host.shutdown().await;
        }
        // It is gone again, and the connection with it.
        let error = adder.add(1, 2).await.unwrap_err();
        assert!(!error.may_have_run(), "{error}");
    })
    .await;
}

#[tokio::test]
async fn clones_share_one_connection() {
    in_time(async {
        let host = serve("tcp://127.0.0.1:0").await;
        let adder: Service<WorkerBStub> = Service::at("b", host.addresses().to_vec());
        let other = adder.clone();
        let stub = WorkerBStub::clone(&adder);
        for adder in [&*adder, &*other, &stub] {
            assert_eq!(adder.add(1, 2).await.unwrap(), 3);
        }
        let health = host.service::<HealthStub>("farcall");
        assert_eq!(health.status().connections().await.unwrap(), 1);
        // It closes when nobody has the service any more.
        drop((adder, other, stub));
        until_connections(&health, 0).await;
    })
    .await;
}

async fn until_connections(health: &HealthStub, expected: u64) {
    while health.status().connections().await.unwrap() != expected {
        tokio::time::sleep(std::time::Duration::from_micros(100)).await;
    }
}

#[tokio::test]
async fn health_says_whether_the_host_is_ready() {
    let host = serve("tcp://127.0.0.1:0").await;
    let health: Service<HealthStub> = Service::at("farcall", host.addresses().to_vec());
    assert!(health.ready().await.unwrap());
    let status = health.status().await.unwrap();
    assert_eq!(status.services, ["b"]);
    assert_eq!((status.ready, status.connections, status.waiting_tasks), (true, 1, 0));
}

#[derive(Default)]
struct Slow {
    runs: Arc<AtomicUsize>,
}

#[rpc_target]
impl Slow {
    pub async fn run(&self) -> i64 {
        self.runs.fetch_add(1, SeqCst);
        std::future::pending().await
    }

    pub fn ping(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn r171_lost_call_may_have_run_and_is_never_made_again() {
    in_time(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let slow = Slow::default();
        let runs = Arc::clone(&slow.runs);
        let endpoint = farcall::Endpoint::new().offer::<SlowStub>(slow);
        // The program's own listener: a service is anything that speaks the wire.
        let service: Service<SlowStub> = Service::at("", [address]);
        let call = tokio::spawn(service.run().into_future());
        let (connection, driver) = endpoint.accept_over(listener.accept().await.unwrap().0);
        let serving = tokio::spawn(driver);
        until(|| runs.load(SeqCst) == 1).await;
        serving.abort();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.may_have_run() && !error.is_retryable());
        drop(connection);

        // The next call connects anew, and the lost one is not among what comes.
        let ping = tokio::spawn(service.ping().into_future());
        let (_connection, driver) = endpoint.accept_over(listener.accept().await.unwrap().0);
        let _serving = tokio::spawn(driver);
        assert!(ping.await.unwrap().unwrap());
        assert_eq!(runs.load(SeqCst), 1);
    })
    .await;
}

#[tokio::test]
async fn service_with_several_addresses_goes_to_the_next() {
    in_time(async {
        let host = serve("tcp://127.0.0.1:0").await;
        let addresses = [nowhere(), host.addresses()[0].clone()];
        let adder: Service<WorkerBStub> = Service::at("b", addresses);
        assert_eq!(adder.add(1, 2).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn name_that_no_greeting_has_room_for_is_refused() {
    in_time(async {
        let host = serve("tcp://127.0.0.1:0").await;
        let adder: Service<WorkerBStub> = Service::at("b".repeat(70_000), host.addresses().to_vec());
        let error = adder.add(1, 2).await.unwrap_err();
        assert!(error.message().ends_with("have 70000 bytes; the limit is 61440"));
        assert!(!error.may_have_run());
    })
    .await;
}

#[tokio::test]
async fn service_can_be_passed_on_as_a_stub() {
    pub struct User;
    #[rpc_target]
    impl User {
        pub async fn sum(&self, adder: WorkerBStub) -> i64 {
            adder.add(20, 3).await.unwrap()
        }
    }
    in_time(async {
        let host = serve("tcp://127.0.0.1:0").await;
        let adder: Service<WorkerBStub> = Service::at("b", host.addresses().to_vec());
        for transport in [crate::kit::Transport::InProcess, crate::kit::Transport::Tcp] {
            let (user, _link) = crate::kit::open::<UserStub>(transport, User).await;
            assert_eq!(user.sum(&*adder).await.unwrap(), 23);
        }
    })
    .await;
}
