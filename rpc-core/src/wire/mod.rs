//! The binary wire: what a frame looks like, and nothing about what it means.
//!
//! `PROTOCOL.md` has every message with an example in bytes. A frame is a little-endian `u32` with the length of
//! what follows, a byte that names the message, and its fields. Numbers are varints of seven bits a byte, low
//! bits first; signed ones are zigzag-coded.

mod bodies;
mod decode;
mod describe;
mod encode;
mod path;
mod plain;

pub(crate) use bodies::BodyOf;
#[cfg(any(test, fuzzing))]
pub(crate) use decode::WireError;
pub(crate) use decode::{CallMessage, Message, WireArg, WireCap, decode};
pub use describe::Describer;
pub use encode::Segment;
pub(crate) use encode::{CallFrame, Mark, Out};
pub(crate) use path::Path;
pub(crate) use plain::{begin_plain_answer, end_plain_answer, plain_answer, plain_call};

/// The first bytes of every connection's greeting.
pub(crate) const MAGIC: [u8; 4] = *b"FARC";
/// The version of the wire that this library speaks.
pub(crate) const VERSION: u16 = 1;
/// Capabilities that a message may have at most, whatever the sides allow.
pub(crate) const MAX_CAPS: usize = 1024;
/// Arguments that may stand beside the others: as many as a method may have parameters.
pub(crate) const MAX_ARGS: usize = 12;
/// Bytes of a frame's length field.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The messages, by the byte that names them. Numbers are never reused.
pub(crate) mod kind {
    pub(crate) const HELLO: u8 = 0;
    pub(crate) const CALL: u8 = 1;
    pub(crate) const ANSWER: u8 = 2;
    pub(crate) const REJECT: u8 = 3;
    pub(crate) const RELEASE: u8 = 4;
    pub(crate) const FINISH: u8 = 5;
    pub(crate) const PULL: u8 = 6;
    pub(crate) const CREDIT: u8 = 7;
    pub(crate) const GOAWAY: u8 = 8;
    pub(crate) const ABORT: u8 = 9;
    pub(crate) const ECHO: u8 = 10;
    pub(crate) const ECHO_BACK: u8 = 11;
    pub(crate) const PIECE: u8 = 14;
    pub(crate) const DISCARD: u8 = 15;
    pub(crate) const PING: u8 = 12;
    pub(crate) const PONG: u8 = 13;
}

/// The bits of a call's flags byte.
pub(crate) mod flag {
    /// The caller wants the answer as soon as it is there.
    pub(crate) const SEND: u8 = 1;
    /// The caller will never refer to the answer again: keep nothing, expect no `finish`.
    pub(crate) const FORGET: u8 = 2;
    /// A path follows the target.
    pub(crate) const PATH: u8 = 4;
    /// Capabilities follow.
    pub(crate) const CAPS: u8 = 8;
    /// Arguments that are promises, or were, follow.
    pub(crate) const ARGS: u8 = 16;
    /// Metadata follows.
    pub(crate) const META: u8 = 32;
    /// The body comes in pieces.
    pub(crate) const PIECES: u8 = 64;
    pub(crate) const ALL: u8 = 127;
}

/// The bits of an answer's flags byte.
pub(crate) mod answer_flag {
    /// The body is the method's own error.
    pub(crate) const USER: u8 = 1;
    /// Capabilities follow.
    pub(crate) const CAPS: u8 = 2;
    /// The body comes in pieces.
    pub(crate) const PIECES: u8 = 4;
    pub(crate) const ALL: u8 = 7;
}

/// Appends an unsigned number.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes an unsigned number off the front; `None` if it is cut short or longer than 64 bits.
#[inline]
pub(crate) fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (n, byte) in input.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if n == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * n);
        if byte & 0x80 == 0 {
            *input = &input[n + 1..];
            return Some(value);
        }
    }
    None
}

#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

#[inline]
pub(crate) fn take_signed(input: &mut &[u8]) -> Option<i64> {
    take_varint(input).map(|raw| (raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[cfg(test)]
mod tests;
