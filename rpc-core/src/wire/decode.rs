//! From the bytes of one frame to a [`Message`] that borrows them.

use super::{MAGIC, MAX_ARGS, MAX_CAPS, Path, answer_flag, flag, kind, take_signed, take_varint};
use crate::context::METADATA_BYTES;
use crate::error::ErrorKind;
use crate::limits::Limits;

/// One frame, taken apart. Ids are as the sender sees them.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Hello {
        version: u16,
        window: u64,
        frame_bytes: u64,
        name: &'a str,
        props: &'a str,
    },
    Call(CallMessage<'a>),
    Answer {
        id: i64,
        user: bool,
        caps: Vec<WireCap>,
        over: Option<Over>,
        /// The length of the body if it comes in pieces, and not here.
        in_pieces: Option<usize>,
        body: &'a [u8],
    },
    Reject {
        id: i64,
        kind: ErrorKind,
        origin: ErrorKind,
        may_have_run: bool,
        message: &'a str,
        user: Option<&'a [u8]>,
    },
    Release {
        id: i64,
        count: u64,
    },
    Finish {
        id: i64,
        cancel: bool,
    },
    Pull {
        id: i64,
    },
    Credit {
        bytes: u64,
    },
    Goaway {
        last: i64,
    },
    Abort {
        kind: ErrorKind,
        message: &'a str,
    },
    /// It counts as a call: the next of the sender's ids is its own.
    Echo {
        target: i64,
        path: Path,
        /// The path is longer than is allowed, so that no call can have gone this way.
        over: bool,
    },
    EchoBack {
        id: i64,
    },
    /// A part of the body of this number.
    Piece {
        body: u64,
        bytes: &'a [u8],
    },
    /// The rest of the body of this number will not come.
    Discard {
        body: u64,
    },
    Ping,
    Pong,
}

#[derive(Debug)]
pub(crate) struct CallMessage<'a> {
    pub(crate) flags: u8,
    pub(crate) target: i64,
    pub(crate) path: Path,
    pub(crate) method: u64,
    /// Empty if there is none.
    pub(crate) metadata: &'a [u8],
    pub(crate) caps: Vec<WireCap>,
    pub(crate) args: Vec<WireArg<'a>>,
    /// Why the call has to be refused, although the frame is well-formed.
    pub(crate) over: Option<Over>,
    /// The length of the body if it comes in pieces, and not here. The bytes of arguments that stand beside it are
    /// its first ones.
    pub(crate) in_pieces: Option<usize>,
    pub(crate) body: &'a [u8],
}

/// A limit that the sender was not told, and that the message exceeds: it fails alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    what: &'static str,
    name: &'static str,
    limit: usize,
    actual: u64,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, name, limit, actual } = self;
        write!(f, "a message has {actual} {what}; the limit `{name}` is {limit}")
    }
}

/// A capability in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WireCap {
    /// The sender's export of this (negative) id.
    Export(i64),
    /// The receiver's export of this id: negative, or 0 for its main object.
    Import(i64),
    /// A part of the receiver's answer to the sender's call of this id.
    Answer(i64, Path),
}

/// A parameter that is not in the body.
#[derive(Debug)]
pub(crate) enum WireArg<'a> {
    /// It is a part of the receiver's answer to the sender's call of this id.
    Promise { param: u8, id: i64, path: Path },
    /// It settled on its way here: a body of its own that uses the next so many capabilities of the message.
    Value { param: u8, caps: usize, body: &'a [u8] },
    /// The same, with so many bytes of the body that comes in pieces.
    Later { param: u8, caps: usize, length: usize },
}

/// Why a frame is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    Truncated,
    LeftOver(usize),
    UnknownKind(u8),
    UnknownFlags(u8),
    UnknownTag(u8),
    BadMagic,
    BadText,
    BadStep(u64),
    TooMany { what: &'static str, limit: usize, actual: u64 },
    BadId(i64),
    EmptyBody,
    LongArguments { arguments: u64, body: u64 },
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("a frame ends in the middle of a field"),
            Self::LeftOver(bytes) => write!(f, "a frame has {bytes} bytes after its last field"),
            Self::UnknownKind(kind) => write!(f, "a frame is of the unknown kind {kind}"),
            Self::UnknownFlags(flags) => write!(f, "a frame has unknown flags {flags:#x}"),
            Self::UnknownTag(tag) => write!(f, "a field has the unknown tag {tag}"),
            Self::BadMagic => {
                f.write_str("the greeting does not begin with FARC: the peer does not speak farcall")
            }
            Self::BadText => f.write_str("a text is not UTF-8"),
            Self::BadStep(step) => write!(f, "a path has the step {step}, which is no index of a field"),
            Self::TooMany { what, limit, actual } => {
                write!(f, "a message has {actual} {what}; the limit is {limit}")
            }
            Self::BadId(id) => write!(f, "the id {id} cannot stand where it does"),
            Self::EmptyBody => f.write_str("a body that comes in pieces is said to have no bytes"),
            Self::LongArguments { arguments, body } => {
                write!(f, "arguments have {arguments} bytes of a body that is said to have {body}")
            }
        }
    }
}

type Result<T> = std::result::Result<T, WireError>;

/// Takes one frame apart, without its length field.
#[inline]
pub(crate) fn decode<'a>(frame: &'a [u8], limits: &Limits) -> Result<Message<'a>> {
    let mut input = Input(frame, None);
    let message = match input.byte()? {
        kind::CALL => return call(input, limits),
        kind::ANSWER => {
            let id = input.id()?;
            let flags = input.byte()?;
            if flags & !answer_flag::ALL != 0 {
                return Err(WireError::UnknownFlags(flags));
            }
            let caps = if flags & answer_flag::CAPS == 0 { Vec::new() } else { input.caps(limits)? };
            let in_pieces = if flags & answer_flag::PIECES == 0 { None } else { Some(input.in_pieces(&[])?) };
            let user = flags & answer_flag::USER != 0;
            return Ok(Message::Answer { id, user, caps, over: input.1, in_pieces, body: input.0 });
        }
        kind::REJECT => input.reject()?,
        kind::RELEASE => Message::Release { id: input.id()?, count: input.varint()? },
        kind::FINISH => Message::Finish { id: input.id()?, cancel: input.bool()? },
        kind::PULL => Message::Pull { id: input.id()? },
        kind::CREDIT => Message::Credit { bytes: input.varint()? },
        kind::GOAWAY => Message::Goaway { last: input.id()? },
        kind::ABORT => Message::Abort { kind: input.error_kind()?, message: input.text()? },
        kind::ECHO => {
            let (target, path) = (input.id()?, input.path(limits)?);
            if target <= 0 {
                return Err(WireError::BadId(target));
            }
            Message::Echo { target, path, over: input.1.is_some() }
        }
        kind::ECHO_BACK => Message::EchoBack { id: input.id()? },
        kind::PIECE => return Ok(Message::Piece { body: input.varint()?, bytes: input.0 }),
        kind::DISCARD => Message::Discard { body: input.varint()? },
        kind::PING => Message::Ping,
        kind::PONG => Message::Pong,
        kind::HELLO => {
            if input.slice(4)? != MAGIC {
                return Err(WireError::BadMagic);
            }
            let version = input.slice(2)?;
            Message::Hello {
                version: u16::from_le_bytes([version[0], version[1]]),
                window: input.varint()?,
                frame_bytes: input.varint()?,
                name: input.text()?,
                // Later versions may say more in their greeting: what follows the props is not looked at.
                props: {
                    let props = if input.0.is_empty() { "" } else { input.text()? };
                    input.0 = &[];
                    props
                },
            }
        }
        other => return Err(WireError::UnknownKind(other)),
    };
    if !input.0.is_empty() {
        return Err(WireError::LeftOver(input.0.len()));
    }
    Ok(message)
}

#[inline]
fn call<'a>(mut input: Input<'a>, limits: &Limits) -> Result<Message<'a>> {
    let flags = input.byte()?;
    if flags & !flag::ALL != 0 {
        return Err(WireError::UnknownFlags(flags));
    }
    let target = input.id()?;
    let path = if flags & flag::PATH == 0 { Path::EMPTY } else { input.path(limits)? };
    let method = input.slice(8)?;
    let method = u64::from_le_bytes([
        method[0], method[1], method[2], method[3], method[4], method[5], method[6], method[7],
    ]);
    let metadata = if flags & flag::META == 0 { &[] } else { input.metadata()? };
    let caps = if flags & flag::CAPS == 0 { Vec::new() } else { input.caps(limits)? };
    let later = flags & flag::PIECES != 0;
    let args = if flags & flag::ARGS == 0 { Vec::new() } else { input.args(limits, later)? };
    let in_pieces = if later { Some(input.in_pieces(&args)?) } else { None };
    let (over, body) = (input.1, input.0);
    Ok(Message::Call(CallMessage {
        flags,
        target,
        path,
        method,
        metadata,
        caps,
        args,
        over,
        in_pieces,
        body,
    }))
}

/// What is left of the frame, and what it has too much of.
struct Input<'a>(&'a [u8], Option<Over>);

impl<'a> Input<'a> {
    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.0.split_first().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(first)
    }

    fn bool(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::UnknownFlags(other)),
        }
    }

    #[inline]
    fn slice(&mut self, length: usize) -> Result<&'a [u8]> {
        if length > self.0.len() {
            return Err(WireError::Truncated);
        }
        let (slice, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(slice)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        take_varint(&mut self.0).ok_or(WireError::Truncated)
    }

    #[inline]
    fn id(&mut self) -> Result<i64> {
        take_signed(&mut self.0).ok_or(WireError::Truncated)
    }

    #[inline]
    fn length(&mut self) -> Result<usize> {
        usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)
    }

    fn metadata(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        if length > METADATA_BYTES {
            self.over("bytes of metadata", "metadata_bytes", METADATA_BYTES, length as u64);
        }
        self.slice(length)
    }

    fn text(&mut self) -> Result<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.slice(length)?).map_err(|_| WireError::BadText)
    }

    fn error_kind(&mut self) -> Result<ErrorKind> {
        // A kind that a later version added reads as the most general one.
        Ok(ErrorKind::from_code(self.byte()?).unwrap_or(ErrorKind::Internal))
    }

    fn count(&mut self, what: &'static str, limit: usize) -> Result<usize> {
        let actual = self.varint()?;
        if actual > limit as u64 {
            return Err(WireError::TooMany { what, limit, actual });
        }
        Ok(actual as usize)
    }

    fn path(&mut self, limits: &Limits) -> Result<Path> {
        let count = self.varint()?;
        if count > limits.path_steps as u64 {
            self.over("steps in a path", "path_steps", limits.path_steps, count);
            // Each takes a byte at least, so that this ends where the frame does.
            for _ in 0..count {
                self.varint()?;
            }
            return Ok(Path::EMPTY);
        }
        let mut steps = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let step = self.varint()?;
            steps.push(u16::try_from(step).map_err(|_| WireError::BadStep(step))?);
        }
        Ok(Path::from_steps(&steps))
    }

    fn over(&mut self, what: &'static str, name: &'static str, limit: usize, actual: u64) {
        self.1 = self.1.or(Some(Over { what, name, limit, actual }));
    }

    fn caps(&mut self, limits: &Limits) -> Result<Vec<WireCap>> {
        let count = self.count("capabilities", MAX_CAPS)?;
        if count > limits.caps_per_message {
            self.over("capabilities", "caps_per_message", limits.caps_per_message, count as u64);
        }
        let mut caps = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            let tag = self.byte()?;
            let id = self.id()?;
            caps.push(match tag {
                0 if id < 0 => WireCap::Export(id),
                1 if id <= 0 => WireCap::Import(id),
                2 if id > 0 => WireCap::Answer(id, self.path(limits)?),
                0..=2 => return Err(WireError::BadId(id)),
                other => return Err(WireError::UnknownTag(other)),
            });
        }
        Ok(caps)
    }

    fn args(&mut self, limits: &Limits, later: bool) -> Result<Vec<WireArg<'a>>> {
        let count = self.count("promised arguments", MAX_ARGS)?;
        let mut args = Vec::with_capacity(count);
        for _ in 0..count {
            let param = self.byte()?;
            args.push(match self.byte()? {
                0 => {
                    let id = self.id()?;
                    if id <= 0 {
                        return Err(WireError::BadId(id));
                    }
                    WireArg::Promise { param, id, path: self.path(limits)? }
                }
                1 => {
                    let caps = self.count("capabilities", MAX_CAPS)?;
                    let length = self.length()?;
                    if later {
                        WireArg::Later { param, caps, length }
                    } else {
                        WireArg::Value { param, caps, body: self.slice(length)? }
                    }
                }
                other => return Err(WireError::UnknownTag(other)),
            });
        }
        Ok(args)
    }

    /// The length of a body that comes in pieces, the last field of its message.
    fn in_pieces(&mut self, args: &[WireArg<'_>]) -> Result<usize> {
        let body = self.varint()?;
        if body == 0 {
            return Err(WireError::EmptyBody);
        }
        let arguments = args.iter().fold(0u64, |sum, arg| match arg {
            WireArg::Later { length, .. } => sum.saturating_add(*length as u64),
            _ => sum,
        });
        if arguments > body {
            return Err(WireError::LongArguments { arguments, body });
        }
        if !self.0.is_empty() {
            return Err(WireError::LeftOver(self.0.len()));
        }
        Ok(usize::try_from(body).unwrap_or(usize::MAX))
    }

    fn reject(&mut self) -> Result<Message<'a>> {
        let id = self.id()?;
        let kind = self.error_kind()?;
        let origin = self.error_kind()?;
        let flags = self.byte()?;
        if flags > 3 {
            return Err(WireError::UnknownFlags(flags));
        }
        let message = self.text()?;
        let user = if flags & 2 == 0 {
            None
        } else {
            let length = self.length()?;
            Some(self.slice(length)?)
        };
        Ok(Message::Reject { id, kind, origin, may_have_run: flags & 1 != 0, message, user })
    }
}
