//! The arguments of every call and the answers they must get: the same on both sides, and every answer of a
//! measured call is checked, so that no side gains by answering wrongly.

use bytes::Bytes;

use crate::Outcome;

/// The three increments of a counter's life, and the values they must answer.
pub(crate) const INCREMENTS: [(i64, i64); 3] = [(1, 1), (2, 3), (3, 6)];

/// The operands of the `n`-th addition. They stay small, as most numbers in calls do.
pub(crate) fn operands(n: u64) -> (i64, i64) {
    ((n & 63) as i64, 7)
}

/// Fails unless `answer` is the sum of the operands.
pub(crate) fn sum(operands: (i64, i64), answer: i64) -> Outcome<()> {
    number(operands.0 + operands.1, answer)
}

/// Fails unless the answer is the number that it must be.
pub(crate) fn number(expected: i64, answer: i64) -> Outcome<()> {
    if answer == expected {
        Ok(())
    } else {
        Err(format!("{answer} came back where {expected} was due").into())
    }
}

/// The payload of one worker: its ends tell it apart from those of the other workers.
pub(crate) fn payload(worker: usize, length: usize) -> Bytes {
    let mut bytes = vec![0x5a; length];
    if let [first, .., last] = bytes.as_mut_slice() {
        *first = worker as u8;
        *last = !(worker as u8);
    }
    bytes.into()
}

/// Fails unless `answer` has the length and the ends of the payload that was sent.
pub(crate) fn echo(sent: &[u8], answer: &[u8]) -> Outcome<()> {
    if answer.len() == sent.len() && answer.first() == sent.first() && answer.last() == sent.last() {
        Ok(())
    } else {
        Err(format!("a payload of {} bytes came back changed, with {} bytes", sent.len(), answer.len())
            .into())
    }
}
