//! A hostile peer gets what it was given and nothing else, and nobody else notices it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::raw::{
    Call, FORGET, Got, SEND, Stage, body, disguised, finish, frame, id, method, own, promised, pull, release,
    text,
};
use crate::kit::{Transport, behaviours, until};

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Node {
    pub next: Option<Box<Self>>,
}

#[derive(Default)]
pub struct Safe {
    opened: Arc<AtomicUsize>,
}

#[rpc_target]
impl Safe {
    pub fn answer(&self) -> u64 {
        42
    }

    pub fn open(&self, sure: bool, word: String, numbers: Vec<u32>) -> u64 {
        assert!(sure && word.is_empty() && numbers.is_empty(), "the tests never get this far");
        self.opened.fetch_add(1, SeqCst);
        0
    }

    pub fn show(&self, to: SafeStub) -> u64 {
        drop(to);
        self.opened.fetch_add(1, SeqCst);
        0
    }

    pub fn depth(&self, node: Node) -> u64 {
        std::iter::successors(Some(&node), |node| node.next.as_deref()).count() as u64
    }

    pub fn child(&self) -> Self {
        Self { opened: Arc::clone(&self.opened) }
    }

    pub async fn never(&self) -> Self {
        std::future::pending().await
    }

    #[rpc(skip)]
    pub fn skipped(&self) -> u64 {
        self.private()
    }

    pub(crate) fn inside(&self) -> u64 {
        self.private()
    }

    fn private(&self) -> u64 {
        self.opened.fetch_add(1, SeqCst) as u64
    }
}

impl Safe {
    pub fn unmarked(&self) -> u64 {
        self.skipped() + self.inside()
    }
}

pub struct Other;

#[rpc_target]
impl Other {
    pub fn secret(&self) -> u64 {
        1
    }
}

fn safe(name: &str) -> u64 {
    method::<SafeStub>(name)
}

behaviours! { wire
    async fn r227_id_never_given_ends_the_session(transport: Transport) {
        let stage = Stage::new(transport, Safe::default());
        let neighbour: SafeStub = stage.neighbour().await;
        let answer = safe("answer");
        let call = |target| Call::of(answer, &[]).on(target, &[]).frame();
        let with_cap = |cap: &[u8]| Call::of(safe("show"), &[0]).caps(&[cap.to_vec()]).frame();
        let waits_for = |id_of_call: i64| {
            let arg = [vec![0, 0], id(id_of_call), vec![0]].concat();
            Call { args: vec![arg], ..Call::of(answer, &[]) }.frame()
        };
        let cases: [(Vec<u8>, &str); 14] = [
            (call(-7), "it called the export -7, which it does not hold"),
            (call(9), "its call 3 refers to its call 9, which comes later"),
            (call(3), "its call 3 refers to its call 3, which comes later"),
            (call(i64::MIN), "it called the export -9223372036854775808, which it does not hold"),
            (call(2), "it referred to its call 2, which it gave up"),
            (with_cap(&[1, 3]), "it passed the export -2, which it does not hold"),
            (with_cap(&promised(3, &[])), "it referred to its call 3, which it never made"),
            (waits_for(i64::MAX), "its call 3 refers to its call 9223372036854775807, which comes later"),
            (release(-2, 1), "it released the export -2, which it does not hold"),
            (release(-1, 2), "it released the export -1 2 times; it holds 1 introductions"),
            (pull(3), "it referred to its call 3, which it never made"),
            (finish(3, true), "it gave up its call 3, which it never made"),
            (frame(2, &[&id(1), &[0]]), "it answered the call 1, which was never made"),
            (frame(3, &[&id(1), &[4, 4, 0, 0]]), "it answered the call 1, which was never made"),
        ];
        for (bytes, reason) in cases {
            let mut raw = stage.raw().await;
            // What it may name: the main object, the export -1 and its call 1, which are the same.
            let child = raw.call(&Call::of(safe("child"), &[])).await;
            assert!(matches!(child, Got::Answer { id: 1, .. }));
            assert_eq!(body(raw.call(&Call { flags: SEND | FORGET, ..Call::of(answer, &[]) }.on(-1, &[])).await), [42]);
            assert_eq!(raw.aborted(&bytes).await, reason);
            assert_eq!(neighbour.answer().await.unwrap(), 42);
        }
    }

    async fn a_stub_that_was_released_cannot_be_used_again(transport: Transport) {
        let stage = Stage::new(transport, Safe::default());
        let mut raw = stage.raw().await;
        raw.call(&Call { flags: SEND | FORGET, ..Call::of(safe("child"), &[]) }).await;
        raw.send(&release(-1, 1)).await;
        let gone = "it called the export -1, which it does not hold";
        assert_eq!(raw.aborted(&Call::of(safe("answer"), &[]).on(-1, &[]).frame()).await, gone);
    }

    async fn one_connection_cannot_use_what_another_was_given(transport: Transport) {
        let stage = Stage::new(transport, Safe::default());
        let (mut one, mut other) = (stage.raw().await, stage.raw().await);
        one.call(&Call::of(safe("child"), &[])).await;
        let bytes = Call::of(safe("answer"), &[]).on(-1, &[]).frame();
        assert_eq!(other.aborted(&bytes).await, "it called the export -1, which it does not hold");
        assert_eq!(body(one.call(&Call::of(safe("answer"), &[]).on(-1, &[])).await), [42]);
    }

    async fn r229_raw_frames_reach_only_exported_methods(transport: Transport) {
        let target = Safe::default();
        let opened = Arc::clone(&target.opened);
        assert_eq!(target.unmarked(), 1);
        let stage = Stage::new(transport, target);
        let neighbour: SafeStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let like = safe("answer");
        let names = [
            "private", "skipped", "inside", "unmarked", "opened", "secret", "clone", "drop", "fmt", "default", "into_stub",
            "deliver", "interface", "call", "type_id", "Safe", "Safe::answer", "safe::answer", "answer\0", "Answer", "",
        ];
        for name in names {
            let told = raw.refused(&Call::of(disguised(name, like), &[]), 4).await;
            assert!(told.contains("`Safe` has no method of the name"), "{name}: {told}");
        }
        raw.refused(&Call::of(method::<OtherStub>("secret"), &[]), 4).await;
        // A method is its name: the signature alone opens nothing, nor does the place in the interface.
        for id in (0..32).chain([like & 0xffff_ffff, u64::MAX]) {
            raw.refused(&Call::of(id, &[]), 4).await;
        }
        assert_eq!(opened.load(SeqCst), 2, "by the test itself");
        assert_eq!(body(raw.call(&Call::of(like, &[])).await), [42]);
        assert_eq!(neighbour.answer().await.unwrap(), 42);
    }

    async fn r235_argument_of_another_shape_is_refused(transport: Transport) {
        let target = Safe::default();
        let opened = Arc::clone(&target.opened);
        let stage = Stage::new(transport, target);
        let mut raw = stage.raw().await;
        let open = safe("open");
        let told = raw.refused(&Call::of(open ^ 1, &[1, 0, 0]), 5).await;
        assert!(told.contains("`Safe::open` takes or returns other types"), "{told}");
        let long = [&[1][..], &text("\u{e4}"), &[0]].concat();
        let bodies: [&[u8]; 9] = [
            &[7, 0, 0],
            &[1, 2, 0xc3, 0x28, 0],
            &[1, 1],
            &[1],
            &[],
            &[1, 0, 0, 0],
            &[1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x1f],
            &[1, 0, 2, 1],
            &long[..long.len() - 1],
        ];
        for body in bodies {
            raw.refused(&Call::of(open, body), 6).await;
        }
        // A stub is due, and there is none; text is due, and there is one.
        raw.refused(&Call::of(safe("show"), &[0]), 6).await;
        raw.send(&Call::of(open, &[0]).caps(&[own(-1)]).frame()).await;
        let (mut refused, mut released) = (false, false);
        for _ in 0..2 {
            match raw.reply().await {
                Got::Reject { kind: 6, may_have_run: false, .. } => refused = true,
                Got::Release { id: -1, count: 1 } => released = true,
                other => panic!("{other:?}"),
            }
        }
        assert!(refused && released);
        assert_eq!(opened.load(SeqCst), 0);
        assert_eq!(body(raw.call(&Call::of(safe("answer"), &[])).await), [42]);
    }

    async fn the_server_holds_nothing_of_a_peer_that_vanished(transport: Transport) {
        let stage = Stage::new(transport, Safe::default());
        let mut raw = stage.raw().await;
        raw.call(&Call::of(safe("child"), &[])).await;
        raw.send(&Call::of(safe("never"), &[]).frame()).await;
        raw.send(&Call::of(safe("answer"), &[]).on(2, &[]).frame()).await;
        until(|| raw.server.table_sizes().0 == 4).await;
        let server = raw.server.clone();
        drop(raw);
        assert_eq!(server.closed().await.kind(), ErrorKind::Disconnected);
        assert_eq!(server.table_sizes(), (0, 0));
    }
}

/// Runs a test on a thread with a stack that recursion would not fit on.
fn on_a_small_stack<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(crate::kit::in_time(test()));
    };
    // Debug builds have large frames; what is recursive here would be so ten thousands of times.
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn r234_deep_values_and_long_chains_spare_the_stack() {
    const CHAIN: i64 = 100_000;
    on_a_small_stack(|| async {
        let stage = Stage::new(Transport::Duplex, Safe::default());
        let neighbour: SafeStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let depth = safe("depth");
        assert_eq!(body(raw.call(&Call::of(depth, &[&[1; 63][..], &[0]].concat())).await), [64]);
        for length in [64, 100_000, 4 * 1024 * 1024] {
            let told = raw.refused(&Call::of(depth, &vec![1; length]), 9).await;
            assert!(told.contains("nested deeper than the 64 levels"), "{told}");
        }
        // A hundred thousand calls, each on the result of the one before. The first fails.
        let answer = safe("answer");
        let chain = |raw: &crate::kit::raw::Raw, first: Call| {
            let before = 4;
            let mut bytes = first.frame();
            for n in 1..CHAIN {
                bytes.extend(Call { flags: 0, ..Call::of(answer, &[]) }.on(before + n, &[]).frame());
            }
            assert!(raw.server.ended().is_none());
            bytes
        };
        let bytes = chain(&raw, Call::of(depth, &[]));
        raw.send(&bytes).await;
        assert!(matches!(raw.reply().await, Got::Reject { kind: 6, .. }));
        raw.send(&pull(4 + CHAIN)).await;
        assert!(matches!(raw.reply().await, Got::Reject { kind: 15, origin: 6, .. }));
        // The same on a call that never ends; then the connection does.
        let mut raw = stage.raw().await;
        for _ in 0..4 {
            raw.call(&Call { flags: SEND | FORGET, ..Call::of(answer, &[]) }).await;
        }
        let bytes = chain(&raw, Call::of(safe("never"), &[]));
        raw.send(&bytes).await;
        until(|| raw.server.table_sizes().0 == CHAIN as usize).await;
        let server = raw.server.clone();
        drop(raw);
        server.closed().await;
        assert_eq!(server.table_sizes(), (0, 0));
        assert_eq!(neighbour.answer().await.unwrap(), 42);
    });
}

#[test]
fn r234_a_chain_that_is_given_up_from_its_end_spares_the_stack() {
    const CHAIN: i64 = 50_000;
    on_a_small_stack(|| async {
        let stage = Stage::new(Transport::Duplex, Safe::default());
        let mut raw = stage.raw().await;
        let show = safe("show");
        raw.send(&Call::of(safe("never"), &[]).frame()).await;
        // Each waits for the first, and has the one before as its argument.
        let mut bytes = Vec::new();
        for n in 1..CHAIN {
            bytes.extend(
                Call { flags: 0, ..Call::of(show, &[0]) }.on(1, &[]).caps(&[promised(n, &[])]).frame(),
            );
        }
        raw.send(&bytes).await;
        until(|| raw.server.table_sizes().0 == CHAIN as usize).await;
        let bytes: Vec<u8> = (1..=CHAIN).flat_map(|call| finish(call, true)).collect();
        raw.send(&bytes).await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
        assert_eq!(body(raw.call(&Call::of(safe("answer"), &[])).await), [42]);
    });
}
