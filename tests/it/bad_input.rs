//! Frames that are none, and frames in unusual portions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use farcall::prelude::*;

use crate::kit::raw::{
    Call, Got, Raw, SEND, Stage, body, finish, frame, hello, id, method, number, pull, text,
};
use crate::kit::{Transport, behaviours};

#[derive(Default)]
pub struct Meter {
    value: Arc<AtomicU64>,
}

#[rpc_target]
impl Meter {
    pub fn add(&self, amount: u64) -> u64 {
        self.value.fetch_add(amount, SeqCst) + amount
    }

    pub fn read(&self) -> u64 {
        self.value.load(SeqCst)
    }
}

fn add() -> u64 {
    method::<MeterStub>("add")
}

/// A frame with a length field that says something else.
fn lying(length: u32, frame: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], &frame[4..]].concat()
}

const CUT: &str = "a frame ends in the middle of a field";

/// What no peer may send once it has greeted, and why.
fn malformed() -> Vec<(&'static str, Vec<u8>, String)> {
    let head = |flags: u8| [&[flags][..], &id(0), &add().to_le_bytes()].concat();
    let cases: [(&str, Vec<u8>, &str); 33] = [
        ("empty", frame(200, &[])[..4].iter().map(|_| 0).collect(), CUT),
        ("cut call", frame(1, &[&[SEND, 0, 1, 2, 3]]), CUT),
        ("cut answer", frame(2, &[&id(1)]), CUT),
        ("cut reject", frame(3, &[&id(1), &[4, 4, 0, 200]]), CUT),
        ("cut release", frame(4, &[&id(-1)]), CUT),
        ("cut finish", frame(5, &[&id(1)]), CUT),
        ("cut pull", frame(6, &[]), CUT),
        ("cut credit", frame(7, &[&[0x80]]), CUT),
        ("cut piece", frame(14, &[]), CUT),
        ("piece of a body without an end", frame(14, &[&[0xff; 40]]), CUT),
        ("cut discard", frame(15, &[&[0x80]]), CUT),
        ("number of 65 bits", frame(7, &[&[0xff; 9], &[2]]), CUT),
        ("number without an end", frame(7, &[&[0xff; 40]]), CUT),
        ("lying length, short", lying(5, &Call::of(add(), &[1]).frame()), CUT),
        (
            "longer than was told",
            lying((32 << 20) + 1, &[0; 64]),
            "a frame says it is 33554433 bytes long; the limit `frame_bytes` is 33554432",
        ),
        (
            "longest of all",
            vec![0xff; 64],
            "a frame says it is 4294967295 bytes long; the limit `frame_bytes` is 33554432",
        ),
        ("left over", frame(6, &[&id(1), &[0]]), "a frame has 1 bytes after its last field"),
        ("left over", frame(7, &[&[1, 2, 3]]), "a frame has 2 bytes after its last field"),
        ("unknown kind", frame(16, &[&[1]]), "a frame is of the unknown kind 16"),
        ("unknown flags of a call", frame(1, &[&head(192)]), "a frame has unknown flags 0xc0"),
        ("unknown flags of a call", frame(1, &[&head(128)]), "a frame has unknown flags 0x80"),
        ("unknown flags of an answer", frame(2, &[&id(1), &[8]]), "a frame has unknown flags 0x8"),
        ("unknown flags of a reject", frame(3, &[&id(1), &[4, 4, 8, 0]]), "a frame has unknown flags 0x8"),
        ("unknown flags of a finish", frame(5, &[&id(1), &[3]]), "a frame has unknown flags 0x3"),
        ("unknown tag of a capability", frame(1, &[&head(8), &[1, 3, 1]]), "a field has the unknown tag 3"),
        ("unknown tag of an argument", frame(1, &[&head(16), &[1, 0, 2]]), "a field has the unknown tag 2"),
        ("own export that is none", frame(1, &[&head(8), &[1, 0, 2]]), "the id 1 cannot stand where it does"),
        (
            "promise that is none",
            frame(1, &[&head(16), &[1, 0, 0, 1, 0]]),
            "the id -1 cannot stand where it does",
        ),
        (
            "too many capabilities",
            frame(1, &[&head(8), &number(1025)]),
            "a message has 1025 capabilities; the limit is 1024",
        ),
        (
            "too many arguments",
            frame(1, &[&head(16), &[13]]),
            "a message has 13 promised arguments; the limit is 12",
        ),
        (
            "more capabilities than there are",
            frame(1, &[&head(16), &[1, 0, 1, 1, 0]]),
            "its arguments have more capabilities than the call",
        ),
        (
            "path behind an export",
            Call::of(add(), &[1]).on(0, &[0]).frame(),
            "a path leads from the export 0; only results have parts",
        ),
        ("no text", frame(9, &[&[13, 2, 0xc3, 0x28]]), "a text is not UTF-8"),
    ];
    cases.into_iter().map(|(name, bytes, reason)| (name, bytes, reason.to_owned())).collect()
}

/// What no peer may send instead of its greeting.
fn bad_greetings() -> Vec<(Vec<u8>, String)> {
    let greeting = |magic: &[u8; 4], version: [u8; 2]| {
        frame(0, &[magic, &version, &number(1 << 20), &number(1 << 20), &text("")])
    };
    let early = "it sent another message before its greeting";
    let cases: [(Vec<u8>, &str); 9] = [
        (greeting(b"JSON", [1, 0]), "the greeting does not begin with FARC: the peer does not speak farcall"),
        (greeting(b"FARC", [2, 0]), "it speaks version 2 of the wire, this side speaks 1"),
        (greeting(b"FARC", [0, 1]), "it speaks version 256 of the wire, this side speaks 1"),
        (greeting(b"FARC", [0, 0]), "it speaks version 0 of the wire, this side speaks 1"),
        (frame(0, &[b"FARC", &[1]]), CUT),
        (Call::of(add(), &[1]).frame(), early),
        (pull(1), early),
        (frame(7, &[&[1]]), early),
        (
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            "a frame says it is 542393671 bytes long; the limit `frame_bytes` is 65536",
        ),
    ];
    cases.into_iter().map(|(bytes, reason)| (bytes, reason.to_owned())).collect()
}

async fn greeted(stage: &Stage) -> Raw {
    let mut raw = stage.silent().await;
    assert_eq!(raw.next().await, Some(Got::Hello), "it does not wait for ours");
    raw
}

behaviours! { wire
    async fn r228_hostile_frames_end_only_their_session(transport: Transport) {
        let target = Meter::default();
        let value = Arc::clone(&target.value);
        let stage = Stage::new(transport, target);
        let neighbour: MeterStub = stage.neighbour().await;
        for (name, bytes, reason) in malformed() {
            let mut raw = stage.raw().await;
            assert_eq!(raw.aborted(&bytes).await, reason, "{name}");
            assert_eq!(neighbour.read().await.unwrap(), 0, "{name}");
        }
        for (bytes, reason) in bad_greetings() {
            let mut raw = greeted(&stage).await;
            assert_eq!(raw.aborted(&bytes).await, reason);
            assert_eq!(neighbour.read().await.unwrap(), 0);
        }
        let mut raw = stage.raw().await;
        assert_eq!(raw.aborted(&hello()).await, "it greeted twice");
        assert_eq!(value.load(SeqCst), 0);
    }

    async fn r228_what_comes_behind_a_bad_frame_is_not_looked_at(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let neighbour: MeterStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let good = Call::of(add(), &[1]).frame();
        // In one write, so that both calls are there when the bad frame is handled.
        let reason = raw.aborted(&[good.clone(), frame(99, &[]), good].concat()).await;
        assert_eq!(reason, "a frame is of the unknown kind 99");
        assert_eq!(neighbour.read().await.unwrap(), 1);
    }

    async fn r228_a_frame_that_never_ends_harms_nobody(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let neighbour: MeterStub = stage.neighbour().await;
        let mut raw = stage.raw().await;
        let call = Call::of(add(), &[1]).frame();
        raw.send(&call[..call.len() - 1]).await;
        assert_eq!(neighbour.add(5).await.unwrap(), 5);
        raw.hang_up().await;
        assert_eq!(raw.next().await, None);
        assert_eq!(raw.server.closed().await.kind(), ErrorKind::Disconnected);
        assert_eq!(neighbour.read().await.unwrap(), 5);
    }

    async fn frames_arrive_in_any_portions(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let mut stream = hello();
        for amount in 1..=40 {
            stream.extend(Call::of(add(), &[amount]).frame());
            stream.extend(finish(i64::from(amount), false));
        }
        for portion in [1, 2, 3, 5, 7, 64] {
            let mut raw = greeted(&stage).await;
            for bytes in stream.chunks(portion) {
                raw.send(bytes).await;
                // Else the portions would be put together again on their way.
                tokio::task::yield_now().await;
            }
            for call in 1..=40 {
                assert!(matches!(raw.reply().await, Got::Answer { id, .. } if id == call), "{portion}");
            }
        }
        let mut raw = stage.raw().await;
        let total: u64 = 6 * (1..=40).sum::<u64>();
        assert_eq!(body(raw.call(&Call::of(method::<MeterStub>("read"), &[])).await), number(total));
    }

    async fn r228_garbage_ends_the_session_and_nothing_else(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let neighbour: MeterStub = stage.neighbour().await;
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for seed in 0..60_u64 {
            let mut raw = if seed % 2 == 0 { stage.raw().await } else { greeted(&stage).await };
            let mut garbage = Vec::new();
            for _ in 0..40 {
                let length = seed % 30 + 1;
                garbage.extend((length as u32).to_le_bytes());
                for _ in 0..length {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    garbage.push((state >> 32) as u8);
                }
            }
            // A frame of the kind 99, should all of that be fine.
            garbage.extend(frame(99, &[]));
            raw.send(&garbage).await;
            while raw.next().await.is_some() {}
            let ended = raw.server.closed().await;
            assert_ne!(ended.kind(), ErrorKind::Internal, "seed {seed}: {ended}");
            assert_eq!(raw.server.table_sizes(), (0, 0), "seed {seed}");
            neighbour.read().await.unwrap();
        }
    }

    async fn an_abort_of_the_peer_is_the_reason_that_callers_see(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let mut raw = stage.raw().await;
        let back: MeterStub = farcall::main_stub(&raw.server);
        let read = back.read().into_future();
        let read = tokio::spawn(read);
        assert_eq!(raw.next().await, Some(Got::Call { target: 0, method: method::<MeterStub>("read") }));
        raw.send(&frame(9, &[&[13], &text("you said something odd")])).await;
        let error = read.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Protocol, true));
        assert_eq!(error.message(), "the peer ended the session: you said something odd");
        let late = back.read().await.unwrap_err();
        assert!(!late.may_have_run());
    }

    async fn an_answer_that_makes_no_sense_fails_its_call_alone(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let mut raw = stage.raw().await;
        let back: MeterStub = farcall::main_stub(&raw.server);
        let answers: [(&[u8], ErrorKind); 4] = [
            (&[0, 0xff], ErrorKind::BadResult),
            (&[0], ErrorKind::BadResult),
            (&[0, 1, 1], ErrorKind::BadResult),
            (&[2, 1, 0, 1, 0, 0], ErrorKind::BadResult),
        ];
        for (n, (answer, kind)) in answers.into_iter().enumerate() {
            let read = tokio::spawn(back.read().into_future());
            while !matches!(raw.next().await, Some(Got::Call { .. })) {}
            raw.send(&frame(2, &[&id(n as i64 + 1), answer])).await;
            let error = read.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), kind, "{answer:?}: {error}");
        }
        let read = tokio::spawn(back.read().into_future());
        while !matches!(raw.next().await, Some(Got::Call { .. })) {}
        raw.send(&frame(2, &[&id(5), &[0, 9]])).await;
        assert_eq!(read.await.unwrap().unwrap(), 9);
    }

    async fn an_unknown_kind_of_error_is_an_internal_one(transport: Transport) {
        let stage = Stage::new(transport, Meter::default());
        let mut raw = stage.raw().await;
        let back: MeterStub = farcall::main_stub(&raw.server);
        let read = tokio::spawn(back.read().into_future());
        while !matches!(raw.next().await, Some(Got::Call { .. })) {}
        raw.send(&frame(3, &[&id(1), &[200, 200, 1], &text("from the future")])).await;
        let error = read.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "from the future"));
    }
}
