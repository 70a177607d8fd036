//! What came of a call: an answer kept as bytes, capabilities and schema, or a failure.

use std::fmt;

use bytes::Bytes;

use crate::codec::{Capability, Encoded, SPLICE_FROM, Span};
use crate::error::{Error, ErrorKind, Text};
use crate::handle::Handle;
use crate::schema::Schema;
use crate::wire::Path;

/// Bodies up to this length stay in the slot that waits for them, without an allocation.
const INLINE: usize = 30;
/// Failures up to this length are an entry of their table and no more.
const SHORT_FAILURE: usize = 256;

/// The bytes of a value: short ones in place, long ones shared.
#[derive(Clone)]
pub(crate) enum Body {
    Inline { len: u8, data: [u8; INLINE] },
    Shared(Bytes),
}

impl Body {
    pub(crate) const EMPTY: Self = Self::Inline { len: 0, data: [0; INLINE] };

    /// Copies `bytes`, or shares them when they lie in `owner` and are long.
    #[inline]
    pub(crate) fn keep(bytes: &[u8], owner: Option<&Bytes>) -> Self {
        if bytes.len() <= INLINE {
            let mut data = [0; INLINE];
            data[..bytes.len()].copy_from_slice(bytes);
            return Self::Inline { len: bytes.len() as u8, data };
        }
        Self::Shared(match owner {
            Some(owner) => owner.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        })
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, data } => &data[..usize::from(*len)],
            Self::Shared(bytes) => bytes,
        }
    }

    /// What large payloads in it may share instead of being copied.
    #[inline]
    pub(crate) fn owner(&self) -> Option<&Bytes> {
        match self {
            Self::Inline { .. } => None,
            Self::Shared(bytes) => Some(bytes),
        }
    }

    pub(crate) fn to_bytes(&self, span: Span) -> Bytes {
        match self {
            Self::Inline { .. } => Bytes::copy_from_slice(self.as_slice().get(span).unwrap_or_default()),
            Self::Shared(bytes) if span.end <= bytes.len() => bytes.slice(span),
            Self::Shared(_) => Bytes::new(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.as_slice().len())
    }
}

/// A value as it was encoded, once, when the method returned. `C` is what stands for a capability.
#[derive(Clone, Debug)]
pub(crate) struct Answer<C> {
    pub(crate) body: Body,
    pub(crate) caps: Vec<C>,
    /// How to walk the body, if the interface of the call is known here.
    pub(crate) schema: Option<&'static Schema>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(crate) enum Outcome<C> {
    /// The method returned a value.
    Value(Answer<C>),
    /// The method returned its own error; the text is that error in words. Of one that came over a wire it is empty,
    /// and the schema knows how to find it.
    User(Answer<C>, Text),
    /// The call failed.
    Failed(Error),
}

impl<C> Outcome<C> {
    /// Length of the kept bytes. Of failures, only what is long counts.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Value(answer) | Self::User(answer, _) => answer.body.as_slice().len(),
            Self::Failed(error) => error.len().saturating_sub(SHORT_FAILURE),
        }
    }

    #[inline]
    pub(crate) fn caps(&self) -> &[C] {
        match self {
            Self::Value(answer) | Self::User(answer, _) => &answer.caps,
            Self::Failed(_) => &[],
        }
    }

    /// The same outcome with every capability turned into something else.
    #[inline]
    pub(crate) fn map_caps<D>(self, map: impl FnMut(C) -> D) -> Outcome<D> {
        let turn = |answer: Answer<C>, map: &mut dyn FnMut(C) -> D| Answer {
            body: answer.body,
            // The common case, for which collecting is not free.
            caps: if answer.caps.is_empty() {
                Vec::new()
            } else {
                answer.caps.into_iter().map(map).collect()
            },
            schema: answer.schema,
        };
        let mut map = map;
        match self {
            Self::Value(answer) => Outcome::Value(turn(answer, &mut map)),
            Self::User(answer, message) => Outcome::User(turn(answer, &mut map), message),
            Self::Failed(error) => Outcome::Failed(error),
        }
    }

    /// A copy of the outcome, with a copy of every capability.
    pub(crate) fn clone_with<D>(&self, copy: impl Fn(&C) -> D) -> Outcome<D> {
        let turn = |answer: &Answer<C>| Answer {
            body: answer.body.clone(),
            caps: answer.caps.iter().map(&copy).collect(),
            schema: answer.schema,
        };
        match self {
            Self::Value(answer) => Outcome::Value(turn(answer)),
            Self::User(answer, message) => Outcome::User(turn(answer), message.clone()),
            Self::Failed(error) => Outcome::Failed(error.clone()),
        }
    }

    /// Why calls that build on this one fail, if they do (r123).
    pub(crate) fn upstream_error(&self) -> Option<Error> {
        match self {
            Self::Value(_) => None,
            Self::User(answer, message) => {
                let user = answer.body.to_bytes(0..answer.body.as_slice().len());
                Some(match answer.schema.and_then(Schema::explain) {
                    Some(explain) if message.is_empty() => Error::upstream_unsaid(explain, user),
                    _ => Error::upstream_user(message.clone(), user),
                })
            }
            Self::Failed(error) => Some(error.upstream()),
        }
    }
}

impl Outcome<Capability> {
    fn value(&self) -> Result<&Answer<Capability>, Error> {
        match self {
            Self::Value(answer) => Ok(answer),
            other => Err(other
                .upstream_error()
                .unwrap_or_else(|| Error::new(ErrorKind::Disposed, "the call that this builds on is gone"))),
        }
    }

    /// The capability at `path`, to call it (R7b).
    pub(crate) fn target_at(&self, path: &Path) -> Result<Capability, Error> {
        let answer = self.value()?;
        // A result that came from elsewhere and is one capability and nothing else needs no schema to be walked.
        if let (None, [capability], [0], true) =
            (answer.schema, &answer.caps[..], answer.body.as_slice(), path.is_empty())
        {
            return Ok(capability.clone());
        }
        let index = answer.schema()?.project_cap(answer.body.as_slice(), path.steps())?;
        answer.caps.get(index as usize).cloned().ok_or_else(|| {
            Error::new(ErrorKind::BadPath, "the result does not have the capability that it names")
        })
    }

    /// The part of it at `path`, as an outcome of its own, which has no capabilities but those in that part.
    pub(crate) fn part(mut self, path: &Path) -> Self {
        if path.is_empty() {
            return self;
        }
        if let Some(error) = self.upstream_error() {
            return Self::Failed(error);
        }
        match &mut self {
            Self::Value(answer) => match answer.cut(path) {
                Ok(()) => self,
                Err(error) => Self::Failed(error),
            },
            Self::User(..) | Self::Failed(_) => self,
        }
    }

    /// The value at `path`, as an argument: a valid encoding of its own, with the capabilities of the whole.
    pub(crate) fn arg_at(&self, path: &Path) -> Result<(Bytes, Vec<Capability>), Error> {
        let answer = self.value()?;
        let span = answer.span(path)?;
        Ok((answer.body.to_bytes(span), answer.caps.clone()))
    }
}

impl Answer<Capability> {
    /// Leaves nothing but what lies at `path`.
    fn cut(&mut self, path: &Path) -> Result<(), Error> {
        let (span, kept) = self.schema()?.project_with_caps(self.body.as_slice(), path.steps())?;
        for (index, cap) in self.caps.iter_mut().enumerate() {
            if !kept.contains(&(index as u32)) {
                let error = Error::new(ErrorKind::Disposed, "it lies outside the part that was passed on");
                *cap = Capability { handle: Handle::broken(error), interface: None };
            }
        }
        // What is behind the last that is left needs no place.
        let left = kept.iter().max().map_or(0, |last| *last as usize + 1);
        self.caps.truncate(left);
        self.body = match &self.body {
            Body::Inline { .. } => Body::keep(self.body.as_slice().get(span).unwrap_or_default(), None),
            Body::Shared(_) => Body::Shared(self.body.to_bytes(span)),
        };
        self.schema = None;
        Ok(())
    }
}

impl<C> Answer<C> {
    #[inline]
    pub(crate) fn schema(&self) -> Result<&'static Schema, Error> {
        self.schema.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the result has no known interface"))
    }

    /// Where the value at `path` stands in the body.
    #[inline]
    pub(crate) fn span(&self, path: &Path) -> Result<Span, Error> {
        if path.is_empty() {
            return Ok(0..self.body.as_slice().len());
        }
        self.schema()?.project_value(self.body.as_slice(), path.steps())
    }
}

/// How a method ended, with what it encoded. Made outside every lock, taken apart by the session.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) encoded: Box<Encoded>,
    /// Where this reply begins in the bytes of `encoded`; other replies may stand before it.
    pub(crate) start: usize,
    pub(crate) schema: Option<&'static Schema>,
}

#[derive(Debug)]
pub(crate) enum Status {
    /// The result was handed over as a typed value: there is nothing to send.
    Delivered,
    /// `encoded` is the result.
    Value,
    /// `encoded` is the method's own error, which in words is this.
    User(String),
    /// The call failed.
    Failed(Error),
    /// What comes of this promise is the reply. It never leaves the dispatch.
    Passed(Handle),
}

impl Reply {
    /// The promise whose outcome is to be the reply.
    pub(crate) fn take_passed(&mut self) -> Option<Handle> {
        if !matches!(self.status, Status::Passed(_)) {
            return None;
        }
        match std::mem::replace(&mut self.status, Status::Delivered) {
            Status::Passed(promise) => Some(promise),
            _ => None,
        }
    }

    pub(crate) fn delivered() -> Self {
        Self::from_pool()
    }

    /// An empty reply that says nothing yet, with memory that was used before.
    #[inline]
    pub(crate) fn from_pool() -> Self {
        Self { status: Status::Delivered, encoded: crate::pool::take(), start: 0, schema: None }
    }

    /// Empties it, so that it says nothing again.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.encoded.clear();
        self.start = 0;
        self.status = Status::Delivered;
        self.schema = None;
    }

    /// Takes back what was encoded of this reply, because it has failed.
    pub(crate) fn fail(&mut self, error: Error) {
        let before = self.start;
        self.encoded.bytes.truncate(before);
        self.encoded.clear_beside();
        self.status = Status::Failed(error);
    }

    /// Makes another reply this one, behind those that stand before it.
    pub(crate) fn take_over(&mut self, mut other: Self) {
        self.encoded.bytes.truncate(self.start);
        self.encoded.clear_beside();
        let (own, theirs) = (&mut *self.encoded, &mut *other.encoded);
        let place = |at: usize| at - other.start + self.start;
        if theirs.bytes.len() >= SPLICE_FROM && theirs.splices.is_empty() && other.start == 0 {
            // A long one is moved, not copied.
            own.splices.push((self.start, std::mem::take(&mut theirs.bytes).into()));
        } else {
            own.bytes.extend_from_slice(theirs.bytes.get(other.start..).unwrap_or_default());
            own.splices.extend(theirs.splices.drain(..).map(|(at, payload)| (place(at), payload)));
        }
        self.encoded.caps.append(&mut other.encoded.caps);
        self.status = other.status;
        self.schema = other.schema;
        crate::pool::give(other.encoded);
    }

    /// Takes this reply away from those that stand before it, which end at `end`.
    pub(crate) fn split_off(&mut self, end: usize) -> Self {
        let mut own = Self::from_pool();
        own.status = std::mem::replace(&mut self.status, Status::Delivered);
        own.schema = self.schema;
        own.encoded.bytes.extend_from_slice(self.encoded.bytes.get(self.start..).unwrap_or_default());
        let splices = std::mem::take(&mut self.encoded.splices);
        own.encoded.splices.extend(splices.into_iter().map(|(at, payload)| (at - self.start, payload)));
        own.encoded.caps = std::mem::take(&mut self.encoded.caps);
        self.encoded.bytes.truncate(end);
        own
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { status: Status::Failed(error), ..Self::from_pool() }
    }

    /// Turns it into what is kept.
    pub(crate) fn into_outcome(self) -> Outcome<Capability> {
        let (encoded, schema) = (self.encoded, self.schema);
        match self.status {
            Status::Delivered | Status::Passed(_) => {
                Outcome::Failed(Error::new(ErrorKind::Internal, "a typed result was asked for as bytes"))
            }
            Status::Failed(error) => Outcome::Failed(error),
            Status::Value => Outcome::Value(keep(encoded, schema)),
            Status::User(message) => Outcome::User(keep(encoded, schema), message.into()),
        }
    }
}

#[inline]
fn keep(mut encoded: Box<Encoded>, schema: Option<&'static Schema>) -> Answer<Capability> {
    let caps = std::mem::take(&mut encoded.caps);
    let body = if encoded.splices.is_empty() {
        Body::keep(&encoded.bytes, None)
    } else {
        Body::Shared(encoded.to_bytes())
    };
    crate::pool::give(encoded);
    Answer { body, caps, schema }
}
