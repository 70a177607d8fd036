//! Bytes that say where they belong: a piece that is lost, doubled or put elsewhere is seen.

use farcall::Bytes;

use crate::world::{CallId, World};

/// What a call has as its payload, and whose that was first.
#[derive(Clone, Copy, Debug)]
pub struct Payload {
    pub origin: CallId,
    pub length: usize,
}

impl Payload {
    pub fn bytes(self) -> Bytes {
        let byte = |place: usize| (place ^ place >> 8 ^ self.origin as usize) as u8;
        (0..self.length).map(byte).collect::<Vec<u8>>().into()
    }
}

/// A name that is longer for some than for others.
pub fn name(call: CallId) -> String {
    format!("inner {call} ").repeat(call as usize % 5)
}

impl World {
    /// The payload of a call has come, there or back.
    pub fn check_payload(&mut self, call: CallId, bytes: &Bytes) {
        let Some(payload) = self.call_mut(call).payload else { return };
        if *bytes != payload.bytes() {
            self.mistake(format!("{} bytes came for call {call}, which are not {payload:?}", bytes.len()));
        }
    }
}
