//! The log of frames, for those who look for what went wrong. A program of its own, because what is logged is decided
//! for a whole process.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use farcall::Endpoint;
use farcall::prelude::*;

#[path = "it/kit/capture.rs"]
#[allow(dead_code, reason = "not all of it is needed")]
mod capture;

use capture::Capture;

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

#[tokio::test]
async fn frames_are_logged_as_lines() {
    let capture = Capture::default();
    tracing::subscriber::set_global_default(capture.clone()).unwrap();
    let (near, far) = tokio::io::duplex(1 << 20);
    let (_server, server_driver) = Endpoint::new().offer::<MainStub>(Main).accept_over(far);
    let (client, client_driver) = Endpoint::new().connect_over(near);
    let server = tokio::spawn(server_driver);
    let driver = tokio::spawn(client_driver);
    let stub: MainStub = farcall::main_stub(&client);
    assert_eq!(stub.double(21).await.unwrap(), 42);
    // One that goes in pieces, and payloads that are written beside what else there is.
    let large = Bytes::from(vec![7; 300_000]);
    assert_eq!(stub.echo(large.clone()).await.unwrap(), large);
    let payload = Bytes::from(vec![7; 20_000]);
    assert_eq!(stub.echo(payload.clone()).await.unwrap(), payload);
    drop(stub);
    server.await.unwrap().unwrap();
    driver.await.unwrap().unwrap();
    let lines: Vec<String> = capture.all().into_iter().filter(|line| line.starts_with("TRACE")).collect();
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
