//! [`Promise`]: the result of a call that may not be here yet.

use std::any::Any;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::codec::{CapTable, Capability, Span, ValueDecoder};
use crate::context::{CallContext, Ticket, is_within};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::local::LocalPolled;
use crate::outcome::{Answer, Body, Outcome};
use crate::schema::Schema;
use crate::value::{CallFailure, RpcValue};
use crate::wire::Path;

/// The typed view that a promise gives onto a value that is not here yet: what [`Promise`] dereferences to.
///
/// A stub is its own view; a struct has a view with a method per public field; plain data has [`NoPipeline`].
pub trait Pipeline: Send + Sync + 'static {
    /// The view onto what `handle` will be.
    #[doc(hidden)]
    fn from_handle(handle: Handle) -> Self;
    /// What this is a view onto.
    #[doc(hidden)]
    fn handle(&self) -> &Handle;
    /// What this is a view onto.
    #[doc(hidden)]
    fn into_handle(self) -> Handle;
}

/// The view onto a value that has nothing to call. It has no methods and implements nothing, so that a promise of
/// plain data has none either.
pub struct NoPipeline(Handle);

impl Pipeline for NoPipeline {
    fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }
    fn handle(&self) -> &Handle {
        &self.0
    }
    fn into_handle(self) -> Handle {
        self.0
    }
}

/// The result of a call that may not be here yet. The call was sent when the promise was made.
///
/// - `.await` it for the result, a `Result<T, X>`;
/// - call through it: it dereferences to the [view](Pipeline) of `T`, so `service.counter().increment(2)` is two
///   calls in one round trip;
/// - pass it, or a reference to it, as an argument;
/// - drop it to cancel the call, or [`Promise::detach`] it to let the call run.
///
/// It has no methods of its own, only associated functions, so that none hides a method of the view.
#[must_use = "dropping a promise cancels the call, also by `let _ =`: .await it, or Promise::detach(it)"]
pub struct Promise<T: RpcValue, X = Error> {
    view: T::Pipeline,
    result: PhantomData<fn() -> (T, X)>,
}

impl<T: RpcValue, X> Promise<T, X> {
    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self { view: T::Pipeline::from_handle(handle), result: PhantomData }
    }

    pub(crate) fn handle(this: &Self) -> &Handle {
        this.view.handle()
    }

    pub(crate) fn into_handle(this: Self) -> Handle {
        this.view.into_handle()
    }

    /// Waits until the call has left this side's buffers for the transport: after a burst of calls, a measure of
    /// how far the peer has kept up. A call inside this process has left when it was made.
    pub fn sent(this: &Self) -> impl Future<Output = ()> + Send + '_
    where
        X: 'static,
    {
        std::future::poll_fn(move |cx| Self::handle(this).poll_sent(cx))
    }

    /// Awaits the result for so long: then it is [`ErrorKind::DeadlineExceeded`], and the call is cancelled. The callee
    /// is not told beforehand, as it is of a [deadline](crate::context::deadline) around the call.
    pub fn with_deadline(this: Self, budget: Duration) -> CallFuture<T, X>
    where
        X: CallFailure,
    {
        let mut future = this.into_future();
        let context = CallContext::current().with_deadline(budget);
        future.deadline = context.alarm().map(|alarm| Ticket::new(Arc::clone(alarm)));
        future
    }

    /// Lets the call run to its end although nobody waits for its result, which is dropped. It does not survive
    /// the loss of the connection.
    #[expect(clippy::needless_pass_by_value, reason = "the promise ends here")]
    pub fn detach(this: Self) {
        Self::handle(&this).detach();
    }
}

/// The promise of a part of a promised value. Macro output calls it.
#[doc(hidden)]
pub fn field<T: RpcValue>(handle: &Handle, index: u16) -> Promise<T> {
    Promise::from_handle(handle.field(index))
}

impl<T: RpcValue, X> Deref for Promise<T, X> {
    type Target = T::Pipeline;

    fn deref(&self) -> &T::Pipeline {
        &self.view
    }
}

impl<T: RpcValue, X> fmt::Debug for Promise<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Promise").field(self.view.handle()).finish()
    }
}

impl<T: RpcValue, X: CallFailure> IntoFuture for Promise<T, X> {
    type Output = Result<T, X>;
    type IntoFuture = CallFuture<T, X>;

    fn into_future(self) -> CallFuture<T, X> {
        let handle = Self::into_handle(self).into_own();
        CallFuture { handle, polled: false, deadline: None, result: PhantomData }
    }
}

/// The future of a [`Promise`]. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<T, X> {
    handle: Handle,
    polled: bool,
    /// Of the scope in which it is polled first, unless it was given one.
    deadline: Option<Ticket>,
    result: PhantomData<fn() -> (T, X)>,
}

impl<T, X> fmt::Debug for CallFuture<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallFuture").field(&self.handle).finish()
    }
}

impl<T: RpcValue, X: CallFailure> Future for CallFuture<T, X> {
    type Output = Result<T, X>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, X>> {
        let this = self.get_mut();
        let first = !std::mem::replace(&mut this.polled, true);
        let polled = this.poll_outcome(cx, first);
        if polled.is_pending() && (this.deadline.is_some() || (first && is_within())) {
            return this.poll_deadline(cx);
        }
        polled
    }
}

impl<T: RpcValue, X: CallFailure> CallFuture<T, X> {
    /// The result is not there yet: whether it is still wanted.
    #[cold]
    fn poll_deadline(&mut self, cx: &Context<'_>) -> Poll<Result<T, X>> {
        if self.deadline.is_none() {
            self.deadline = CallContext::current().alarm().map(|alarm| Ticket::new(Arc::clone(alarm)));
        }
        let Some(deadline) = &mut self.deadline else { return Poll::Pending };
        if !deadline.poll(cx) {
            return Poll::Pending;
        }
        let error = deadline.exceeded(self.handle.method().unwrap_or("the call"));
        let disposed = Error::new(ErrorKind::Disposed, "the promise was used up already");
        // Dropping it cancels the call.
        drop(std::mem::replace(&mut self.handle, Handle::broken(disposed)));
        self.deadline = None;
        Poll::Ready(Err(error.into()))
    }

    #[inline]
    fn poll_outcome(&mut self, cx: &mut Context<'_>, first: bool) -> Poll<Result<T, X>> {
        let this = self;
        match &mut this.handle.0 {
            Repr::Slot(slot) => {
                if let Some(error) = slot.blocked() {
                    return Poll::Ready(Err(error.into()));
                }
                if first {
                    if slot.wait(cx) {
                        return Poll::Pending;
                    }
                } else if slot.path.is_empty()
                    && let Some((body, schema)) = slot.take_plain()
                {
                    // Woken, a call of plain data has mostly settled.
                    return Poll::Ready(decode_plain(&body, schema).map_err(X::from));
                }
                slot.poll(cx).map(|outcome| decode(outcome, &slot.path))
            }
            Repr::LocalCall(local) => local.poll(cx, first).map(|polled| match polled {
                LocalPolled::Typed(typed) => take_typed(typed),
                LocalPolled::Kept(outcome) => decode(outcome, &local.path),
            }),
            Repr::Relay(relay) => relay.poll(cx, first).map(|(outcome, path)| decode(outcome, &path)),
            Repr::Shared(_) | Repr::Local(_) | Repr::Address(_) => {
                Poll::Ready(Err(Error::new(ErrorKind::Unsupported, "a stub is not a promise").into()))
            }
            Repr::Broken(error) => Poll::Ready(Err(error.clone().into())),
        }
    }
}

fn take_typed<T: RpcValue, X: CallFailure>(typed: Box<dyn Any + Send>) -> Result<T, X> {
    match typed.downcast::<Result<T, X::User>>() {
        Ok(result) => result.map_err(X::from_user),
        Err(_) => {
            Err(Error::new(ErrorKind::Internal, "the result is of another type than the method's").into())
        }
    }
}

#[inline]
fn decode_value<T: RpcValue, X: CallFailure>(answer: Answer<Capability>, path: &Path) -> Result<T, X> {
    let span = answer.span(path)?;
    Ok(decode_answer(answer, span)?)
}

#[inline]
fn decode<T: RpcValue, X: CallFailure>(outcome: Outcome<Capability>, path: &Path) -> Result<T, X> {
    match outcome {
        Outcome::Value(answer) => decode_value(answer, path),
        Outcome::User(mut answer, _) if path.is_empty() => {
            let span = 0..answer.body.as_slice().len();
            answer.schema = None;
            Schema::of::<X::User>().check_untrusted(answer.body.as_slice())?;
            Err(X::from_user(decode_answer::<X::User>(answer, span)?))
        }
        Outcome::Failed(error) if path.is_empty() => Err(error.into()),
        failed => Err(failed
            .upstream_error()
            .unwrap_or_else(|| Error::new(ErrorKind::Internal, "a failure without its reason"))
            .into()),
    }
}

/// Decodes a whole value that came without capabilities.
#[inline]
fn decode_plain<T: RpcValue>(body: &Body, schema: Option<&'static Schema>) -> Result<T, Error> {
    guarded(|| {
        let bytes = body.as_slice();
        if let Some(schema) = schema {
            schema.check_untrusted(bytes)?;
        }
        let mut table = CapTable::default();
        let mut decoder = ValueDecoder::new(bytes, &mut table, body.owner(), false);
        let value = T::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    })
}

/// Runs a decoding of a result, in which a user's `Deserialize` may panic (R21).
#[inline]
fn guarded<T>(decode: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(undecodable(error.message())),
        Err(_) => Err(undecodable("its type panicked")),
    }
}

#[cold]
fn undecodable(text: &str) -> Error {
    Error::new(ErrorKind::BadResult, format!("the result could not be decoded: {text}"))
        .with_may_have_run(true)
}

#[inline]
fn decode_answer<T: RpcValue>(answer: Answer<Capability>, span: Span) -> Result<T, Error> {
    let Answer { body, caps, schema } = answer;
    let with_caps = !caps.is_empty();
    let mut table = CapTable::new(caps);
    guarded(|| {
        if let Some(schema) = schema {
            schema.check_untrusted(body.as_slice())?;
        }
        let bytes = body.as_slice().get(span).unwrap_or_default();
        let mut decoder = ValueDecoder::new(bytes, &mut table, body.owner(), with_caps);
        let value = T::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    })
}
