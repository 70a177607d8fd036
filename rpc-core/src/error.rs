//! What can go wrong with a call, by who is to blame and whether the call may have run.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::schema::Explain;

/// Why a call failed: a closed set, so that a `match` can be complete.
///
/// Every kind says who is to blame; [`Error::may_have_run`] says whether the method may have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The connection was lost or closed. Row 173.
    Disconnected,
    /// The call was cancelled: its promise was dropped, or its callee gave it up.
    Cancelled,
    /// The deadline of the call passed.
    DeadlineExceeded,
    /// The target has no method of that name. Rows 79 and 175.
    UnknownMethod,
    /// The target has a method of that name with other argument or result types.
    SignatureMismatch,
    /// An argument did not decode, or could not be encoded.
    BadArguments,
    /// The path of a pipelined call leads through `None` or to no capability.
    BadPath,
    /// The result could not be encoded by the callee, or not be decoded by the caller. Row 52.
    BadResult,
    /// A limit of one side was exceeded; the message names the limit and the figure.
    Limit,
    /// The call was refused because too much is waiting already. Not to be retried at once.
    Overloaded,
    /// The peer is shutting down and refused the call, which did not run: retry elsewhere.
    ShuttingDown,
    /// The method panicked.
    Panicked,
    /// One side broke the rules of the protocol; the message says which side.
    Protocol,
    /// What was called has been given up already.
    Disposed,
    /// An earlier call of the chain, or a call whose promise was an argument, failed.
    Upstream,
    /// The other side does not offer what was asked for.
    Unsupported,
    /// A fault of farcall itself.
    Internal,
    /// The call waits for the turn of a serial target that its own caller holds: neither would end.
    Deadlock,
}

impl ErrorKind {
    /// Every kind with its number on the wire. Numbers are never reused.
    pub(crate) const ALL: [(Self, u8); 18] = [
        (Self::Disconnected, 1),
        (Self::Cancelled, 2),
        (Self::DeadlineExceeded, 3),
        (Self::UnknownMethod, 4),
        (Self::SignatureMismatch, 5),
        (Self::BadArguments, 6),
        (Self::BadPath, 7),
        (Self::BadResult, 8),
        (Self::Limit, 9),
        (Self::Overloaded, 10),
        (Self::ShuttingDown, 11),
        (Self::Panicked, 12),
        (Self::Protocol, 13),
        (Self::Disposed, 14),
        (Self::Upstream, 15),
        (Self::Unsupported, 16),
        (Self::Internal, 17),
        (Self::Deadlock, 18),
    ];

    pub(crate) fn code(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, code)| *code)
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, other)| *other == code).map(|(kind, _)| *kind)
    }
}

impl ErrorKind {
    /// It in words.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::UnknownMethod => "unknown method",
            Self::SignatureMismatch => "signature mismatch",
            Self::BadArguments => "bad arguments",
            Self::BadPath => "bad path",
            Self::BadResult => "bad result",
            Self::Limit => "limit exceeded",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting down",
            Self::Panicked => "panicked",
            Self::Protocol => "protocol broken",
            Self::Disposed => "disposed",
            Self::Upstream => "upstream call failed",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal fault",
            Self::Deadlock => "deadlock",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a call failed. One pointer wide and cheap to clone: every call of a broken chain shares it.
///
/// The remote backtrace never travels (row 166).
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    origin: ErrorKind,
    message: Text,
    may_have_run: bool,
    user: Option<Bytes>,
    unsaid: Option<Unsaid>,
}

/// A text that costs nothing to copy: every call behind a failed one has it.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    pub(crate) const EMPTY: Self = Self::Static("");
}

impl std::ops::Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Static(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::EMPTY } else { Self::Shared(text.into()) }
    }
}
/// How the message is made of the error value, once somebody reads it: that is a user's code, which a session does not
/// run.
#[derive(Clone)]
struct Unsaid {
    explain: Explain,
    text: OnceLock<Option<String>>,
}

/// What is said of a method's own error that cannot be put in words.
const USER_ERROR: &str = "the method returned an error";

impl Error {
    /// Makes an error of this kind. What it says about [`may_have_run`](Self::may_have_run) follows from the
    /// kind: refusals did not run, everything else may have.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let may_have_run = !matches!(
            kind,
            ErrorKind::UnknownMethod
                | ErrorKind::SignatureMismatch
                | ErrorKind::BadArguments
                | ErrorKind::BadPath
                | ErrorKind::Limit
                | ErrorKind::Overloaded
                | ErrorKind::ShuttingDown
                | ErrorKind::Disposed
                | ErrorKind::Upstream
                | ErrorKind::Unsupported
                | ErrorKind::Deadlock
        );
        Self(Arc::new(Inner {
            kind,
            origin: kind,
            message: message.into().into(),
            may_have_run,
            user: None,
            unsaid: None,
        }))
    }

    /// The same error, saying that the call surely did not run.
    #[must_use]
    pub fn did_not_run(self) -> Self {
        self.with_may_have_run(false)
    }

    pub(crate) fn with_may_have_run(self, may_have_run: bool) -> Self {
        Self(Arc::new(Inner { may_have_run, ..Inner::clone(&self.0) }))
    }

    /// The error that the caller of `method` gets. Who does not know a method knows no more of its name than the
    /// hash, so that the caller's side adds it (row 175).
    pub(crate) fn calling(self, method: Option<&str>) -> Self {
        match method {
            Some(method) if self.0.kind == ErrorKind::UnknownMethod => {
                let message = format!("calling `{method}`: {}", &*self.0.message);
                Self(Arc::new(Inner { message: message.into(), user: None, ..Inner::clone(&self.0) }))
            }
            _ => self,
        }
    }

    /// The error that a call gets because `self` struck earlier in its chain, or in an argument of it (r123).
    /// A lost connection stays what it is: it struck this call as well.
    pub(crate) fn upstream(&self) -> Self {
        match self.0.kind {
            ErrorKind::Upstream => self.clone(),
            // It is as true of the call behind it: both have one deadline.
            ErrorKind::Disconnected | ErrorKind::DeadlineExceeded => self.clone().with_may_have_run(false),
            kind => Self(Arc::new(Inner {
                kind: ErrorKind::Upstream,
                origin: kind,
                may_have_run: false,
                ..Inner::clone(&self.0)
            })),
        }
    }

    /// The error that calls behind a failed call get whose method returned its own error: `message` is that
    /// error in words, `user` its encoding.
    pub(crate) fn upstream_user(message: Text, user: Bytes) -> Self {
        let message = if message.is_empty() { Text::Static(USER_ERROR) } else { message };
        let error = Self::new(ErrorKind::Upstream, "");
        Self(Arc::new(Inner { message, user: Some(user), ..Inner::clone(&error.0) }))
    }

    /// The same, where the words have to be found first.
    pub(crate) fn upstream_unsaid(explain: Explain, user: Bytes) -> Self {
        let error = Self::upstream_user(Text::EMPTY, user);
        let unsaid = Some(Unsaid { explain, text: OnceLock::new() });
        Self(Arc::new(Inner { unsaid, ..Inner::clone(&error.0) }))
    }

    /// An error as it came from the peer.
    pub(crate) fn from_wire(
        kind: ErrorKind,
        origin: ErrorKind,
        message: String,
        may_have_run: bool,
        user: Option<Bytes>,
    ) -> Self {
        Self(Arc::new(Inner { kind, origin, message: message.into(), may_have_run, user, unsaid: None }))
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// For [`ErrorKind::Upstream`]: the kind of the failure that started it, or `Upstream` when that was an
    /// error of the method's own type (see [`user`](Self::user)). For every other kind: the kind itself.
    pub fn origin(&self) -> ErrorKind {
        self.0.origin
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        self.say();
        self.said()
    }

    /// Finds the words, where that is left to do. It runs a user's code.
    pub(crate) fn say(&self) {
        if let (Some(unsaid), Some(user)) = (&self.0.unsaid, &self.0.user) {
            unsaid.text.get_or_init(|| (unsaid.explain)(user));
        }
    }

    /// What happened, in the words that were found so far.
    pub(crate) fn said(&self) -> &str {
        let found = self.0.unsaid.as_ref().and_then(|unsaid| unsaid.text.get()?.as_deref());
        found.unwrap_or(&self.0.message)
    }

    /// Whether the method may have run, wholly or in part. `false` is a promise, `true` is not knowing.
    pub fn may_have_run(&self) -> bool {
        self.0.may_have_run
    }

    /// Whether the same call may be made again, elsewhere or later, without running twice: it did not run, and
    /// neither its arguments nor its method are to blame. Row 171.
    pub fn is_retryable(&self) -> bool {
        !self.0.may_have_run && matches!(self.0.kind, ErrorKind::Disconnected | ErrorKind::ShuttingDown)
    }

    /// For [`ErrorKind::Upstream`]: the error value of the call that failed, if its type is `E`.
    ///
    /// The bytes carry no type; an `E` of another shape than the one sent gives `None` or, when the shapes agree
    /// by chance, a wrong value: name the error type of the call that you chained on.
    pub fn user<E: crate::value::RpcValue>(&self) -> Option<E> {
        let bytes = self.0.user.as_ref()?;
        crate::codec::decode_whole(bytes).ok()
    }

    /// Bytes of what it says, in words and as a value.
    pub(crate) fn len(&self) -> usize {
        self.0.message.len() + self.0.user.as_ref().map_or(0, Bytes::len)
    }

    pub(crate) fn user_bytes(&self) -> Option<&Bytes> {
        self.0.user.as_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.message())
            .field("may_have_run", &self.0.may_have_run)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.message())
    }
}

impl std::error::Error for Error {}

/// Why a call failed whose method returns `Result<T, E>`: its own error, or a failure of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The method ran and returned this error.
    User(E),
    /// The call failed; the method may not have run.
    Rpc(Error),
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind
            && self.message() == other.message()
            && self.0.may_have_run == other.0.may_have_run
    }
}

impl Eq for Error {}

impl<E> From<Error> for CallError<E> {
    fn from(error: Error) -> Self {
        Self::Rpc(error)
    }
}

/// For methods whose own error is an [`Error`]: who called need not tell the two apart, and `?` works.
impl From<CallError<Self>> for Error {
    fn from(error: CallError<Self>) -> Self {
        match error {
            CallError::User(error) | CallError::Rpc(error) => error,
        }
    }
}

impl<E> CallError<E> {
    /// The method's own error, if that is what this is.
    pub fn user(&self) -> Option<&E> {
        match self {
            Self::User(error) => Some(error),
            Self::Rpc(_) => None,
        }
    }

    /// The failure of the call, if that is what this is.
    pub fn rpc(&self) -> Option<&Error> {
        match self {
            Self::User(_) => None,
            Self::Rpc(error) => Some(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => error.fmt(f),
            Self::Rpc(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::User(error) => error.source(),
            Self::Rpc(error) => Some(error),
        }
    }
}
