//! A server that runs out of files goes on, and serves again when there are some.

use std::fs::File;
use std::process::Command;
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use tokio::net::TcpStream;

use crate::kit::until;

/// Set for the process that has few files.
const FEW: &str = "FARCALL_FEW_FILES";

pub struct Door;

#[rpc_target]
impl Door {
    pub fn knock(&self) -> u8 {
        7
    }
}

pub struct DoorOfAHost;

#[entrypoint]
impl DoorOfAHost {
    pub fn knock(&self) -> u8 {
        7
    }
}

/// What the library logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("farcall")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text<'a>(&'a mut String);
        impl tracing::field::Visit for Text<'_> {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                *self.0 += &format!("{value:?} ");
            }
        }
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Uses up all files but so many.
fn use_up(but: usize) -> Vec<File> {
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
        assert!(files.len() < 10_000, "this process has few files");
    }
    files.truncate(files.len() - but);
    files
}

async fn server_without_files(log: Log) {
    let server = farcall::serve("tcp://127.0.0.1:0", Door).await.unwrap();
    let uri = server.uri();
    tokio::spawn(server);
    without_files(log, uri).await;
}

/// The same for a host, whose sole service is the door.
async fn host_without_files(log: Log) {
    let text = "name = \"door\"\nlisten = [\"tcp://127.0.0.1:0\"]";
    let host = Host::from_texts([("door.toml", text)]).unwrap().environment([]);
    let host = host.worker::<DoorOfAHost>().start().await.unwrap();
    let uri = host.addresses()[0].clone();
    without_files(log, uri).await;
    host.shutdown().await;
}

async fn without_files(log: Log, uri: String) {
    let neighbour: DoorStub = farcall::connect(&uri).await.unwrap();
    assert_eq!(neighbour.knock().await.unwrap(), 7);
    for _ in 0..3 {
        log.0.lock().unwrap().clear();
        // There is a file for the caller's end, and none for the server's.
        let files = use_up(1);
        let waiting = TcpStream::connect(uri.strip_prefix("tcp://").unwrap()).await.unwrap();
        until(|| log.0.lock().unwrap().contains("could not be accepted")).await;
        assert_eq!(neighbour.knock().await.unwrap(), 7, "who is there is served");
        drop(files);
        // Who came when there was no file is served as well, and who comes now.
        let (connection, driver) = farcall::Endpoint::new().connect_over(waiting);
        let stub: DoorStub = farcall::main_stub(&connection);
        tokio::spawn(driver);
        assert_eq!(stub.knock().await.unwrap(), 7);
        let late: DoorStub = farcall::connect(&uri).await.unwrap();
        assert_eq!(late.knock().await.unwrap(), 7);
    }
}

/// The process that it needs is this one again, with a lower limit.
fn again(name: &str) {
    let program = std::env::current_exe().unwrap();
    let run = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact \"$1\" --nocapture"])
        .args([program.as_os_str(), name.as_ref()])
        .env(FEW, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}

/// What is logged in that process.
fn log() -> Option<Log> {
    std::env::var_os(FEW)?;
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    Some(log)
}

#[tokio::test]
async fn r239_a_server_without_files_goes_on_serving() {
    match log() {
        Some(log) => crate::kit::in_time(server_without_files(log)).await,
        None => again("few_files::r239_a_server_without_files_goes_on_serving"),
    }
}

#[tokio::test]
async fn r239_a_host_without_files_goes_on_serving() {
    match log() {
        Some(log) => crate::kit::in_time(host_without_files(log)).await,
        None => again("few_files::r239_a_host_without_files_goes_on_serving"),
    }
}
