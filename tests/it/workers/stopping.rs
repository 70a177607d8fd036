//! A host that stops loses no call.

use std::sync::Arc;

use farcall::prelude::*;
use farcall::{HealthStub, Running};
use tokio::sync::Notify;

use super::{call, host};
use crate::kit::{Transport, behaviours, until};

static GO: std::sync::Mutex<Vec<(String, Arc<Notify>)>> = std::sync::Mutex::new(Vec::new());

fn notify(name: &str) -> Arc<Notify> {
    let mut all = GO.lock().unwrap();
    if let Some((_, found)) = all.iter().find(|(of, _)| of == name) {
        return Arc::clone(found);
    }
    all.push((name.to_owned(), Arc::default()));
    Arc::clone(&all.last().unwrap().1)
}

pub struct Slow;

#[entrypoint]
impl Slow {
    pub async fn wait(&self, name: String) -> i64 {
        notify(&format!("{name} has begun")).notify_one();
        notify(&name).notified().await;
        7
    }

    pub fn ping(&self) -> bool {
        true
    }
}

fn name(transport: Transport, of: &str) -> String {
    format!("{of}-{transport:?}-{:?}", std::thread::current().id())
}

behaviours! { wire
    async fn running_calls_end_and_new_ones_are_refused_as_retryable(transport: Transport) {
        if transport == Transport::Duplex {
            // Those connections are the program's own to close.
            return;
        }
        let host = host::<Slow>(transport, "").await;
        let (slow, caller) = call::<SlowStub>(transport, &host, "service").await;
        let name = name(transport, "drain");
        let waiting = tokio::spawn(slow.wait(&name).into_future());
        notify(&format!("{name} has begun")).notified().await;
        let stopping = tokio::spawn(host.shutdown());
        let connection = caller.connection.as_ref().unwrap();
        until(|| !connection.takes_calls()).await;
        let error = slow.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ShuttingDown);
        assert!(error.is_retryable());
        notify(&name).notify_one();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        stopping.await.unwrap();
    }

    async fn calls_that_do_not_end_are_given_up_after_the_grace_period(transport: Transport) {
        if transport == Transport::Duplex {
            return;
        }
        let host = host::<Slow>(transport, "grace_seconds = 0.01").await;
        let (slow, _caller) = call::<SlowStub>(transport, &host, "service").await;
        let name = name(transport, "grace");
        let waiting = tokio::spawn(slow.wait(&name).into_future());
        notify(&format!("{name} has begun")).notified().await;
        host.shutdown().await;
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.may_have_run());
    }
}

#[tokio::test]
async fn host_that_stops_makes_room_for_the_next_on_its_socket() {
    crate::kit::in_time(async {
        let address = format!("unix:{}", super::socket().display());
        let text = format!("name = \"service\"\nlisten = [\"{address}\"]");
        let start = || async {
            let host = Host::from_texts([("farcall.toml", text.as_str())]).unwrap();
            host.environment([]).worker::<Slow>().start().await.unwrap()
        };
        let old = start().await;
        let slow: Service<SlowStub> = Service::at("service", [address.clone()]);
        let waiting = tokio::spawn(slow.wait("next").into_future());
        notify("next has begun").notified().await;
        let stopping = tokio::spawn(old.shutdown());
        // The old one drains while the new one serves, and leaves the new one's socket alone.
        while slow.ping().await.is_ok() {}
        let new = start().await;
        let fresh: Service<SlowStub> = Service::at("service", [address.clone()]);
        assert!(fresh.ping().await.unwrap());
        notify("next").notify_one();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        stopping.await.unwrap();
        let other: Service<SlowStub> = Service::at("service", [address.clone()]);
        assert!(other.ping().await.unwrap());
        new.shutdown().await;
        assert!(!std::path::Path::new(address.trim_start_matches("unix:")).exists());
    })
    .await;
}

#[tokio::test]
async fn calls_in_process_fail_once_the_host_has_stopped() {
    let host: Running = host::<Slow>(Transport::InProcess, "").await;
    let slow = host.service::<SlowStub>("service");
    let health = host.service::<HealthStub>("farcall");
    assert!(slow.ping().await.unwrap());
    assert!(health.ready().await.unwrap());
    host.shutdown().await;
    let error = slow.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShuttingDown);
    assert!(error.is_retryable());
}
