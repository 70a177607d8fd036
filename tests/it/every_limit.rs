//! Every limit by its name: each is crossed, the error says its name and both figures, and a neighbour on the same
//! server keeps being answered, before, during and after. A limit that is added and not crossed here fails the test.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Error, Limits};
use tokio::sync::Semaphore;

use crate::kit::raw::{Call, FORGET, Got, Raw, SEND, Stage, finish, method, number, own, pull};
use crate::kit::{Transport, behaviours, until};

/// Those that are about time; they are crossed on a clock that moves by itself.
const TIMES: [&str; 4] = ["write_stall", "handshake", "keep_alive", "dead_peer"];

/// What the target of the tests shows of itself.
#[derive(Clone)]
pub struct Seen {
    started: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Seen {
    fn started(&self) -> usize {
        self.started.load(SeqCst)
    }
}

pub struct Vault(Seen);

#[rpc_target]
impl Vault {
    pub fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    /// As many bytes as were asked for.
    pub fn make(&self, length: u64) -> Bytes {
        self.0.started.fetch_add(1, SeqCst);
        vec![0; length as usize].into()
    }

    /// Runs until it is let go.
    pub async fn wait(&self, payload: Bytes) -> u64 {
        self.0.started.fetch_add(1, SeqCst);
        self.0.gate.acquire().await.unwrap().forget();
        payload.len() as u64
    }

    pub fn child(&self) -> Self {
        Self(self.0.clone())
    }

    /// Calls the last of some functions, and says what came of it.
    pub async fn last_of(&self, mut functions: Vec<RpcFn<fn() -> u8>>) -> String {
        match functions.pop().unwrap().call().await {
            Ok(value) => value.to_string(),
            Err(error) => format!("{:?}: {}", error.origin(), error.message()),
        }
    }
}

/// A server with one limit set low, and what its target shows.
struct Field {
    stage: Stage,
    seen: Seen,
}

/// How it was noticed that a limit was crossed.
enum Told {
    /// By an error of this kind.
    Error(ErrorKind, String),
    /// What is over the limit waits, or something else is done about it: the case has seen to that.
    Waits,
}

impl Told {
    fn by(error: &Error) -> Self {
        Self::Error(error.kind(), error.message().to_owned())
    }

    /// By a refusal of one call.
    fn refused(got: Got) -> Self {
        match got {
            Got::Reject { kind: 9, text, .. } => Self::Error(ErrorKind::Limit, text),
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn vault(name: &str) -> u64 {
    method::<VaultStub>(name)
}

fn echo() -> Call {
    Call::of(vault("echo"), &[0])
}

/// A call that runs until it is let go, with so many bytes.
fn wait(bytes: usize) -> Call {
    Call::of(vault("wait"), &[number(bytes as u64), vec![0; bytes]].concat())
}

fn make(bytes: u64) -> Call {
    Call::of(vault("make"), &number(bytes))
}

/// The server's limits for the case of one, and what the error has to say: how much there was, where that is known
/// beforehand, and how much there may be. Those that only a caller can cross are set at the caller.
fn tight(name: &str) -> (Limits, [&'static str; 2]) {
    let mut limits = Limits::default();
    let second = Duration::from_secs(1);
    let figures = match name {
        "frame_bytes" => {
            limits.frame_bytes = 70_000;
            ["", "70000"]
        }
        "window_bytes" => {
            (limits.window_bytes, limits.frame_bytes, limits.running_calls) = (65_536, 16 * 1024, 1);
            ["", "65536"]
        }
        "path_steps" => {
            limits.path_steps = 3;
            ["4", "3"]
        }
        "caps_per_message" => {
            limits.caps_per_message = 2;
            ["3", "2"]
        }
        "exports" => {
            limits.exports = 2;
            ["3", "2"]
        }
        "imports" => {
            limits.imports = 2;
            ["3", "2"]
        }
        "running_calls" => {
            limits.running_calls = 2;
            ["", ""]
        }
        "running_bytes" => {
            limits.running_bytes = 10_000;
            ["", ""]
        }
        "parked_bytes" => {
            limits.parked_bytes = 10_000;
            ["", "10000"]
        }
        "parked_calls" => {
            limits.parked_calls = 2;
            ["3", "2"]
        }
        "waiting_caps" => {
            (limits.waiting_caps, limits.running_calls) = (2, 1);
            ["3", "2"]
        }
        "answer_bytes" => {
            limits.answer_bytes = 1_000;
            ["2002", "1000"]
        }
        "unsent_answer_bytes" => {
            limits.unsent_answer_bytes = 100_000;
            ["", ""]
        }
        "unsent_answer_bytes_hard" => {
            (limits.unsent_answer_bytes, limits.unsent_answer_bytes_hard) = (100_000, 300_000);
            ["", "300000"]
        }
        "line_bytes" => {
            (limits.window_bytes, limits.frame_bytes, limits.running_calls) = (65_536, 65_536, 1);
            ["", "10000"]
        }
        "calls_in_flight" => ["2", "2"],
        "unread_result_bytes" => ["1604", "1000"],
        "write_stall" => {
            limits.write_stall = 7 * second;
            ["7s", "7s"]
        }
        "handshake" => {
            limits.handshake = 3 * second;
            ["3s", "3s"]
        }
        "keep_alive" => {
            limits.keep_alive = Some(4 * second);
            ["", ""]
        }
        "dead_peer" => {
            limits.dead_peer = 5 * second;
            ["5s", "5s"]
        }
        other => panic!("the limit `{other}` is not crossed by any test"),
    };
    (limits, figures)
}

/// Crosses the limit of this name.
async fn cross(name: &str, field: &Field) -> Told {
    match name {
        "frame_bytes" | "imports" | "line_bytes" | "calls_in_flight" | "unread_result_bytes" => {
            cross_as_caller(name, field).await
        }
        "running_calls" | "running_bytes" | "unsent_answer_bytes" | "unsent_answer_bytes_hard" => {
            cross_mark(name, field).await
        }
        _ if TIMES.contains(&name) => cross_time(name, field).await,
        _ => cross_as_peer(name, field).await,
    }
}

/// With a caller that keeps the rules.
async fn cross_as_caller(name: &str, field: &Field) -> Told {
    let mut limits = Limits::default();
    match name {
        "line_bytes" => limits.line_bytes = 10_000,
        "calls_in_flight" => limits.calls_in_flight = 2,
        "unread_result_bytes" => limits.unread_result_bytes = 1_000,
        _ => {}
    }
    let stub: VaultStub = field.stage.client(limits).await;
    match name {
        "frame_bytes" => Told::by(&stub.echo(vec![0; 70_001]).await.unwrap_err()),
        "imports" => {
            let functions: Vec<RpcFn<fn() -> u8>> = (0..3).map(|n| RpcFn::new(move || n)).collect();
            let said = stub.last_of(functions).await.unwrap();
            Told::Error(ErrorKind::Limit, said.strip_prefix("Limit: ").unwrap().to_owned())
        }
        "line_bytes" => {
            // Three fill the window that everybody begins with.
            let calls: Vec<_> = (0..3).map(|_| stub.wait(vec![0; 20_000])).collect();
            let error = stub.wait(vec![0; 20_000]).await.unwrap_err();
            field.seen.gate.add_permits(3);
            for call in calls {
                assert_eq!(call.await.unwrap(), 20_000);
            }
            Told::by(&error)
        }
        "calls_in_flight" => {
            let calls = [stub.wait(Bytes::new()), stub.wait(Bytes::new())];
            let error = stub.wait(Bytes::new()).await.unwrap_err();
            field.seen.gate.add_permits(2);
            for call in calls {
                call.await.unwrap();
            }
            Told::by(&error)
        }
        _ => {
            let (first, second) = (stub.make(800), stub.make(800));
            let error = second.await.unwrap_err();
            assert_eq!(first.await.unwrap().len(), 800);
            Told::by(&error)
        }
    }
}

/// With a peer that writes frames by hand.
async fn cross_as_peer(name: &str, field: &Field) -> Told {
    let mut raw = field.stage.raw().await;
    let told = match name {
        "window_bytes" => {
            // One is started at once, and still counts until that is told.
            let (first, frame) = (wait(0).frame(), wait(1_000).frame());
            let cost = |frame: &[u8]| frame.len() - 4 + 64;
            raw.send(&first).await;
            raw.send(&frame.repeat((65_536 - cost(&first)) / cost(&frame))).await;
            return Told::Error(ErrorKind::Protocol, raw.aborted(&frame).await);
        }
        "path_steps" => {
            raw.call(&echo()).await;
            raw.call(&echo().on(1, &[0; 4])).await
        }
        "caps_per_message" => {
            raw.send(&echo().caps(&[own(-1), own(-2), own(-3)]).frame()).await;
            refusal_among_releases(&mut raw).await
        }
        "exports" => {
            let child = Call { flags: SEND | FORGET, ..Call::of(vault("child"), &[]) };
            for _ in 0..2 {
                assert!(matches!(raw.call(&child).await, Got::Answer { .. }));
            }
            raw.call(&child).await
        }
        "parked_bytes" => {
            let parked = Call::of(vault("echo"), &[number(5_000), vec![0; 5_000]].concat()).on(1, &[]);
            raw.send(&[wait(0).frame(), parked.frame()].concat()).await;
            raw.call(&parked).await
        }
        "parked_calls" => {
            let parked = echo().on(1, &[]);
            raw.send(&[wait(0).frame(), parked.frame(), parked.frame()].concat()).await;
            raw.call(&parked).await
        }
        "waiting_caps" => {
            raw.send(&wait(0).frame()).await;
            raw.send(&echo().caps(&[own(-1), own(-2), own(-3)]).frame()).await;
            refusal_among_releases(&mut raw).await
        }
        "answer_bytes" => {
            // It is not sent, so it is kept until somebody asks.
            raw.send(&Call { flags: 0, ..make(2_000) }.frame()).await;
            raw.send(&pull(1)).await;
            raw.reply().await
        }
        other => panic!("the limit `{other}` is not crossed by any test"),
    };
    // It was this one call, and nothing else.
    raw.send(&finish(1, true)).await;
    raw.send(&Call { flags: SEND | FORGET, ..echo() }.frame()).await;
    while !matches!(raw.reply().await, Got::Answer { body, .. } if body == [0]) {}
    Told::refused(told)
}

async fn refusal_among_releases(raw: &mut Raw) -> Got {
    let mut refusal = None;
    for _ in 0..4 {
        match raw.reply().await {
            Got::Release { count: 1, .. } => {}
            other => refusal = Some(other),
        }
    }
    refusal.expect("three are given back, and the call is refused")
}

/// Those over which calls wait, and what happens to a peer that makes it last.
async fn cross_mark(name: &str, field: &Field) -> Told {
    let mut raw = field.stage.raw().await;
    let seen = &field.seen;
    match name {
        "running_calls" | "running_bytes" => {
            let call = if name == "running_calls" { wait(0) } else { wait(6_000) };
            raw.send(&call.frame().repeat(5)).await;
            until(|| raw.server.table_sizes().0 == 5).await;
            assert_eq!(seen.started(), 2, "the others wait");
            seen.gate.add_permits(5);
            until(|| seen.started() == 5).await;
        }
        "unsent_answer_bytes" => {
            let call = Call { flags: SEND | FORGET, ..make(100_000) };
            raw.send(&call.frame().repeat(200)).await;
            // Those that wait are in the tables; the others are answered and forgotten.
            let waiting = || raw.server.table_sizes().0;
            until(|| waiting() > 0 && waiting() + seen.started() == 200).await;
            for _ in 0..200 {
                assert!(matches!(raw.reply().await, Got::Answer { .. }));
            }
            assert_eq!(seen.started(), 200, "once it reads, they run");
        }
        _ => {
            let refused = Call { flags: SEND | FORGET, ..echo().on(1, &[0]) }.frame().repeat(1_000);
            raw.send(&Call { flags: 0, ..echo() }.frame()).await;
            while raw.server.ended().is_none() {
                raw.send(&refused).await;
            }
            return Told::by(&raw.server.closed().await);
        }
    }
    Told::Waits
}

/// Those that only time crosses.
async fn cross_time(name: &str, field: &Field) -> Told {
    let mut raw = field.stage.silent().await;
    raw.patience = Duration::from_secs(1_000_000);
    if name != "handshake" {
        raw.send(&crate::kit::raw::hello()).await;
        assert_eq!(raw.next().await, Some(Got::Hello));
    }
    if name == "write_stall" {
        // More than there is room for on the way.
        raw.send(&make(10_000_000).frame()).await;
    }
    if name == "keep_alive" {
        let greeted = tokio::time::Instant::now();
        assert_eq!(raw.next().await, Some(Got::Ping));
        assert!(greeted.elapsed() <= Duration::from_millis(4_100), "{:?}", greeted.elapsed());
        return Told::Waits;
    }
    Told::by(&raw.server.closed().await)
}

/// The names of all limits, from what the library says of itself.
fn names() -> BTreeSet<String> {
    let text = format!("{:?}", Limits::default());
    let fields = text.strip_prefix("Limits { ").and_then(|text| text.strip_suffix(" }")).unwrap();
    fields.split(", ").map(|field| field.split(": ").next().unwrap().to_owned()).collect()
}

/// Crosses one limit beside a neighbour that makes calls all the time.
async fn crossed_alone(transport: Transport, name: &str) {
    let seen = Seen { started: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
    let (limits, figures) = tight(name);
    let field = Field { stage: Stage::with(transport, limits, Vault(seen.clone())), seen };
    let neighbour: VaultStub = field.stage.neighbour().await;
    let echo = async || assert_eq!(neighbour.echo(Bytes::from_static(b"n")).await.unwrap(), b"n"[..]);
    echo().await;
    let (over, during) = (AtomicBool::new(false), AtomicUsize::new(0));
    let crossing = async {
        let told = cross(name, &field).await;
        over.store(true, SeqCst);
        told
    };
    let beside = async {
        // The crossing may be over before the first is made: it is made all the same.
        while !over.load(SeqCst) || during.load(SeqCst) == 0 {
            echo().await;
            during.fetch_add(1, SeqCst);
            if TIMES.contains(&name) {
                // Else time would stand still.
                tokio::time::sleep(Duration::from_millis(100)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
    };
    let (told, ()) = tokio::join!(crossing, beside);
    assert!(during.load(SeqCst) > 0);
    echo().await;
    let Told::Error(kind, text) = told else { return };
    let expected = match name {
        "window_bytes" => ErrorKind::Protocol,
        "line_bytes" | "calls_in_flight" => ErrorKind::Overloaded,
        "dead_peer" => ErrorKind::Disconnected,
        _ => ErrorKind::Limit,
    };
    assert_eq!(kind, expected, "{name}: {text}");
    assert!(text.contains(&format!("`{name}`")), "{name}: {text}");
    let said: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let numbers = said.iter().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).count();
    assert!(numbers >= 2, "how much there was, and how much there may be: {text}");
    for figure in figures {
        assert!(figure.is_empty() || said.contains(&figure), "{name}, {figure}: {text}");
    }
}

behaviours! { wire
    async fn r245_every_limit_is_crossed_alone(transport: Transport) {
        for name in names().iter().filter(|name| !TIMES.contains(&&name[..])) {
            crossed_alone(transport, name).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r245_every_limit_of_time_is_crossed_alone() {
    let all = names();
    for name in TIMES {
        assert!(all.contains(name), "{name} is no limit any more");
        crossed_alone(Transport::Duplex, name).await;
    }
}
