//! Greetings that do not come, and peers that have vanished. The clock is paused: it moves when nothing else does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Connection, Endpoint, Limits, main_stub};
use tokio::time::{Instant, sleep, timeout};

use crate::kit::Transport;
use crate::kit::raw::{Call, Got, Raw, Stage, body, frame, hello, method, ping, pong};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts the methods that run in it.
#[derive(Default)]
pub struct Room {
    inside: Arc<AtomicUsize>,
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[rpc_target]
impl Room {
    pub fn knock(&self) -> u8 {
        7
    }

    /// Stays until it is cancelled.
    pub async fn stay(&self) {
        self.inside.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        std::future::pending().await
    }
}

fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

fn knock() -> Call {
    Call { flags: 3, ..Call::of(method::<RoomStub>("knock"), &[]) }
}

/// A peer that waits as long as it takes.
fn patient(mut raw: Raw) -> Raw {
    raw.patience = 1000 * DAY;
    raw
}

async fn greeted(stage: &Stage) -> Raw {
    patient(stage.raw().await)
}

/// When the next ping comes, from now on.
async fn next_ping(raw: &mut Raw) -> Duration {
    let before = Instant::now();
    assert_eq!(raw.next().await, Some(Got::Ping));
    before.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_greet_is_told_and_turned_away() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let neighbour: RoomStub = stage.neighbour().await;
    let mut raw = patient(stage.silent().await);
    let began = Instant::now();
    assert_eq!(raw.next().await, Some(Got::Hello));
    neighbour.knock().await.unwrap();
    let text = "the peer has not greeted for 10s; the limit `handshake` is 10s";
    assert_eq!(raw.next().await, Some(Got::Abort { kind: 9, text: text.to_owned() }));
    assert_eq!(raw.next().await, None);
    let took = began.elapsed();
    assert!(took >= 10 * SECOND && took < 11 * SECOND, "{took:?}");
    let ended = raw.server.closed().await;
    assert_eq!((ended.kind(), ended.message()), (ErrorKind::Limit, text));
    assert_eq!(neighbour.knock().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_greeting_in_single_bytes_has_no_longer() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    for (pause, arrives) in [(SECOND / 4, true), (SECOND, false)] {
        let mut raw = patient(stage.silent().await);
        for byte in hello() {
            raw.send(&[byte]).await;
            sleep(pause).await;
        }
        assert_eq!(raw.server.ended().is_none(), arrives, "{pause:?}");
        if let Some(ended) = raw.server.ended() {
            assert!(ended.message().contains("`handshake` is 10s"), "{ended}");
        } else {
            assert_eq!(raw.next().await, Some(Got::Hello));
            assert_eq!(body(raw.call(&knock()).await), [7]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r239_a_thousand_peers_that_say_nothing_are_all_turned_away() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let neighbour: RoomStub = stage.neighbour().await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(patient(stage.silent().await));
    }
    assert_eq!(neighbour.knock().await.unwrap(), 7);
    for mut raw in silent {
        assert_eq!(raw.next().await, Some(Got::Hello));
        assert!(matches!(raw.next().await, Some(Got::Abort { kind: 9, .. })));
        assert_eq!(raw.next().await, None);
    }
    assert_eq!(neighbour.knock().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn calls_to_a_host_that_does_not_greet_fail() {
    let (ours, _theirs) = tokio::io::duplex(4096);
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let stub: RoomStub = main_stub(&connection);
    tokio::spawn(driver);
    let error = stub.knock().await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, true));
    assert!(error.message().contains("`handshake` is 10s"), "{error}");
    let late = stub.knock().await.unwrap_err();
    assert!(!late.may_have_run(), "{late}");
}

#[tokio::test(start_paused = true)]
async fn r245_a_silent_peer_is_asked_and_one_that_answers_stays() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let mut raw = greeted(&stage).await;
    for round in 0..100 {
        let silence = next_ping(&mut raw).await;
        assert!(silence >= 15 * SECOND && silence <= 31 * SECOND, "round {round}: {silence:?}");
        // As late as it may.
        sleep(59 * SECOND).await;
        raw.send(&pong()).await;
    }
    assert_eq!(body(raw.call(&knock()).await), [7]);
}

#[tokio::test(start_paused = true)]
async fn r245_a_peer_that_has_vanished_loses_its_session_and_all_that_it_held() {
    let room = Room::default();
    let inside = Arc::clone(&room.inside);
    let stage = Stage::new(Transport::Duplex, room);
    let neighbour: RoomStub = stage.neighbour().await;
    let mut raw = greeted(&stage).await;
    raw.send(&Call::of(method::<RoomStub>("stay"), &[]).frame()).await;
    let began = Instant::now();
    let ended = raw.server.closed().await;
    let took = began.elapsed();
    assert!(took >= 75 * SECOND && took <= 92 * SECOND, "{took:?}");
    let text =
        "the peer was asked for a sign of life and has said nothing for 60s; the limit `dead_peer` is 60s";
    assert_eq!((ended.kind(), ended.message()), (ErrorKind::Disconnected, text));
    assert_eq!(raw.server.table_sizes(), (0, 0));
    tokio::task::yield_now().await;
    assert_eq!(inside.load(SeqCst), 0, "what ran for it is cancelled");
    // It was asked once.
    assert_eq!((raw.next().await, raw.next().await), (Some(Got::Ping), None));
    assert_eq!(neighbour.knock().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn calls_to_a_peer_that_has_vanished_fail_as_disconnected() {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    tokio::io::AsyncWriteExt::write_all(&mut theirs, &hello()).await.unwrap();
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let stub: RoomStub = main_stub(&connection);
    tokio::spawn(driver);
    let error = stub.knock().await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true));
    assert!(error.message().contains("`dead_peer` is 60s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn any_byte_is_a_sign_of_life() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let mut raw = greeted(&stage).await;
    // A call, byte by byte: it takes many minutes, and every ping stays unanswered.
    for byte in knock().frame() {
        sleep(74 * SECOND).await;
        raw.send(&[byte]).await;
    }
    let mut pings = 0;
    loop {
        match raw.next().await {
            Some(Got::Ping) => pings += 1,
            answer => break assert_eq!(body(answer.unwrap()), [7]),
        }
    }
    assert!(pings >= 10, "{pings}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_is_not_asked() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let mut raw = greeted(&stage).await;
    for _ in 0..1000 {
        sleep(14 * SECOND).await;
        // The next thing that comes is the answer, and no ping before it.
        assert_eq!(body(raw.call(&knock()).await), [7]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_is_asked_answers_once_for_all() {
    let stage = Stage::with(Transport::Duplex, limits(|limits| limits.keep_alive = None), Room::default());
    let mut raw = greeted(&stage).await;
    raw.send(&ping()).await;
    assert_eq!(raw.next().await, Some(Got::Pong));
    // Nothing is read in the meantime.
    for _ in 0..100 {
        raw.send(&ping().repeat(1000)).await;
    }
    raw.send(&knock().frame()).await;
    let mut pongs = 0;
    loop {
        match raw.next().await {
            Some(Got::Pong) => pongs += 1,
            answer => break assert_eq!(body(answer.unwrap()), [7]),
        }
    }
    assert!((1..2000).contains(&pongs), "{pongs}: one for each write, not for each ping");
}

#[tokio::test(start_paused = true)]
async fn two_idle_peers_keep_each_other_for_days() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let stub: RoomStub = stage.neighbour().await;
    assert_eq!(stub.knock().await.unwrap(), 7);
    sleep(3 * DAY).await;
    assert_eq!(stub.knock().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_nobody_is_asked() {
    let stage = Stage::with(Transport::Duplex, limits(|limits| limits.keep_alive = None), Room::default());
    let mut raw = greeted(&stage).await;
    assert!(timeout(3 * DAY, raw.next()).await.is_err(), "nothing is said");
    assert_eq!(body(raw.call(&knock()).await), [7]);
}

/// Counts how often a driver is woken.
struct Counted<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, SeqCst);
        Pin::new(&mut self.0).poll(cx)
    }
}

/// How often the driver of an idle connection is woken in a day.
async fn wakings(limits: Limits) -> usize {
    let stage = Stage::with(Transport::Duplex, Limits::default(), Room::default());
    let (stream, served) = tokio::io::duplex(4096);
    tokio::spawn(stage.endpoint().accept_over(served).1);
    let (client, driver): (Connection, _) = Endpoint::new().limits(limits).connect_over(stream);
    let (polls, stub): (_, RoomStub) = (Arc::new(AtomicUsize::new(0)), main_stub(&client));
    tokio::spawn(Counted(driver, Arc::clone(&polls)));
    stub.knock().await.unwrap();
    sleep(20 * SECOND).await;
    let before = polls.load(SeqCst);
    sleep(DAY).await;
    assert_eq!(stub.knock().await.unwrap(), 7);
    polls.load(SeqCst) - before
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_woken_a_few_times_a_minute_and_without_keep_alive_only_by_its_peer() {
    // Four looks a minute and what the peer says, which is as much; at most two wakings for each.
    let minutes = 24 * 60;
    let asking = wakings(Limits::default()).await;
    assert!(asking <= minutes * 16, "{asking}");
    // The pings of the other side, which are two a minute.
    let asked = wakings(limits(|limits| limits.keep_alive = None)).await;
    assert!(asked >= minutes && asked <= minutes * 6, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn times_that_never_end_are_never_over() {
    let never = limits(|limits| {
        (limits.handshake, limits.dead_peer, limits.write_stall) =
            (Duration::MAX, Duration::MAX, Duration::MAX);
    });
    let stage = Stage::with(Transport::Duplex, never, Room::default());
    let mut raw = patient(stage.silent().await);
    sleep(DAY).await;
    raw.send(&hello()).await;
    assert_eq!(raw.next().await, Some(Got::Hello));
    sleep(DAY).await;
    assert_eq!(raw.next().await, Some(Got::Ping), "it is asked, and need not answer");
    assert_eq!(body(raw.call(&knock()).await), [7]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_close_after_a_goodbye_is_not_waited_for_for_ever() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let mut raw = greeted(&stage).await;
    let began = Instant::now();
    raw.server.shutdown();
    assert!(matches!(raw.next().await, Some(Got::Goaway { last: 0 })));
    assert_eq!(raw.next().await, None, "it has closed its direction");
    let ended = raw.server.closed().await;
    assert_eq!(ended.kind(), ErrorKind::Disconnected, "{ended}");
    assert!(began.elapsed() <= 92 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_ping_before_the_greeting_ends_the_session() {
    let stage = Stage::new(Transport::Duplex, Room::default());
    let mut raw = patient(stage.silent().await);
    assert_eq!(raw.next().await, Some(Got::Hello));
    raw.send(&frame(12, &[])).await;
    assert!(matches!(raw.next().await, Some(Got::Abort { kind: 13, .. })));
}
