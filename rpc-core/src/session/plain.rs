//! The short way of small calls: no capabilities, no promises, nothing that has to wait. It does what the general
//! way does, in fewer steps; whatever is out of the ordinary is left to that one.

use bytes::Bytes;

use super::answers::Lookup;
use super::imports::{State, Waiting};
use super::routes::Route;
use super::{Event, Import, Incoming, IncomingBody, Parts, Session, SlotKey, What};
use crate::codec::{Capability, Encoded};
use crate::limits::{CALL_COST, INITIAL_WINDOW, MAX_KEPT};
use crate::outcome::Body;
use crate::schema::Schema;
use crate::wire::{Path, flag, plain_answer, plain_call};

/// Longest body that goes this way, in bytes.
const SHORT: usize = 8 * 1024;
/// The most that such a call takes beside its body and its metadata, in bytes.
const PLAIN_HEAD: usize = 34;

/// A call that can be run and has nothing but a body.
pub(crate) struct PlainCall {
    pub(crate) id: i64,
    pub(crate) flags: u8,
    /// The id of its target: an export, or an answer.
    pub(crate) export: i64,
    /// The target, unless it was known.
    pub(crate) target: Option<Capability>,
    pub(crate) method: u64,
    /// Length of the metadata in bytes; it ends where the body begins.
    pub(crate) metadata: usize,
    /// Length of the body in bytes; it ends where the frame ends.
    pub(crate) body: usize,
}

impl<P: Parts> Session<P> {
    /// Sends a call on a capability of the peer. `None`: nothing was done, it is not such a call.
    #[inline]
    pub(crate) fn call_plain(
        &mut self,
        target: SlotKey,
        method: u64,
        encoded: &Encoded,
        schema: &'static Schema,
    ) -> Option<SlotKey> {
        let bytes = encoded.bytes.len() + encoded.metadata.len() + PLAIN_HEAD;
        let room = self.unanswered < self.limits.calls_in_flight
            && self.imports.len() < self.limits.imports.min(MAX_KEPT)
            && bytes < self.peer_frame_bytes;
        if !encoded.is_plain()
            || bytes > SHORT
            || !room
            || self.peer_leaving
            || self.ended().is_some()
            || !self.may_send(bytes)
        {
            return None;
        }
        let target = match self.imports.get(target)?.state {
            State::Capability { id, .. } => id,
            State::Waiting(_) => match self.route(target, &Path::EMPTY) {
                Ok(Route::Wire(id, _)) => id,
                _ => return None,
            },
            _ => return None,
        };
        let id = self.sent_calls + 1;
        self.sent_calls = id;
        let (mark, length) = if encoded.metadata.is_empty() {
            self.out.plain_call(flag::SEND, target, method, &encoded.bytes)
        } else {
            self.out.plain_call_with(flag::SEND, (target, method), &encoded.metadata, &encoded.bytes)
        };
        self.window_left -= (length + CALL_COST) as i64;
        self.unanswered += 1;
        let key = self.imports.insert(Import::waiting(schema, Waiting::sent(id, mark)));
        self.import_calls.insert(id, key);
        Some(key)
    }

    /// Settles a call of ours with a value. `false`: nothing was done.
    #[inline]
    pub(crate) fn settle_plain(&mut self, frame: &[u8], owner: Option<&Bytes>) -> bool {
        let Some((id, body)) = plain_answer(frame) else { return false };
        if !self.plain {
            return false;
        }
        let Some(key) = self.import_calls.get(id) else { return false };
        let unread = self.unread_bytes + body.len();
        let Some(import) = self.imports.get_mut(key) else { return false };
        let State::Waiting(waiting) = &import.state else { return false };
        if !waiting.is_plain() || unread > self.limits.unread_result_bytes {
            return false;
        }
        let forget = waiting.forget;
        let waiter = std::mem::take(&mut import.waiter);
        import.state = State::Value { id, forget, body: Body::keep(body, owner) };
        self.unread_bytes = unread;
        self.unanswered = self.unanswered.saturating_sub(1);
        if forget {
            self.import_calls.remove(id);
        }
        self.events.push(Event::Settled(waiter, key));
        true
    }

    /// Takes the value of a call that has settled with one, together with its slot, for the sole handle on it.
    #[inline]
    pub(crate) fn take_plain(&mut self, key: SlotKey) -> Option<(Body, Option<&'static Schema>)> {
        // Nothing of anybody else is in it: the waiter was taken when it settled.
        let (id, forget, body, schema) = self.imports.take_from(key, |import| match &mut import.state {
            State::Value { id, forget, body } if import.handles == 1 => {
                Some((*id, *forget, std::mem::replace(body, Body::EMPTY), import.schema))
            }
            _ => None,
        })?;
        self.unread_bytes = self.unread_bytes.saturating_sub(body.as_slice().len());
        if !forget {
            self.import_calls.remove(id);
            if self.ended().is_none() {
                self.out.finish(id, false);
            }
        }
        Some((body, schema))
    }

    /// A call on an export or a settled answer of ours that can be run at once, beside `gathered` others that will be. Its target comes
    /// with it unless it is `known`. `None`: nothing was done, and the frame is one for
    /// [`handle_frame`](Self::handle_frame).
    #[inline]
    pub(crate) fn accept_plain(
        &mut self,
        frame: &[u8],
        gathered: usize,
        known: Option<i64>,
    ) -> Option<PlainCall> {
        let (flags, export, method, metadata, body) = plain_call(frame)?;
        let cost = frame.len() + CALL_COST;
        let window = self.limits.window_bytes.max(INITIAL_WINDOW);
        let id = self.received_calls + 1;
        if !self.plain
            || !self.ready_is_empty()
            || self.running + gathered >= self.running_most
            || self.unsent_answers() >= self.limits.unsent_answer_bytes
            || self.window_used + self.credit_due + cost > window
            || self.kept_calls + gathered >= self.max_kept
            || id > self.last_served
        {
            return None;
        }
        let target = if known == Some(export) {
            None
        } else if export <= 0 {
            Some(self.exports.get(export)?.clone())
        } else {
            Some(self.settled_target(export)?)
        };
        self.received_calls = id;
        self.window_used += cost;
        self.give_credit(cost);
        Some(PlainCall { id, flags, export, target, method, metadata, body: frame.len() - body })
    }

    /// What the peer's call of this id returned, if that is a target and the call has ended.
    fn settled_target(&self, id: i64) -> Option<Capability> {
        match self.find_answer(id) {
            Ok(Lookup::Settled(key)) => self.project_target(key, &Path::EMPTY).ok(),
            _ => None,
        }
    }

    /// Answers calls that ended inside the driver's loop and that their caller will not refer to, by whole frames.
    #[inline]
    pub(crate) fn answer_plain(&mut self, frames: &[u8]) {
        if !frames.is_empty() && self.ended().is_none() {
            self.out.plain_answers(frames);
            self.bound_unsent();
        }
        self.end_after_last();
    }

    /// The longest body that an answer may have to be one of these, in bytes.
    #[inline]
    pub(crate) fn longest_plain(&self) -> usize {
        SHORT.min(self.peer_frame_bytes.saturating_sub(64))
    }

    /// A call that was accepted has to wait after all: too much is under way.
    pub(crate) fn hold_plain(
        &mut self,
        (id, flags): (i64, u8),
        target: Capability,
        method: u64,
        (metadata, body): (Option<Box<[u8]>>, Bytes),
    ) {
        let body = IncomingBody::Kept(body);
        // What it cost of the window was given back when it was accepted.
        self.enqueue(Incoming {
            id,
            flags,
            target,
            method,
            caps: Vec::new(),
            filled: Vec::new(),
            metadata,
            body,
            cost: 0,
            what: What::Call,
        });
    }
}

/// Whether the caller of a call with these flags gets an answer and never refers to it.
#[inline]
pub(crate) fn is_answered_once(flags: u8) -> bool {
    flags & (flag::SEND | flag::FORGET) == flag::SEND | flag::FORGET
}
