//! [`Call`]: one call on its way through a method.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use crate::arg::{ArgDecoder, ParamList};
use crate::codec::{CapTable, Capability, FilledArg, ValueEncoder};
use crate::context::{CallContext, is_within};
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::interface::MethodInfo;
use crate::local::LocalSlot;
use crate::outcome::{Reply, Status};
use crate::schema::Schema;
use crate::spawn::BoxFuture;
use crate::value::{Returned, RpcReturn, RpcValue};
use crate::waiting::Turn;

/// One call, being run on a target.
#[derive(Debug)]
pub struct Call<'a> {
    pub(crate) info: &'static MethodInfo,
    pub(crate) args: Args<'a>,
    pub(crate) reply: ReplyTo<'a>,
    pub(crate) step: Step,
    pub(crate) context: &'a CallContext,
}

/// Where the arguments are.
#[derive(Debug)]
pub(crate) enum Args<'a> {
    /// In bytes, and there is nothing but bytes.
    Plain {
        body: &'a [u8],
        present: usize,
    },
    /// In bytes.
    Wire {
        body: &'a [u8],
        owner: Option<&'a Bytes>,
        present: usize,
        caps: Vec<Capability>,
        filled: Vec<FilledArg>,
    },
    /// The typed parameters.
    Typed(Box<dyn Any + Send>),
    Taken,
}

/// Arguments that can wait.
#[derive(Debug)]
pub(crate) enum OwnedArgs {
    /// Boxed, because calls that wait are moved about.
    Wire(Box<WireArgs>),
    Typed(Box<dyn Any + Send>),
}

/// Arguments in bytes that can wait.
#[derive(Debug)]
pub(crate) struct WireArgs {
    pub(crate) body: Bytes,
    pub(crate) present: usize,
    pub(crate) caps: Vec<Capability>,
    pub(crate) filled: Vec<FilledArg>,
}

impl Args<'_> {
    /// Bytes of them that came over a wire.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Wire { body, filled, .. } => {
                body.len() + filled.iter().map(|arg| arg.body.len()).sum::<usize>()
            }
            Self::Plain { body, .. } => body.len(),
            Self::Typed(_) | Self::Taken => 0,
        }
    }

    /// The same, once it is known how many of the parameters the caller sent.
    #[inline]
    pub(crate) fn with_present(mut self, sent: usize) -> Self {
        if let Self::Wire { present, .. } | Self::Plain { present, .. } = &mut self {
            *present = sent;
        }
        self
    }
}

impl OwnedArgs {
    /// Bytes of them that came over a wire.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Wire(args) => args.body.len() + args.filled.iter().map(|arg| arg.body.len()).sum::<usize>(),
            Self::Typed(_) => 0,
        }
    }

    pub(crate) fn borrow(&mut self) -> Args<'_> {
        match self {
            Self::Wire(args) => Args::Wire {
                body: &args.body,
                owner: Some(&args.body),
                present: args.present,
                caps: std::mem::take(&mut args.caps),
                filled: std::mem::take(&mut args.filled),
            },
            Self::Typed(args) => Args::Typed(std::mem::replace(args, Box::new(()))),
        }
    }
}

/// Where the result goes while the method runs.
#[derive(Debug)]
pub(crate) enum ReplyTo<'a> {
    /// It is encoded here.
    Encode(&'a mut Reply),
    /// It is handed over as it is.
    Typed(&'a Arc<LocalSlot>),
}

/// How far a call has come.
pub(crate) enum Step {
    /// Nothing has happened.
    Idle,
    /// The method has returned, and its reply is where it goes.
    Done,
    /// The method has begun and is not ready.
    Pending(BoxFuture<Reply>),
    /// The same, and it holds its target until it returns.
    Holding(BoxFuture<Reply>, Arc<Turn>),
    /// The method has returned the promise of another call: what comes of that is its reply.
    Passed(Handle),
    /// The target is busy: the call waits its turn there.
    Queued,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Done => "Done",
            Self::Pending(_) | Self::Holding(..) => "Pending",
            Self::Passed(_) => "Passed",
            Self::Queued => "Queued",
        })
    }
}

impl Call<'_> {
    /// Runs a synchronous method.
    #[inline]
    pub fn run<P: ParamList, R: RpcReturn>(&mut self, method: impl FnOnce(P) -> R) {
        self.step = Step::Done;
        let mut begun = false;
        // A user's `Deserialize`, method or `Serialize` may panic (R21); one net is under all of them.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let args = self.take_args::<P>()?;
            begun = true;
            match method(args).into_returned() {
                Returned::Result(result) => self.put::<R>(result),
                Returned::Promise(promise) => self.step = Step::Passed(promise),
            }
            Ok(())
        }));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(error),
            Err(payload) => self.fail(panicked(self.info, &*payload).with_may_have_run(begun)),
        }
    }

    /// Starts an asynchronous method. `method` is dropped if the arguments do not decode.
    pub fn start<P: ParamList, F: Future<Output: RpcReturn> + Send + 'static>(
        &mut self,
        method: impl FnOnce(P) -> F + Send + 'static,
    ) {
        self.start_with(method);
    }

    /// Calls `method` now and runs the future that it gives afterwards, without holding the target.
    pub fn start_with<P: ParamList, F: Future<Output: RpcReturn> + Send + 'static>(
        &mut self,
        method: impl FnOnce(P) -> F,
    ) {
        self.step = Step::Done;
        let info = self.info;
        let mut begun = false;
        let started = catch_unwind(AssertUnwindSafe(|| {
            let args = self.take_args::<P>()?;
            begun = true;
            Ok(method(args))
        }));
        let future = match started {
            Ok(Ok(future)) => future,
            Ok(Err(error)) => return self.fail(error),
            Err(payload) => return self.fail(panicked(info, &*payload).with_may_have_run(begun)),
        };
        // The future is polled in a net as well, and encodes its result before it is ready.
        self.step = Step::Pending(match &self.reply {
            ReplyTo::Encode(_) => Box::pin(async move {
                let mut reply = Reply::from_pool();
                match future.await.into_returned() {
                    Returned::Result(result) => encode::<F::Output>(&mut reply, result, info),
                    Returned::Promise(promise) => reply.status = Status::Passed(promise),
                }
                reply
            }),
            ReplyTo::Typed(slot) => {
                let slot = Arc::clone(slot);
                Box::pin(async move {
                    let mut reply = Reply::delivered();
                    match future.await.into_returned() {
                        Returned::Result(result) => hand_over::<F::Output>(&slot, result, info),
                        Returned::Promise(promise) => reply.status = Status::Passed(promise),
                    }
                    reply
                })
            }
        });
    }

    #[inline]
    fn take_args<P: ParamList>(&mut self) -> Result<P, Error> {
        match std::mem::replace(&mut self.args, Args::Taken) {
            Args::Typed(args) => args.downcast::<P>().map(|args| *args).map_err(|_| {
                Error::new(ErrorKind::Internal, "the arguments are of another type than the method's")
            }),
            Args::Plain { body, present } => {
                decode_args(self.info, body, None, present, (&mut CapTable::default(), &mut Vec::new()))
            }
            Args::Wire { body, owner, present, caps, mut filled } => {
                decode_args(self.info, body, owner, present, (&mut CapTable::new(caps), &mut filled))
            }
            Args::Taken => Err(Error::new(ErrorKind::Internal, "the arguments were taken already")),
        }
    }

    /// The arguments, so that they can wait.
    pub(crate) fn take_owned(&mut self) -> OwnedArgs {
        match std::mem::replace(&mut self.args, Args::Taken) {
            Args::Wire { body, owner, present, caps, filled } => {
                let body = match owner {
                    Some(owner) => owner.slice_ref(body),
                    None => Bytes::copy_from_slice(body),
                };
                OwnedArgs::Wire(Box::new(WireArgs { body, present, caps, filled }))
            }
            Args::Plain { body, present } => OwnedArgs::Wire(Box::new(WireArgs {
                body: Bytes::copy_from_slice(body),
                present,
                caps: Vec::new(),
                filled: Vec::new(),
            })),
            Args::Typed(args) => OwnedArgs::Typed(args),
            Args::Taken => OwnedArgs::Typed(Box::new(())),
        }
    }

    #[inline]
    fn put<R: RpcReturn>(&mut self, result: Result<R::Value, R::User>) {
        match &mut self.reply {
            ReplyTo::Encode(reply) => encode::<R>(reply, result, self.info),
            ReplyTo::Typed(slot) => hand_over::<R>(slot, result, self.info),
        }
    }

    pub(crate) fn fail(&mut self, error: Error) {
        match &mut self.reply {
            ReplyTo::Encode(reply) => reply.fail(error),
            ReplyTo::Typed(slot) => slot.settle_reply(Reply::failed(error)),
        }
    }
}

/// Reads the arguments of a call.
#[inline]
fn decode_args<P: ParamList>(
    info: &MethodInfo,
    body: &[u8],
    owner: Option<&Bytes>,
    present: usize,
    (caps, filled): (&mut CapTable, &mut Vec<FilledArg>),
) -> Result<P, Error> {
    if info.params.needs_check() {
        info.params.check_args(body, present, filled)?;
    }
    let mut decoder = ArgDecoder::new(body, caps, owner, present, filled, info.args_have_caps);
    let args = P::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(args)
}

/// Hands over what a method of this process returned: as it is, if all of it moves, else encoded, so that what stays
/// behind on a wire stays behind here (R20).
fn hand_over<R: RpcReturn>(
    slot: &Arc<LocalSlot>,
    result: Result<R::Value, R::User>,
    info: &'static MethodInfo,
) {
    if is_within() {
        let error = result.as_ref().err().map(|error| R::user_message(error));
        crate::context::handed_over(error.as_deref());
    }
    let moves = if result.is_ok() { info.result_moves } else { info.user_moves };
    if moves {
        return slot.settle_typed::<R>(result);
    }
    let mut reply = Reply::from_pool();
    encode::<R>(&mut reply, result, info);
    slot.settle_reply(reply);
}

/// The error for a method that panicked. The message of the panic travels, its backtrace does not (row 166).
pub(crate) fn panicked(info: &MethodInfo, payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text");
    tracing::error!(method = info.name, panic = text, "a method panicked");
    Error::new(ErrorKind::Panicked, format!("`{}` panicked: {text}", info.name))
}

/// Encodes what a method returned. A result that cannot be encoded is reported as such (row 52).
#[inline]
pub(crate) fn encode<R: RpcReturn>(
    reply: &mut Reply,
    result: Result<R::Value, R::User>,
    info: &'static MethodInfo,
) {
    reply.schema = Some(if result.is_err() { &info.user } else { &info.result });
    let outcome = match result {
        Ok(value) => {
            let mut encoder = ValueEncoder::new(&mut reply.encoded, info.result_has_caps);
            let encoded = value.encode(&mut encoder);
            encoded.and_then(|()| check_sent(reply, &info.result)).map(|()| Status::Value)
        }
        Err(user) => {
            let mut encoder = ValueEncoder::new(&mut reply.encoded, true);
            let encoded = user.encode(&mut encoder);
            encoded
                .and_then(|()| check_sent(reply, &info.user))
                .map(|()| Status::User(R::user_message(&user)))
        }
    };
    match outcome {
        Ok(status) => reply.status = status,
        Err(error) => {
            let text = format!("the result of `{}` could not be encoded: {}", info.name, error.message());
            reply.fail(Error::new(ErrorKind::BadResult, text));
        }
    }
}

/// What is nested too deep for the caller is not sent.
#[inline]
fn check_sent(reply: &Reply, schema: &Schema) -> Result<(), Error> {
    if !schema.needs_check() {
        return Ok(());
    }
    schema.check(&reply.encoded.from(reply.start)).map(drop)
}

/// The same, where no net is under it.
pub(crate) fn encode_guarded<R: RpcReturn>(
    reply: &mut Reply,
    result: Result<R::Value, R::User>,
    info: &'static MethodInfo,
) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| encode::<R>(reply, result, info))) {
        reply.fail(panicked(info, &*payload));
    }
}
