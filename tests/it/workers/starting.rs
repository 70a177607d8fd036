//! What keeps a host from starting: all of it at once, with the place and in words.

use std::sync::Arc;

use farcall::prelude::*;
use farcall::{Running, StartError};

use super::entrypoints::{Offset, Plain};
use super::listings::{CounterService, CounterServiceStub, Other, WorkerB, WorkerBStub};
use super::socket;

#[derive(Env)]
pub struct Env {
    _name: String,
    _limit: u32,
    _token: Secret<u32>,
    _adder: Service<WorkerBStub>,
    _counter: Service<CounterServiceStub>,
    _far: Service<WorkerBStub>,
    _none: Service<WorkerBStub>,
    _fits: Service<WorkerBStub>,
}

pub struct Worker;

#[entrypoint]
impl Worker {
    fn new(_env: Arc<Env>, _ctx: Ctx) -> Self {
        Self
    }

    pub fn ping(&self) -> bool {
        true
    }
}

fn lines(error: &StartError) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

async fn refused(host: Host) -> StartError {
    match host.environment([]).start().await {
        Ok(running) => panic!("{running:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn r4_everything_that_is_wrong_is_said_at_once() {
    let file = r#"
name = "worker"
listen = ["ftp://somewhere"]
vars = { _limit = "many", _token = "hunter2" }
services = [
    { binding = "_adder", service = "nobody" },
    { binding = "_COUNTER", service = "b", entrypoint = "Nothing" },
    { binding = "_far", service = "b", address = "somewhere" },
    { binding = "_fits", service = "b", entrypoint = "CounterService" },
]
"#;
    let host = Host::from_texts([("worker.toml", file), ("b.toml", "name = \"b\"")]).unwrap();
    let error = refused(host.worker_of::<Worker>("worker").worker_of::<(CounterService, WorkerB)>("b")).await;
    let expected = [
        "worker.toml: vars._name: the variable is missing: write it here, or set FARCALL_WORKER__NAME",
        "worker.toml: vars._limit: invalid type: string \"many\", expected u32",
        "worker.toml: vars._token: the secret is not of the type that is wanted",
        "worker.toml: services._adder: there is no service `nobody` in this host; it has: `worker`, `b`; say where it is with `address = \"tcp://…\"` if it is in another host",
        "worker.toml: services._COUNTER: the service `b` has no entrypoint `Nothing`; it has: `CounterService`, `WorkerB`",
        "worker.toml: services._far: `somewhere` is no address: write `tcp://host:port`, `tls://host:port` or `unix:/path`",
        "worker.toml: services: the binding is missing: write `{ binding = \"_none\", service = \"…\" }` here",
        "worker.toml: services._fits: the entrypoint `CounterService` of the service `b` is not what the field's stub calls: `add`: it has no method of that name",
        "worker.toml: listen \"ftp://somewhere\": `ftp://somewhere` is no address: write `tcp://host:port`, `tls://host:port` or `unix:/path`",
    ];
    let said = lines(&error);
    for (said, expected) in said.iter().zip(expected) {
        assert_eq!(said, expected);
    }
    assert_eq!(said.len(), expected.len(), "{error}");
    assert!(error.to_string().starts_with("the host cannot start:\n  worker.toml: "));
}

#[tokio::test]
async fn broken_files_are_refused_with_the_place() {
    let files = [
        ("broken.toml", "name = \"x"),
        ("unknown.toml", "name = \"x\"\nlisten = []\nworkers = 5"),
        ("nameless.toml", "vars = {}"),
        ("slash.toml", "name = \"a/b\""),
        ("own.toml", "name = \"farcall\""),
        ("grace.toml", "name = \"x\"\ngrace_seconds = -1.0"),
        ("good.toml", "name = \"x\""),
    ];
    let error = Host::from_texts(files).unwrap_err();
    let said = lines(&error);
    assert_eq!(said.len(), 6, "{error}");
    for (said, (file, _)) in said.iter().zip(files) {
        assert!(said.starts_with(file), "{said}");
    }
    assert!(said[0].contains("line 1"), "{}", said[0]);
    assert!(said[1].contains("line 3") && said[1].contains("unknown field `workers`"), "{}", said[1]);
    assert!(said[2].contains("missing field `name`"), "{}", said[2]);
    assert_eq!(said[3], "slash.toml: name: the name of a service is not empty and has no `/`");
    let error = Host::from_file("/no/such/file.toml").unwrap_err();
    assert!(lines(&error)[0].starts_with("/no/such/file.toml: it cannot be read: "), "{error}");
}

#[tokio::test]
async fn programs_that_do_not_fit_their_files_are_refused() {
    let two = [("a.toml", "name = \"a\""), ("b.toml", "name = \"b\"")];
    let error = refused(Host::from_texts(two).unwrap().worker::<WorkerB>()).await;
    assert!(lines(&error)[0].contains("say which one has these entrypoints"), "{error}");
    assert_eq!(lines(&error).len(), 3, "{error}");
    let error = refused(Host::from_texts(two).unwrap().worker_of::<WorkerB>("c")).await;
    assert!(lines(&error)[0].contains("no configuration has the name `c`"), "{error}");
    let same = [("a.toml", "name = \"a\""), ("b.toml", "name = \"a\"")];
    let error = refused(Host::from_texts(same).unwrap().worker_of::<WorkerB>("a")).await;
    assert!(error.to_string().contains("b.toml: name: there are two workers of the name `a`"), "{error}");
    let one = [("a.toml", "name = \"a\"")];
    let error = refused(Host::from_texts(one).unwrap().worker::<(WorkerB, WorkerB)>()).await;
    assert!(error.to_string().contains("`WorkerB` is no name for an entrypoint here"), "{error}");
    let error = refused(Host::from_texts(one).unwrap().worker::<(Other, Offset)>()).await;
    assert!(error.to_string().contains("several default entrypoints: Other, Offset"), "{error}");
}

#[tokio::test]
async fn r6_a_missing_default_is_an_error_when_it_is_used() {
    #[derive(Env)]
    pub struct Bound {
        adder: Service<WorkerBStub>,
    }
    pub struct Lazy {
        env: Arc<Bound>,
    }
    #[entrypoint]
    impl Lazy {
        fn new(env: Arc<Bound>, _ctx: Ctx) -> Self {
            Self { env }
        }
        pub async fn sum(&self) -> Result<i64, Error> {
            self.env.adder.add(1, 2).await
        }
    }
    let a = "name = \"a\"\nservices = [{ binding = \"adder\", service = \"b\" }]";
    let host = Host::from_texts([("a.toml", a), ("b.toml", "name = \"b\"")]).unwrap().environment([]);
    let host = host.worker_of::<Lazy>("a").worker_of::<(Plain, WorkerB)>("b").start().await.unwrap();
    let error = host.service::<LazyStub>("a").sum().await.unwrap_err();
    let error = error.user().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("has no default entrypoint"), "{error}");
}

async fn serve(address: &str) -> Result<Running, StartError> {
    let text = format!("name = \"b\"\nlisten = [\"{address}\"]");
    Host::from_texts([("b.toml", text.as_str())])?.environment([]).worker::<WorkerB>().start().await
}

#[tokio::test]
async fn address_in_use_is_said_with_its_place() {
    let first = serve("tcp://127.0.0.1:0").await.unwrap();
    let address = first.addresses()[0].clone();
    let error = serve(&address).await.unwrap_err();
    let expected = format!("b.toml: listen \"{address}\": it cannot be served there: ");
    assert!(lines(&error)[0].starts_with(&expected), "{error}");
    // The first does not notice.
    let adder: Service<WorkerBStub> = Service::at("b", [address]);
    assert_eq!(adder.add(1, 2).await.unwrap(), 3);
}

#[tokio::test]
async fn socket_that_was_left_behind_is_taken_over_and_one_in_use_is_not() {
    let path = socket();
    let address = format!("unix:{}", path.display());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = serve(&address).await.unwrap();
    let error = serve(&address).await.unwrap_err();
    assert!(lines(&error)[0].contains("it cannot be served there"), "{error}");
    let adder: Service<WorkerBStub> = Service::at("b", [address.clone()]);
    assert_eq!(adder.add(1, 2).await.unwrap(), 3);
    first.shutdown().await;
    assert!(!path.exists());

    // A file that is no socket is nobody's to remove.
    std::fs::write(&path, "precious").unwrap();
    assert!(serve(&address).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn listen_can_be_overridden() {
    let path = socket();
    let host = Host::from_texts([("b.toml", "name = \"b\"\nlisten = [\"tcp://127.0.0.1:0\"]")]).unwrap();
    let addresses = format!("unix:{}, tcp://127.0.0.1:0", path.display());
    let host = host.environment([("FARCALL_B__LISTEN".to_owned(), addresses)]);
    let running = host.worker::<WorkerB>().start().await.unwrap();
    assert_eq!(running.addresses().len(), 2);
    assert!(running.addresses()[0].starts_with("unix:"));
}
