//! What a peer can make a side hold has limits: some end the session, some refuse the one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use farcall::{Connection, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::kit::raw::{
    Call, FORGET, Got, Raw, SEND, Stage, body, finish, frame, id, method, number, own, path,
};
use crate::kit::{Transport, behaviours, open, until};

#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Node {
    pub next: Option<Box<Self>>,
}

fn nested(depth: usize) -> Node {
    (1..depth).fold(Node { next: None }, |node, _| Node { next: Some(Box::new(node)) })
}

pub struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

pub struct Store {
    started: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Default for Store {
    fn default() -> Self {
        Self { started: Arc::default(), running: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

#[rpc_target]
impl Store {
    pub fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    pub fn units(&self, units: Vec<()>) -> u64 {
        units.len() as u64
    }

    pub fn many(&self, length: u64) -> Bytes {
        Bytes::from(vec![0; length as usize])
    }

    pub fn node_with(&self, first: Node, second: Node) -> usize {
        let depth = |node: &Node| std::iter::successors(Some(node), |node| node.next.as_deref()).count();
        depth(&first) + depth(&second)
    }

    pub fn node(&self, node: Node) -> Node {
        node
    }

    pub fn deep(&self) -> Node {
        nested(65)
    }

    pub fn child(&self) -> Self {
        Self {
            started: Arc::clone(&self.started),
            running: Arc::clone(&self.running),
            gate: Arc::clone(&self.gate),
        }
    }

    pub async fn wait(&self) -> u64 {
        self.started.fetch_add(1, SeqCst);
        self.running.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.running));
        drop(self.gate.acquire().await);
        0
    }
}

fn store(name: &str) -> u64 {
    method::<StoreStub>(name)
}

fn small_frames() -> Limits {
    let mut limits = Limits::default();
    limits.frame_bytes = 100_000;
    limits
}

async fn still_answers(raw: &mut Raw) {
    assert_eq!(body(raw.call(&Call::of(store("echo"), &[1, 7])).await), [1, 7]);
}

/// The most virtual memory that this process ever had, in bytes, where the system tells.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0) * 1024
}

behaviours! { wire
    async fn r240_message_over_the_limit_names_both_figures(transport: Transport) {
        let (stub, link) = crate::kit::open_with(transport, std::time::Duration::ZERO, small_frames(), Store::default()).await;
        let argument = stub.echo(Bytes::from(vec![0; 100_001])).await.unwrap_err();
        assert_eq!((argument.kind(), argument.may_have_run()), (ErrorKind::Limit, false));
        let figures = |error: &Error| error.message().split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect::<Vec<usize>>();
        let told = figures(&argument);
        assert!(told[0] > 100_001 && told[0] < 101_000 && told[1] == 100_000, "{argument}");
        assert!(argument.message().contains("`frame_bytes`"), "{argument}");
        let result = stub.many(100_001).await.unwrap_err();
        assert_eq!((result.kind(), result.may_have_run()), (ErrorKind::Limit, true));
        let told = figures(&result);
        assert!(told[0] > 100_001 && told[0] < 101_000 && told[1] == 100_000, "{result}");
        // Neither costs the connection, and what just fits arrives.
        assert_eq!(stub.echo(Bytes::from(vec![1; 99_000])).await.unwrap().len(), 99_000);
        assert!(link.client.as_ref().is_none_or(|client| client.ended().is_none()));
    }

    async fn r240_length_is_checked_before_memory_is_taken(transport: Transport) {
        let stage = Stage::with(transport, small_frames(), Store::default());
        let neighbour: StoreStub = stage.neighbour().await;
        let before = peak_memory();
        for length in [u32::MAX, 1 << 31, 100_001] {
            let mut raw = stage.raw().await;
            let text = format!("a frame says it is {length} bytes long; the limit `frame_bytes` is 100000");
            assert_eq!(raw.aborted(&length.to_le_bytes()).await, text);
        }
        let mut raw = stage.raw().await;
        let huge = number(u64::from(u32::MAX));
        let told = raw.refused(&Call::of(store("units"), &huge), 9).await;
        assert!(told.contains("4294967295 elements that take no bytes"), "{told}");
        raw.refused(&Call::of(store("echo"), &huge), 6).await;
        raw.refused(&Call::of(store("units"), &number(65_537)), 9).await;
        assert_eq!(body(raw.call(&Call::of(store("units"), &number(65_536))).await), number(65_536));
        assert!(peak_memory() < before + (1 << 30), "no gigabytes were asked for");
        assert_eq!(neighbour.echo(Bytes::from_static(b"x")).await.unwrap(), b"x"[..]);
    }

    async fn r241_raw_path_over_the_limit_is_refused(transport: Transport) {
        let stage = Stage::new(transport, Store::default());
        let mut raw = stage.raw().await;
        raw.call(&Call::of(store("node"), &[1, 1, 0])).await;
        let on = |steps: usize| Call::of(store("echo"), &[0]).on(1, &vec![0; steps]);
        // A path of 64 is walked: it leads to a `None`.
        let told = raw.refused(&on(64), 7).await;
        assert!(told.contains("`next` is `None`"), "{told}");
        for steps in [65, 1000, 100_000] {
            let told = raw.refused(&on(steps), 9).await;
            assert_eq!(told, format!("a message has {steps} steps in a path; the limit `path_steps` is 64"));
        }
        // The same in a capability and in an argument; what came with the call is given back.
        let long = path(&[0; 65]);
        let cap = [vec![2], id(1), long.clone()].concat();
        raw.send(&Call::of(store("echo"), &[0]).caps(&[cap, own(-1)]).frame()).await;
        let (one, other) = (raw.reply().await, raw.reply().await);
        let is_refusal = |got: &Got| matches!(got, Got::Reject { kind: 9, may_have_run: false, .. });
        let is_release = |got: &Got| *got == Got::Release { id: -1, count: 1 };
        assert!(is_refusal(&one) && is_release(&other) || is_release(&one) && is_refusal(&other), "{one:?} {other:?}");
        let arg = [vec![0, 0], id(1), long].concat();
        raw.refused(&Call { args: vec![arg], ..Call::of(store("echo"), &[]) }, 9).await;
        still_answers(&mut raw).await;
        // One that says it has 2^31 steps has not, which is another thing.
        let liar = frame(1, &[&[SEND | 4], &id(1), &number(1 << 31), &[0; 100]]);
        assert_eq!(raw.aborted(&liar).await, "a frame ends in the middle of a field");
    }

    async fn r35_recursive_value_over_the_depth_limit_is_refused(transport: Transport) {
        let (stub, _link) = open(transport, Store::default()).await;
        let depth = |node: &Node| std::iter::successors(Some(node), |node| node.next.as_deref()).count();
        assert_eq!(depth(&stub.node(nested(64)).await.unwrap()), 64);
        let argument = stub.node(nested(65)).await.unwrap_err();
        assert!(!argument.may_have_run(), "{argument}");
        assert!(argument.message().contains("64 levels"), "{argument}");
        let result = stub.deep().await.unwrap_err();
        assert!(result.message().contains("64 levels"), "{result}");
        let stage = Stage::new(transport, Store::default());
        let mut raw = stage.raw().await;
        let node = |depth: usize| Call::of(store("node"), &[vec![1; depth - 1], vec![0]].concat());
        assert_eq!(body(raw.call(&node(64)).await).len(), 64);
        raw.refused(&node(65), 9).await;
        still_answers(&mut raw).await;
    }

    async fn r35_value_over_the_depth_limit_fails_at_its_sender(transport: Transport) {
        let (stub, link) = open(transport, Store::default()).await;
        stub.node(nested(64)).await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        // Also one that would use up the stack, and beside a promise.
        for depth in [65, 1000] {
            // What gives up the result of the first call has been sent.
            link.server_holds(0).await;
            let before = counters.read();
            let error = stub.node(nested(depth)).await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false), "{error}");
            assert!(error.message().contains("calling `node`") && error.message().contains("64 levels"), "{error}");
            assert_eq!(counters.since(before).frames_out, 0, "nothing is sent");
        }
        for depth in [65, 1000] {
            let error = stub.node_with(stub.node(nested(1)), nested(depth)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        }
        assert_eq!(stub.node_with(stub.node(nested(3)), nested(64)).await.unwrap(), 67);
        let result = stub.deep().await.unwrap_err();
        assert_eq!(result.kind(), ErrorKind::BadResult);
        assert!(result.message().contains("the result of `deep` could not be encoded"), "{result}");
    }

    async fn r239_calls_over_the_window_end_the_session(transport: Transport) {
        let mut limits = Limits::default();
        limits.running_calls = 1;
        limits.window_bytes = 64 * 1024;
        limits.frame_bytes = 16 * 1024;
        let target = Store::default();
        let started = Arc::clone(&target.started);
        let stage = Stage::with(transport, limits, target);
        let neighbour: StoreStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let call = Call::of(store("wait"), &[]).frame();
        let cost = call.len() - 4 + 64;
        let fit = 64 * 1024 / cost;
        raw.send(&call.repeat(fit)).await;
        until(|| raw.server.table_sizes().0 == fit).await;
        assert_eq!(started.load(SeqCst), 1, "the others wait");
        assert!(raw.server.ended().is_none());
        let told = raw.aborted(&call).await;
        assert_eq!(told, format!("it has {} bytes of calls waiting; the limit `window_bytes` is 65536", (fit + 1) * cost));
        assert_eq!(neighbour.echo(Bytes::new()).await.unwrap(), b""[..]);
    }

    async fn r239_calling_and_cancelling_without_end_runs_no_more_than_the_limit(transport: Transport) {
        let mut limits = Limits::default();
        limits.running_calls = 10;
        let target = Store::default();
        let (running, gate) = (Arc::clone(&target.running), Arc::clone(&target.gate));
        let stage = Stage::with(transport, limits, target);
        let neighbour: StoreStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        for round in 0..20 {
            let mut bytes = Vec::new();
            for n in 1..=100 {
                bytes.extend(Call::of(store("wait"), &[]).frame());
                bytes.extend(finish(100 * round + n, true));
            }
            raw.send(&bytes).await;
            neighbour.echo(Bytes::new()).await.unwrap();
            let most = running.load(SeqCst);
            assert!(most <= 10, "{most} methods run");
        }
        until(|| raw.server.table_sizes() == (0, 0) && running.load(SeqCst) == 0).await;
        drop(gate);
        still_answers(&mut raw).await;
    }

    async fn r239_calls_that_come_and_go_behind_a_slow_one_leave_nothing(transport: Transport) {
        let stage = Stage::new(transport, Store::default());
        let mut raw = stage.raw().await;
        raw.send(&Call::of(store("wait"), &[]).frame()).await;
        let mut bytes = Vec::new();
        for n in 2..5000 {
            bytes.extend(Call::of(store("echo"), &[0]).on(1, &[]).frame());
            bytes.extend(finish(n, true));
        }
        raw.send(&bytes).await;
        still_answers(&mut raw).await;
        raw.send(&finish(5000, false)).await;
        until(|| raw.server.table_sizes().0 == 1).await;
    }

    async fn r239_parked_calls_over_the_limit_are_refused_alone(transport: Transport) {
        let mut limits = Limits::default();
        limits.parked_bytes = 10_000;
        let stage = Stage::with(transport, limits, Store::default());
        let mut raw = stage.raw().await;
        raw.send(&Call::of(store("wait"), &[]).frame()).await;
        let long = Call::of(store("echo"), &[number(4000), vec![0; 4000]].concat()).on(1, &[]);
        raw.send(&long.frame()).await;
        raw.send(&long.frame()).await;
        let told = raw.refused(&long, 9).await;
        assert!(told.ends_with("bytes of calls wait for others; the limit `parked_bytes` is 10000"), "{told}");
        still_answers(&mut raw).await;
    }

    async fn r239_stubs_that_are_never_released_are_limited(transport: Transport) {
        let mut limits = Limits::default();
        limits.exports = 5;
        let stage = Stage::with(transport, limits, Store::default());
        let mut raw = stage.raw().await;
        let child = Call { flags: SEND | FORGET, ..Call::of(store("child"), &[]) };
        for n in 1..=5 {
            assert!(matches!(raw.call(&child).await, Got::Answer { id, .. } if id == n));
        }
        match raw.call(&child).await {
            Got::Reject { kind: 9, text, .. } => {
                assert_eq!(text, "the peer would hold 6 targets; the limit `exports` is 5");
            }
            other => panic!("{other:?}"),
        }
        raw.send(&crate::kit::raw::release(-3, 1)).await;
        assert!(matches!(raw.call(&child).await, Got::Answer { id: 7, .. }), "one was given back");
    }

    async fn r239_capabilities_over_the_limit_of_the_holder_are_refused_alone(transport: Transport) {
        let mut limits = Limits::default();
        limits.caps_per_message = 3;
        let stage = Stage::with(transport, limits, Store::default());
        let mut raw = stage.raw().await;
        let call = Call { flags: SEND | FORGET, ..Call::of(store("echo"), &[0]) };
        raw.send(&call.clone().caps(&[own(-1), own(-2), own(-3), own(-4)]).frame()).await;
        let mut released = 0;
        let mut told = None;
        for _ in 0..5 {
            match raw.reply().await {
                Got::Release { count: 1, .. } => released += 1,
                Got::Reject { kind: 9, may_have_run: false, text, .. } => told = Some(text),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(released, 4);
        assert_eq!(told.unwrap(), "a message has 4 capabilities; the limit `caps_per_message` is 3");
        still_answers(&mut raw).await;
    }

    async fn an_answer_is_asked_for_once(transport: Transport) {
        let stage = Stage::new(transport, Store::default());
        for flags in [0, SEND] {
            let mut raw = stage.raw().await;
            raw.send(&Call { flags, ..Call::of(store("echo"), &[0]) }.frame()).await;
            let pulls = if flags == 0 { 2 } else { 1 };
            let told = raw.aborted(&crate::kit::raw::pull(1).repeat(pulls)).await;
            assert_eq!(told, "it asked for the answer to its call 1 a second time");
        }
    }
}

/// A peer that calls and never reads: answers pile up until deliveries stop, refusals until the session ends.
#[tokio::test]
async fn r239_a_peer_that_does_not_read_is_stopped() {
    let mut limits = Limits::default();
    limits.unsent_answer_bytes = 100_000;
    limits.unsent_answer_bytes_hard = 1_000_000;
    let stage = Stage::with(Transport::Duplex, limits, Store::default());
    let neighbour: StoreStub = stage.neighbour().await;
    let mut raw = stage.raw().await;
    let many = Call::of(store("many"), &number(10_000)).frame();
    raw.send(&many.repeat(500)).await;
    neighbour.echo(Bytes::new()).await.unwrap();
    assert!(raw.server.ended().is_none(), "it may read later");
    // Methods that are not there are not delivered, but refused; each refusal takes its bytes.
    let missing = Call::of(store("echo"), &[0]).on(1, &[0]).frame();
    let server: Connection = raw.server.clone();
    let flood = async {
        while server.ended().is_none() {
            raw.send(&missing.repeat(1000)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), flood).await.expect("it is stopped");
    let ended = server.closed().await;
    assert_eq!(ended.kind(), ErrorKind::Limit, "{ended}");
    assert!(ended.message().contains("`unsent_answer_bytes_hard` is 1000000"), "{ended}");
    neighbour.echo(Bytes::new()).await.unwrap();
}
