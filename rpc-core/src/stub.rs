//! Stubs: making calls, and what every stub can do beside the methods of its target.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::arg::{ArgEncoder, ArgList, ParamList};
use crate::codec::Encoded;
use crate::context::{CallContext, is_outside, is_traced, outgoing};
use crate::dispatch::OwnedArgs;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodId, MethodInfo};
use crate::local::{Entry, LocalRef, LocalSlot, Parked, push};
use crate::promise::{Pipeline, Promise};
use crate::reason::Reason;
use crate::sink::Sink;
use crate::sites::recording;
use crate::value::{RpcReturn, RpcValue};
use crate::weak::WeakStub;

/// A typed reference to a target, local or remote. `Clone` makes another reference to the same target, dropping
/// the last one releases it.
///
/// Stubs have the methods of their target and no others, so what every stub can do is here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stub",
    note = "`#[rpc_target]` on an `impl` or a trait `Counter` makes the stub `CounterStub`"
)]
pub trait Stub: RpcValue<Pipeline = Self> + Pipeline + Clone + Sync {
    /// The interface that this stub calls.
    #[doc(hidden)]
    fn interface() -> &'static Interface;

    /// Whether both refer to the same target, as far as this side can tell: a stub that came home is the local
    /// target again.
    fn same_target(&self, other: &Self) -> bool {
        self.handle().same_target(other.handle())
    }

    /// Waits until calls need not wait in line behind others for room on the connection. A call never blocks and
    /// never needs this; a caller of very many calls is polite to wait.
    fn ready(&self) -> impl Future<Output = ()> + Send {
        let connection = self.handle().connection();
        std::future::poll_fn(move |cx| match &connection {
            Some(connection) => connection.poll_ready(cx),
            None => std::task::Poll::Ready(()),
        })
    }

    /// Waits until this stub breaks, and gives the [`Reason`]: at once if it is broken, and the same every time. From
    /// then on each call on it fails at once with the error of the reason, and none runs. Rows 162 and 163.
    ///
    /// A stub breaks when its connection ends; one that was promised also when the promise fails; one that can be
    /// taken back, when it is. A target of this process never breaks by itself, and neither does the stub of a service,
    /// which connects again. What breaks behind the peer, of which
    /// the peer holds a stub itself, is not heard of here: calls tell.
    ///
    /// Who waits holds the stub, and so its target and its connection; wait on a [downgraded](Self::downgrade) one to
    /// hold neither. Any number of tasks may wait, and one that stops leaves nothing behind.
    ///
    /// ```
    /// # use farcall_core as farcall;
    /// use farcall::function::RpcFn;
    /// use farcall::reason::Reason;
    /// use farcall::stub::Stub;
    ///
    /// # async fn example(callback: RpcFn<fn(i64)>) {
    /// match callback.closed().await {
    ///     Reason::Disconnected(error) => println!("connect again: {error}"),
    ///     Reason::Revoked(error) => println!("it was taken back: {error}"),
    ///     other => println!("gone for good: {other}"),
    /// }
    /// # }
    /// ```
    fn closed(&self) -> impl Future<Output = Reason> + Send {
        self.handle().downgrade().closed()
    }

    /// The same stub, but one that keeps neither its target nor its connection.
    fn downgrade(&self) -> WeakStub<Self> {
        WeakStub::new(self)
    }
}

/// A target, or anything else that can be turned into a stub of type `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a target, or not one with this stub",
    note = "write `#[rpc_target]` on its `impl`, or on its `impl` of a contract, and ask for the stub of that one",
    note = "a closure becomes a stub with `RpcFn::new`"
)]
pub trait IntoStub<S: Stub>: Sized {
    /// Moves the target behind a stub. It is dropped after the last stub is gone, never inside the call that
    /// gives up the last one.
    fn into_stub(self) -> S;
}

/// A stub is one already: it can be offered, or passed on, where a target can.
#[diagnostic::do_not_recommend]
impl<S: Stub> IntoStub<S> for S {
    fn into_stub(self) -> S {
        self
    }
}

/// Makes a call: what every method of a stub does. The arguments are encoded before any lock is taken; the call
/// is on its way, in order, when this returns.
#[inline]
#[track_caller]
pub fn call<R: RpcReturn, P: ParamList, A: ArgList<P>>(
    handle: &Handle,
    interface: &'static Interface,
    index: usize,
    args: A,
) -> Promise<R::Value, R::Error> {
    let promise = call_untyped(handle, interface, index, args);
    if recording() {
        note_call(&promise, interface, index);
    }
    if is_traced()
        && let Some(info) = interface.method(index)
    {
        crate::connection::trace_call(&promise, interface.name, info.name);
    }
    Promise::from_handle(promise)
}

/// Leaves a note of where the call was made (row 159).
#[cold]
#[track_caller]
fn note_call(promise: &Handle, interface: &'static Interface, index: usize) {
    if let Some(info) = interface.method(index) {
        crate::connection::note_call(promise, info.name, Location::caller());
    }
}

#[inline]
#[track_caller]
fn call_untyped<P: ParamList, A: ArgList<P>>(
    handle: &Handle,
    interface: &'static Interface,
    index: usize,
    args: A,
) -> Handle {
    let Some(info) = interface.method(index) else {
        return Handle::broken(Error::new(
            ErrorKind::Internal,
            "a stub calls a method that its interface lacks",
        ));
    };
    // A promise that turned out to be a target of this process is as good as that.
    let settled = if let Repr::LocalCall(local) = &handle.0 { local.settled_target() } else { None };
    let resolved = settled.map(|settled| settled.resolved());
    let handle = resolved.as_ref().unwrap_or(handle);
    match &handle.0 {
        Repr::Broken(error) => Handle::broken(error.upstream()),
        Repr::Local(local) => call_local(local, (interface, index, info), args),
        Repr::Address(address) => match address.current() {
            Handle(Repr::Broken(error)) => Handle::broken(error),
            current => call_untyped(&current, interface, index, args),
        },
        _ => match encode_args(info, args) {
            Ok((id, encoded)) => send_encoded(handle, id, info, encoded),
            Err(error) => Handle::broken(error),
        },
    }
}

#[inline]
#[track_caller]
fn encode_args<P: ParamList, A: ArgList<P>>(
    info: &MethodInfo,
    args: A,
) -> Result<(MethodId, Box<Encoded>), Error> {
    let mut encoded = crate::pool::take();
    if !is_outside() {
        encoded.context = outgoing(info.name)?;
    }
    let mut encoder = ArgEncoder::new(&mut encoded, info.args_have_caps);
    match args.encode(&mut encoder) {
        Ok(()) => {
            let present = encoder.finish();
            if info.params.needs_check()
                && let Err(error) = info.params.check_sent(&encoded, present)
            {
                let error = bad_argument(info, &error);
                crate::pool::give(encoded);
                return Err(error);
            }
            if info.args_have_caps && recording() && !encoded.caps.is_empty() {
                encoded.at = Some(Location::caller());
            }
            Ok((info.id(present), encoded))
        }
        Err(error) => {
            let error = bad_argument(info, &error);
            crate::pool::give(encoded);
            Err(error)
        }
    }
}

fn bad_argument(info: &MethodInfo, error: &Error) -> Error {
    Error::new(error.kind(), format!("calling `{}`: {}", info.name, error.message())).did_not_run()
}

/// Makes a call whose arguments are encoded and whose result can be awaited.
#[inline]
pub(crate) fn send_encoded(
    handle: &Handle,
    id: MethodId,
    info: &'static MethodInfo,
    mut encoded: Box<Encoded>,
) -> Handle {
    let slot = match &handle.0 {
        Repr::Slot(slot) => slot,
        Repr::Shared(slot) => &**slot,
        Repr::Relay(relay) => return relay.call(id, info, encoded),
        _ => return call_encoded(handle, id, info, encoded),
    };
    if !slot.hosts(&encoded) {
        return call_encoded(handle, id, info, encoded);
    }
    let result = slot.call(id, info, &mut encoded);
    crate::pool::give(encoded);
    result
}

/// Makes a call whose arguments are encoded and whose result is waited for in this process.
pub(crate) fn call_encoded(
    handle: &Handle,
    method: MethodId,
    info: &'static MethodInfo,
    encoded: Box<Encoded>,
) -> Handle {
    let (slot, result) = LocalSlot::new(Some(info), None);
    handle.send(Parked::call(method, Some(info), encoded, Sink::local(slot)));
    Handle(Repr::LocalCall(result))
}

/// Makes a call on a target of this process: its arguments move as they are, if they can (R20).
fn call_local<P: ParamList, A: ArgList<P>>(
    local: &Arc<LocalRef>,
    (interface, index, info): (&'static Interface, usize, &'static MethodInfo),
    args: A,
) -> Handle {
    let found = local.target().locate(interface, index, info.id(info.params_count()));
    // A target of another interface, or of another version of it, may know the types by other names.
    let Some(found) = found.ok().filter(|found| info.args_move && std::ptr::eq(found.info, info)) else {
        let handle = Handle(Repr::Local(Arc::clone(local)));
        return match encode_args(info, args) {
            Ok((id, encoded)) => call_encoded(&handle, id, info, encoded),
            Err(error) => Handle::broken(error),
        };
    };
    let context = if is_outside() { Ok(CallContext::NONE) } else { outgoing(info.name) };
    let context = match context {
        Ok(context) => context,
        Err(error) => return Handle::broken(error),
    };
    // Mostly nothing is written to it.
    let mut encoded = crate::pool::take();
    let mut encoder = ArgEncoder::new(&mut encoded, info.args_have_caps);
    match args.gather(&mut encoder) {
        Ok(Some(values)) => {
            crate::pool::give(encoded);
            let (slot, result) = LocalSlot::new(Some(info), Some(Arc::clone(local)));
            let args = OwnedArgs::Typed(Box::new(values));
            push(local, Entry::call(found, args, context, Sink::local(slot)));
            Handle(Repr::LocalCall(result))
        }
        Ok(None) => {
            let id = info.id(encoder.finish());
            encoded.context = context;
            let handle = Handle(Repr::Local(Arc::clone(local)));
            call_encoded(&handle, id, info, encoded)
        }
        Err(error) => Handle::broken(bad_argument(info, &error)),
    }
}
