//! The frames of the limits, about as long as those of a real wire: 17 bytes for `add`, 7 or 8 for its
//! answer.
//!
//! | frame | after the length (u32, little endian) |
//! |---|---|
//! | call | `0`, slot, target, method (u64), arguments |
//! | quiet call | `1`, slot, target, method (u64), arguments: the same, but it gets no answer |
//! | answer | `2`, slot, result |
//! | drop | `3`, target |
//!
//! A slot is chosen by the caller, names the call in its answer and the object that the call makes. Slots and
//! targets are varints, numbers are zigzag varints, bytes run to the end of the frame.

use std::io;

/// `add(i64, i64) -> i64`. The methods are as wide as a hash of name and signature.
pub(super) const ADD: u64 = 0x7f4a_7c15_9e37_79b9;
/// `echo(bytes) -> bytes`.
pub(super) const ECHO: u64 = 0x1ce4_e5b9_bf58_476d;
/// `counter() -> Counter`.
pub(super) const COUNTER: u64 = 0x1331_11eb_94d0_49bb;
/// `Counter::increment(i64) -> i64`.
pub(super) const INCREMENT: u64 = 0x6c62_272e_07bb_0142;

/// The target of calls to the service itself.
pub(super) const SERVICE: u32 = 0;

/// The bytes of a frame's length.
pub(super) const LENGTH: usize = 4;

const CALL: u8 = 0;
const QUIET_CALL: u8 = 1;
const ANSWER: u8 = 2;
const DROP: u8 = 3;

/// Room for the longest head: length, kind, slot, target, method and two numbers.
const LONGEST_HEAD: usize = LENGTH + 1 + 5 + 5 + 8 + 2 * 10;

/// A frame under construction, without its payload if it has one. It is built on the stack and copied once.
#[derive(Debug)]
pub(super) struct Head {
    bytes: [u8; LONGEST_HEAD],
    filled: usize,
}

impl Head {
    /// A call that is answered.
    #[inline]
    pub(super) fn call(slot: u32, target: u32, method: u64) -> Self {
        Self::of(CALL).varint(slot.into()).varint(target.into()).fixed(method)
    }

    /// A call that is not answered.
    #[inline]
    pub(super) fn quiet_call(slot: u32, target: u32, method: u64) -> Self {
        Self::of(QUIET_CALL).varint(slot.into()).varint(target.into()).fixed(method)
    }

    /// The answer to the call with that slot.
    #[inline]
    pub(super) fn answer(slot: u32) -> Self {
        Self::of(ANSWER).varint(slot.into())
    }

    /// The end of an object.
    #[inline]
    pub(super) fn drop(target: u32) -> Self {
        Self::of(DROP).varint(target.into())
    }

    /// Adds a number.
    #[inline]
    pub(super) fn number(self, value: i64) -> Self {
        self.varint(((value << 1) ^ (value >> 63)) as u64)
    }

    /// The bytes of the head, when so many bytes of payload follow it.
    #[inline]
    pub(super) fn before(&mut self, payload: usize) -> &[u8] {
        let length = (self.filled - LENGTH + payload) as u32;
        self.bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
        &self.bytes[..self.filled]
    }

    /// Appends the frame, which has no payload.
    #[inline]
    pub(super) fn put(mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before(0));
    }

    /// Appends the frame and a copy of its payload.
    #[inline]
    pub(super) fn put_with(mut self, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.before(payload.len()));
        out.extend_from_slice(payload);
    }

    #[inline]
    fn of(kind: u8) -> Self {
        let mut bytes = [0; LONGEST_HEAD];
        bytes[LENGTH] = kind;
        Self { bytes, filled: LENGTH + 1 }
    }

    #[inline]
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.bytes[self.filled] = value as u8 | 0x80;
            self.filled += 1;
            value >>= 7;
        }
        self.bytes[self.filled] = value as u8;
        self.filled += 1;
        self
    }

    #[inline]
    fn fixed(mut self, value: u64) -> Self {
        self.bytes[self.filled..self.filled + 8].copy_from_slice(&value.to_le_bytes());
        self.filled += 8;
        self
    }
}

/// A frame that came in, its length taken off.
#[derive(Debug)]
pub(super) enum Message<'f> {
    Call { slot: u32, target: u32, method: u64, answered: bool, arguments: Fields<'f> },
    Answer { slot: u32, result: Fields<'f> },
    Drop { target: u32 },
}

impl<'f> Message<'f> {
    #[inline]
    pub(super) fn parse(frame: &'f [u8]) -> io::Result<Self> {
        let Some((&kind, fields)) = frame.split_first() else { return Err(malformed()) };
        let mut fields = Fields(fields);
        match kind {
            CALL | QUIET_CALL => Ok(Self::Call {
                slot: fields.index()?,
                target: fields.index()?,
                method: fields.fixed()?,
                answered: kind == CALL,
                arguments: fields,
            }),
            ANSWER => Ok(Self::Answer { slot: fields.index()?, result: fields }),
            DROP => Ok(Self::Drop { target: fields.index()? }),
            _ => Err(malformed()),
        }
    }
}

/// What of a frame has not been read.
#[derive(Debug)]
pub(super) struct Fields<'f>(&'f [u8]);

impl<'f> Fields<'f> {
    #[inline]
    pub(super) fn number(&mut self) -> io::Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// All that is left.
    #[inline]
    pub(super) fn rest(self) -> &'f [u8] {
        self.0
    }

    #[inline]
    fn index(&mut self) -> io::Result<u32> {
        u32::try_from(self.varint()?).map_err(|_| malformed())
    }

    #[inline]
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.0.split_first() else { break };
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed())
    }

    #[inline]
    fn fixed(&mut self) -> io::Result<u64> {
        let (&bytes, rest) = self.0.split_first_chunk().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// The peer sent what it must not send.
#[cold]
pub(super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame that makes no sense")
}
