//! [`LocalSlot`]: the result of a call of this process that may not be here yet.

mod knots;
mod watching;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use super::chain::drop_in_turn;
pub(crate) use knots::{knot, leads_to};

use super::mailbox::run_until_settled;
use super::{Gather, LocalRef};
use crate::bell::Ringer;
use crate::codec::{Capability, Encoded};
use crate::connection::passed_reply;
use crate::dispatch::encode_guarded;
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::interface::{MethodId, MethodInfo};
use crate::limits::{CALL_COST, LOCAL_PATH_STEPS, MAX_HOPS};
use crate::outcome::{Outcome, Reply, Status};
use crate::relay::GatedCall;
use crate::session::{Room, Taken};
use crate::sink::{Running, Sink, Token};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError, thread_local};
use crate::value::RpcReturn;
use crate::waiting::{Turn, found_pending};
use crate::wire::Path;

/// The result of a call of this process, or a stub that is promised to it.
pub(crate) struct LocalSlot {
    state: Mutex<State>,
    /// Nobody waits for the outcome any more.
    cancelled: AtomicBool,
    /// Handles on it. They are counted without the lock, because an outcome may hold handles, on itself too, which are
    /// cloned with it. Given up they are under the lock.
    handles: AtomicUsize,
    info: Option<&'static MethodInfo>,
    /// The target, when awaiting the call may run it.
    target: Option<Arc<LocalRef>>,
    /// Where the calls that wait take from, if they are not to be any number.
    room: Option<Arc<Room>>,
}

struct State {
    outcome: Local,
    waker: Option<Waker>,
    /// By ascending numbers, by which they are given up.
    subscribers: Option<Box<VecDeque<(u64, Subscriber)>>>,
    next_ticket: u64,
    /// Whether somebody hands the outcome to the subscribers: later ones queue behind. Nobody else encodes it.
    flushing: bool,
    running: Option<Running>,
    detached: bool,
}

pub(super) enum Local {
    Unsettled,
    /// A `Result<Value, User>` of the method, and how to encode it.
    Typed(Box<dyn Any + Send>, fn(Box<dyn Any + Send>, &'static MethodInfo) -> Outcome<Capability>),
    Kept(Arc<Outcome<Capability>>),
    Taken,
}

/// What waits for an outcome beside the promise itself.
pub(crate) enum Subscriber {
    /// A call on a part of it, and the room that it takes.
    Call(Path, Parked, Option<Taken>),
    /// A call that has a part of it as an argument.
    Arg(Arc<Gather>, u8, Path),
    /// A call whose outcome is a part of it.
    Reply(Path, Sink, &'static MethodInfo),
    /// Those who wait for a stub to break look at it again.
    Watch(Ringer),
}

/// A call that waits for its target.
pub(crate) struct Parked {
    pub(crate) method: MethodId,
    pub(crate) info: Option<&'static MethodInfo>,
    pub(crate) encoded: Box<Encoded>,
    pub(crate) sink: Sink,
    /// How often it was sent on to what a promise had turned out to be.
    pub(crate) hops: u16,
}

impl Parked {
    pub(crate) fn call(
        method: MethodId,
        info: Option<&'static MethodInfo>,
        encoded: Box<Encoded>,
        sink: Sink,
    ) -> Self {
        Self { method, info, encoded, sink, hops: 0 }
    }

    /// Sends it on to what a promise has turned out to be. A promise that turned out to be itself leads nowhere.
    pub(crate) fn go_on(mut self, to: Handle) -> Option<(Handle, Self)> {
        self.hops = self.hops.saturating_add(1);
        if self.hops > MAX_HOPS {
            self.sink.fail(knot());
            return None;
        }
        Some((to, self))
    }

    /// An echo, which goes wherever a call would.
    pub(crate) fn echo(sink: Sink) -> Self {
        Self::call(MethodId(0), None, crate::pool::take(), sink)
    }
}

/// One of the handles on a slot: the promise, a part of it, or a promised stub.
pub(crate) struct LocalHandle {
    slot: Arc<LocalSlot>,
    pub(crate) path: Path,
    /// It was the only handle, and has taken the outcome: there is nothing to give up.
    done: bool,
}

/// What a call of this process waits for.
pub(crate) enum Runner {
    Unknown,
    /// A method runs it.
    Task(Arc<Token>),
    /// It waits its turn at a target, or has got it.
    Queued(Arc<Token>, Arc<Turn>),
    /// It waits for another call.
    Awaits(Arc<LocalSlot>),
    /// It was passed on through a gate.
    Gated(Arc<GatedCall>),
}

/// What a poll found.
pub(crate) enum LocalPolled {
    /// A `Result<Value, User>`, as the method returned it.
    Typed(Box<dyn Any + Send>),
    Kept(Outcome<Capability>),
}

impl std::fmt::Debug for LocalSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.info.map_or("LocalSlot", |info| info.name))
    }
}

impl std::fmt::Debug for LocalHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.slot.fmt(f)
    }
}

impl State {
    /// Unsettled.
    #[inline]
    fn new() -> Self {
        Self {
            outcome: Local::Unsettled,
            waker: None,
            subscribers: None,
            next_ticket: 0,
            flushing: false,
            running: None,
            detached: false,
        }
    }

    /// Whether the outcome is not there yet, or calls made through the promise go out just now: who asks for it is
    /// woken, and makes no call before these.
    fn is_under_way(&self) -> bool {
        self.flushing || matches!(self.outcome, Local::Unsettled)
    }

    /// Whether whoever subscribes has to wait.
    fn parks(&self) -> bool {
        matches!(self.outcome, Local::Unsettled | Local::Typed(..)) || self.flushing
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Gives the call up if nobody waits for it any more: comes back how it is cancelled, and what came of it. What
    /// waits for it as an argument has a handle of its own.
    fn abandon(&mut self, slot: &LocalSlot) -> Option<(Option<Running>, Local)> {
        let waits = self.subscribers.as_ref().is_some_and(|subscribers| {
            subscribers.iter().any(|(_, subscriber)| matches!(subscriber, Subscriber::Call(..)))
        });
        if slot.handles() > 0 || self.detached || waits || self.flushing {
            return None;
        }
        slot.cancelled.store(matches!(self.outcome, Local::Unsettled), Ordering::Release);
        Some((self.running.take(), std::mem::replace(&mut self.outcome, Local::Taken)))
    }
}

impl LocalSlot {
    /// A slot with one handle.
    pub(crate) fn new(
        info: Option<&'static MethodInfo>,
        target: Option<Arc<LocalRef>>,
    ) -> (Arc<Self>, LocalHandle) {
        Self::unsettled(info, target, None).with_handle()
    }

    /// A slot for what is no call, on which calls take room while they wait.
    pub(crate) fn with_room(room: Arc<Room>) -> (Arc<Self>, LocalHandle) {
        Self::unsettled(None, None, Some(room)).with_handle()
    }

    #[inline]
    fn unsettled(
        info: Option<&'static MethodInfo>,
        target: Option<Arc<LocalRef>>,
        room: Option<Arc<Room>>,
    ) -> Self {
        Self {
            state: Mutex::new(State::new()),
            cancelled: AtomicBool::new(false),
            handles: AtomicUsize::new(1),
            info,
            target,
            room,
        }
    }

    fn handles(&self) -> usize {
        self.handles.load(Ordering::Acquire)
    }

    #[inline]
    fn with_handle(self) -> (Arc<Self>, LocalHandle) {
        let slot = Arc::new(self);
        let handle = LocalHandle { slot: Arc::clone(&slot), path: Path::EMPTY, done: false };
        (slot, handle)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.lock().outcome, Local::Unsettled)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// The method returned.
    pub(crate) fn settle_typed<R: RpcReturn>(self: &Arc<Self>, result: Result<R::Value, R::User>) {
        fn encode_boxed<R: RpcReturn>(
            typed: Box<dyn Any + Send>,
            info: &'static MethodInfo,
        ) -> Outcome<Capability> {
            match typed.downcast::<Result<R::Value, R::User>>() {
                Ok(result) => {
                    let mut reply = Reply::from_pool();
                    encode_guarded::<R>(&mut reply, *result, info);
                    reply.into_outcome()
                }
                Err(_) => Outcome::Failed(Error::new(ErrorKind::Internal, "a result changed its type")),
            }
        }
        self.settle(Local::Typed(Box::new(result), encode_boxed::<R>));
    }

    /// A reply came as bytes.
    pub(crate) fn settle_reply(self: &Arc<Self>, reply: Reply) {
        if !matches!(reply.status, Status::Delivered) {
            self.settle_outcome(reply.into_outcome());
        }
    }

    pub(crate) fn settle_outcome(self: &Arc<Self>, outcome: Outcome<Capability>) {
        self.settle(Local::Kept(Arc::new(outcome)));
    }

    fn settle(self: &Arc<Self>, outcome: Local) {
        let (waker, running, flush, left) = {
            let mut state = self.lock();
            if !matches!(state.outcome, Local::Unsettled) {
                drop(state);
                drop(outcome);
                return;
            }
            state.outcome = outcome;
            let flush = (state.subscribers.is_some() || state.outcome.leads_on()) && !state.flushing;
            state.flushing |= flush;
            let unread = self.handles() == 0 && !flush;
            let left = unread.then(|| std::mem::replace(&mut state.outcome, Local::Taken));
            (state.waker.take(), state.running.take(), flush, left)
        };
        drop(running);
        left.into_iter().for_each(drop_in_turn);
        if flush {
            self.flush();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Hands the outcome to the subscribers. That may settle other slots, and so on along a chain of any length: the
    /// first on this thread's stack serves them all, one after another.
    fn flush(self: &Arc<Self>) {
        let slot = Arc::clone(self);
        let push = |settled: &RefCell<Option<VecDeque<_>>>| {
            let mut settled = settled.borrow_mut();
            let first = settled.is_none();
            settled.get_or_insert_default().push_back(slot);
            first
        };
        match SETTLED.try_with(push) {
            Ok(true) => {
                let served = Served;
                while let Some(slot) = SETTLED.with(|settled| settled.borrow_mut().as_mut()?.pop_front()) {
                    slot.serve_all();
                }
                drop(served);
            }
            Ok(false) => {}
            // A thread that is ending has no queue any more.
            Err(_) => self.serve_all(),
        }
    }

    /// Hands the outcome to the subscribers in order. New ones queue behind until there are none, and whoever asks
    /// for the outcome meanwhile is woken.
    fn serve_all(&self) {
        let outcome = self.untied();
        let waker = loop {
            let subscriber = {
                let mut state = self.lock();
                match state.subscribers.as_mut().and_then(|subscribers| subscribers.pop_front()) {
                    Some((_, subscriber)) => subscriber,
                    None => {
                        state.subscribers = None;
                        state.flushing = false;
                        break state.waker.take();
                    }
                }
            };
            if let Some((handle, parked)) = serve(&outcome, subscriber) {
                handle.send(parked);
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Encodes a settled outcome that several ask for, unless somebody does already.
    fn keep(self: &Arc<Self>) {
        let claimed = {
            let mut state = self.lock();
            let claims = matches!(state.outcome, Local::Typed(..)) && !state.flushing;
            state.flushing |= claims;
            claims
        };
        if claimed {
            self.flush();
        }
    }

    /// The outcome as bytes, which can be shared. Only who is flushing may find one that is not encoded.
    fn kept(&self) -> Arc<Outcome<Capability>> {
        let typed = {
            let mut state = self.lock();
            match std::mem::replace(&mut state.outcome, Local::Taken) {
                Local::Typed(typed, encode) => (typed, encode),
                Local::Kept(outcome) => {
                    state.outcome = Local::Kept(Arc::clone(&outcome));
                    return outcome;
                }
                other => {
                    state.outcome = other;
                    let error = Error::new(ErrorKind::Disposed, "the result was taken already");
                    return Arc::new(Outcome::Failed(error));
                }
            }
        };
        let outcome = match self.info {
            Some(info) => typed.1(typed.0, info),
            None => Outcome::Failed(Error::new(ErrorKind::Internal, "a typed result of an unknown method")),
        };
        let outcome = Arc::new(outcome);
        self.lock().outcome = Local::Kept(Arc::clone(&outcome));
        outcome
    }

    /// A call that waited for this one was given up. Comes back how this one is cancelled, if only that call held it.
    pub(crate) fn give_up(&self, ticket: u64) -> Option<Running> {
        let (left, abandoned) = {
            let mut state = self.lock();
            let subscribers = state.subscribers.as_mut()?;
            let place = subscribers.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
            let left = subscribers.remove(place);
            (left, state.abandon(self))
        };
        drop(left);
        abandoned?.0
    }

    /// What it waits for.
    pub(crate) fn runner(&self) -> Runner {
        match &self.lock().running {
            Some(Running::Task(token)) => Runner::Task(Arc::clone(token)),
            Some(Running::Queued(token, turn)) => Runner::Queued(Arc::clone(token), Arc::clone(turn)),
            Some(Running::Parked(slot, _)) => slot.upgrade().map_or(Runner::Unknown, Runner::Awaits),
            Some(Running::Gated(call)) => call.upgrade().map_or(Runner::Unknown, Runner::Gated),
            _ => Runner::Unknown,
        }
    }

    pub(crate) fn set_running(&self, running: Running) {
        let refused = {
            let mut state = self.lock();
            if self.is_cancelled() || !matches!(state.outcome, Local::Unsettled) {
                Some(running)
            } else {
                state.running.replace(running)
            }
        };
        if let Some(running) = refused
            && self.is_cancelled()
        {
            running.cancel();
        }
    }
}

/// Hands an outcome to one subscriber. A call comes back with where it goes on.
fn serve(outcome: &Outcome<Capability>, subscriber: Subscriber) -> Option<(Handle, Parked)> {
    match subscriber {
        Subscriber::Call(path, parked, _taken) => return target(outcome, &path, parked),
        Subscriber::Arg(gather, param, path) => {
            gather.fill(param, check_path(&path).and_then(|()| outcome.arg_at(&path)));
        }
        Subscriber::Reply(path, sink, info) => {
            sink.send(passed_reply(outcome.clone_with(Clone::clone).part(&path), info));
        }
        Subscriber::Watch(ringer) => drop(ringer),
    }
    None
}

/// Where a call on a part of an outcome goes. One that fails, or that nobody wants any more, goes nowhere.
fn target(outcome: &Outcome<Capability>, path: &Path, parked: Parked) -> Option<(Handle, Parked)> {
    if parked.sink.is_cancelled() {
        return None;
    }
    match check_path(path).and_then(|()| outcome.target_at(path)) {
        Ok(capability) => parked.go_on(capability.handle),
        Err(error) => {
            parked.sink.fail(error);
            None
        }
    }
}

/// An outcome of one's own.
fn own(outcome: Arc<Outcome<Capability>>) -> Outcome<Capability> {
    Arc::try_unwrap(outcome).unwrap_or_else(|shared| shared.clone_with(Clone::clone))
}

fn check_path(path: &Path) -> Result<(), Error> {
    match path.steps().len() {
        ..=LOCAL_PATH_STEPS => Ok(()),
        steps => {
            let text = format!("the path of the call has {steps} steps; the limit is {LOCAL_PATH_STEPS}");
            Err(Error::new(ErrorKind::Limit, text))
        }
    }
}

/// Gives the queue up, also if something panics.
struct Served;

impl Drop for Served {
    fn drop(&mut self) {
        drop(SETTLED.with(RefCell::take));
    }
}

thread_local! {
    /// Slots that have settled, whose subscribers a loop further up the stack will serve.
    static SETTLED: RefCell<Option<VecDeque<Arc<LocalSlot>>>> = const { RefCell::new(None) };

    /// Calls that completed inside their own poll, so that a loop of them lets others run at times.
    static COMPLETED: Cell<u32> = const { Cell::new(0) };
}

impl LocalHandle {
    /// A handle on a part of what this is a handle on.
    pub(crate) fn part(&self, path: Path) -> Self {
        self.slot.handles.fetch_add(1, Ordering::Relaxed);
        Self { slot: Arc::clone(&self.slot), path, done: false }
    }

    /// The method of the call, for people.
    pub(crate) fn method(&self) -> Option<&'static str> {
        self.slot.info.map(|info| info.name)
    }

    pub(crate) fn downgrade(&self) -> Weak<LocalSlot> {
        Arc::downgrade(&self.slot)
    }

    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.slot) as usize
    }

    pub(crate) fn detach(&self) {
        self.slot.lock().detached = true;
    }

    /// Asks for the outcome, running the call right here if it waits in its target's mailbox. `first` is whether its
    /// task has not asked before.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, first: bool) -> Poll<LocalPolled> {
        // A call is mostly awaited as soon as it was made, and has not run.
        if !(first && self.slot.target.is_some())
            && let Some(polled) = self.take()
        {
            return Poll::Ready(polled);
        }
        if let Some(target) = &self.slot.target {
            run_until_settled(target, &self.slot);
            let completed = COMPLETED.with(Cell::get).wrapping_add(1);
            if completed.is_multiple_of(64) && self.slot.is_settled() {
                COMPLETED.with(|count| count.set(completed));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(polled) = self.take() {
                COMPLETED.with(|count| count.set(completed));
                return Poll::Ready(polled);
            }
        }
        let waker = cx.waker().clone();
        let old = {
            let mut state = self.slot.lock();
            if state.is_under_way() { state.waker.replace(waker) } else { Some(waker) }
        };
        drop(old);
        match self.take() {
            Some(polled) => Poll::Ready(polled),
            None => match found_pending(&self.slot) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(LocalPolled::Kept(Outcome::Failed(error))),
            },
        }
    }

    /// The outcome, if it is here: moved out for a sole handle, else a copy.
    fn take(&mut self) -> Option<LocalPolled> {
        let mut state = self.slot.lock();
        if state.is_under_way() {
            return None;
        }
        if matches!(state.outcome, Local::Taken) {
            return Some(LocalPolled::Kept(Outcome::Failed(taken_already())));
        }
        if self.slot.handles() == 1 && self.path.is_empty() {
            self.done = true;
            let taken = std::mem::replace(&mut state.outcome, Local::Taken);
            drop(state);
            return match taken {
                Local::Typed(typed, _) => Some(LocalPolled::Typed(typed)),
                Local::Kept(outcome) => Some(LocalPolled::Kept(own(outcome))),
                Local::Unsettled | Local::Taken => None,
            };
        }
        drop(state);
        self.slot.keep();
        if self.slot.lock().is_under_way() {
            return None;
        }
        Some(LocalPolled::Kept(own(self.slot.kept())))
    }

    /// Makes a call on what this is a handle on, when it is there. If that is now, it comes back with where it goes.
    pub(crate) fn call(&self, parked: Parked) -> Option<(Handle, Parked)> {
        let ticket = {
            let mut state = self.slot.lock();
            state.parks().then(|| state.ticket())
        };
        let mut taken = None;
        if let Some(ticket) = ticket {
            if let (Some(room), false) = (&self.slot.room, parked.sink.is_echo()) {
                match room.take(parked.encoded.len() + CALL_COST) {
                    Ok(part) => taken = Some(part),
                    Err(error) => {
                        parked.sink.fail(error);
                        return None;
                    }
                }
            }
            // Said before it waits: afterwards it may run at any moment, and say something else.
            parked.sink.set_running(Running::Parked(Arc::downgrade(&self.slot), ticket));
        }
        self.subscribe_as(ticket, Subscriber::Call(self.path.clone(), parked, taken))
    }

    /// Has a part of the outcome filled in as an argument.
    pub(crate) fn subscribe(&self, gather: Arc<Gather>, param: u8) {
        self.subscribe_as(None, Subscriber::Arg(gather, param, self.path.clone()));
    }

    /// Makes a part of the outcome the reply of another call.
    pub(crate) fn pass_result(&self, sink: Sink, info: &'static MethodInfo) {
        self.subscribe_as(None, Subscriber::Reply(self.path.clone(), sink, info));
    }

    fn subscribe_as(&self, ticket: Option<u64>, subscriber: Subscriber) -> Option<(Handle, Parked)> {
        let now = {
            let mut state = self.slot.lock();
            if state.parks() {
                let ticket = ticket.unwrap_or_else(|| state.ticket());
                state.subscribers.get_or_insert_default().push_back((ticket, subscriber));
                None
            } else {
                Some(subscriber)
            }
        };
        match now {
            Some(subscriber) => return serve(&self.slot.kept(), subscriber),
            None => self.slot.keep(),
        }
        None
    }

    /// What this turned out to be, if that is known.
    pub(crate) fn settled_target(&self) -> Option<Handle> {
        if !self.slot.is_settled() {
            return None;
        }
        self.slot.keep();
        if self.slot.lock().is_under_way() {
            return None;
        }
        self.slot.kept().target_at(&self.path).ok().map(|capability| capability.handle)
    }
}

impl Drop for LocalHandle {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let (abandoned, watched) = {
            let mut state = self.slot.lock();
            self.slot.handles.fetch_sub(1, Ordering::AcqRel);
            (state.abandon(&self.slot), state.unwatch(&self.slot))
        };
        drop(watched);
        let Some((running, outcome)) = abandoned else { return };
        if let Some(running) = running {
            running.cancel();
        }
        if matches!(outcome, Local::Typed(..) | Local::Kept(_)) {
            drop_in_turn(outcome);
        }
    }
}

fn taken_already() -> Error {
    Error::new(ErrorKind::Disposed, "the result was taken already")
}
