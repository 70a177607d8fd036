//! A peer that means harm: floods, replays, bombs. Each has a neighbour on the same server whose calls must succeed
//! meanwhile, and each leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use farcall::Limits;
use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::Semaphore;

use crate::kit::raw::{
    Call, FORGET, Got, SEND, Stage, body, finish, frame, hello, id, method, number, own, promised, pull,
    release,
};
use crate::kit::{Transport, behaviours, until};

/// A number that can be read and not let go, or not read, or not written.
#[derive(RpcValue)]
pub struct Fused(u8);

const READING: u8 = 13;
const DROPPING: u8 = 14;
const WRITING: u8 = 15;

impl Serialize for Fused {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, WRITING, "it goes off when it is written");
        serializer.serialize_u8(self.0)
    }
}

impl<'de> Deserialize<'de> for Fused {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        assert_ne!(number, READING, "it goes off when it is read");
        Ok(Self(number))
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        assert_ne!(self.0, DROPPING, "it goes off when it is dropped");
    }
}

#[derive(Clone)]
pub struct Host {
    inside: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Default for Host {
    fn default() -> Self {
        Self { inside: Arc::default(), made: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[rpc_target]
impl Host {
    pub fn echo(&self, number: u64) -> u64 {
        number
    }

    pub fn child(&self) -> Child {
        self.made.fetch_add(1, SeqCst);
        Child(Inside(Arc::clone(&self.made)))
    }

    pub async fn wait(&self) {
        self.inside.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        drop(self.gate.acquire().await);
    }

    /// Takes whatever it is given, and keeps nothing.
    pub fn take(&self, functions: Vec<RpcFn<fn()>>) -> u64 {
        functions.len() as u64
    }

    pub fn fused(&self, value: Fused) -> Fused {
        value
    }

    pub async fn fused_later(&self, value: Fused) -> Fused {
        tokio::task::yield_now().await;
        value
    }
}

/// Counted as long as it lives.
pub struct Child(Inside);

#[rpc_target]
impl Child {
    pub fn child(&self) -> Self {
        self.0.0.fetch_add(1, SeqCst);
        Self(Inside(Arc::clone(&self.0.0)))
    }
}

fn host(name: &str) -> u64 {
    method::<HostStub>(name)
}

fn echo() -> Call {
    Call { flags: SEND | FORGET, ..Call::of(host("echo"), &[7]) }
}

/// Runs an attack while a neighbour makes calls; they all succeed.
async fn beside<T>(neighbour: &HostStub, attack: impl Future<Output = T>) -> T {
    let over = AtomicBool::new(false);
    let calls = async {
        for made in 0.. {
            assert_eq!(neighbour.echo(made).await.unwrap(), made);
            if over.load(SeqCst) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let attack = async {
        let result = attack.await;
        over.store(true, SeqCst);
        result
    };
    let (result, ()) = tokio::join!(attack, calls);
    assert_eq!(neighbour.echo(3).await.unwrap(), 3);
    result
}

behaviours! { wire
    async fn r239_a_flood_of_calls_is_answered(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        beside(&neighbour, async {
            for _ in 0..50 {
                raw.send(&echo().frame().repeat(1_000)).await;
                for _ in 0..1_000 {
                    assert_eq!(body(raw.reply().await), [7]);
                }
            }
        }).await;
        assert_eq!(raw.server.table_sizes(), (0, 0));
    }

    async fn r239_a_flood_of_targets_is_bounded_and_given_back(transport: Transport) {
        let mut limits = Limits::default();
        limits.exports = 1_000;
        let target = Host::default();
        let made = Arc::clone(&target.made);
        let stage = Stage::with(transport, limits, target);
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let child = Call { flags: SEND | FORGET, ..Call::of(host("child"), &[]) }.frame();
        let refused = beside(&neighbour, async {
            let mut refused = 0;
            for _ in 0..10 {
                raw.send(&child.repeat(500)).await;
                for _ in 0..500 {
                    refused += usize::from(matches!(raw.reply().await, Got::Reject { kind: 9, .. }));
                }
                assert!(raw.server.table_sizes().0 <= 1_000);
            }
            refused
        }).await;
        assert_eq!(refused, 4_000);
        // Those that were refused go at once, if not in the call that refused them.
        until(|| made.load(SeqCst) == 1_000).await;
        let releases: Vec<u8> = (1..=1_000).flat_map(|n| release(-n, 1)).collect();
        beside(&neighbour, raw.send(&releases)).await;
        until(|| made.load(SeqCst) == 0 && raw.server.table_sizes() == (0, 0)).await;
    }

    async fn r239_targets_that_come_and_go_leave_nothing(transport: Transport) {
        let target = Host::default();
        let made = Arc::clone(&target.made);
        let stage = Stage::new(transport, target);
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let child = Call { flags: SEND | FORGET, ..Call::of(host("child"), &[]) }.frame();
        beside(&neighbour, async {
            for round in 0..20 {
                raw.send(&child.repeat(200)).await;
                for n in 1..=200 {
                    let at = -(200 * round + n);
                    assert!(matches!(raw.reply().await, Got::Answer { caps, .. } if caps == [(0, at)]));
                    raw.send(&release(at, 1)).await;
                }
            }
        }).await;
        until(|| made.load(SeqCst) == 0 && raw.server.table_sizes() == (0, 0)).await;
    }

    async fn r239_a_long_chain_neither_overflows_nor_stays(transport: Transport) {
        let target = Host::default();
        let (made, gate) = (Arc::clone(&target.made), Arc::clone(&target.gate));
        let stage = Stage::new(transport, target);
        let neighbour: HostStub = stage.neighbour().await;
        for fails in [false, true] {
            let mut raw = stage.raw().await;
            let first = if fails { "wait" } else { "child" };
            let mut frames = Call { flags: 0, ..Call::of(host(first), &[]) }.frame();
            let child = Call { flags: 0, ..Call::of(method::<ChildStub>("child"), &[]) };
            for n in 1..5_000 {
                frames.extend(child.clone().on(n, &[]).frame());
            }
            beside(&neighbour, async {
                raw.send(&frames).await;
                if fails {
                    until(|| raw.server.table_sizes().0 == 5_000).await;
                    gate.add_permits(1);
                } else {
                    until(|| made.load(SeqCst) == 5_000).await;
                }
                // From the front, then from the back.
                let finishes: Vec<u8> = (1..=2_500).chain((2_501..=5_000).rev()).flat_map(|n| finish(n, true)).collect();
                raw.send(&finishes).await;
                until(|| raw.server.table_sizes().0 == 0).await;
            }).await;
            until(|| made.load(SeqCst) == 0).await;
        }
    }

    async fn r239_cancelling_everything_at_once_stops_everything(transport: Transport) {
        let target = Host::default();
        let (inside, gate) = (Arc::clone(&target.inside), Arc::clone(&target.gate));
        let stage = Stage::new(transport, target);
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        beside(&neighbour, async {
            for round in 0..2 {
                // All of them run, wait for their turn, or for another call.
                let wait = Call { flags: 0, ..Call::of(host("wait"), &[]) }.frame();
                raw.send(&wait.repeat(6_000)).await;
                let first = 8_000 * round + 1;
                let parked = Call { flags: 0, ..Call::of(host("echo"), &[7]) }.on(first, &[0]).frame();
                raw.send(&parked.repeat(2_000)).await;
                until(|| raw.server.table_sizes().0 == 8_000).await;
                assert!(inside.load(SeqCst) <= 4_096);
                let finishes: Vec<u8> = (first..first + 8_000).flat_map(|n| finish(n, true)).collect();
                raw.send(&finishes).await;
                until(|| raw.server.table_sizes().0 == 0 && inside.load(SeqCst) == 0).await;
            }
        }).await;
        drop(gate);
        raw.send(&echo().frame()).await;
        assert_eq!(body(raw.reply().await), [7]);
    }

    async fn r239_capability_bombs_are_defused(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let all: Vec<_> = (1..=1_024).map(|n| own(-n)).collect();
        let indexes: Vec<u8> = [number(1_024), (0..1_024).flat_map(number).collect()].concat();
        let bomb = Call { flags: SEND | FORGET, ..Call::of(host("take"), &indexes) }.caps(&all);
        // The same ones, in a call that cannot be read: one index stands there twice.
        let dud = Call { flags: SEND | FORGET, ..Call::of(host("take"), &[2, 5, 5]) }.caps(&all);
        let (mut given_back, mut answered, mut refused) = (0, 0, 0);
        beside(&neighbour, async {
            for _ in 0..20 {
                raw.send(&[bomb.frame(), dud.frame()].concat()).await;
            }
            while given_back < 2 * 20 * 1_024 || answered + refused < 40 {
                match raw.reply().await {
                    Got::Release { count, .. } => given_back += count,
                    Got::Answer { .. } => answered += 1,
                    Got::Reject { kind: 6, .. } => refused += 1,
                    other => panic!("{other:?}"),
                }
            }
        }).await;
        assert_eq!((given_back, answered, refused), (2 * 20 * 1_024, 20, 20), "each introduction, once");
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn r239_bombs_of_promises_are_defused(transport: Transport) {
        let target = Host::default();
        let gate = Arc::clone(&target.gate);
        let stage = Stage::new(transport, target);
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        raw.send(&Call::of(host("wait"), &[]).frame()).await;
        // 1,024 stubs of one promise, and the main object as often, which comes home.
        let indexes: Vec<u8> = [number(1_024), (0..1_024).flat_map(number).collect()].concat();
        let take = Call { flags: SEND | FORGET, ..Call::of(host("take"), &indexes) };
        let promises = take.clone().caps(&vec![promised(1, &[0]); 1_024]);
        let home = take.caps(&vec![[vec![1], id(0)].concat(); 1_024]);
        beside(&neighbour, async {
            for _ in 0..10 {
                assert_eq!(body(raw.call(&promises).await), number(1_024));
                assert_eq!(body(raw.call(&home).await), number(1_024));
            }
        }).await;
        gate.add_permits(1);
        assert!(matches!(raw.reply().await, Got::Answer { id: 1, .. }));
        raw.send(&finish(1, true)).await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn r228_ids_that_are_replayed_or_made_up_end_the_session(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let kept = Call::of(host("echo"), &[7]).frame();
        let child = Call { flags: SEND | FORGET, ..Call::of(host("child"), &[]) }.frame();
        let answer = |call: i64| frame(2, &[&id(call), &[0, 7]]);
        let reject = |call: i64| frame(3, &[&id(call), &[4, 4, 0, 0]]);
        let on_gone = Call::of(host("echo"), &[7]).on(1, &[]).frame();
        let given_up = "it referred to its call 1, which it gave up";
        let cases: [(Vec<Vec<u8>>, &str); 14] = [
            (vec![kept.clone(), finish(1, false), on_gone], given_up),
            (vec![kept.clone(), finish(1, false), pull(1)], given_up),
            (vec![kept.clone(), finish(1, true), Call::of(host("take"), &[0]).caps(&[promised(1, &[])]).frame()], given_up),
            (vec![Call::of(host("echo"), &[7]).on(2, &[]).frame()], "its call 1 refers to its call 2, which comes later"),
            (vec![Call::of(host("echo"), &[7]).on(1, &[]).frame()], "its call 1 refers to its call 1, which comes later"),
            (vec![finish(1, true)], "it gave up its call 1, which it never made"),
            (vec![pull(9)], "it referred to its call 9, which it never made"),
            (vec![answer(1)], "it answered the call 1, which was never made"),
            (vec![answer(-1)], "it answered the call -1, which was never made"),
            (vec![reject(i64::MAX)], "it answered the call 9223372036854775807, which was never made"),
            (vec![release(-1, 1)], "it released the export -1, which it does not hold"),
            (vec![child.clone(), release(-1, 1), release(-1, 1)], "it released the export -1, which it does not hold"),
            (vec![child.clone(), release(-1, 2)], "it released the export -1 2 times; it holds 1 introductions"),
            (vec![child, release(-1, 1), Call::of(method::<ChildStub>("child"), &[]).on(-1, &[]).frame()], "it called the export -1, which it does not hold"),
        ];
        for (frames, reason) in cases {
            let mut raw = stage.raw().await;
            let told = beside(&neighbour, raw.aborted(&frames.concat())).await;
            assert_eq!(told, reason);
        }
        // Giving up twice is no lie: the first may have crossed the answer.
        let mut raw = stage.raw().await;
        raw.send(&[kept, finish(1, false).repeat(1_000)].concat()).await;
        assert!(matches!(raw.reply().await, Got::Answer { id: 1, .. }));
        raw.send(&echo().frame()).await;
        assert_eq!(body(raw.reply().await), [7]);
        assert_eq!(raw.aborted(&hello()).await, "it greeted twice");
    }

    async fn r228_answers_to_calls_that_were_answered_end_the_session(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let back: HostStub = farcall::main_stub(&raw.server);
        let call = back.echo(7);
        assert!(matches!(raw.next().await, Some(Got::Call { target: 0, .. })));
        let answer = frame(2, &[&id(1), &[0, 7]]);
        beside(&neighbour, async {
            raw.send(&answer.repeat(2)).await;
            let Some(Got::Abort { kind: 13, text }) = raw.next().await else { panic!("it does not mind") };
            assert_eq!(text, "the peer broke the protocol: it answered the call 1 twice");
        }).await;
        assert_eq!(call.await.unwrap(), 7, "the first one counts");
    }

    async fn user_types_that_panic_fail_one_call_each(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        beside(&neighbour, async {
            for name in ["fused", "fused_later"] {
                let call = |value: u8| Call { flags: SEND | FORGET, ..Call::of(host(name), &[value]) };
                for _ in 0..20 {
                    assert!(matches!(raw.call(&call(READING)).await, Got::Reject { kind: 12, .. }));
                    assert!(matches!(raw.call(&call(WRITING)).await, Got::Reject { .. }));
                    // What came of it was encoded before it went off.
                    assert!(matches!(raw.call(&call(DROPPING)).await, Got::Answer { .. } | Got::Reject { .. }));
                    assert_eq!(body(raw.call(&call(9)).await), [9]);
                    // And where nobody gets an answer.
                    for value in [READING, WRITING, DROPPING] {
                        raw.send(&Call { flags: FORGET, ..call(value) }.frame()).await;
                    }
                }
            }
        }).await;
        assert_eq!(body(raw.call(&echo()).await), [7]);
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn a_peer_that_writes_single_bytes_is_served_as_any_other(transport: Transport) {
        let stage = Stage::new(transport, Host::default());
        let neighbour: HostStub = stage.neighbour().await;
        let mut raw = stage.silent().await;
        beside(&neighbour, async {
            for byte in [hello(), echo().frame().repeat(20)].concat() {
                raw.send(&[byte]).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(raw.next().await, Some(Got::Hello));
            for _ in 0..20 {
                assert_eq!(body(raw.reply().await), [7]);
            }
        }).await;
    }
}
