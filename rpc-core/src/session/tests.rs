//! Sessions alone: two in one thread, with nothing but bytes between them.

mod bodies;
mod ids;
mod limits;
mod liveness;
mod marks;
mod waiting;

use super::SlotKey;
use crate::error::Error;
use crate::fuzzing::{Random, Side, encoded, example, flatten, frames, pair, session, values};
use crate::limits::Limits;
use crate::wire::{CallFrame, LENGTH_BYTES, Out, Path, WireCap};

/// Two sides of a connection; what is flushed arrives.
struct Two {
    near: Side,
    far: Side,
    /// The far side's main object.
    main: SlotKey,
}

impl Two {
    fn new() -> Self {
        Self::with(&Limits::default())
    }

    /// Two sides that have greeted each other.
    fn with(limits: &Limits) -> Self {
        let (mut near, far) = (Side::new(limits), Side::new(limits));
        let main = near.main();
        let mut two = Self { near, far, main };
        two.go();
        two
    }

    /// Bytes cross until both sides are quiet. Gives the kinds of the frames that went there and back.
    fn go(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        loop {
            let (out, answer) = (self.near.flush(), self.far.flush());
            if out.is_empty() && answer.is_empty() {
                return (there, back);
            }
            there.extend(kinds(&out));
            back.extend(kinds(&answer));
            self.far.feed(&out);
            self.near.feed(&answer);
        }
    }

    /// Calls the far side's main object.
    fn call(&mut self, method: u64) -> SlotKey {
        self.near.call(self.main, &[], method, encoded(&[])).unwrap()
    }

    /// Nothing is left but the main object.
    fn is_clean(&mut self) {
        self.go();
        assert_eq!((self.near.session.sizes(), self.far.session.sizes()), ((0, 1), (0, 0)));
        self.near.session.check_empty();
        self.far.session.check_empty();
    }
}

/// The frames in a run of bytes, without their length fields.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() {
        let (frame, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

/// A call with flags, a target and capabilities, and without arguments.
fn call_frame(flags: u8, (target, path): (i64, &[u16]), method: u64, caps: &[WireCap]) -> Vec<u8> {
    let mut out = Out::default();
    out.call(&CallFrame {
        flags,
        target,
        path: &Path::from_steps(path),
        method,
        caps,
        promises: &[],
        filled: &[],
        in_pieces: None,
        encoded: &encoded(&[]),
    });
    flatten(&mut out).split_off(LENGTH_BYTES)
}

fn kinds(bytes: &[u8]) -> Vec<u8> {
    split(bytes).iter().map(|frame| frame[0]).collect()
}

/// The text with which a side refuses a frame.
fn refusal(side: &mut Side, frame: &[u8]) -> String {
    let error: Error = side.handle(frame).expect_err("the frame breaks a rule");
    error.message().trim_start_matches("the peer broke the protocol: ").to_owned()
}

/// Runs `test` on bytes of many seeds, and says which seed it was that failed.
fn with_seeds(count: u64, most: usize, test: fn(&[u8])) {
    for seed in 1..=count {
        let mut random = Random::new(seed);
        let size = random.number() as usize % most;
        let bytes = random.bytes(size);
        let result = std::panic::catch_unwind(|| test(&bytes));
        assert!(result.is_ok(), "it failed with the seed {seed}");
    }
}

#[test]
fn two_honest_sessions_leave_nothing_behind() {
    with_seeds(1000, 3000, pair);
}

#[test]
fn r228_no_bytes_make_a_value_that_cannot_be_written() {
    assert!(values(&example()));
    let found = (1..=20_000).filter(|seed| {
        let (mut random, mut bytes) = (Random::new(*seed), example());
        for _ in 0..random.number() % 4 + 1 {
            let at = random.number() as usize % bytes.len();
            match random.number() % 3 {
                0 => bytes[at] = random.number() as u8,
                1 => bytes[at] = bytes[at].wrapping_add(1),
                _ => bytes.insert(at, random.number() as u8 % 8),
            }
        }
        values(&bytes)
    });
    assert!((1_000..19_000).contains(&found.count()), "some are values, and some are not");
}

/// What fuzzers have found on their way; each reaches something that no other does.
#[test]
fn the_seeds_of_the_fuzzers_pass() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let value = |data: &[u8]| {
        values(data);
    };
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 4] =
        [("frames", frames), ("values", value), ("session", session), ("pair", pair)];
    for (target, test) in targets {
        let files: Vec<_> = std::fs::read_dir(seeds.join(target)).unwrap().collect();
        assert!(files.len() > 50, "{target}");
        for file in files {
            let path = file.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            let result = std::panic::catch_unwind(|| test(&data));
            assert!(result.is_ok(), "it failed with {}", path.display());
        }
    }
}

#[test]
fn r228_no_run_of_frames_makes_a_session_panic() {
    with_seeds(1000, 2000, session);
}
