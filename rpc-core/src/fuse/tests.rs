use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Fuse;
use crate::dispatch::{Call, Found, MakeSink, Target};
use crate::error::{Error, ErrorKind};
use crate::function::RpcFn;
use crate::handle::Handle;
use crate::interface::{Interface, MethodId};
use crate::local::Mailbox;
use crate::promise::Pipeline;
use crate::reason::Reason;
use crate::stub::Stub;

/// A target that refuses calls, for the reason of its fuse.
struct Fused {
    fuse: Fuse,
    mailbox: Mailbox,
}

impl Fused {
    fn refusal(&self) -> Error {
        match self.fuse.look() {
            Err(reason) => reason.error().clone(),
            Ok(_) => Error::new(ErrorKind::UnknownMethod, "it has no methods"),
        }
    }
}

impl Target for Fused {
    fn interface(&self) -> &'static Interface {
        <RpcFn<fn()> as Stub>::interface()
    }

    fn find(&self, _id: MethodId) -> Result<Found, Error> {
        Err(self.refusal())
    }

    fn locate(&self, _interface: &'static Interface, _index: usize, _id: MethodId) -> Result<Found, Error> {
        Err(self.refusal())
    }

    fn deliver(&self, _this: &Arc<dyn Target>, _found: Found, call: &mut Call<'_>, _sink: &mut MakeSink<'_>) {
        call.fail(self.refusal());
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn retire(self: Arc<Self>) {}

    fn fuse(&self) -> Option<&Fuse> {
        Some(&self.fuse)
    }
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn r162_blown_fuse_breaks_the_stubs_of_its_target() {
    let target = Arc::new(Fused { fuse: Fuse::new(), mailbox: Mailbox::default() });
    let stub: RpcFn<fn()> = RpcFn::from_handle(Handle::local(Arc::<Fused>::clone(&target)));
    let clone = stub.clone();
    let weak = stub.downgrade();
    let mut waiting = pin!(weak.closed());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending() && poll_once(clone.closed()).is_pending());
    let reason = Reason::Revoked(Error::new(ErrorKind::Disposed, "it was taken back"));
    assert!(target.fuse.blow(reason.clone()));
    assert!(!target.fuse.blow(Reason::Revoked(Error::new(ErrorKind::Disposed, "again"))));
    assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Ready(reason.clone()));
    for stub in [&stub, &clone] {
        assert_eq!(poll_once(stub.closed()), Poll::Ready(reason.clone()));
        let refused = poll_once(stub.call().into_future());
        assert_eq!(refused, Poll::Ready(Err(reason.error().clone())));
    }
    drop((stub, clone));
    assert_eq!(poll_once(weak.closed()), Poll::Ready(reason), "the first reason stays");
}

#[test]
fn r162_weak_stub_of_a_fused_target_hears_of_the_release() {
    let target = Arc::new(Fused { fuse: Fuse::new(), mailbox: Mailbox::default() });
    let stub: RpcFn<fn()> = RpcFn::from_handle(Handle::local(Arc::<Fused>::clone(&target)));
    let weak = stub.downgrade();
    let mut waiting = pin!(weak.closed());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    drop(stub);
    assert!(matches!(waiting.as_mut().poll(&mut cx), Poll::Ready(Reason::Released(_))));
}
