//! [`Work`]: what a call waits for that its target runs on behalf of another.

use std::task::{Context, Poll};

use crate::connection::passed_reply;
use crate::dispatch::{Args, Call, ReplyTo, Step};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::MethodInfo;
use crate::local::LocalSlot;
use crate::outcome::Reply;
use crate::sink::Sink;
use crate::spawn::BoxFuture;

/// What a call waits for: the method, and then the promise that the method may have returned.
pub(super) enum Work {
    Method(BoxFuture<Reply>),
    /// The promise, and whether it was asked before.
    Promise(Handle, bool),
    Over,
}

impl Work {
    /// The outcome of a promise as bytes and capabilities, also where the promise is of this process.
    pub(super) fn promise(promise: Handle, info: &'static MethodInfo) -> Self {
        let (slot, outcome) = LocalSlot::new(Some(info), None);
        promise.pass_result(Sink::local(slot), info);
        Self::Promise(Handle(Repr::LocalCall(outcome)), false)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, info: &'static MethodInfo) -> Poll<Reply> {
        loop {
            match self {
                Self::Method(method) => {
                    let mut reply = std::task::ready!(method.as_mut().poll(cx));
                    match reply.take_passed() {
                        Some(promise) => *self = Self::promise(promise, info),
                        None => return Poll::Ready(reply),
                    }
                }
                Self::Promise(promise, asked) => {
                    let first = !std::mem::replace(asked, true);
                    let (outcome, path) = std::task::ready!(promise.poll_outcome(cx, first));
                    return Poll::Ready(passed_reply(outcome.part(&path), info));
                }
                Self::Over => {
                    let error = Error::new(ErrorKind::Internal, "a call was polled after it ended");
                    return Poll::Ready(Reply::failed(error));
                }
            }
        }
    }
}

/// Runs a call so that the stubs of its result are seen. They are where it is encoded, and not where it would be handed
/// over as it is.
pub(super) fn with_result_in_sight(call: &mut Call<'_>, run: impl FnOnce(&mut Call<'_>)) {
    let slot = match &call.reply {
        ReplyTo::Typed(slot) if call.info.result_has_caps || call.info.user_has_caps => *slot,
        _ => return run(call),
    };
    let mut reply = Reply::from_pool();
    let args = std::mem::replace(&mut call.args, Args::Taken);
    let to = ReplyTo::Encode(&mut reply);
    let mut encoded = Call { info: call.info, args, reply: to, step: Step::Idle, context: call.context };
    run(&mut encoded);
    call.step = encoded.step;
    if let Step::Done | Step::Idle = call.step {
        slot.settle_reply(reply);
    }
}

/// What becomes of a call whose target was another's: `within` makes the future of what goes on, and `returned` looks at
/// what has returned.
pub(super) fn follow(
    call: &mut Call<'_>,
    within: impl FnOnce(Work) -> BoxFuture<Reply>,
    returned: impl FnOnce(Option<&mut Reply>),
) {
    call.step = match std::mem::replace(&mut call.step, Step::Idle) {
        Step::Pending(method) => Step::Pending(within(Work::Method(method))),
        Step::Holding(method, turn) => Step::Holding(within(Work::Method(method)), turn),
        Step::Passed(promise) => Step::Pending(within(Work::promise(promise, call.info))),
        Step::Queued => Step::Queued,
        step @ (Step::Idle | Step::Done) => {
            returned(match &mut call.reply {
                ReplyTo::Encode(reply) => Some(reply),
                ReplyTo::Typed(_) => None,
            });
            step
        }
    };
}
