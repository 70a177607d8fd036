//! What a hostile peer can make a server hold, and a slow one its caller: counted by the allocator, against the limits
//! that are documented. A well-behaved neighbour's calls succeed meanwhile.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::needless_pass_by_value, reason = "what a target is given is its own")]

#[allow(dead_code, unused_imports, unused_macros, reason = "the other tests use the rest of it")]
#[path = "it/kit/mod.rs"]
mod kit;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Endpoint, Limits, main_stub};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

use kit::raw::{Call, FORGET, SEND, frame, hello, id, method, number, own, ping, pong, text};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[derive(Clone)]
pub struct Depot {
    gate: Arc<Semaphore>,
}

#[rpc_target]
impl Depot {
    pub fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    pub fn make(&self, length: u64) -> Bytes {
        vec![0; length as usize].into()
    }

    pub fn take(&self, functions: Vec<RpcFn<fn()>>) -> u64 {
        functions.len() as u64
    }

    /// Fails with what it was given, once it is let go.
    pub async fn fail(&self, text: String) -> Result<u64, Fault> {
        drop(self.gate.acquire().await);
        Err(Fault::new(text))
    }

    pub async fn store(&self, payload: Bytes) -> u64 {
        tokio::task::yield_now().await;
        payload.len() as u64
    }
}

fn depot(name: &str) -> u64 {
    method::<DepotStub>(name)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Serves while peers attack, and gives the most bytes that the server had allocated at one time.
fn peak(limits: Limits, attack: impl FnOnce(&str, &Semaphore)) -> usize {
    let gate = Arc::new(Semaphore::new(0));
    let target = Depot { gate: Arc::clone(&gate) };
    let (at, address) = std::sync::mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    // All that the server allocates and frees is on this thread.
    let server = std::thread::spawn(move || {
        allocation_counter::measure(|| {
            runtime().block_on(async {
                let endpoint = Endpoint::new().limits(limits).offer::<DepotStub>(target);
                let server = endpoint.serve("tcp://127.0.0.1:0").await.unwrap();
                at.send(server.uri()).unwrap();
                tokio::select! {
                    _ = server => {}
                    _ = ended => {}
                }
            });
        })
    });
    let uri = address.recv().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            runtime().block_on(async {
                let stub: DepotStub = farcall::connect(&uri).await.unwrap();
                while !over.load(SeqCst) {
                    assert_eq!(stub.echo(Bytes::from_static(b"n")).await.unwrap(), b"n"[..]);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                assert_eq!(stub.echo(Bytes::from_static(b"n")).await.unwrap(), b"n"[..]);
            });
        });
        attack(uri.strip_prefix("tcp://").unwrap(), &gate);
        over.store(true, SeqCst);
        neighbour.join().expect("the neighbour's calls succeed");
    });
    end.send(()).unwrap();
    server.join().unwrap().bytes_max as usize
}

/// A peer that has greeted and does not read.
fn deaf(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(&hello()).unwrap();
    stream
}

/// Writes again and again until the server has had enough.
fn until_cut(stream: &mut TcpStream, bytes: &[u8]) {
    for _ in 0..100_000 {
        if stream.write_all(bytes).is_err() {
            return;
        }
    }
    panic!("the server takes whatever comes");
}

/// Makes a call and waits for an answer: everything before it was handled.
fn settled(stream: &mut TcpStream) {
    stream
        .write_all(
            &Call { flags: SEND | FORGET, ..Call::of(depot("echo"), &[4, b'd', b'o', b'n', b'e']) }.frame(),
        )
        .unwrap();
    let mut seen = Vec::new();
    let mut part = [0; 64 * KIB];
    while !seen.ends_with(b"done") {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "the session has ended");
        seen.extend_from_slice(&part[..read]);
        seen.drain(..seen.len().saturating_sub(4));
    }
}

/// Waits until all that was written has been handled, whatever became of it: a ping is answered in its turn.
fn handled(stream: &mut TcpStream) {
    stream.write_all(&ping()).unwrap();
    let (mut seen, mut part) = (Vec::new(), [0; 64 * KIB]);
    while !seen.ends_with(&pong()) {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "the session has ended");
        seen.extend_from_slice(&part[..read]);
        seen.drain(..seen.len().saturating_sub(pong().len()));
    }
}

fn assert_under(what: &str, peak: usize, bound: usize) {
    println!("{what}: {} KiB of {}", peak / KIB, bound / KIB);
    assert!(peak < bound, "{what}: {peak} bytes, and {bound} are allowed");
}

/// A buffer that grows is there twice for a moment, the second time with twice the room.
const GROWING: usize = 3;
/// What the runtime, the listener and the neighbour take.
const AROUND: usize = 256 * KIB;

#[test]
fn r160_answers_that_nobody_reads_are_bounded() {
    let mut limits = Limits::default();
    limits.unsent_answer_bytes = MIB;
    limits.unsent_answer_bytes_hard = 4 * MIB;
    let calls =
        Call { flags: SEND | FORGET, ..Call::of(depot("make"), &number(100_000)) }.frame().repeat(2_000);
    let peak = peak(limits, |address, _| {
        let mut peer = deaf(address);
        peer.write_all(&calls).unwrap();
        // Another one is served after that was handled, as far as it ever will be.
        settled(&mut deaf(address));
    });
    // 200 MB were asked for; what waits is some 80 bytes of the window for each call.
    assert_under("answers", peak, GROWING * MIB + 2_000 * KIB + AROUND);
}

#[test]
fn r160_refusals_and_releases_that_nobody_reads_are_bounded() {
    for (name, call) in [
        ("refusals", Call { flags: SEND | FORGET, ..Call::of(1, &[]) }),
        (
            "releases",
            Call { flags: FORGET, ..Call::of(1, &[]) }
                .caps(&(1..=1_000).map(|n| own(-n)).collect::<Vec<_>>()),
        ),
    ] {
        let mut limits = Limits::default();
        limits.unsent_answer_bytes_hard = 4 * MIB;
        limits.unsent_answer_bytes = 4 * MIB;
        limits.window_bytes = MIB;
        limits.frame_bytes = 64 * KIB;
        let calls = call.frame().repeat(100);
        let peak = peak(limits, |address, _| until_cut(&mut deaf(address), &calls));
        assert_under(name, peak, GROWING * 4 * MIB + 4 * MIB + AROUND);
    }
}

#[test]
fn r160_pings_that_nobody_reads_are_answered_once() {
    let pings = ping().repeat(10_000);
    let peak = peak(Limits::default(), |address, _| {
        let mut peer = deaf(address);
        for _ in 0..500 {
            peer.write_all(&pings).unwrap();
        }
        settled(&mut peer);
    });
    assert_under("pings", peak, MIB);
}

#[test]
fn r160_lengths_that_are_announced_and_do_not_come_take_little() {
    const PEERS: usize = 200;
    let peak = peak(Limits::default(), |address, _| {
        let mut peers: Vec<_> = (0..PEERS).map(|_| deaf(address)).collect();
        for peer in &mut peers {
            settled(peer);
            peer.write_all(&[(32_u32 << 20).to_le_bytes().to_vec(), vec![1; 100]].concat()).unwrap();
        }
        // Another one is answered when all of those were handled.
        settled(&mut deaf(address));
    });
    assert_under("announced lengths", peak, PEERS * 300 * KIB + AROUND);
}

#[test]
fn r160_bodies_that_are_announced_and_do_not_come_take_little() {
    const PEERS: usize = 100;
    let echo = depot("echo").to_le_bytes();
    let peak = peak(Limits::default(), |address, _| {
        let mut peers: Vec<_> = (0..PEERS).map(|_| deaf(address)).collect();
        for peer in &mut peers {
            // A call with a body of 30 MB in pieces, of which one byte comes.
            let call = frame(1, &[&[FORGET | 64], &id(0), &echo, &number(30_000_000)]);
            let piece = frame(14, &[&number(1), &[1]]);
            peer.write_all(&[call, piece].concat()).unwrap();
            handled(peer);
        }
    });
    assert_under("announced bodies", peak, PEERS * (8 * MIB + 100 * KIB) + AROUND);
}

#[test]
fn r160_a_long_frame_takes_no_more_than_four_times_what_has_come() {
    let peak = peak(Limits::default(), |address, _| {
        let mut peer = deaf(address);
        settled(&mut peer);
        peer.write_all(&(32_u32 << 20).to_le_bytes()).unwrap();
        for _ in 0..40 {
            peer.write_all(&vec![1; 100 * KIB]).unwrap();
        }
        settled(&mut deaf(address));
    });
    assert_under("a long frame", peak, 4 * 4 * MIB + 4 * MIB + AROUND);
}

#[test]
fn r160_peers_that_say_nothing_take_little() {
    const PEERS: usize = 1_000;
    let files = open_files();
    let peers = PEERS.min(files.saturating_sub(200) / 2);
    println!("{peers} peers, with {files} files allowed");
    let mut limits = Limits::default();
    limits.handshake = Duration::from_secs(300);
    let peak = peak(limits, |address, _| {
        let silent: Vec<_> = (0..peers).map(|_| TcpStream::connect(address).unwrap()).collect();
        // Another one is accepted and answered after all of them.
        settled(&mut deaf(address));
        drop(silent);
    });
    assert!(peak > peers * KIB, "they were there at the same time");
    assert_under("silent peers", peak, peers * 8 * KIB + AROUND);
}

/// How many files this process may open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1_024)
}

#[test]
fn r160_a_window_full_of_the_smallest_calls_is_bounded() {
    let mut limits = Limits::default();
    (limits.window_bytes, limits.frame_bytes, limits.running_calls) = (4 * MIB, MIB, 1);
    let peak = peak(limits, |address, gate| {
        let mut peer = deaf(address);
        peer.write_all(&Call::of(depot("fail"), &[0]).frame()).unwrap();
        let call = Call { flags: FORGET, ..Call::of(depot("echo"), &[0]) }.frame();
        peer.write_all(&call.repeat(4 * MIB / (call.len() - 4 + 64) - 2)).unwrap();
        handled(&mut peer);
        gate.add_permits(1);
        settled(&mut peer);
    });
    // The window counts 64 bytes for what a call takes beside its frame.
    assert_under("small calls", peak, 10 * 4 * MIB + AROUND);
}

#[test]
fn r160_capabilities_of_calls_that_wait_are_bounded() {
    let mut limits = Limits::default();
    (limits.running_calls, limits.waiting_caps) = (1, 100_000);
    let all: Vec<_> = (1..=1_024).map(|n| own(-n)).collect();
    let home = vec![vec![1, 0]; 1_024];
    let peak = peak(limits, |address, gate| {
        let mut peer = deaf(address);
        peer.write_all(&Call::of(depot("fail"), &[0]).frame()).unwrap();
        // Always the same ones, so that it is not the table that grows; with an argument that waits, and without.
        for caps in [&all, &home] {
            let bomb = Call { flags: FORGET, ..Call::of(depot("take"), &[0]) }.caps(caps);
            peer.write_all(&bomb.frame().repeat(2_000)).unwrap();
            peer.write_all(&bomb.on(1, &[]).frame().repeat(2_000)).unwrap();
        }
        handled(&mut peer);
        gate.add_permits(1);
        settled(&mut peer);
    });
    assert_under("capabilities", peak, 100_000 * 64 + 24 * MIB + AROUND);
}

#[test]
fn r160_answers_that_are_kept_are_bounded() {
    let mut limits = Limits::default();
    limits.answer_bytes = MIB;
    let peak = peak(limits, |address, _| {
        let mut peer = deaf(address);
        let call = Call { flags: 0, ..Call::of(depot("make"), &number(10_000)) }.frame();
        peer.write_all(&call.repeat(10_000)).unwrap();
        settled(&mut peer);
    });
    // 100 MB were asked for. Failures are kept as well, as an entry each.
    assert_under("kept answers", peak, MIB + 10_000 * KIB + AROUND);
}

#[test]
fn r160_the_text_of_a_failure_is_there_once_however_many_calls_share_it() {
    const LONG: usize = MIB;
    let peak = peak(Limits::default(), |address, gate| {
        let mut peer = deaf(address);
        peer.write_all(&Call { flags: 0, ..Call::of(depot("fail"), &text(&"x".repeat(LONG))) }.frame())
            .unwrap();
        let behind = Call { flags: 0, ..Call::of(depot("echo"), &[0]) }.on(1, &[]).frame();
        peer.write_all(&behind.repeat(2_000)).unwrap();
        handled(&mut peer);
        gate.add_permits(1);
        settled(&mut peer);
        // These come after it has failed.
        peer.write_all(&behind.repeat(2_000)).unwrap();
        settled(&mut peer);
    });
    assert_under("failures", peak, 16 * LONG + 4_000 * KIB + AROUND);
}

#[test]
fn r160_methods_that_run_hold_no_more_than_the_limit() {
    let mut limits = Limits::default();
    limits.running_bytes = 4 * MIB;
    limits.window_bytes = 8 * MIB;
    limits.frame_bytes = MIB;
    let peak = peak(limits, |address, gate| {
        let mut peer = deaf(address);
        let call = Call { flags: FORGET, ..Call::of(depot("fail"), &text(&"x".repeat(500 * KIB))) }.frame();
        // What the callee does not start stays in the window, and no more comes than that.
        peer.write_all(&call.repeat(20)).unwrap();
        handled(&mut peer);
        gate.add_permits(1);
        settled(&mut peer);
    });
    // The text is there as it came and as the method has it.
    assert_under("methods that run", peak, 2 * (5 * MIB) + 8 * MIB + 4 * MIB + AROUND);
}

/// Runs a caller and gives the most bytes that it had allocated at one time.
fn peak_of_caller(
    limits: Limits,
    address: String,
    calls: impl AsyncFnOnce(DepotStub) + Send + 'static,
) -> usize {
    let caller = std::thread::spawn(move || {
        allocation_counter::measure(|| {
            runtime().block_on(async {
                let uri = format!("tcp://{address}");
                let stub: DepotStub = main_stub(&Endpoint::new().limits(limits).connect(&uri).await.unwrap());
                calls(stub).await;
            });
        })
    });
    caller.join().unwrap().bytes_max as usize
}

#[test]
fn r239_a_caller_that_outruns_its_callee_waits() {
    const CALLS: usize = 2_000;
    let answered = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&answered);
    let mut limits = Limits::default();
    (limits.window_bytes, limits.frame_bytes) = (MIB, 128 * KIB);
    let mut of_caller = 0;
    peak(limits, |address, _| {
        of_caller = peak_of_caller(Limits::default(), address.to_owned(), async move |stub| {
            let mut waiting = Vec::new();
            for _ in 0..CALLS {
                // 125 MiB in all.
                stub.ready().await;
                waiting.push(stub.store(vec![0; 64 * KIB]));
            }
            for call in waiting {
                assert_eq!(call.await.unwrap(), 64 * KIB as u64);
                seen.fetch_add(1, SeqCst);
            }
        });
    });
    assert_eq!(answered.load(SeqCst), CALLS);
    assert_under("a caller that waits", of_caller, 4 * MIB + CALLS * KIB + AROUND);
}

#[test]
fn r239_a_callee_that_never_reads_cannot_grow_its_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let callee = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[hello(), frame(7, &[&number(1 << 40)])].concat()).unwrap();
        stream
    });
    let mut limits = Limits::default();
    limits.line_bytes = 4 * MIB;
    let peak = peak_of_caller(limits, address, async |stub| {
        let mut waiting = Vec::new();
        let error = loop {
            let mut call = std::pin::pin!(stub.store(vec![0; 64 * KIB]).into_future());
            match std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await {
                std::task::Poll::Ready(result) => break result.unwrap_err(),
                std::task::Poll::Pending => Promise::detach(stub.store(vec![0; 64 * KIB])),
            }
            waiting.push(());
            assert!(waiting.len() < 10_000, "it takes whatever comes");
            tokio::task::yield_now().await;
        };
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Overloaded, false), "{error}");
        assert!(error.message().contains("`line_bytes` is 4194304"), "{error}");
    });
    drop(callee.join().unwrap());
    assert_under("a caller of a deaf callee", peak, 4 * MIB + 3 * MIB + AROUND);
}
