//! Methods that were not ready at once, and the delivery of one call from its arrival to its reply.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::call::panicked;
use super::{Call, Found, MakeSink, OwnedArgs, ReplyTo, Step, Target};

use crate::context::{CallContext, Ticket, enter, is_traced, within};
use crate::interface::MethodInfo;
use crate::local::LocalSlot;
use crate::outcome::{Reply, Status};
use crate::sink::{Running, Sink, Token};
use crate::spawn::{BoxFuture, spawn};
use crate::waiting::{Turn, driving, polling};

/// What came of a delivery.
pub(crate) enum Delivered {
    /// The reply is where the call said.
    Done,
    /// A future was ready at its first poll with this reply.
    Reply(Reply),
    /// The call goes on elsewhere and will reply through the sink that it asked for.
    Elsewhere,
}

/// Delivers a call: runs it, or polls it once and hands it to the spawner if it is not ready (R13).
#[inline]
pub(crate) fn deliver(
    target: &Arc<dyn Target>,
    found: Found,
    call: &mut Call<'_>,
    make_sink: &mut MakeSink<'_>,
) -> Delivered {
    if found.spawned {
        let args = (call.take_owned(), call.context.clone());
        spawn_start(Arc::clone(target), found, args, make_sink());
        return Delivered::Elsewhere;
    }
    deliver_here(target, found, call, make_sink)
}

#[inline]
fn deliver_here(
    target: &Arc<dyn Target>,
    found: Found,
    call: &mut Call<'_>,
    make_sink: &mut MakeSink<'_>,
) -> Delivered {
    let info = found.info;
    if let Some(error) = call.context.over(info.name) {
        call.fail(error);
        return Delivered::Done;
    }
    within(call.context, || target.deliver(target, found, call, make_sink));
    match std::mem::replace(&mut call.step, Step::Idle) {
        Step::Idle | Step::Done => Delivered::Done,
        Step::Queued => Delivered::Elsewhere,
        Step::Passed(promise) => {
            promise.pass_result(make_sink(), info);
            Delivered::Elsewhere
        }
        Step::Pending(future) => first_poll((info, call.context), future, None, make_sink),
        Step::Holding(future, turn) => first_poll((info, call.context), future, Some(turn), make_sink),
    }
}

fn first_poll(
    (info, context): (&'static MethodInfo, &CallContext),
    mut future: BoxFuture<Reply>,
    turn: Option<Arc<Turn>>,
    make_sink: &mut MakeSink<'_>,
) -> Delivered {
    let polled = {
        let _driving = driving(0);
        let _within = enter(context);
        poll(info, future.as_mut(), &mut Context::from_waker(Waker::noop()))
    };
    match polled {
        Poll::Ready(mut reply) => match reply.take_passed() {
            None => Delivered::Reply(reply),
            Some(promise) => {
                promise.pass_result(make_sink(), info);
                Delivered::Elsewhere
            }
        },
        Poll::Pending => {
            let sink = make_sink();
            let token = Arc::new(Token::default());
            if let Some(turn) = &turn {
                turn.held_by(&token);
            }
            sink.set_running(Running::Task(Arc::clone(&token)));
            run_pending(info, future, (sink, context.clone()), token, turn);
            Delivered::Elsewhere
        }
    }
}

/// Delivers a call whose arguments are owned; its reply goes to its sink.
pub(crate) fn run_owned(target: &Arc<dyn Target>, found: Found, args: (OwnedArgs, CallContext), sink: Sink) {
    if found.spawned {
        spawn_start(Arc::clone(target), found, args, sink);
    } else {
        start(target, found, args, sink);
    }
}

/// Starts a call on a task of its own, which holds the target and may be the last to do so.
fn spawn_start(target: Arc<dyn Target>, found: Found, args: (OwnedArgs, CallContext), sink: Sink) {
    spawn(Box::pin(async move {
        start(&target, found, args, sink);
        target.retire();
    }));
}

fn start(target: &Arc<dyn Target>, found: Found, args: (OwnedArgs, CallContext), sink: Sink) {
    if sink.is_cancelled() {
        return;
    }
    let (mut args, mut context) = args;
    if is_traced() {
        context = context.traced(target.interface().name, found.info, args.len());
    }
    if let (OwnedArgs::Typed(_), Some(slot)) = (&args, sink.typed_slot()) {
        return start_typed(target, found, (args, context), sink, &slot);
    }
    let mut reply = Reply::from_pool();
    let to = ReplyTo::Encode(&mut reply);
    let mut call =
        Call { info: found.info, args: args.borrow(), reply: to, step: Step::Idle, context: &context };
    let mut sink = Some(sink);
    // It is asked for at most once; a second sink would go nowhere.
    let mut make_sink = || sink.take().unwrap_or_else(Sink::nowhere);
    let reply = match deliver_here(target, found, &mut call, &mut make_sink) {
        Delivered::Done => reply,
        Delivered::Reply(reply) => reply,
        Delivered::Elsewhere => return,
    };
    context.ended(&reply.status);
    if let Some(sink) = sink {
        sink.send(reply);
    }
}

/// Starts a call of this process whose result is handed over as it is.
fn start_typed(
    target: &Arc<dyn Target>,
    found: Found,
    (mut args, context): (OwnedArgs, CallContext),
    sink: Sink,
    slot: &Arc<LocalSlot>,
) {
    let to = ReplyTo::Typed(slot);
    let mut call =
        Call { info: found.info, args: args.borrow(), reply: to, step: Step::Idle, context: &context };
    let mut sink = Some(sink);
    let mut make_sink = || sink.take().unwrap_or_else(Sink::nowhere);
    match (deliver_here(target, found, &mut call, &mut make_sink), sink) {
        (Delivered::Reply(reply), Some(sink)) => {
            context.ended(&reply.status);
            sink.send(reply);
        }
        (Delivered::Done, Some(sink)) => {
            context.ended(&Status::Delivered);
            sink.forget();
        }
        _ => {}
    }
}

/// Runs a method to its end on the spawner.
pub(crate) fn run_pending(
    info: &'static MethodInfo,
    future: BoxFuture<Reply>,
    (sink, context): (Sink, CallContext),
    token: Arc<Token>,
    turn: Option<Arc<Turn>>,
) {
    let deadline = context.alarm().map(|alarm| Ticket::new(Arc::clone(alarm)));
    let future = Some(future);
    spawn(Box::pin(RunningMethod { info, future, sink: Some(sink), token, turn, context, deadline }));
}

struct RunningMethod {
    info: &'static MethodInfo,
    future: Option<BoxFuture<Reply>>,
    sink: Option<Sink>,
    token: Arc<Token>,
    /// Where it holds a target.
    turn: Option<Arc<Turn>>,
    context: CallContext,
    /// When its caller waits no longer.
    deadline: Option<Ticket>,
}

impl RunningMethod {
    /// Dropping it is the cancellation; its `Drop`s may panic.
    fn cancel(&mut self) {
        let future = self.future.take();
        let _within = enter(&self.context);
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            tracing::error!(method = self.info.name, "a method panicked while it was cancelled");
        }
    }
}

impl Future for RunningMethod {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.token.register(cx);
        let Some(future) = &mut this.future else { return Poll::Ready(()) };
        if this.token.is_cancelled() {
            this.cancel();
            this.context.cancelled();
            this.sink = None;
            return Poll::Ready(());
        }
        let polled = {
            let _within = enter(&this.context);
            polling(&this.token, || poll(this.info, future.as_mut(), cx))
        };
        match polled {
            Poll::Pending => {
                if let Some(deadline) = &mut this.deadline
                    && deadline.poll(cx)
                {
                    let error = deadline.exceeded(this.info.name);
                    this.cancel();
                    let reply = Reply::failed(error);
                    this.context.ended(&reply.status);
                    if let Some(sink) = this.sink.take() {
                        sink.send(reply);
                    }
                    return Poll::Ready(());
                }
                if let Some(turn) = &this.turn {
                    turn.look(this.info.name, cx.waker());
                }
                Poll::Pending
            }
            Poll::Ready(mut reply) => {
                this.future = None;
                this.context.ended(&reply.status);
                if let Some(sink) = this.sink.take() {
                    match reply.take_passed() {
                        None => sink.send(reply),
                        Some(promise) => promise.pass_result(sink, this.info),
                    }
                }
                Poll::Ready(())
            }
        }
    }
}

fn poll(
    info: &'static MethodInfo,
    future: Pin<&mut (dyn Future<Output = Reply> + Send)>,
    cx: &mut Context<'_>,
) -> Poll<Reply> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(Reply::failed(panicked(info, &*payload))),
    }
}
