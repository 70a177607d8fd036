//! The pure rules of one connection: two tables, ids, order, limits. No I/O, no clock, no task, no waker, and no
//! foreign code, not even a user's `Drop`.
//!
//! [`Session`] is driven by four kinds of methods: *getters*; *`handle_frame`* for what came from the peer; plain
//! verbs for what this side wants ([`call`](Session::call), [`complete`](Session::complete),
//! [`release`](Session::release) …); and *`take_*`/`next_*`* for what must happen next: after every use,
//! [`take_events`](Session::take_events) says whom to wake and what to drop, [`next_ready`](Session::next_ready)
//! which call to run. What is appended to [`out`](Session::out) is written by the driver.
//!
//! Ids are as in `PROTOCOL.md`: the n-th call that a side sends is its import n (nothing about that is on the
//! wire), exports count down from -1, and 0 is the main object. Ids are never reused.

mod answers;
mod bodies;
#[cfg(feature = "introspection")]
mod books;
mod embargo;
mod event;
mod exports;
mod greeting;
mod handles;
mod health;
mod holds;
mod ids;
mod imports;
mod incoming;
mod line;
mod liveness;
mod plain;
mod queues;
mod room;
mod routes;
mod settling;
mod sites;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(crate) use answers::AnswerEntry;
pub(crate) use bodies::Space;
pub(crate) use embargo::Embargo;
pub(crate) use event::{Cap, Event, Filled, Incoming, IncomingBody, Parts, Place, TargetKey, What};
pub(crate) use exports::Exports;
pub use greeting::Greeting;
pub(crate) use health::Health;
pub(crate) use ids::{IdMap, Slab, SlotKey};
pub(crate) use imports::{Called, Import, Polled};
pub(crate) use line::{InLine, Lined};
pub(crate) use plain::{PlainCall, is_answered_once};
pub(crate) use room::{Room, Taken};
use sites::Sites;

use bodies::Bodies;

#[cfg(any(test, fuzzing))]
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::limits::{INITIAL_WINDOW, Limits, MAX_KEPT};
use crate::wire::{Mark, Out, Path};

/// Where in its life a session is.
#[derive(Debug)]
pub(crate) enum Phase {
    Open,
    /// Over, for this reason. Every call fails with it.
    Ended(Error),
}

/// The rules and tables of one connection.
pub(crate) struct Session<P: Parts> {
    pub(crate) id: u64,
    pub(crate) limits: Limits,
    pub(crate) phase: Phase,
    pub(crate) out: Out,
    pub(crate) events: Vec<Event<P>>,
    // What the peer lets us call.
    imports: Slab<Import<P>>,
    import_calls: IdMap,
    import_caps: HashMap<i64, SlotKey>,
    /// The id of the last call that we sent.
    sent_calls: i64,
    unanswered: usize,
    unread_bytes: usize,
    line: VecDeque<InLine<P>>,
    line_bytes: usize,
    /// The paths on which calls in line go to calls in line.
    lined_on: HashMap<SlotKey, Box<Vec<Path>>>,
    /// What calls of ours may not go to yet, by the ids of the echoes that say when they may (R4).
    embargoes: HashMap<i64, Embargo<P>>,
    /// Room for the calls that wait for this.
    room: Arc<Room>,
    /// What stands in for the targets of embargoes that are lifted when their turn has come, by number.
    lifts: HashMap<u64, P::Watcher>,
    last_lift: u64,
    /// Bytes of calls that the peer's window still has room for.
    window_left: i64,
    /// The whole of the peer's window, once it has told.
    peer_window: i64,
    peer_frame_bytes: usize,
    peer_leaving: bool,
    // What we let the peer call.
    exports: Exports,
    answers: Slab<AnswerEntry<P>>,
    answer_ids: IdMap,
    /// The id of the last call that the peer sent.
    received_calls: i64,
    ready: VecDeque<Incoming>,
    /// Bodies of the peer that come in pieces.
    bodies: Bodies,
    running: usize,
    /// How many may run.
    running_most: usize,
    /// Bytes of those that run and are long, and which those are.
    running_bytes: usize,
    long_runs: HashMap<i64, usize>,
    parked: usize,
    parked_bytes: usize,
    /// Capabilities of calls that are parked or ready.
    waiting_caps: usize,
    kept_bytes: usize,
    /// Capabilities of answers that are kept.
    kept_caps: usize,
    /// Calls that the peer has not given up, and how many of them there may be.
    kept_calls: usize,
    max_kept: usize,
    /// Stubs of this side that are made of answers which have not settled.
    pins: usize,
    /// Answers of which a hold was given back, and whether somebody is looking after them.
    loose: Vec<SlotKey>,
    loosening: bool,
    /// Bytes of the peer's calls that are in our window.
    window_used: usize,
    credit_due: usize,
    /// Bytes of answers that the driver has taken and not yet written.
    writing_answers: usize,
    /// Where the last pong stands in what was sent.
    ponged: Option<Mark>,
    greeted: bool,
    /// The peer has greeted, and nothing stands against the short way of small calls.
    plain: bool,
    leaving: bool,
    /// The peer has closed its direction in peace, and calls that it detached still run.
    farewell: Option<Error>,
    /// The last call of the peer that is still served, once this side is leaving.
    last_served: i64,
    /// Where what is in the tables comes from, if that is recorded.
    sites: Option<Box<Sites>>,
}

impl<P: Parts> Session<P> {
    /// A session that offers `main` as object 0. The greeting is in `out` already.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn new(id: u64, limits: Limits, main: Option<Capability>, wanted: &str) -> Self {
        let greeting = Greeting { name: wanted.to_owned(), props: String::new() };
        Self::open(id, limits, Exports::new(main), &greeting)
    }

    /// A session with these exports, which wants something of its peer. The greeting is in `out` already.
    pub(crate) fn open(id: u64, limits: Limits, exports: Exports, wanted: &Greeting) -> Self {
        let mut out = Out::default();
        out.hello(limits.window_bytes, limits.frame_bytes, &wanted.name, &wanted.props);
        Self {
            id,
            peer_frame_bytes: limits.frame_bytes,
            room: Arc::new(Room::new(limits.parked_bytes)),
            running_most: limits.running_calls,
            limits,
            phase: Phase::Open,
            out,
            events: Vec::new(),
            imports: Slab::new(),
            import_calls: IdMap::default(),
            import_caps: HashMap::new(),
            sent_calls: 0,
            unanswered: 0,
            unread_bytes: 0,
            line: VecDeque::new(),
            line_bytes: 0,
            lined_on: HashMap::new(),
            embargoes: HashMap::new(),
            lifts: HashMap::new(),
            last_lift: 0,
            window_left: INITIAL_WINDOW as i64,
            peer_window: i64::MAX,
            peer_leaving: false,
            exports,
            answers: Slab::new(),
            answer_ids: IdMap::default(),
            received_calls: 0,
            ready: VecDeque::new(),
            bodies: Bodies::default(),
            running: 0,
            running_bytes: 0,
            long_runs: HashMap::new(),
            parked: 0,
            parked_bytes: 0,
            waiting_caps: 0,
            kept_bytes: 0,
            kept_caps: 0,
            kept_calls: 0,
            max_kept: MAX_KEPT,
            pins: 0,
            loose: Vec::new(),
            loosening: false,
            window_used: 0,
            credit_due: 0,
            writing_answers: 0,
            ponged: None,
            greeted: false,
            plain: false,
            leaving: false,
            farewell: None,
            last_served: i64::MAX,
            sites: None,
        }
    }

    /// What must happen outside the lock, in this order.
    pub(crate) fn take_events(&mut self, spare: Vec<Event<P>>) -> Vec<Event<P>> {
        std::mem::replace(&mut self.events, spare)
    }

    /// Why the session is over, if it is.
    #[inline]
    pub(crate) fn ended(&self) -> Option<&Error> {
        match &self.phase {
            Phase::Open => None,
            Phase::Ended(reason) => Some(reason),
        }
    }

    /// Calls that have not been answered, and those that wait to be sent.
    pub(crate) fn calls_in_flight(&self) -> usize {
        self.unanswered + self.line.len()
    }

    /// Whether calls made now are served, as far as is known.
    pub(crate) fn takes_calls(&self) -> bool {
        self.ended().is_none() && !self.peer_leaving && !self.leaving
    }

    /// Entries of the two tables: what the peer may call of us without its main object, and what we hold.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.exports.len() + self.answers.len(), self.imports.len())
    }

    /// Whether nothing keeps this connection: we hold nothing of the peer, the peer holds nothing of us but the
    /// main object, nothing runs and nothing waits to be written (R17b). One that was never used is waited for.
    pub(crate) fn is_idle(&self) -> bool {
        self.imports.len() == 0
            && self.exports.len() == 0
            && self.answers.len() == 0
            && self.is_quiet()
            && (self.imports.was_used() || self.received_calls > 0)
    }

    /// Whether nothing is in flight in either direction. What the peer holds of calls that have ended is not.
    pub(crate) fn is_quiet(&self) -> bool {
        self.unanswered == 0
            && self.embargoes.is_empty()
            && self.line.is_empty()
            && self.ready.is_empty()
            && self.running == 0
            && self.bodies.is_empty()
            && self.out.is_empty()
    }

    /// Whether this side may close its direction: it is leaving, and nothing is in flight. The side that connected
    /// leaves when nothing keeps it.
    pub(crate) fn may_close(&mut self, connecting: bool) -> bool {
        if connecting && self.is_idle() {
            self.leave();
        }
        self.leaving && self.is_quiet()
    }

    /// The peer will send nothing more, for this reason. If it has said so before, the calls that it detached run to
    /// their end, and the session ends with the last of them; else it ends now.
    pub(crate) fn peer_closed(&mut self, reason: Error) {
        if !self.peer_leaving || self.ended().is_some() {
            return self.end(reason);
        }
        self.lift_in_peace();
        self.end_imports(&reason);
        self.give_up_bodies();
        self.farewell = Some(reason);
        self.keep_detached();
        self.end_after_last();
    }

    /// Ends the session if it only went on for detached calls, and they are over.
    fn end_after_last(&mut self) {
        if self.running == 0
            && self.ready.is_empty()
            && let Some(reason) = self.farewell.take()
        {
            self.end(reason);
        }
    }

    /// Asks the peer to make no more calls; those above the last one received are refused, did not run.
    pub(crate) fn leave(&mut self) {
        if !self.leaving && self.ended().is_none() {
            self.leaving = true;
            self.last_served = self.received_calls;
            self.out.goaway(self.received_calls);
        }
    }

    /// Ends the session: every promise settles with `reason`, every target of ours is given up, every running
    /// method is cancelled.
    pub(crate) fn end(&mut self, reason: Error) {
        if self.ended().is_some() {
            return;
        }
        let lost = if reason.kind() == ErrorKind::Disconnected {
            reason
        } else {
            Error::new(reason.kind(), reason.said().to_owned()).with_may_have_run(true)
        };
        self.phase = Phase::Ended(lost.clone());
        self.end_imports(&lost);
        self.end_exports();
        self.end_bodies();
    }

    /// The peer broke the rules: tells it, then ends.
    pub(crate) fn violated(&mut self, text: String) {
        let error = Error::new(ErrorKind::Protocol, text);
        self.out.abort(&error);
        self.end(error);
    }

    /// The driver took everything from `out`: so many bytes of answers are on their way.
    pub(crate) fn set_writing_answers(&mut self, bytes: usize) {
        self.writing_answers = bytes;
    }

    /// Bytes that the peer has caused and that the transport has not taken.
    #[inline]
    pub(crate) fn unsent_answers(&self) -> usize {
        self.writing_answers + self.out.answer_bytes()
    }

    /// Ends the session of a peer that lets answers pile up.
    pub(crate) fn bound_unsent(&mut self) {
        let (unsent, limit) = (self.unsent_answers(), self.limits.unsent_answer_bytes_hard);
        if unsent > limit {
            let text = format!(
                "the peer does not read: {unsent} bytes wait for it; the limit `unsent_answer_bytes_hard` is {limit}"
            );
            self.end(Error::new(ErrorKind::Limit, text));
        }
    }

    /// Whether a call that had to wait can be run now.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() && self.may_deliver()
    }

    /// Whether another method may be started now (R6).
    #[inline]
    pub(crate) fn may_deliver(&self) -> bool {
        self.running < self.running_most && self.unsent_answers() < self.limits.unsent_answer_bytes
    }
}

#[cfg(any(test, fuzzing, feature = "introspection"))]
impl<P: Parts> Session<P> {
    /// Panics if the books of the session are wrong.
    pub(crate) fn check(&self) {
        self.check_imports();
        self.check_answers();
        self.check_line();
        self.check_bodies();
    }

    /// Panics if a session whose tables are empty still counts something.
    pub(crate) fn check_empty(&self) {
        let counted = [self.unanswered, self.unread_bytes, self.line_bytes, self.running, self.parked_bytes];
        assert_eq!((counted, self.kept_bytes, self.pins, self.window_used), ([0; 5], 0, 0, 0));
        assert_eq!((self.embargoes.len(), self.lifts.len(), self.lined_on.len()), (0, 0, 0));
        assert_eq!(self.room.used(), 0);
        self.check_empty_bodies();
        let others =
            [self.parked, self.waiting_caps, self.kept_caps, self.running_bytes, self.long_runs.len()];
        assert_eq!(others, [0; 5]);
    }
}

#[cfg(test)]
mod tests;
