//! From typed values to bytes and capabilities, and back.
//!
//! A value is encoded once, in one synchronous walk, before any lock is taken and without touching a table: what
//! comes out is [`Encoded`], bytes beside a list of capabilities. A stub inside a value serialises as its index
//! in that list, which is found through a scoped, nestable, thread-local table; outside such a scope it is an
//! error, never a panic. What the schema knows to be plain data never touches the thread-local.

mod nested;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::panic::Location;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::context::CallContext;
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::interface::Interface;
use crate::schema::{MAX_DEPTH, Schema};
use crate::sync::thread_local;
use crate::value::RpcValue;

/// Payloads of at least this many bytes are moved, not copied, into a message.
pub(crate) const SPLICE_FROM: usize = 16 * 1024;

/// A live reference as it travels inside a value: what it refers to, and which interface its stub has.
#[derive(Clone, Debug)]
pub(crate) struct Capability {
    /// What the stub refers to.
    pub(crate) handle: Handle,
    /// The interface of the stub, if it is known here.
    pub(crate) interface: Option<&'static Interface>,
}

/// An encoded value or argument list: bytes, large payloads between them, and the capabilities in it.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// The postcard bytes, without the spliced payloads.
    pub(crate) bytes: Vec<u8>,
    /// Payloads that stand before the byte at their offset in `bytes`, ascending.
    pub(crate) splices: Vec<(usize, Bytes)>,
    /// Capabilities, by index.
    pub(crate) caps: Vec<Capability>,
    /// Parameters that are not in `bytes` because their promise has not settled.
    pub(crate) promises: Vec<PromiseArg>,
    /// Parameters that are not in `bytes` because their promise settled on the way.
    pub(crate) filled: Vec<FilledArg>,
    /// Where the call was made, if that is recorded and there are capabilities.
    pub(crate) at: Option<&'static Location<'static>>,
    /// Of a call: the context that it was made in.
    pub(crate) context: CallContext,
    /// The same as it is sent, once that is known; empty if there is nothing to send.
    pub(crate) metadata: Vec<u8>,
}

/// A parameter whose value is the result of a call that may not be here yet.
#[derive(Debug)]
pub(crate) struct PromiseArg {
    /// Position of the parameter, from 0.
    pub(crate) param: u8,
    /// The promise.
    pub(crate) handle: Handle,
}

/// A parameter that was a promise and has settled since: its value stands beside the other arguments.
#[derive(Debug)]
pub(crate) struct FilledArg {
    pub(crate) param: u8,
    pub(crate) body: Bytes,
    pub(crate) caps: Vec<Capability>,
}

impl Encoded {
    /// Whether it is nothing but bytes.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.caps.is_empty() && self.promises.is_empty() && self.splices.is_empty() && self.filled.is_empty()
    }

    /// Length of the whole encoding in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.splices.iter().map(|(_, payload)| payload.len()).sum::<usize>()
    }

    /// Empties it, keeping its memory up to a bound, so that it can be used again.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > 64 * 1024 {
            self.bytes.shrink_to(64 * 1024);
        }
        if !self.is_plain() {
            self.clear_beside();
        }
        if !self.context.is_bare() {
            self.clear_context();
        }
    }

    #[cold]
    fn clear_context(&mut self) {
        self.context = CallContext::NONE;
        self.metadata.clear();
    }

    /// Writes the metadata that the call is sent with.
    #[inline]
    pub(crate) fn write_metadata(&mut self) -> Result<(), Error> {
        if self.context.is_bare() { Ok(()) } else { self.write_context() }
    }

    fn write_context(&mut self) -> Result<(), Error> {
        self.context.check_depth()?;
        self.metadata.clear();
        self.context.write(&mut self.metadata);
        Ok(())
    }

    /// Empties all but the bytes.
    pub(crate) fn clear_beside(&mut self) {
        self.splices.clear();
        self.caps.clear();
        self.promises.clear();
        self.filled.clear();
        self.at = None;
    }

    /// What was written from an offset on, as one run of bytes.
    pub(crate) fn from(&self, start: usize) -> Cow<'_, [u8]> {
        if self.splices.is_empty() {
            return Cow::Borrowed(&self.bytes[start..]);
        }
        let (mut whole, mut done) = (Vec::new(), start);
        for (at, payload) in self.splices.iter().filter(|(at, _)| *at >= start) {
            whole.extend_from_slice(&self.bytes[done..*at]);
            whole.extend_from_slice(payload);
            done = *at;
        }
        whole.extend_from_slice(&self.bytes[done..]);
        whole.into()
    }

    /// Length of the whole encoding with the arguments that stand beside it, in bytes.
    #[inline]
    pub(crate) fn len_with_filled(&self) -> usize {
        self.len() + self.filled.iter().map(|arg| arg.body.len()).sum::<usize>()
    }

    /// The encoding in parts, the arguments that stand beside it first. Large ones are shared and not copied, so
    /// that afterwards they are no more where they were, but spliced in.
    pub(crate) fn share_parts(&mut self) -> Vec<Bytes> {
        let own = if self.bytes.len() >= SPLICE_FROM {
            std::mem::take(&mut self.bytes).into()
        } else {
            Bytes::copy_from_slice(&self.bytes)
        };
        let mut parts: Vec<Bytes> = Vec::with_capacity(2 * self.splices.len() + 1);
        let mut done = 0;
        for (at, payload) in &self.splices {
            parts.push(own.slice(done..*at));
            parts.push(payload.clone());
            done = *at;
        }
        parts.push(own.slice(done..));
        parts.retain(|part| !part.is_empty());
        if self.bytes.is_empty() {
            self.splices = parts.iter().map(|part| (0, part.clone())).collect();
        }
        let mut all: Vec<Bytes> = self.filled.iter().map(|arg| arg.body.clone()).collect();
        all.retain(|part| !part.is_empty());
        all.append(&mut parts);
        all
    }

    /// The encoding as one run of bytes.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match &self.splices[..] {
            [] => return Bytes::copy_from_slice(&self.bytes),
            // What was passed on as it came is shared, not copied.
            [(_, whole)] if self.bytes.is_empty() => return whole.clone(),
            _ => {}
        }
        let mut whole = Vec::with_capacity(self.len());
        let mut done = 0;
        for (at, payload) in &self.splices {
            whole.extend_from_slice(&self.bytes[done..*at]);
            whole.extend_from_slice(payload);
            done = *at;
        }
        whole.extend_from_slice(&self.bytes[done..]);
        whole.into()
    }
}

/// Writes values into an [`Encoded`].
#[derive(Debug)]
pub struct ValueEncoder<'a> {
    pub(crate) out: &'a mut Encoded,
    /// Whether the values may hold capabilities: without, the thread-local table is left alone.
    pub(crate) with_caps: bool,
}

impl<'a> ValueEncoder<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Encoded, with_caps: bool) -> Self {
        ValueEncoder { out, with_caps }
    }

    /// Encodes by serde.
    #[inline]
    pub fn serde<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let bytes = &mut self.out.bytes;
        let result = if self.with_caps {
            let scope = Scope::Encode(std::mem::take(&mut self.out.caps));
            let (result, scope) = in_scope(scope, || write(bytes, value));
            if let Scope::Encode(caps) = scope {
                self.out.caps = caps;
            }
            result
        } else {
            write(bytes, value)
        };
        result.map_err(|error| unwritten(&error))
    }

    /// Encodes a byte string; a large one is moved, not copied.
    pub fn bytes(&mut self, payload: Bytes) {
        self.varint(payload.len() as u64);
        if payload.len() >= SPLICE_FROM {
            self.out.splices.push((self.out.bytes.len(), payload));
        } else {
            self.out.bytes.extend_from_slice(&payload);
        }
    }

    /// Encodes an unsigned number, seven bits a byte, low bits first, as postcard does.
    pub fn varint(&mut self, value: u64) {
        crate::wire::put_varint(&mut self.out.bytes, value);
    }
}

#[inline]
fn write<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> postcard::Result<()> {
    nested::write(
        Append(bytes),
        value,
        MOST_NESTED,
        "a value is nested deeper than the 64 levels that are allowed",
    )
}

/// How deep the parts of a value may stand within each other, options and newtypes counted, before it is not even
/// written. What has a schema may have 64 levels of it, which are fewer.
const MOST_NESTED: usize = 8 * MAX_DEPTH;

/// Writes a value that nobody will look into, and that holds no stubs. Its parts may stand so deep within each other.
pub(crate) fn write_opaque<T: Serialize + ?Sized>(value: &T, most: usize) -> postcard::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let write = || {
        nested::write(
            Append(&mut bytes),
            value,
            most,
            "a value in `Plain` is nested deeper than the 128 levels that are allowed",
        )
    };
    in_scope(Scope::Opaque, write).0?;
    Ok(bytes)
}

/// Reads what [`write_opaque`] wrote.
pub(crate) fn read_opaque<R>(read: impl FnOnce() -> R) -> R {
    in_scope(Scope::Opaque, read).0
}

thread_local! {
    /// Why serde was last refused something: its errors carry no text through postcard.
    static REFUSED: Cell<Option<(ErrorKind, &'static str)>> = const { Cell::new(None) };
}

#[cold]
fn refuse(kind: ErrorKind, text: &'static str) {
    REFUSED.with(|refused| refused.set(Some((kind, text))));
}

#[cold]
fn unwritten(error: &postcard::Error) -> Error {
    let (kind, text) = match (error, REFUSED.with(Cell::take)) {
        (postcard::Error::SerdeSerCustom, Some((kind, text))) => (kind, Cow::Borrowed(text)),
        _ => (ErrorKind::BadArguments, error.to_string().into()),
    };
    Error::new(kind, format!("a value could not be encoded: {text}"))
}

/// Appends to a vector that is used again and again.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The capabilities that came with a message; each can be taken once.
#[derive(Debug, Default)]
pub(crate) struct CapTable {
    slots: Vec<Option<Capability>>,
}

impl CapTable {
    #[inline]
    pub(crate) fn new(caps: Vec<Capability>) -> Self {
        if caps.is_empty() {
            return Self::default();
        }
        Self { slots: caps.into_iter().map(Some).collect() }
    }
}

/// Reads values from bytes.
#[derive(Debug)]
pub struct ValueDecoder<'a> {
    input: &'a [u8],
    caps: &'a mut CapTable,
    /// What `input` is a part of, when payloads may share it instead of being copied.
    owner: Option<&'a Bytes>,
    with_caps: bool,
}

impl<'a> ValueDecoder<'a> {
    #[inline]
    pub(crate) fn new(
        input: &'a [u8],
        caps: &'a mut CapTable,
        owner: Option<&'a Bytes>,
        with_caps: bool,
    ) -> Self {
        ValueDecoder { input, caps, owner, with_caps }
    }

    /// Decodes by serde.
    #[inline]
    pub fn serde<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let result = if self.with_caps {
            let scope = Scope::Decode(std::mem::take(self.caps));
            let (result, scope) = in_scope(scope, || read(self.input));
            if let Scope::Decode(caps) = scope {
                *self.caps = caps;
            }
            result
        } else {
            read(self.input)
        };
        let (value, rest) = result.map_err(|error| bad_value(&error))?;
        self.input = rest;
        Ok(value)
    }

    /// Decodes a byte string, sharing the memory of the message where it can.
    pub fn bytes(&mut self) -> Result<Bytes, Error> {
        let length = self.varint()?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.input.len() {
            return Err(bad_value(&postcard::Error::DeserializeUnexpectedEnd));
        }
        let (payload, rest) = self.input.split_at(length);
        self.input = rest;
        Ok(match self.owner {
            // Sharing keeps the whole message alive, so a short payload of a long one is copied.
            Some(owner) if length >= SPLICE_FROM || length >= owner.len() / 2 => owner.slice_ref(payload),
            _ => Bytes::copy_from_slice(payload),
        })
    }

    /// Decodes an unsigned number that takes at most so many bytes.
    #[inline]
    pub fn varint_of(&mut self, most: usize) -> Result<u64, Error> {
        if let Some((&first, rest)) = self.input.split_first()
            && first < 0x80
        {
            self.input = rest;
            return Ok(u64::from(first));
        }
        let before = self.input.len();
        let value = self.varint()?;
        if before - self.input.len() > most {
            return Err(self.bad_number());
        }
        Ok(value)
    }

    /// The error for a number that is out of the range of its type.
    #[cold]
    pub fn bad_number(&self) -> Error {
        bad_value(&postcard::Error::DeserializeBadVarint)
    }

    /// Decodes an unsigned number.
    pub fn varint(&mut self) -> Result<u64, Error> {
        crate::wire::take_varint(&mut self.input)
            .ok_or_else(|| bad_value(&postcard::Error::DeserializeBadVarint))
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.input
    }

    /// An error if anything is left over.
    pub fn finish(&self) -> Result<(), Error> {
        if self.input.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadArguments,
            format!("{} bytes are left over after the value", self.input.len()),
        ))
    }
}

fn bad_value(error: &postcard::Error) -> Error {
    let text = match (error, REFUSED.with(Cell::take)) {
        (postcard::Error::SerdeDeCustom, Some((_, text))) => Cow::Borrowed(text),
        _ => error.to_string().into(),
    };
    Error::new(ErrorKind::BadArguments, format!("a value could not be decoded: {text}"))
}

#[inline]
fn read<T: DeserializeOwned>(input: &[u8]) -> postcard::Result<(T, &[u8])> {
    let mut deserializer = postcard::Deserializer::from_bytes(input);
    let value = T::deserialize(&mut deserializer)?;
    Ok((value, deserializer.finalize()?))
}

/// Decodes plain data that fills `bytes`.
pub(crate) fn decode_whole<T: RpcValue>(bytes: &Bytes) -> Result<T, Error> {
    let mut caps = CapTable::default();
    Schema::of::<T>().check_untrusted(bytes)?;
    let mut decoder = ValueDecoder::new(bytes, &mut caps, Some(bytes), true);
    let value = T::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

enum Scope {
    Encode(Vec<Capability>),
    Decode(CapTable),
    /// Inside bytes that nobody looks into: nobody would find a stub there.
    Opaque,
}

thread_local! {
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Runs `walk` with `scope` on top of this thread's scopes, and gives the scope back.
fn in_scope<R>(scope: Scope, walk: impl FnOnce() -> R) -> (R, Scope) {
    /// Takes the scope off again also when user code inside a `Serialize` panics.
    struct OnTop;
    impl Drop for OnTop {
        fn drop(&mut self) {
            let scope = SCOPES.with(|scopes| scopes.borrow_mut().pop());
            drop(scope);
        }
    }
    SCOPES.with(|scopes| scopes.borrow_mut().push(scope));
    let guard = OnTop;
    let result = walk();
    std::mem::forget(guard);
    let scope = SCOPES.with(|scopes| scopes.borrow_mut().pop());
    (result, scope.unwrap_or(Scope::Decode(CapTable::default())))
}

/// What is said of a stub in a `Plain`.
const IN_PLAIN: &str =
    "a stub or function cannot travel inside `Plain`: derive `RpcValue` for the type that holds it";

/// How a stub serialises itself: as the index of its capability in the message that is being encoded.
pub fn serialize_stub<S: serde::Serializer>(
    handle: &Handle,
    interface: &'static Interface,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // What a promise turned out to be travels in its place. Asked before the table is borrowed: it may take a
    // connection's lock.
    let capability = Capability { handle: handle.resolved(), interface: Some(interface) };
    let index = SCOPES.with(|scopes| match scopes.borrow_mut().last_mut() {
        Some(Scope::Encode(caps)) => {
            caps.push(capability);
            Ok((caps.len() - 1) as u32)
        }
        Some(Scope::Opaque) => Err((capability, IN_PLAIN)),
        _ => Err((capability, "a stub can only be serialised inside a farcall message")),
    });
    match index {
        Ok(index) => serializer.serialize_newtype_struct("$farcall::Cap", &index),
        Err((_, text)) => {
            refuse(ErrorKind::BadArguments, text);
            Err(serde::ser::Error::custom(text))
        }
    }
}

/// How a stub comes out of a message.
pub fn deserialize_stub<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    interface: fn() -> &'static Interface,
) -> Result<Handle, D::Error> {
    use serde::de::Error as _;
    let index = u32::deserialize(deserializer)?;
    let taken = SCOPES.with(|scopes| match scopes.borrow_mut().last_mut() {
        Some(Scope::Decode(table)) => Ok(table.slots.get_mut(index as usize).and_then(Option::take)),
        Some(Scope::Opaque) => Err(IN_PLAIN),
        _ => Err("a stub can only be deserialised from a farcall message"),
    });
    match taken {
        Ok(Some(capability)) => {
            if crate::sites::recording() {
                crate::connection::note_interface(&capability.handle, interface());
            }
            Ok(capability.handle)
        }
        Ok(None) => Err(D::Error::custom("the message has no such capability, or it was taken already")),
        Err(text) => {
            refuse(ErrorKind::BadArguments, text);
            Err(D::Error::custom(text))
        }
    }
}

/// A part of a body, by its place in it.
pub(crate) type Span = Range<usize>;
