//! Calls written by hand, frame by frame, that keep the rules or break them for one call alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::raw::{
    Call, FORGET, Got, SEND, Stage, body, disguised, finish, frame, id, method, own, promised, pull,
};
use crate::kit::{Transport, behaviours, until};

#[derive(Default)]
pub struct Bell {
    rung: Arc<AtomicUsize>,
}

#[rpc_target]
impl Bell {
    pub fn ring(&self) -> u64 {
        self.rung.fetch_add(1, SeqCst) as u64 + 1
    }
}

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Five {
    pub a: RpcFn<fn(u8) -> u8>,
    pub b: RpcFn<fn(u8) -> u8>,
    pub c: RpcFn<fn(u8) -> u8>,
    pub d: RpcFn<fn(u8) -> u8>,
    pub e: RpcFn<fn(u8) -> u8>,
}

#[derive(Default)]
pub struct Hall {
    rung: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
    kept: Mutex<Vec<BellStub>>,
}

#[rpc_target]
impl Hall {
    pub fn number(&self) -> i64 {
        6
    }

    pub fn map(&self) -> BTreeMap<String, i64> {
        BTreeMap::from([("ring".to_owned(), 1)])
    }

    pub fn bell(&self) -> Bell {
        Bell { rung: Arc::clone(&self.rung) }
    }

    pub fn five(&self) -> Five {
        let f = || RpcFn::new(|n: u8| n);
        Five { a: f(), b: f(), c: f(), d: f(), e: f() }
    }

    pub fn two(&self, _first: BellStub, _second: BellStub) -> u64 {
        self.calls.fetch_add(1, SeqCst) as u64 + 1
    }

    pub fn keep(&self, bell: BellStub) {
        self.kept.lock().unwrap().push(bell);
    }

    pub fn sum(&self, first: u8, second: Option<u8>) -> u8 {
        self.calls.fetch_add(1, SeqCst);
        first + second.unwrap_or(100)
    }

    pub async fn slowly(&self) -> Bell {
        tokio::task::yield_now().await;
        Bell { rung: Arc::clone(&self.rung) }
    }
}

/// Five methods, one target.
pub struct Panel {
    i: i64,
    func_prop: Box<dyn Fn() -> i64 + Send + Sync>,
    touched: Arc<AtomicUsize>,
}

#[rpc_target]
impl Panel {
    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.i
    }

    pub fn method(&self) -> i64 {
        (self.func_prop)() + 1
    }

    pub fn third(&self) {}

    pub fn fourth(&self) {}

    pub fn fifth(&self) -> Self {
        panel(&self.touched)
    }

    fn i(&self) -> i64 {
        self.touched.fetch_add(1, SeqCst);
        self.i
    }
}

fn panel(touched: &Arc<AtomicUsize>) -> Panel {
    let (count, touched) = (Arc::clone(touched), Arc::clone(touched));
    let func_prop = Box::new(move || touched.load(SeqCst) as i64);
    Panel { i: 5, func_prop, touched: count }
}

fn hall(name: &str) -> u64 {
    method::<HallStub>(name)
}

behaviours! { wire
    async fn calls_written_by_hand_are_answered(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        // Zigzag-coded: 12 is 6.
        assert_eq!(body(raw.call(&Call::of(hall("number"), &[])).await), [12]);
        let ring = method::<BellStub>("ring");
        raw.send(&Call { flags: 0, ..Call::of(hall("bell"), &[]) }.frame()).await;
        let answer = raw.call(&Call::of(ring, &[]).on(2, &[])).await;
        assert_eq!(answer, Got::Answer { id: 3, user: false, caps: vec![], body: vec![1] });
        // The second call said nothing of an answer, and is asked for one now.
        raw.send(&pull(2)).await;
        assert_eq!(raw.reply().await, Got::Answer { id: 2, user: false, caps: vec![(0, -1)], body: vec![0] });
        for call in 1..=3 {
            raw.send(&finish(call, false)).await;
        }
        assert_eq!(body(raw.call(&Call { flags: SEND | FORGET, ..Call::of(ring, &[]) }.on(-1, &[])).await), [2]);
        until(|| raw.server.table_sizes() == (1, 0)).await;
        raw.send(&crate::kit::raw::release(-1, 1)).await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn r124_path_into_a_plain_value_fails_alone(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        let ring = method::<BellStub>("ring");
        let cases = [("number", "the result is a number"), ("map", "the result is a map")];
        for (n, (name, text)) in cases.into_iter().enumerate() {
            let first = 5 * n as i64 + 1;
            assert!(matches!(raw.call(&Call::of(hall(name), &[])).await, Got::Answer { .. }), "{name}");
            for path in [&[][..], &[0], &[0, 0]] {
                let told = raw.refused(&Call::of(ring, &[]).on(first, path), 7).await;
                assert!(told.starts_with(text), "{told}");
            }
            assert_eq!(body(raw.call(&Call::of(hall("number"), &[])).await), [12]);
        }
    }

    async fn r21_unknown_trailing_argument_is_refused(transport: Transport) {
        let target = Hall::default();
        let calls = Arc::clone(&target.calls);
        let stage = Stage::new(transport, target);
        let mut raw = stage.raw().await;
        let sum = hall("sum");
        // A third parameter that the callee does not have makes another signature of the same name.
        let newer = disguised("sum", sum ^ 1);
        raw.refused(&Call::of(newer, &[1, 1, 2, 1, 3]), 5).await;
        let text = raw.refused(&Call::of(sum, &[1, 1, 2, 1, 3]), 6).await;
        assert!(text.contains("2 bytes are left over"), "{text}");
        assert_eq!(calls.load(SeqCst), 0);
        assert_eq!(body(raw.call(&Call::of(sum, &[1, 1, 2])).await), [3]);
        // An argument beside the body for a parameter that there is not, or that was given.
        let value = |param: u8| vec![param, 1, 0, 1, 7];
        for args in [vec![value(2)], vec![value(0), value(0)]] {
            let body = if args.len() == 1 { &[1, 0][..] } else { &[0] };
            let text = raw.refused(&Call { args, ..Call::of(sum, body) }, 6).await;
            assert!(text.contains("a promise is given for argument"), "{text}");
        }
        assert_eq!(body(raw.call(&Call { args: vec![value(0)], ..Call::of(sum, &[0]) }).await), [107]);
        assert_eq!(calls.load(SeqCst), 2);
    }

    async fn r53_capability_index_is_checked_and_used_once(transport: Transport) {
        let target = Hall::default();
        let calls = Arc::clone(&target.calls);
        let stage = Stage::new(transport, target);
        let mut raw = stage.raw().await;
        let two = hall("two");
        for indexes in [[0, 0], [0, 2], [2, 1], [0, 127]] {
            let call = Call::of(two, &indexes).caps(&[own(-1), own(-2)]);
            let got = raw.call(&call).await;
            // What was introduced comes back, before or after the refusal.
            let (mut refusals, mut releases) = (0, 0);
            let mut next = Some(got);
            for _ in 0..3 {
                match match next.take() { Some(got) => got, None => raw.reply().await } {
                    Got::Reject { kind: 6, may_have_run: false, .. } => refusals += 1,
                    Got::Release { count: 1, .. } => releases += 1,
                    other => panic!("{indexes:?}: {other:?}"),
                }
            }
            assert_eq!((refusals, releases), (1, 2), "{indexes:?}");
        }
        assert_eq!(calls.load(SeqCst), 0);
        let call = Call::of(two, &[1, 0]).caps(&[own(-1), own(-2)]);
        assert!(matches!(raw.call(&call).await, Got::Release { .. } | Got::Answer { .. }));
        until(|| calls.load(SeqCst) == 1).await;
    }

    async fn r53_unused_capabilities_are_released(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        let call = Call::of(hall("keep"), &[1]).caps(&[own(-1), own(-2), own(-3)]);
        raw.send(&call.frame()).await;
        let mut released = Vec::new();
        for _ in 0..3 {
            match raw.reply().await {
                Got::Release { id, count: 1 } => released.push(id),
                other => assert_eq!(other, Got::Answer { id: 1, user: false, caps: vec![], body: vec![] }),
            }
        }
        released.sort_unstable();
        assert_eq!(released, [-3, -1]);
        assert_eq!(raw.server.table_sizes().1, 1);
    }

    async fn r296_five_functions_against_one_target(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        let five = raw.call(&Call { flags: SEND | FORGET, ..Call::of(hall("five"), &[]) }).await;
        let caps = (-5..=-1).rev().map(|id| (0, id)).collect();
        assert_eq!(five, Got::Answer { id: 1, user: false, caps, body: vec![0, 1, 2, 3, 4] });
        assert_eq!(raw.server.table_sizes().0, 5);
        let stage = Stage::new(transport, panel(&Arc::default()));
        let mut raw = stage.raw().await;
        let one = raw.call(&Call { flags: SEND | FORGET, ..Call::of(method::<PanelStub>("fifth"), &[]) }).await;
        assert_eq!(one, Got::Answer { id: 1, user: false, caps: vec![(0, -1)], body: vec![0] });
        assert_eq!(raw.server.table_sizes().0, 1);
    }

    async fn r299_visibility_by_raw_frame(transport: Transport) {
        let touched = Arc::new(AtomicUsize::new(0));
        let target = panel(&touched);
        assert_eq!(target.i(), 5);
        let stage = Stage::new(transport, target);
        let mut raw = stage.raw().await;
        let value = method::<PanelStub>("value");
        for name in ["i", "func_prop", "touched"] {
            raw.refused(&Call::of(disguised(name, value), &[]), 4).await;
        }
        assert_eq!(body(raw.call(&Call::of(value, &[])).await), [10]);
        assert_eq!(body(raw.call(&Call::of(method::<PanelStub>("method"), &[])).await), [4]);
        assert_eq!(touched.load(SeqCst), 1, "by the test itself");
    }

    async fn a_promised_stub_as_an_argument_works_before_it_is_there(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        raw.send(&Call { flags: 0, ..Call::of(hall("slowly"), &[]) }.frame()).await;
        let call = Call::of(hall("two"), &[0, 1]).caps(&[promised(1, &[]), promised(1, &[0])]);
        assert_eq!(body(raw.call(&call).await), [1]);
        let answer = raw.call(&Call::of(method::<BellStub>("ring"), &[]).on(1, &[])).await;
        assert_eq!(body(answer), [1]);
    }

    async fn metadata_is_skipped(transport: Transport) {
        let stage = Stage::new(transport, Hall::default());
        let mut raw = stage.raw().await;
        let number = hall("number").to_le_bytes();
        raw.send(&frame(1, &[&[SEND | 32], &id(0), &number, &[3, 1, 2, 3]])).await;
        assert_eq!(body(raw.reply().await), [12]);
    }

    async fn a_side_without_a_main_object_says_so(transport: Transport) {
        let (stub, link) = crate::kit::open(transport, Hall::default()).await;
        assert_eq!(stub.number().await.unwrap(), 6);
        let back: HallStub = farcall::main_stub(link.server.as_ref().unwrap());
        let error = back.number().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert_eq!(stub.number().await.unwrap(), 6);
    }
}
