//! The log of frames, for those who look for what went wrong.

use farcall::prelude::*;

use crate::kit::capture::Capture;
use crate::kit::{Transport, in_time, open};

pub struct Main;

#[rpc_target]
impl Main {
    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }

    pub fn echo(&self, bytes: Bytes) -> Bytes {
        bytes
    }
}

async fn frames_are_logged_as_lines(transport: Transport) {
    let capture = Capture::default();
    // What nobody wants on another thread must not decide what is wanted here.
    let _other = tracing::Dispatch::new(Capture::default());
    let _caught = tracing::subscriber::set_default(capture.clone());
    tracing::callsite::rebuild_interest_cache();
    in_time(async {
        let (stub, _link) = open(transport, Main).await;
        assert_eq!(stub.double(21).await.unwrap(), 42);
        // One that goes in pieces, and payloads that are written beside what else there is.
        let large = Bytes::from(vec![7; 300_000]);
        assert_eq!(stub.echo(large.clone()).await.unwrap(), large);
        let payload = Bytes::from(vec![7; 20_000]);
        assert_eq!(stub.echo(payload.clone()).await.unwrap(), payload);
    })
    .await;
    let lines: Vec<String> =
        capture.lines().into_iter().filter(|line| line.contains("connection=")).collect();
    assert!(lines.iter().all(|line| !line.contains("unreadable")), "{lines:#?}");
    for wanted in [
        "-> hello version 1",
        "<- hello version 1",
        "-> call 1 on main, method",
        ", send, forget, body 2a (12 B)",
        "<- answer 1 value, body 54",
        "-> call 2 on main",
        "in pieces",
        "<- piece of body",
        "-> call 3 on main",
        "<- answer 3 value, body a0 9c 01 07 07",
    ] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted} is not in {lines:#?}");
    }
    // What one side sends the other receives.
    let count = |way: &str| lines.iter().filter(|line| line.contains(way)).count();
    assert_eq!(count("-> call"), count("<- call"));
}

#[tokio::test]
async fn duplex() {
    frames_are_logged_as_lines(Transport::Duplex).await;
}

#[tokio::test]
async fn tcp() {
    frames_are_logged_as_lines(Transport::Tcp).await;
}

#[tokio::test]
async fn unix() {
    frames_are_logged_as_lines(Transport::Unix).await;
}
