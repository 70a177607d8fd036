//! A peer that does not read, and knowing what has left for it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use farcall::prelude::*;
use farcall::{Endpoint, Limits, main_stub};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::kit::raw::hello;

pub struct Store;

#[rpc_target]
impl Store {
    pub fn put(&self, payload: Bytes) -> usize {
        payload.len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_loses_its_session() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(&hello()).await.unwrap();
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let began = Instant::now();
    let store: StoreStub = main_stub(&connection);
    tokio::spawn(driver);
    let error = store.put(vec![7; 32 * 1024]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.message().contains("write_stall"), "{error}");
    assert!(error.may_have_run());
    assert!(began.elapsed() >= Limits::default().write_stall);
    assert_eq!(connection.closed().await.kind(), ErrorKind::Limit);
    drop(theirs);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_keeps_its_session() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    theirs.write_all(&hello()).await.unwrap();
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let store: StoreStub = main_stub(&connection);
    tokio::spawn(driver);
    let call = store.put(vec![7; 8 * 1024]);
    let began = Instant::now();
    let patience = Limits::default().write_stall;
    let mut taken = 0;
    let mut part = [0; 512];
    while taken < 8 * 1024 {
        // Long, but not too long for a peer that takes something each time.
        tokio::time::sleep(patience * 2 / 3).await;
        let read = theirs.read(&mut part).await.unwrap();
        assert!(read > 0, "the session ended after {taken} bytes");
        taken += read;
    }
    assert!(began.elapsed() > patience * 5);
    assert_eq!(connection.ended(), None);
    drop(call);
}

#[tokio::test]
async fn a_call_counts_as_sent_when_the_transport_has_what_was_before_it() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let store: StoreStub = main_stub(&connection);
    tokio::spawn(driver);
    let first = store.put(vec![7; 32 * 1024]);
    Promise::sent(&first).await;
    let second = store.put(vec![7; 8]);
    let mut sent = pin!(Promise::sent(&second));
    // The first fills the pipe, and nobody reads: the second stays behind it.
    tokio::task::yield_now().await;
    assert_eq!(sent.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
    let mut part = [0; 4096];
    loop {
        tokio::select! {
            () = &mut sent => break,
            read = theirs.read(&mut part) => assert!(read.unwrap() > 0),
        }
    }
}
