//! [`Connection`]: a session, the one lock around it, and what waits for it.
//!
//! Under the lock run only the session's rules and plain bookkeeping: no encoding, no decoding, no waking, no
//! user code, and nothing of a user's is dropped or cloned. What has to happen afterwards leaves as events and is
//! done by whoever took the lock, after giving it back (R14).

mod batch;
#[cfg(feature = "introspection")]
mod books;
mod driving;
mod holding;
mod input;
mod liveness;
mod offer;
mod piece;
mod slot;
mod watching;

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

#[cfg(feature = "introspection")]
#[doc(hidden)]
pub use books::Books;
pub use driving::Turned;
pub(crate) use holding::{note_call, note_interface, trace_call};
pub use input::Input;
pub use offer::{LookUp, MainObject, Offer};
pub(crate) use slot::SlotRef;

use crate::bell::Ringer;
use crate::codec::Capability;
use crate::context::CallSpan;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodInfo};
use crate::limits::Limits;
use crate::local::{Gather, LocalSlot, knot, leads_to};
use crate::outcome::{Answer, Body, Outcome, Reply, Status};
use crate::schema::{Schema, SchemaBuilder};
pub use crate::session::Greeting;
use crate::session::{Cap, Event, Parts, Room, Session, SlotKey};
use crate::sink::{Running, Sink};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::wire::Path;

/// One connection to a peer: a cloneable handle. Its driver, which a transport runs, ends with its transport.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    id: u64,
    /// The session has ended: what was gathered need not be run.
    over: AtomicBool,
    state: Mutex<State>,
}

struct State {
    session: Session<Waiting>,
    /// Finds the main object when the peer has said what it wants.
    look_up: Option<LookUp>,
    /// The driver, while it sleeps.
    driver: Option<Waker>,
    /// Those who wait for the line to be empty.
    ready: Vec<Waker>,
    /// Those who wait for a call to leave.
    sent: Vec<Waker>,
    /// Those who wait for the end.
    closed: Option<Ringer>,
    /// The driver has something to do beside writing and running calls.
    wake_driver: bool,
    /// The driver waits for its transport to take what it has: more to write is no reason to wake it.
    blocked: bool,
}

/// What a session keeps for its connection.
pub(crate) struct Waiting;

impl Parts for Waiting {
    type Waiter = Waiter;
    type Running = Running;
    type Watcher = Arc<LocalSlot>;

    fn identity(watcher: &Arc<LocalSlot>) -> usize {
        Arc::as_ptr(watcher) as usize
    }

    fn stand_in(interface: Option<&'static Interface>, room: &Arc<Room>) -> (Arc<LocalSlot>, Capability) {
        let (slot, handle) = LocalSlot::with_room(Arc::clone(room));
        (slot, Capability { handle: Handle(Repr::LocalCall(handle)), interface })
    }

    fn is_empty(waiter: &Waiter) -> bool {
        waiter.waker.is_none() && waiter.forwards.is_none()
    }
}

/// What waits for a call of ours.
#[derive(Default)]
pub(crate) struct Waiter {
    /// The task that awaits the promise.
    waker: Option<Waker>,
    /// Boxed, because there is hardly ever one.
    forwards: Option<Box<Vec<Forward>>>,
}

impl Waiter {
    fn forward(&mut self, forward: Forward) {
        self.forwards.get_or_insert_default().push(forward);
    }
}

/// A call, or an argument, that the outcome is passed on to.
enum Forward {
    /// The outcome is the outcome of another call.
    Reply(Sink, Option<&'static MethodInfo>),
    /// A part of the outcome is the outcome of another call, of this method.
    Part(Sink, &'static MethodInfo, Path),
    /// A part of it is an argument.
    Arg(Arc<Gather>, u8, Path),
    /// Those who wait for the stub to break look at it again.
    Watch(Ringer),
    /// The span of the call ends.
    Span(CallSpan),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection {}", self.0.id)
    }
}

thread_local! {
    /// An empty list for events, so that a call that settles allocates none.
    static SPARE: Cell<Vec<Event<Waiting>>> = const { Cell::new(Vec::new()) };
}

/// What must be done after the lock was given back.
struct After {
    events: Vec<Event<Waiting>>,
    driver: Option<Waker>,
    wakers: Vec<Waker>,
    ended: bool,
    closed: Option<Ringer>,
}

impl Connection {
    /// A connection that offers `main` as its object 0, a target or a stub of this interface. Its greeting waits to
    /// be sent.
    pub fn new(limits: Limits, main: Option<(Handle, &'static Interface)>) -> Self {
        let offer =
            main.map_or(Offer::Nothing, |(handle, interface)| Offer::Main(MainObject::of(handle, interface)));
        Self::open(limits, offer, &Greeting::default())
    }

    /// A connection that offers something and wants something of its peer. Its greeting waits to be sent.
    pub fn open(limits: Limits, offer: Offer, wanted: &Greeting) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (exports, look_up) = offer.into_exports();
        let state = State {
            session: Session::open(id, limits, exports, wanted),
            look_up,
            driver: None,
            ready: Vec::new(),
            sent: Vec::new(),
            closed: None,
            wake_driver: false,
            blocked: false,
        };
        Self(Arc::new(Shared { id, over: AtomicBool::new(false), state: Mutex::new(state) }))
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Its number in this process, for people.
    #[doc(hidden)]
    pub fn number(&self) -> u64 {
        self.0.id
    }

    /// A handle on the peer's main object.
    pub fn main(&self) -> Handle {
        let key = self.with(|state| state.session.import_main());
        self.handle(key, Path::EMPTY)
    }

    fn handle(&self, key: SlotKey, path: Path) -> Handle {
        Handle(Repr::Shared(Arc::new(SlotRef::new(self.clone(), key, path))))
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        match self.0.state.lock() {
            Ok(state) => state,
            // A panic under the lock is a fault of ours: the tables may be half changed, so the session is over.
            Err(poisoned) => {
                let mut state = poisoned.into_inner();
                self.0.state.clear_poison();
                state.session.end(Error::new(ErrorKind::Internal, "the session's rules panicked"));
                state
            }
        }
    }

    /// Does something under the lock, and afterwards, without it, what has to follow.
    #[inline]
    fn with<R>(&self, under_lock: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = under_lock(&mut state);
        let after = state.after();
        drop(state);
        if let Some(after) = after {
            self.finish(after);
        }
        result
    }

    fn finish(&self, after: After) {
        if after.ended {
            self.0.over.store(true, Ordering::Relaxed);
        }
        let mut events = after.events;
        for event in events.drain(..) {
            match event {
                Event::Settled(waiter, key) => self.settled(waiter, key),
                Event::Cancelled(running) => running.cancel(),
                Event::Watched(slot, target) => settle(&slot, target),
                Event::Lifted(slot, held) => self.lifted(&slot, held),
                Event::Retired(retired) => drop(retired),
            }
        }
        // A thread that is ending has no list to keep.
        let _ = SPARE.try_with(|spare| spare.set(events));
        if let Some(driver) = after.driver {
            driver.wake();
        }
        for waker in after.wakers {
            waker.wake();
        }
        drop(after.closed);
    }

    fn settled(&self, waiter: Waiter, key: SlotKey) {
        if let Some(waker) = waiter.waker {
            waker.wake();
        }
        if let Some(forwards) = waiter.forwards {
            self.pass_on_all(*forwards, key);
        }
    }

    #[cold]
    fn pass_on_all(&self, forwards: Vec<Forward>, key: SlotKey) {
        for forward in forwards {
            match forward {
                Forward::Watch(ringer) => drop(ringer),
                Forward::Span(span) => span.ended(self.with(|state| state.session.outcome_in_a_word(key))),
                forward => {
                    let (outcome, schema) = self.outcome(key);
                    pass_on(forward, outcome, schema);
                }
            }
        }
    }

    /// The outcome of a call that has settled, for those it is passed on to.
    fn outcome(&self, key: SlotKey) -> (Outcome<Capability>, Option<&'static Schema>) {
        let polled = self.with(|state| {
            state.session.hold(key);
            let polled = state.session.poll(key);
            state.session.release(key);
            polled
        });
        match polled {
            crate::session::Polled::Settled { outcome, schema, .. } => {
                let mut outcome = self.take_result(key, outcome);
                crate::naming::name_result(&mut outcome);
                (outcome, schema)
            }
            crate::session::Polled::Pending => {
                (Outcome::Failed(Error::new(ErrorKind::Internal, "a call settled and is pending")), None)
            }
        }
    }

    /// Turns the capabilities of an outcome into handles.
    #[inline]
    pub(crate) fn take_outcome(&self, outcome: Outcome<Cap>) -> Outcome<Capability> {
        outcome.map_caps(|cap| self.take_cap(cap))
    }

    /// Turns a capability that came in a message into a handle.
    pub(crate) fn take_cap(&self, cap: Cap) -> Capability {
        let handle = match cap {
            Cap::Hosted(capability) => return capability,
            Cap::Import(key) => self.handle(key, Path::EMPTY),
            Cap::Broken(error) => Handle::broken(error),
            Cap::Pending(id, path) => {
                let (slot, handle) = LocalSlot::new(None, None);
                self.watch((id, path), &slot, false);
                Handle(Repr::LocalCall(handle))
            }
        };
        Capability { handle, interface: None }
    }

    /// Has a slot hear what becomes of a part of an answer of this side, and the answer be given up with the slot.
    fn watch(&self, (id, path): (i64, Path), slot: &Arc<LocalSlot>, ordered: bool) {
        self.with(|state| state.session.watch((id, path), Arc::clone(slot), ordered));
        slot.set_running(Running::Watching(self.clone(), id, Arc::as_ptr(slot) as usize));
    }

    /// What stood in for a capability goes on to it.
    fn lifted(&self, slot: &Arc<LocalSlot>, held: Cap) {
        match held {
            Cap::Pending(id, path) => self.watch((id, path), slot, true),
            held => settle(slot, Ok(self.take_cap(held))),
        }
    }

    /// What is known of a part of a result beside that it is that.
    pub(crate) fn resolve(&self, key: SlotKey, path: &Path) -> Option<Capability> {
        let cap = self.with(|state| state.session.resolve(key, path))?;
        Some(self.take_cap(cap))
    }

    /// An echo of the peer has come as far as the calls before it.
    pub(crate) fn echo_back(&self, id: i64) {
        self.with(|state| {
            state.session.echo_back(id);
            state.look_whether_idle();
        });
    }

    pub(crate) fn set_running(&self, id: i64, running: Running) {
        let refused = self.with(|state| {
            let refused = state.session.set_running(id, running);
            state.look_whether_idle();
            refused
        });
        // The call is over already: for one that was passed on, dropping the promise is all there is to do.
        if let Some(running) = refused {
            running.cancel();
        }
    }

    /// The stub that was made of a promise of the peer is gone.
    pub(crate) fn unwatch(&self, id: i64, watcher: usize) {
        self.with(|state| {
            state.session.unwatch(id, watcher);
            state.look_whether_idle();
        });
    }

    pub(crate) fn complete(&self, id: i64, mut reply: Reply) {
        self.with(|state| {
            state.session.complete(id, &mut reply);
            state.look_whether_idle();
        });
        crate::pool::give(reply.encoded);
    }

    /// Whether the session has ended, as far as this thread has heard.
    #[inline]
    fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }

    /// Why the connection is over, if it is.
    pub fn ended(&self) -> Option<Error> {
        self.lock().session.ended().cloned()
    }

    /// Waits until the connection is over; gives the reason.
    pub async fn closed(&self) -> Error {
        loop {
            let mut ringer = Some(Ringer::default());
            let looked = self.with(|state| match (state.session.ended(), &mut state.closed) {
                (Some(reason), _) => Err(reason.clone()),
                (None, closed) => {
                    Ok(closed.get_or_insert_with(|| ringer.take().unwrap_or_default()).hearing())
                }
            });
            match looked {
                Ok(hearing) => hearing.await,
                Err(reason) => return reason,
            }
        }
    }

    /// Waits until calls can be sent without waiting in line: what a polite caller of many calls does (R5).
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        self.with(|state| {
            if state.session.line_is_empty() || state.session.ended().is_some() {
                return Poll::Ready(());
            }
            wait_in(&mut state.ready, &mut waker);
            Poll::Pending
        })
    }

    /// Waits until a call has left this side's buffers for the transport.
    pub(crate) fn poll_sent(&self, key: SlotKey, cx: &Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        self.with(|state| {
            if state.session.is_sent(key) || state.session.ended().is_some() {
                return Poll::Ready(());
            }
            wait_in(&mut state.sent, &mut waker);
            Poll::Pending
        })
    }

    /// Entries of the two tables: what the peer may refer to here (its calls included), and what this side holds
    /// of the peer.
    pub fn table_sizes(&self) -> (usize, usize) {
        self.lock().session.sizes()
    }

    /// Asks the peer to make no more calls, lets those that run end, and then closes.
    pub fn shutdown(&self) {
        self.with(|state| {
            state.session.leave();
            state.wake_driver = true;
        });
    }

    /// Ends the connection at once: every call of either side that has not ended fails.
    pub fn close(&self, reason: Error) {
        reason.say();
        self.with(|state| {
            state.session.end(reason);
            state.wake_driver = true;
        });
    }
}

impl State {
    /// Something was given up. Nothing is written when that was the main object, or a result that the peer has
    /// forgotten; if it was the last thing held, the driver may close all the same.
    #[inline]
    fn look_whether_idle(&mut self) {
        self.wake_driver |= self.session.is_idle();
    }

    /// Whether there is anything for the driver to do.
    fn wants_driver(&self) -> bool {
        self.wake_driver
            || self.session.ended().is_some()
            || self.session.has_work()
            || (!self.blocked && !self.session.out.is_empty())
    }

    /// What has to follow what was just done, if anything has.
    #[inline]
    fn after(&mut self) -> Option<After> {
        let nothing =
            self.session.events.is_empty() && self.ready.is_empty() && self.session.ended().is_none();
        if nothing && (self.driver.is_none() || !self.wants_driver()) {
            return None;
        }
        self.what_follows()
    }

    #[cold]
    fn what_follows(&mut self) -> Option<After> {
        let driver = if self.wants_driver() { self.driver.take() } else { None };
        // A driver that is awake looks before it goes to sleep.
        self.wake_driver &= driver.is_none();
        let ended = self.session.ended().is_some();
        if driver.is_none() && self.session.events.is_empty() && self.ready.is_empty() && !ended {
            return None;
        }
        let mut wakers = Vec::new();
        if self.session.line_is_empty() || ended {
            wakers.append(&mut self.ready);
        }
        if ended {
            wakers.append(&mut self.sent);
        }
        Some(After {
            events: self.session.take_events(SPARE.try_with(Cell::take).unwrap_or_default()),
            driver,
            wakers,
            ended,
            closed: if ended { self.closed.take() } else { None },
        })
    }
}

/// Adds a waker unless its task waits there already: it may ask as often as it likes. One that is not needed is left
/// to the caller, who drops it without the lock (R14).
fn wait_in(wakers: &mut Vec<Waker>, waker: &mut Option<Waker>) {
    if let Some(new) = waker
        && !wakers.iter().any(|other| other.will_wake(new))
    {
        wakers.extend(waker.take());
    }
}

fn pass_on(forward: Forward, outcome: Outcome<Capability>, schema: Option<&'static Schema>) {
    match forward {
        Forward::Reply(sink, info) => {
            let mut reply = reply_of(outcome);
            reply.schema = reply.schema.or(schema).or(info.map(|info| &info.result));
            sink.send(reply);
        }
        Forward::Part(sink, info, path) => {
            let mut outcome = outcome;
            if let Outcome::Value(answer) = &mut outcome {
                answer.schema = answer.schema.or(schema);
            }
            sink.send(passed_reply(outcome.part(&path), info));
        }
        Forward::Arg(gather, param, path) => gather.fill(param, outcome.arg_at(&path)),
        Forward::Watch(_) | Forward::Span(_) => {}
    }
}

/// The outcome of the promise that a method returned, as the reply of that method.
pub(crate) fn passed_reply(outcome: Outcome<Capability>, info: &'static MethodInfo) -> Reply {
    let mut reply = reply_of(outcome);
    reply.schema = Some(if matches!(reply.status, Status::User(_)) { &info.user } else { &info.result });
    reply
}

/// An outcome of one call as the reply of another.
fn reply_of(outcome: Outcome<Capability>) -> Reply {
    let (status, answer) = match outcome {
        Outcome::Value(answer) => (Status::Value, answer),
        Outcome::User(answer, message) => {
            let unsaid = answer.schema.and_then(Schema::explain).filter(|_| message.is_empty());
            let body = || answer.body.to_bytes(0..answer.body.as_slice().len());
            let said = unsaid.and_then(|explain| explain(&body()));
            (Status::User(said.unwrap_or_else(|| message.to_string())), answer)
        }
        Outcome::Failed(error) => return Reply::failed(error),
    };
    let mut reply = Reply::from_pool();
    reply.status = status;
    reply.schema = answer.schema;
    match answer.body {
        Body::Shared(bytes) if bytes.len() >= crate::codec::SPLICE_FROM => {
            reply.encoded.splices.push((0, bytes));
        }
        body => reply.encoded.bytes.extend_from_slice(body.as_slice()),
    }
    reply.encoded.caps = answer.caps;
    reply
}

/// How a result is walked that is one capability.
static CAPABILITY: LazyLock<Schema> = LazyLock::new(|| Schema::describe(SchemaBuilder::cap));

/// What a promised stub turns out to be. One that turns out to be itself leads nowhere, and would keep itself for ever.
fn settle(slot: &Arc<LocalSlot>, target: Result<Capability, Error>) {
    let target = target.and_then(|target| match leads_to(&target.handle, slot) {
        true => Err(knot()),
        false => Ok(target),
    });
    slot.settle_outcome(promised(target));
}

/// The outcome of a call that gives a stub.
pub(crate) fn promised(target: Result<Capability, Error>) -> Outcome<Capability> {
    match target {
        Ok(capability) => Outcome::Value(Answer {
            body: Body::keep(&[0], None),
            caps: vec![capability],
            schema: Some(&CAPABILITY),
        }),
        Err(error) => Outcome::Failed(error),
    }
}
