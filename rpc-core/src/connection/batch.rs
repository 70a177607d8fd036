//! Calls that came in together and are run together, without the lock between them.
//!
//! A peer that has many calls under way sends them in a row. Those that can be run at once and have nothing but a
//! body are gathered under one hold of the lock, run one after the other, each answer encoded straight behind the
//! last, and all answers committed under the next hold. Whatever else comes in ends the row, so that the order of
//! frames is the order of deliveries, and of answers.

use bytes::Bytes;

use super::{Connection, Input};
use crate::codec::Capability;
use crate::context::{CallContext, enter};
use crate::dispatch::Args;
use crate::interface::MethodId;
use crate::limits::{BATCH_ANSWERS, BATCH_CALLS};
use crate::outcome::{Reply, Status};
use crate::session::{PlainCall, is_answered_once};
use crate::wire::{begin_plain_answer, end_plain_answer};

/// Calls that were gathered, and the answers to those that were run. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    calls: Vec<Gathered>,
    /// The targets of the calls; mostly there is one.
    targets: Vec<Capability>,
    /// The export id of the last of the targets.
    last: i64,
}

/// One call.
#[derive(Debug)]
struct Gathered {
    id: i64,
    method: MethodId,
    target: u32,
    flags: u8,
    /// Length of its metadata, which ends where its arguments begin.
    metadata: usize,
    /// Where its arguments begin and end in what has come in.
    body: (usize, usize),
    /// The longest body that its answer may have to be written as it is, in bytes.
    longest: usize,
}

impl Gathered {
    #[inline]
    fn metadata<'a>(&self, input: &'a Input) -> &'a [u8] {
        if self.metadata == 0 { &[] } else { input.part(self.body.0 - self.metadata..self.body.0) }
    }
}

impl Batch {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.calls.len() >= BATCH_CALLS
    }

    /// The export id of the target that was added last.
    #[inline]
    pub(super) fn known(&self) -> Option<i64> {
        if self.targets.is_empty() { None } else { Some(self.last) }
    }

    /// Adds a call whose frame ends at `end`.
    #[inline]
    pub(super) fn add(&mut self, call: PlainCall, end: usize, longest: usize) {
        if let Some(target) = call.target {
            self.targets.push(target);
            self.last = call.export;
        }
        let target = self.targets.len().saturating_sub(1) as u32;
        let (id, flags, method) = (call.id, call.flags, MethodId(call.method));
        let (metadata, body) = (call.metadata, (end - call.body, end));
        self.calls.push(Gathered { id, method, target, flags, metadata, body, longest });
    }
}

impl Connection {
    /// Runs the calls that were gathered. Answers that only have to be written are left in `reply`, before its start.
    pub(super) fn run_batch(&self, input: &mut Input, reply: &mut Reply) {
        let mut batch = std::mem::take(&mut input.batch);
        let mut calls = batch.calls.drain(..);
        // Of most of them it is the context: then it is entered once.
        let _within = enter(&CallContext::CALLED);
        while let Some(call) = calls.next() {
            if self.is_over() {
                break;
            }
            let Some(target) = batch.targets.get(call.target as usize) else { break };
            let parts = (call.metadata(input), input.part(call.body.0..call.body.1));
            if !self.run_gathered(&call, target, parts, reply) {
                // Too much is under way: the rest waits.
                for call in calls.by_ref() {
                    let Some(target) = batch.targets.get(call.target as usize) else { break };
                    let body = Bytes::copy_from_slice(input.part(call.body.0..call.body.1));
                    let metadata = call.metadata(input);
                    let beside = ((!metadata.is_empty()).then(|| metadata.into()), body);
                    let target = target.clone();
                    self.with(|state| {
                        state.session.hold_plain((call.id, call.flags), target, call.method.0, beside)
                    });
                }
            }
        }
        drop(calls);
        batch.targets.clear();
        input.batch = batch;
    }

    /// Runs one call of a batch. `false`: no more may be run now.
    #[inline]
    fn run_gathered(
        &self,
        call: &Gathered,
        target: &Capability,
        (metadata, body): (&[u8], &[u8]),
        reply: &mut Reply,
    ) -> bool {
        let begun = reply.encoded.bytes.len();
        begin_plain_answer(&mut reply.encoded.bytes, call.id);
        reply.start = reply.encoded.bytes.len();
        let args = Args::Plain { body, present: 0 };
        let read;
        let context = if metadata.is_empty() {
            &CallContext::CALLED
        } else {
            read = CallContext::read(metadata);
            &read
        };
        let ended = self.run((call.id, call.flags), target, call.method, (args, context), reply);
        let plain = ended
            && matches!(reply.status, Status::Value)
            && is_answered_once(call.flags)
            && reply.encoded.is_plain()
            && reply.encoded.bytes.len() - reply.start <= call.longest;
        if plain {
            end_plain_answer(&mut reply.encoded.bytes, begun);
            reply.start = reply.encoded.bytes.len();
            return reply.start < BATCH_ANSWERS || self.commit(reply);
        }
        let mut own = reply.split_off(begun);
        reply.start = begun;
        if !ended {
            crate::pool::give(own.encoded);
            return true;
        }
        let goes_on = self.with(|state| {
            state.session.answer_plain(&reply.encoded.bytes);
            state.session.complete_inline(call.id, call.flags, &mut own);
            state.session.may_deliver()
        });
        reply.reset();
        crate::pool::give(own.encoded);
        goes_on
    }

    /// Commits the answers that are in `reply`, and tells whether another call may be run.
    fn commit(&self, reply: &mut Reply) -> bool {
        let go_on = self.with(|state| {
            state.session.answer_plain(&reply.encoded.bytes);
            state.session.may_deliver()
        });
        reply.reset();
        go_on
    }
}
