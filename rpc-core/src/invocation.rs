//! Targets that are made anew for each call: entrypoints (row 7).
//!
//! To its callers such a target is one object; each call on it runs on an object of its own, which nobody else sees and
//! which is dropped when the call has ended. Beside the object stands an [`Invocation`], which lasts longer: until the
//! last stub that came out of the call is gone (row 155).

mod breaker;
mod guarded;
mod work;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use breaker::Breaker;
pub(crate) use guarded::Guarded;
use work::{Work, follow, with_result_in_sight};

use crate::connection::Connection;
use crate::dispatch::{Call, Found, MakeSink, Step, Table, Target};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodId, MethodInfo};
use crate::local::{LocalRef, Mailbox};
use crate::outcome::Reply;
use crate::spawn::BoxFuture;
use crate::stub_impls::StubOf;

/// What stands beside one call of an entrypoint, and beside all that came of it: dropped with the last of it.
pub trait Invocation: Send + Sync + 'static {
    /// Whether the call is to end before its method returns, and with which error. Asked before each poll of the
    /// method; who answers `Pending` keeps the waker.
    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Error>;

    /// What breaks the stubs that come out of the call.
    fn breaker(&self) -> &Breaker;

    /// Whether the call came over this connection: what lives behind it belongs to the caller.
    fn came_over(&self, connection: &Connection) -> bool;

    /// The method has ended: it returned or failed, or, with `false`, its caller gave it up.
    fn returned(&self, by_itself: bool);
}

/// An object for one call, and what stands beside that.
pub type Made<T> = Result<(T, Arc<dyn Invocation>), Error>;

/// A target that is made anew for each call. An error of `make` is the error of that call; a panic in it as well.
pub fn serve_anew<S: StubOf<T>, T: Send + 'static>(
    make: impl Fn() -> Made<T> + Send + Sync + 'static,
) -> Handle {
    let serve = |object| S::serve(object).into_handle();
    Handle::local(Arc::new(AnewCell { make, serve, table: S::TABLE, mailbox: Mailbox::default() }))
}

/// Whether a target behind the stub `S` has the method of this id.
///
/// # Errors
/// Why a call of it would be refused.
pub fn knows<S: StubOf<T>, T: Send + 'static>(id: MethodId) -> Result<(), Error> {
    S::TABLE.find(id).map(|_| ())
}

/// A target that was made, and what stands beside its call.
type Object = (Arc<dyn Target>, Arc<dyn Invocation>);

struct AnewCell<T: Send + 'static, M> {
    make: M,
    serve: fn(T) -> Handle,
    table: &'static Table<T>,
    mailbox: Mailbox,
}

impl<T: Send + 'static, M: Fn() -> Made<T> + Send + Sync + 'static> AnewCell<T, M> {
    /// An object for one call. Its `new` may panic (R21).
    fn make(&self) -> Result<Object, Error> {
        let made = catch_unwind(AssertUnwindSafe(|| {
            let (object, invocation) = (self.make)()?;
            Ok(((self.serve)(object), invocation))
        }));
        let name = (self.table.interface)().name;
        let (handle, invocation) = made.unwrap_or_else(|_| {
            tracing::error!(interface = name, "an entrypoint panicked while it was made");
            let text = format!("an object of `{name}` could not be made: its constructor panicked");
            Err(Error::new(ErrorKind::Panicked, text).did_not_run())
        })?;
        let target = match handle.0 {
            Repr::Local(local) => LocalRef::into_target(local),
            _ => None,
        };
        match target {
            Some(target) => Ok((target, invocation)),
            None => Err(Error::new(ErrorKind::Internal, "a stub that was just made is not the only one")),
        }
    }
}

impl<T: Send + 'static, M: Fn() -> Made<T> + Send + Sync + 'static> Target for AnewCell<T, M> {
    fn interface(&self) -> &'static Interface {
        (self.table.interface)()
    }

    fn find(&self, id: MethodId) -> Result<Found, Error> {
        self.table.find(id)
    }

    fn locate(&self, interface: &'static Interface, index: usize, id: MethodId) -> Result<Found, Error> {
        self.table.locate(interface, index, id)
    }

    fn deliver(&self, _: &Arc<dyn Target>, found: Found, call: &mut Call<'_>, sink: &mut MakeSink<'_>) {
        let (target, invocation) = match self.make() {
            Ok(made) => made,
            Err(error) => {
                call.step = Step::Done;
                return call.fail(error);
            }
        };
        with_result_in_sight(call, |call| run(&target, found, call, sink, &invocation));
        target.retire();
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// There is no object to release: each goes with its call.
    fn retire(self: Arc<Self>) {}
}

/// Runs a call on the object that was made for it.
fn run(
    target: &Arc<dyn Target>,
    found: Found,
    call: &mut Call<'_>,
    sink: &mut MakeSink<'_>,
    invocation: &Arc<dyn Invocation>,
) {
    target.deliver(target, found, call, sink);
    let within = |work| -> BoxFuture<Reply> {
        let invocation = Some(Arc::clone(invocation));
        Box::pin(Within { work, info: found.info, invocation })
    };
    follow(call, within, |reply| {
        if let Some(reply) = reply {
            invocation.breaker().hold(reply, invocation);
        }
        invocation.returned(true);
    });
}

/// A method that runs, and its invocation.
struct Within {
    work: Work,
    info: &'static MethodInfo,
    invocation: Option<Arc<dyn Invocation>>,
}

impl Future for Within {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let this = self.get_mut();
        let ended = match &this.invocation {
            Some(invocation) => invocation.poll_ended(cx),
            None => Poll::Pending,
        };
        let mut reply = match ended {
            Poll::Ready(error) => Reply::failed(error),
            Poll::Pending => std::task::ready!(this.work.poll(cx, this.info)),
        };
        // The object goes before its invocation does.
        this.work = Work::Over;
        if let Some(invocation) = this.invocation.take() {
            invocation.breaker().hold(&mut reply, &invocation);
            invocation.returned(true);
        }
        Poll::Ready(reply)
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.work = Work::Over;
        if let Some(invocation) = self.invocation.take() {
            invocation.returned(false);
        }
    }
}
