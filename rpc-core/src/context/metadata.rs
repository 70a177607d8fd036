//! A context as the metadata of a call: see `PROTOCOL.md`, section "Metadata".
//!
//! A byte with the depth of the call, then entries: a number that says what it is, a length, and as many bytes. What is
//! not known or not understood is left out: a call does not fail for what comes beside it.

use std::sync::Arc;
use std::time::Duration;

use super::{Alarm, CallContext, Inner, TraceContext};
use crate::wire::{put_varint, take_varint};

/// The time that is left, in milliseconds.
const REMAINING: u64 = 1;
/// The ids and the flags of a trace.
const TRACE: u64 = 2;
/// Its `tracestate`.
const TRACE_STATE: u64 = 3;
/// A key with its length, and a text.
const BAGGAGE: u64 = 4;

/// Longer than anybody waits, in milliseconds: a deadline further away is none.
const NEVER: u64 = 365 * 24 * 60 * 60 * 1000;

impl CallContext {
    /// Appends the metadata of a call that is made in this context.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.depth);
        let Some(inner) = &self.inner else { return };
        if let Some(alarm) = &inner.alarm {
            // What is left of a millisecond counts: a call is not sent with nothing.
            let left = alarm.remaining().as_micros().div_ceil(1000) as u64;
            let mut bytes = Vec::with_capacity(10);
            put_varint(&mut bytes, left.max(1));
            put(out, REMAINING, &[&bytes]);
        }
        if let Some(trace) = &inner.trace {
            put(out, TRACE, &[&trace.to_bytes()]);
            if let Some(state) = trace.state() {
                put(out, TRACE_STATE, &[state.as_bytes()]);
            }
        }
        for (key, value) in inner.baggage.entries() {
            let mut length = Vec::with_capacity(10);
            put_varint(&mut length, key.len() as u64);
            put(out, BAGGAGE, &[&length, key.as_bytes(), value.as_bytes()]);
        }
    }

    /// The context of a method that was called with this metadata.
    pub(crate) fn read(metadata: &[u8]) -> Self {
        let Some((&depth, mut rest)) = metadata.split_first() else { return Self::CALLED };
        let mut inner = Inner::default();
        while let Some((key, value)) = take(&mut rest) {
            inner.read(key, value);
        }
        let is_empty =
            inner.alarm.is_none() && inner.trace.is_none() && inner.baggage.entries().next().is_none();
        // A peer that counts further than there is cannot make a call less deep.
        let depth = depth.min(super::CALL_DEPTH - 1) + 1;
        Self { depth, inner: (!is_empty).then(|| Arc::new(inner)) }
    }
}

impl Inner {
    fn read(&mut self, key: u64, mut value: &[u8]) {
        match key {
            REMAINING => {
                let left = take_varint(&mut value).filter(|left| *left <= NEVER && value.is_empty());
                let alarm = left.and_then(|left| Alarm::after(Duration::from_millis(left)));
                self.alarm = alarm.map(Arc::new);
            }
            TRACE => self.trace = TraceContext::from_bytes(value),
            TRACE_STATE => {
                if let (Ok(state), Some(trace)) = (std::str::from_utf8(value), self.trace.take()) {
                    self.trace = Some(trace.with_state(state));
                }
            }
            BAGGAGE => {
                let length = take_varint(&mut value).and_then(|length| usize::try_from(length).ok());
                let parts = length.and_then(|length| value.split_at_checked(length));
                let texts = parts.map(|(key, value)| (std::str::from_utf8(key), std::str::from_utf8(value)));
                if let Some((Ok(key), Ok(value))) = texts {
                    self.baggage.take(key, value);
                }
            }
            _ => {}
        }
    }
}

fn put(out: &mut Vec<u8>, key: u64, parts: &[&[u8]]) {
    put_varint(out, key);
    put_varint(out, parts.iter().map(|part| part.len() as u64).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The next entry. What is cut short is the end.
fn take<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let key = take_varint(rest)?;
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((key, value))
}
