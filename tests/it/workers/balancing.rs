//! Services with several addresses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use farcall::{HealthStub, Running};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::socket;
use crate::kit::{in_time, until};

/// Calls that wait, of all servers of a test.
static WAITING: std::sync::Mutex<BTreeMap<String, Arc<AtomicUsize>>> = std::sync::Mutex::new(BTreeMap::new());

fn waiting(name: &str) -> Arc<AtomicUsize> {
    Arc::clone(WAITING.lock().unwrap().entry(name.to_owned()).or_default())
}

#[derive(Env)]
pub struct Env {
    which: String,
}

pub struct Server {
    env: Arc<Env>,
}

#[entrypoint]
impl Server {
    fn new(env: Arc<Env>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub fn which(&self) -> String {
        self.env.which.clone()
    }

    pub async fn wait(&self) -> bool {
        waiting(&self.env.which).fetch_add(1, SeqCst);
        std::future::pending().await
    }
}

async fn serve(which: &str, socket: &std::path::Path) -> Running {
    let listen = format!("listen = [\"unix:{}\"]", socket.display());
    let text = format!("name = \"server\"\n{listen}\nvars = {{ which = {which:?} }}");
    let host = Host::from_texts([("server.toml", text.as_str())]).unwrap().environment([]);
    host.worker::<Server>().start().await.unwrap()
}

/// A host on a runtime of its own, which can be killed.
struct Killable {
    runtime: Option<Runtime>,
}

impl Killable {
    async fn start(which: &str, socket: PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (started, starts) = oneshot::channel();
        let which = which.to_owned();
        runtime.spawn(async move {
            let _host = serve(&which, &socket).await;
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        starts.await.unwrap();
        Self { runtime: Some(runtime) }
    }

    /// Everything that it runs is dropped, wherever it stands.
    async fn kill(&mut self) {
        let runtime = self.runtime.take().unwrap();
        let killed = move || runtime.shutdown_timeout(std::time::Duration::from_secs(10));
        tokio::task::spawn_blocking(killed).await.unwrap();
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn service(sockets: &[PathBuf]) -> Service<ServerStub> {
    Service::at("server", sockets.iter().map(|socket| format!("unix:{}", socket.display())))
}

/// Calls until each of these has answered.
async fn until_all_answer(service: &Service<ServerStub>, names: &[&str]) {
    let mut missing: Vec<&str> = names.to_vec();
    while !missing.is_empty() {
        let which = service.which().await.unwrap();
        assert!(names.contains(&which.as_str()), "{which}");
        missing.retain(|name| *name != which);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn calls_go_to_the_server_with_fewer_under_way() {
    in_time(async {
        let sockets = [socket(), socket()];
        let names = ["even-a", "even-b"];
        let mut hosts = Vec::new();
        for (name, socket) in names.iter().zip(&sockets) {
            hosts.push(serve(name, socket).await);
        }
        let service = service(&sockets);
        until_all_answer(&service, &names).await;
        // Of two, both are drawn: the one with fewer calls under way gets the next.
        let calls: Vec<_> = (0..30).map(|_| service.wait()).collect();
        until(|| names.iter().all(|name| waiting(name).load(SeqCst) == 15)).await;
        drop(calls);
        for host in &hosts {
            let health = host.service::<HealthStub>("farcall");
            assert_eq!(health.status().connections().await.unwrap(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn server_that_is_killed_is_left_out_and_comes_back() {
    in_time(async {
        let sockets = [socket(), socket(), socket()];
        let names = ["kill-a", "kill-b", "kill-c"];
        let mut hosts = Vec::new();
        for (name, socket) in names.iter().zip(&sockets) {
            hosts.push(Killable::start(name, socket.clone()).await);
        }
        let service = service(&sockets);
        until_all_answer(&service, &names).await;

        // Calls until one waits at the server that is killed then.
        let mut calls = Vec::new();
        while waiting("kill-b").load(SeqCst) == 0 {
            calls.push(tokio::spawn(service.wait().into_future()));
            let _ = service.which().await.unwrap();
        }
        let at_b = waiting("kill-b").load(SeqCst);
        hosts[1].kill().await;
        // Those that it ran may have run, and are not made again.
        let mut lost = 0;
        while lost < at_b {
            let ended = calls.iter().position(tokio::task::JoinHandle::is_finished);
            let Some(ended) = ended else {
                tokio::task::yield_now().await;
                continue;
            };
            let error = calls.swap_remove(ended).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Disconnected);
            assert!(error.may_have_run() && !error.is_retryable());
            lost += 1;
        }
        let waits = |name| waiting(name).load(SeqCst);
        assert_eq!(waits("kill-b"), at_b);
        // Calls go on, at the others.
        for _ in 0..100 {
            let which = service.which().await.unwrap();
            assert!(which == "kill-a" || which == "kill-c", "{which}");
        }
        assert!(calls.iter().all(|call| !call.is_finished()));
        // The one with most calls under way would be drawn in vain.
        for call in calls {
            call.abort();
            let _ = call.await;
        }

        hosts[1] = Killable::start("kill-b", sockets[1].clone()).await;
        until_all_answer(&service, &names).await;
    })
    .await;
}

#[tokio::test]
async fn all_servers_of_a_service_may_be_gone_and_come_back() {
    in_time(async {
        let sockets = [socket(), socket()];
        let service = service(&sockets);
        for _ in 0..2 {
            let error = service.which().await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
            for socket in &sockets {
                assert!(error.message().contains(&format!("unix:{}: ", socket.display())), "{error}");
            }
            let host = serve("late", &sockets[1]).await;
            // Those that were made while nobody was there wait for whoever comes first.
            let calls: Vec<_> = (0..10).map(|_| service.which()).collect();
            for call in calls {
                assert_eq!(call.await.unwrap(), "late");
            }
            host.shutdown().await;
        }
        assert!(!service.which().await.unwrap_err().may_have_run());
    })
    .await;
}

#[tokio::test]
async fn service_without_an_address_says_so() {
    let error = service(&[]).which().await.unwrap_err();
    assert_eq!(error.message(), "`server` could not be reached at any address: it has none");
    assert!(!error.may_have_run());
}
