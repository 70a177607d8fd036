//! What comes in: one method per message. A frame that the rules forbid ends the session before it has changed
//! anything; the text says what the peer did.

use bytes::Bytes;

use super::answers::{Dependent, Lookup, Parked};
use super::{Cap, Filled, Incoming, IncomingBody, Parts, Session, SlotKey, What};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind, Text};
use crate::limits::{CALL_COST, INITIAL_WINDOW};
use crate::outcome::{Answer, Body, Outcome};
use crate::wire::{CallMessage, Message, Path, VERSION, WireArg, WireCap, decode};

impl<P: Parts> Session<P> {
    /// Handles one frame, without its length field. A call that can be run at once comes back; its arguments are
    /// still in the frame. `owner` is the frame as shared memory, if it is one.
    ///
    /// # Errors
    /// What the peer did that it must not. The session has ended.
    #[inline]
    pub(crate) fn handle_frame(
        &mut self,
        frame: &[u8],
        owner: Option<&Bytes>,
    ) -> Result<Option<Incoming>, Error> {
        if let Some(reason) = self.ended() {
            return Err(reason.clone());
        }
        let result = match decode(frame, &self.limits) {
            Ok(message) => self.handle_message(message, frame, owner),
            Err(error) => Err(error.to_string()),
        };
        self.bound_unsent();
        result.map_err(|text| {
            let text = format!("the peer broke the protocol: {text}");
            self.violated(text.clone());
            Error::new(ErrorKind::Protocol, text)
        })
    }

    #[inline]
    fn handle_message(
        &mut self,
        message: Message<'_>,
        frame: &[u8],
        owner: Option<&Bytes>,
    ) -> Result<Option<Incoming>, String> {
        if !self.greeted && !matches!(message, Message::Hello { .. } | Message::Abort { .. }) {
            return Err("it sent another message before its greeting".to_owned());
        }
        match message {
            Message::Call(call) => return self.handle_call(call, frame, owner),
            Message::Answer { id, user, caps, over, in_pieces, body } => {
                self.check_reply(id)?;
                if let Some(length) = in_pieces {
                    self.check_body_length(frame.len(), length)?;
                }
                let caps = self.take_caps(caps)?;
                if let (Some(length), None) = (in_pieces, over) {
                    self.announce_answer(id, user, caps, length);
                    return Ok(None);
                }
                if let Some(length) = in_pieces {
                    self.announce_call_body(length);
                }
                let answer = Answer { body: Body::keep(body, owner), caps, schema: None };
                let outcome = match over {
                    Some(over) => {
                        self.drop_caps(answer.caps);
                        Outcome::Failed(
                            Error::new(ErrorKind::Limit, over.to_string()).with_may_have_run(true),
                        )
                    }
                    None if user => Outcome::User(answer, Text::EMPTY),
                    None => Outcome::Value(answer),
                };
                self.handle_answer(id, outcome);
            }
            Message::Reject { id, kind, origin, may_have_run, message, user } => {
                self.check_reply(id)?;
                let user = user.map(Bytes::copy_from_slice);
                let error = Error::from_wire(kind, origin, message.to_owned(), may_have_run, user);
                self.handle_answer(id, Outcome::Failed(error));
            }
            Message::Release { id, count } => self.handle_release(id, count)?,
            Message::Finish { id, cancel } => self.handle_finish(id, cancel)?,
            Message::Pull { id } => self.handle_pull(id)?,
            Message::Echo { target, path, over } => {
                return self.handle_echo((target, &path, over), frame.len() + CALL_COST);
            }
            Message::EchoBack { id } => self.handle_echo_back(id)?,
            Message::Credit { bytes } => {
                self.window_left = self.window_left.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
                self.serve_line();
            }
            Message::Goaway { last } => {
                if last < 0 || last > self.sent_calls {
                    return Err(format!("it serves calls up to {last}, which was never made"));
                }
                self.peer_leaving = true;
            }
            Message::Abort { kind, message } => {
                let text = format!("the peer ended the session: {message}");
                self.end(Error::new(kind, text).with_may_have_run(true));
            }
            Message::Ping => self.handle_ping(),
            // It has been noticed that something came, which is all that it says.
            Message::Pong => {}
            Message::Hello { version, window, frame_bytes, name, props } => {
                self.handle_hello(version, window, frame_bytes)?;
                self.ask(name, props);
            }
            Message::Piece { body, bytes } => self.handle_piece(body, bytes)?,
            Message::Discard { body } => self.handle_discard(body)?,
        }
        Ok(None)
    }

    fn handle_hello(&mut self, version: u16, window: u64, frame_bytes: u64) -> Result<(), String> {
        if self.greeted {
            return Err("it greeted twice".to_owned());
        }
        if version != VERSION {
            return Err(format!("it speaks version {version} of the wire, this side speaks {VERSION}"));
        }
        self.greeted = true;
        self.look_at_small_messages();
        self.out.set_answer_room(usize::try_from(window).unwrap_or(usize::MAX));
        let window = i64::try_from(window).unwrap_or(i64::MAX);
        self.peer_window = window;
        self.window_left = self.window_left.saturating_add(window - INITIAL_WINDOW as i64);
        let told = usize::try_from(frame_bytes).unwrap_or(usize::MAX);
        // Our own limit bounds what we send as well: a length field has 32 bits.
        self.peer_frame_bytes = told.min(u32::MAX as usize / 2);
        self.serve_line();
        Ok(())
    }

    #[inline]
    fn handle_call(
        &mut self,
        call: CallMessage<'_>,
        frame: &[u8],
        owner: Option<&Bytes>,
    ) -> Result<Option<Incoming>, String> {
        let length = call.in_pieces.unwrap_or(0);
        self.check_body_length(frame.len(), length)?;
        let cost = frame.len() + length + CALL_COST;
        let id = self.received_calls + 1;
        let (route, in_args) = self.check_call(id, &call, cost)?;
        let mut caps = self.take_caps(call.caps)?;
        self.received_calls = id;
        self.window_used += cost;
        let arriving = call.in_pieces.map(|length| self.announce_call_body(length));
        let refused = Refused { id, flags: call.flags, cost };
        if id > self.last_served {
            let error = Error::new(ErrorKind::ShuttingDown, "this side is shutting down");
            return Ok(self.refuse_call(refused, caps, Vec::new(), error));
        }
        if let Some(over) = call.over {
            let error = Error::new(ErrorKind::Limit, over.to_string());
            return Ok(self.refuse_call(refused, caps, Vec::new(), error));
        }
        let arg_caps = caps.split_off(caps.len() - in_args);
        let later = if arriving.is_some() { later(&call.args) } else { Vec::new() };
        let args = match self.take_args(id, call.args, arg_caps) {
            Ok(args) => args,
            Err(error) => return Ok(self.refuse_call(refused, caps, Vec::new(), error)),
        };
        let target = match &route {
            Target::Here(target) => Some(target.clone()),
            Target::Failed(error) => {
                let error = error.clone();
                return Ok(self.refuse_call(refused, caps, args.filled, error));
            }
            Target::Waits(..) => None,
        };
        if let Some(body) = &arriving {
            self.want_call_body(body, id, later);
        }
        let span = frame.len() - call.body.len()..frame.len();
        let metadata: Option<Box<[u8]>> = (!call.metadata.is_empty()).then(|| call.metadata.into());
        if let (Some(target), true) = (&target, args.waits.is_empty()) {
            let target = target.clone();
            let waits = arriving.is_some() || self.bodies.holds_up(&target);
            let mut incoming = Incoming {
                id,
                flags: call.flags,
                target,
                method: call.method,
                caps,
                filled: args.filled,
                metadata,
                body: IncomingBody::Frame(span),
                cost,
                what: What::Call,
            };
            if !waits && self.ready_is_empty() && self.may_deliver() {
                self.give_credit(cost);
                return Ok(Some(incoming));
            }
            let waiting = self.waiting_caps + incoming.caps();
            if let Err(error) = self.check_waiting_caps(waiting) {
                if let Some(IncomingBody::Arriving(number)) = arriving {
                    self.give_up_call_body(number);
                }
                return Ok(self.refuse_call(refused, incoming.caps, incoming.filled, error));
            }
            incoming.body = arriving.unwrap_or_else(|| IncomingBody::Kept(keep(call.body, owner)));
            self.enqueue(incoming);
            return Ok(None);
        }
        let parked = Parked {
            target,
            method: call.method,
            caps,
            filled: args.filled,
            metadata,
            body: arriving.unwrap_or_else(|| IncomingBody::Kept(keep(call.body, owner))),
            cost,
            waits: Vec::new(),
            what: What::Call,
        };
        self.park_call(id, call.flags, route, args.waits, parked);
        Ok(None)
    }

    /// Looks at everything that a call refers to, before anything is changed: where it goes, and how many of its
    /// capabilities belong to arguments that settled on the way.
    fn check_call(&self, id: i64, call: &CallMessage<'_>, cost: usize) -> Result<(Target, usize), String> {
        self.check_window(cost)?;
        // Calls that it has not given up stay in the tables, so a peer that gives up none is stopped at last.
        if self.kept_calls >= self.max_kept {
            return Err(format!(
                "it has given up none of {} calls; the limit `kept_calls` is {}",
                self.kept_calls, self.max_kept
            ));
        }
        let route = self.find_target(id, call.target, &call.path)?;
        let in_args: usize = call
            .args
            .iter()
            .map(|arg| match arg {
                WireArg::Value { caps, .. } | WireArg::Later { caps, .. } => *caps,
                WireArg::Promise { .. } => 0,
            })
            .sum();
        if in_args > call.caps.len() {
            return Err("its arguments have more capabilities than the call".to_owned());
        }
        for arg in &call.args {
            if let WireArg::Promise { id: on, .. } = arg {
                self.find_earlier(id, *on)?;
            }
        }
        Ok((route, in_args))
    }

    /// Whether the peer may send a call that costs so much.
    #[inline]
    pub(super) fn check_window(&self, cost: usize) -> Result<(), String> {
        // What was started and not told yet is still the peer's to wait for. Its first calls may have crossed our
        // greeting, so a smaller window than the one that it begins with bounds nothing.
        let used = self.window_used + self.credit_due + cost;
        let window = self.limits.window_bytes.max(INITIAL_WINDOW);
        if used > window {
            return Err(format!(
                "it has {used} bytes of calls waiting; the limit `window_bytes` is {window}"
            ));
        }
        Ok(())
    }

    /// Ends a call that will not run, and gives up what came with it.
    fn refuse_call(
        &mut self,
        call: Refused,
        caps: Vec<Cap>,
        args: Vec<Filled>,
        error: Error,
    ) -> Option<Incoming> {
        self.drop_caps(caps);
        self.drop_args(args);
        self.give_credit(call.cost);
        self.refuse(call.id, call.flags, error);
        None
    }

    fn park_call(&mut self, id: i64, flags: u8, route: Target, args: Vec<ArgWait>, mut parked: Parked) {
        if let Err(error) = self.check_parked_room(&parked) {
            let refused = Refused { id, flags, cost: parked.cost };
            if let IncomingBody::Arriving(number) = parked.body {
                self.give_up_call_body(number);
            }
            self.refuse_call(refused, parked.caps, parked.filled, error);
            return;
        }
        let mut dependents = Vec::new();
        if let Target::Waits(key, on, path) = route {
            dependents.push((key, Dependent::Target(id, path)));
            parked.waits.push(on);
        }
        for (key, on, param, path) in args {
            dependents.push((key, Dependent::Arg(id, param, path)));
            parked.waits.push(on);
        }
        self.park(id, flags, parked, dependents);
    }

    /// Whether there is room for one more call that waits for others.
    fn check_parked_room(&self, parked: &Parked) -> Result<(), Error> {
        let over = |text: String| Err(Error::new(ErrorKind::Limit, text));
        let (bytes, window) = (self.parked_bytes + parked.cost, self.limits.window_bytes.max(INITIAL_WINDOW));
        let limit = self.limits.parked_bytes.min(window / 2);
        if bytes > limit {
            return over(format!(
                "{bytes} bytes of calls wait for others; the limit `parked_bytes` is {limit}"
            ));
        }
        let (calls, limit) = (self.parked + 1, self.limits.parked_calls);
        if calls > limit {
            return over(format!("{calls} calls wait for others; the limit `parked_calls` is {limit}"));
        }
        self.check_waiting_caps(self.waiting_caps + parked.caps())
    }

    /// Whether so many capabilities may wait in calls.
    pub(super) fn check_waiting_caps(&self, caps: usize) -> Result<(), Error> {
        let limit = self.limits.waiting_caps;
        if caps > limit {
            let text = format!("{caps} capabilities of calls wait; the limit `waiting_caps` is {limit}");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        Ok(())
    }

    fn find_earlier(&self, id: i64, on: i64) -> Result<Lookup, String> {
        if on >= id {
            return Err(format!("its call {id} refers to its call {on}, which comes later"));
        }
        self.find_answer(on)
    }

    #[inline]
    pub(super) fn find_target(&self, id: i64, target: i64, path: &Path) -> Result<Target, String> {
        if target <= 0 {
            if !path.is_empty() {
                return Err(format!("a path leads from the export {target}; only results have parts"));
            }
            return match self.exports.get(target) {
                Some(target) => Ok(Target::Here(target.clone())),
                None if target == 0 => Ok(Target::Failed(self.no_main())),
                None => Err(format!("it called the export {target}, which it does not hold")),
            };
        }
        match self.find_earlier(id, target)? {
            Lookup::Unsettled(key) => Ok(Target::Waits(key, target, path.clone())),
            Lookup::Settled(key) => Ok(match self.project_target(key, path) {
                Ok(target) => Target::Here(target),
                Err(error) => Target::Failed(error),
            }),
        }
    }

    /// Takes the capabilities of a message into the tables. Checks all before it changes anything.
    #[inline]
    fn take_caps(&mut self, caps: Vec<WireCap>) -> Result<Vec<Cap>, String> {
        if caps.is_empty() {
            return Ok(Vec::new());
        }
        for cap in &caps {
            match cap {
                WireCap::Export(_) => {}
                WireCap::Import(0) => {}
                WireCap::Import(id) => {
                    if self.exports.get(*id).is_none() {
                        return Err(format!("it passed the export {id}, which it does not hold"));
                    }
                }
                WireCap::Answer(id, _) => {
                    self.find_answer(*id)?;
                }
            }
        }
        let mut broken = None;
        Ok(caps.into_iter().map(|cap| one_error(self.take_cap(cap), &mut broken)).collect())
    }

    fn take_cap(&mut self, cap: WireCap) -> Cap {
        match cap {
            WireCap::Export(id) => {
                let held = self.imports.len();
                let key = self.import_capability(id);
                if held >= self.limits.imports && self.imports.len() > held {
                    self.release(key);
                    let (actual, limit) = (held + 1, self.limits.imports);
                    let text =
                        format!("{actual} targets of the peer would be held; the limit `imports` is {limit}");
                    return Cap::Broken(Error::new(ErrorKind::Limit, text));
                }
                Cap::Import(key)
            }
            WireCap::Import(id) => match self.exports.get(id) {
                Some(target) => Cap::Hosted(target.clone()),
                None => Cap::Broken(Error::new(ErrorKind::Unsupported, "this side offers no main object")),
            },
            WireCap::Answer(id, path) => match self.find_answer(id) {
                Ok(Lookup::Unsettled(_)) if self.pins >= self.limits.imports => {
                    let (actual, limit) = (self.pins + 1, self.limits.imports);
                    let text =
                        format!("{actual} promises would be held as stubs; the limit `imports` is {limit}");
                    Cap::Broken(Error::new(ErrorKind::Limit, text))
                }
                Ok(Lookup::Unsettled(_)) => {
                    self.pin(id);
                    Cap::Pending(id, path)
                }
                Ok(Lookup::Settled(key)) => match self.project_target(key, &path) {
                    Ok(target) => Cap::Hosted(target),
                    Err(error) => Cap::Broken(error),
                },
                Err(_) => {
                    Cap::Broken(Error::new(ErrorKind::Disposed, "the call that this builds on is gone"))
                }
            },
        }
    }

    #[inline]
    fn take_args(&mut self, id: i64, args: Vec<WireArg<'_>>, mut caps: Vec<Cap>) -> Result<Args, Error> {
        let mut taken = Args::default();
        let mut failed = None;
        for arg in args {
            match arg {
                WireArg::Value { param, caps: count, body } => {
                    let body = Bytes::copy_from_slice(body);
                    taken.filled.push(Filled { param, body, caps: take_first(&mut caps, count) });
                }
                WireArg::Later { param, caps: count, length: _ } => {
                    let caps = take_first(&mut caps, count);
                    taken.filled.push(Filled { param, body: Bytes::new(), caps });
                }
                WireArg::Promise { param, id: on, path } => match self.find_earlier(id, on) {
                    Ok(Lookup::Unsettled(key)) => taken.waits.push((key, on, param, path)),
                    Ok(Lookup::Settled(key)) => match self.project_arg(key, param, &path) {
                        Ok(filled) => taken.filled.push(filled),
                        Err(error) => failed = failed.or(Some(error)),
                    },
                    Err(text) => failed = failed.or(Some(Error::new(ErrorKind::Disposed, text))),
                },
            }
        }
        match failed {
            None => Ok(taken),
            Some(error) => {
                self.drop_caps(caps);
                self.drop_args(taken.filled);
                Err(error)
            }
        }
    }

    fn drop_args(&mut self, args: Vec<Filled>) {
        for arg in args {
            self.drop_caps(arg.caps);
        }
    }

    /// So many bytes of the peer's calls have started or were refused. Told in batches of half the window.
    #[inline]
    pub(crate) fn give_credit(&mut self, bytes: usize) {
        self.window_used = self.window_used.saturating_sub(bytes);
        self.credit_due += bytes;
        // What is held back must leave room for the longest frame that was allowed, or it would never be sent.
        let room = self.limits.window_bytes.saturating_sub(self.limits.frame_bytes.saturating_add(CALL_COST));
        if self.credit_due > room.min(self.limits.window_bytes / 2) && self.ended().is_none() {
            self.out.credit(self.credit_due as u64);
            self.credit_due = 0;
        }
    }
}

/// A call that will not run.
#[derive(Clone, Copy)]
struct Refused {
    id: i64,
    flags: u8,
    cost: usize,
}

/// Where a call goes.
pub(super) enum Target {
    Here(Capability),
    Waits(SlotKey, i64, Path),
    Failed(Error),
}

#[derive(Default)]
struct Args {
    filled: Vec<Filled>,
    waits: Vec<ArgWait>,
}

/// An argument that is a promise: the answer it is a part of, which call that is, which parameter, which part.
type ArgWait = (SlotKey, i64, u8, Path);

/// Takes the first of a list off its front.
fn take_first(caps: &mut Vec<Cap>, count: usize) -> Vec<Cap> {
    let rest = caps.split_off(count.min(caps.len()));
    std::mem::replace(caps, rest)
}

/// The arguments whose bytes come with the body: their parameters and lengths.
fn later(args: &[WireArg<'_>]) -> Vec<(u8, usize)> {
    let later = |arg: &WireArg<'_>| match arg {
        WireArg::Later { param, length, .. } => Some((*param, *length)),
        _ => None,
    };
    args.iter().filter_map(later).collect()
}

/// Capabilities that are broken for the same reason have one error between them: they are two bytes of a message.
fn one_error(cap: Cap, last: &mut Option<Error>) -> Cap {
    match (cap, &last) {
        (Cap::Broken(error), Some(same)) if error == *same => Cap::Broken(same.clone()),
        (Cap::Broken(error), _) => {
            *last = Some(error.clone());
            Cap::Broken(error)
        }
        (cap, _) => cap,
    }
}

fn keep(body: &[u8], owner: Option<&Bytes>) -> Bytes {
    match owner {
        Some(owner) => owner.slice_ref(body),
        None => Bytes::copy_from_slice(body),
    }
}
