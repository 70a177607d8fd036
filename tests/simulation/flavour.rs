//! [`Flavour`]: what may happen in a run.

use farcall::Limits;

use crate::random::Random;

/// What kind of run it is.
#[derive(Clone, Debug)]
pub struct Flavour {
    pub vats: usize,
    pub operations: usize,
    /// Nothing is cancelled.
    pub calm: bool,
    /// Links are cut, or left in peace.
    pub cuts: bool,
    /// Methods fail.
    pub failing: bool,
    /// Some stubs in parcels are missing.
    pub absent: bool,
    /// Limits are small.
    pub limited: bool,
    /// The network holds and blocks.
    pub holds: bool,
    /// The longest payload, in bytes.
    pub payload: usize,
    /// Bodies of more bytes than this go in pieces of so many.
    pub pieces: Option<(usize, usize)>,
    /// Stubs are lent, and taken back.
    pub lends: bool,
    /// How often users, tasks and the network have a turn.
    pub weights: [usize; 3],
}

impl Flavour {
    pub fn new(random: &mut Random) -> Self {
        let weights = [[10, 30, 30], [10, 40, 4], [30, 10, 10], [10, 10, 40]];
        // The last are longer than what takes the short way of small calls.
        let pieces = [(0, 3, 200), (4, 20, 400), (30, 1000, 12_000)];
        let pieces = if random.chance(25) { random.one_of(&pieces) } else { None };
        let payload = if random.chance(10) { 20_000 } else { 200 };
        Self {
            vats: random.between(2, 3),
            operations: random.between(60, 200),
            calm: random.chance(40),
            cuts: random.chance(20),
            failing: random.chance(30),
            absent: random.chance(30),
            limited: random.chance(15),
            holds: random.chance(50),
            payload: pieces.map_or(payload, |(_, _, payload)| payload),
            pieces: pieces.map(|(whole, piece, _)| (whole, piece)),
            lends: random.chance(40),
            weights: weights[random.below(weights.len())],
        }
    }

    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.limited {
            limits.frame_bytes = 32 * 1024;
            limits.window_bytes = 48 * 1024;
            limits.parked_bytes = 1024;
            limits.parked_calls = 6;
            limits.waiting_caps = 8;
            limits.answer_bytes = 64;
            limits.exports = 12;
            limits.imports = 24;
            limits.calls_in_flight = 16;
            limits.line_bytes = 4096;
            limits.unread_result_bytes = 64;
            limits.path_steps = 1;
        }
        limits
    }
}
