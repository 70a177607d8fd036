//! [`TraceContext`]: which trace a call belongs to, as W3C Trace Context has it.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// The longest `tracestate` that is passed on, in bytes: what the recommendation asks for at least.
const STATE_BYTES: usize = 512;

/// Which trace a call belongs to, and the span above it: the `traceparent` and `tracestate` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/). Row 261.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<Box<str>>,
}

impl TraceContext {
    /// Bytes of one without its state.
    pub(super) const BYTES: usize = 16 + 8 + 1;

    /// A part of the trace `trace_id` below the span `span_id`.
    ///
    /// # Errors
    /// [`ErrorKind::BadArguments`] if one of them is 0, which the recommendation forbids.
    pub fn new(trace_id: u128, span_id: u64, sampled: bool) -> Result<Self, Error> {
        if trace_id == 0 || span_id == 0 {
            let text = "the ids of a trace and of a span are not 0";
            return Err(Error::new(ErrorKind::BadArguments, text).did_not_run());
        }
        Ok(Self { trace_id, span_id, flags: u8::from(sampled), state: None })
    }

    /// Reads a `traceparent` header.
    ///
    /// # Errors
    /// [`ErrorKind::BadArguments`] if it is not one.
    pub fn parse(traceparent: &str) -> Result<Self, Error> {
        let bad = || {
            let text = format!("{:?} is no traceparent", traceparent.get(..64).unwrap_or(traceparent));
            Error::new(ErrorKind::BadArguments, text).did_not_run()
        };
        let mut parts = traceparent.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            part.bytes().all(lower).then(|| u128::from_str_radix(part, 16).ok()).flatten()
        };
        let fields = (part(2), part(32), part(16), part(2));
        let (Some(version), Some(trace_id), Some(span_id), Some(flags)) = fields else { return Err(bad()) };
        // Later versions may say more behind what all have.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return Err(bad());
        }
        Ok(Self { flags: flags as u8, ..Self::new(trace_id, span_id as u64, false).map_err(|_| bad())? })
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span above.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether the caller records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The `tracestate`, which systems of tracing keep for themselves.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The same with another span above.
    #[must_use]
    pub fn below(mut self, span_id: u64) -> Self {
        if span_id != 0 {
            self.span_id = span_id;
        }
        self
    }

    /// The same with a `tracestate`. One of more than 512 bytes is left out, as the recommendation allows.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        self.state = (!state.is_empty() && state.len() <= STATE_BYTES).then(|| state.into());
        self
    }

    pub(super) fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.trace_id.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.span_id.to_be_bytes());
        bytes[24] = self.flags;
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace_id, rest) = bytes.split_first_chunk::<16>()?;
        let (span_id, rest) = rest.split_first_chunk::<8>()?;
        let &[flags] = rest else { return None };
        let (trace_id, span_id) = (u128::from_be_bytes(*trace_id), u64::from_be_bytes(*span_id));
        Some(Self { flags, ..Self::new(trace_id, span_id, false).ok()? })
    }
}

/// As a `traceparent` header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}
