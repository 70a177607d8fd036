//! [`Guarded`]: a target as it came out of a call of an entrypoint.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::work::{Work, follow, with_result_in_sight};
use crate::bell::Hearing;
use crate::dispatch::{Call, Found, MakeSink, Step, Target};
use crate::error::Error;
use crate::fuse::Fuse;
use crate::interface::{Interface, MethodId, MethodInfo};
use crate::local::{LocalRef, Mailbox};
use crate::outcome::Reply;
use crate::relay::{Gate, GatedCall};
use crate::sink::Sink;

/// Stands before a target that came out of a call of an entrypoint: keeps the invocation of that call, breaks with it,
/// and has whatever comes out of the target do the same.
pub(crate) struct Guarded {
    /// What it stands before.
    inner: Arc<LocalRef>,
    gate: Arc<Gate>,
    /// How many stand one before the other, this one included.
    depth: usize,
    mailbox: Mailbox,
}

/// Most of them before one target: one that was handed on more often keeps the contexts that it came out of first.
const MOST_BEFORE_ONE: usize = 16;

impl Guarded {
    /// Puts a guard before a target, unless that has this one already or has too many.
    pub(crate) fn before(gate: &Arc<Gate>, inner: &Arc<LocalRef>) -> Option<Arc<Self>> {
        let depth = match inner.target().guard() {
            Some(guard) if Arc::ptr_eq(&guard.gate, gate) || guard.depth >= MOST_BEFORE_ONE => return None,
            Some(guard) => guard.depth + 1,
            None => 1,
        };
        let (inner, gate) = (Arc::clone(inner), Arc::clone(gate));
        Some(Arc::new(Self { inner, gate, depth, mailbox: Mailbox::default() }))
    }

    pub(crate) fn inner(&self) -> &Arc<LocalRef> {
        &self.inner
    }

    fn run(&self, found: Found, call: &mut Call<'_>, sink: &mut MakeSink<'_>) {
        let gate = &self.gate;
        // A call that waits its turn replies by itself.
        let mut sink = || GatedCall::start_inside(gate, sink()).unwrap_or_else(Sink::nowhere);
        let target = self.inner.target();
        target.deliver(target, found, call, &mut sink);
        let within = |work| -> crate::spawn::BoxFuture<Reply> {
            Box::pin(Within { work, info: found.info, gate: Arc::clone(gate), broken: None })
        };
        follow(call, within, |reply| {
            if let Some(reply) = reply {
                gate.cross_result(reply);
            }
        });
    }
}

impl Target for Guarded {
    fn interface(&self) -> &'static Interface {
        self.inner.target().interface()
    }

    fn find(&self, id: MethodId) -> Result<Found, Error> {
        self.inner.target().find(id)
    }

    fn locate(&self, interface: &'static Interface, index: usize, id: MethodId) -> Result<Found, Error> {
        self.inner.target().locate(interface, index, id)
    }

    fn deliver(&self, _: &Arc<dyn Target>, found: Found, call: &mut Call<'_>, sink: &mut MakeSink<'_>) {
        if let Some(reason) = self.gate.reason() {
            call.step = Step::Done;
            return call.fail(reason.clone());
        }
        with_result_in_sight(call, |call| self.run(found, call, sink));
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// What it stands before gives its target up by itself.
    fn retire(self: Arc<Self>) {}

    fn fuse(&self) -> Option<&Fuse> {
        Some(self.gate.fuse())
    }

    fn guard(&self) -> Option<&Guarded> {
        Some(self)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.gate.forget(&self.inner);
    }
}

/// A method of such a target that runs.
struct Within {
    work: Work,
    info: &'static MethodInfo,
    gate: Arc<Gate>,
    broken: Option<Hearing>,
}

impl Within {
    /// Whether it is to end before the method returns.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.broken.is_none() {
            match self.gate.fuse().look() {
                Ok(hearing) => self.broken = Some(hearing),
                Err(_) => return Poll::Ready(()),
            }
        }
        match &mut self.broken {
            Some(hearing) => Pin::new(hearing).poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Future for Within {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let this = self.get_mut();
        let reply = match this.poll_broken(cx) {
            Poll::Ready(()) => Reply::failed(this.gate.struck()),
            Poll::Pending => {
                let mut reply = std::task::ready!(this.work.poll(cx, this.info));
                this.gate.cross_result(&mut reply);
                reply
            }
        };
        this.work = Work::Over;
        Poll::Ready(reply)
    }
}
