//! What a driver does with a connection: feed it bytes, let it run calls, take its output.

use std::task::Waker;

use super::input::{Found, Input};
use super::piece::PieceHead;
use super::{Connection, State};
use crate::codec::{Capability, Encoded, FilledArg, SPLICE_FROM};
use crate::context::{CallContext, is_traced};
use crate::dispatch::{Args, Call, Delivered, ReplyTo, Step, deliver};
use crate::error::{Error, ErrorKind};
use crate::handle::Repr;
use crate::interface::{MethodId, MethodInfo};
use crate::limits::{TURN_CHECK, TURN_FRAMES, TURN_OUTPUT};
use crate::local::Parked;
use crate::naming::name_args;
use crate::outcome::Reply;
use crate::session::{Cap, Filled, Incoming, IncomingBody, What};
use crate::sink::Sink;
use crate::wire::Segment;

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Turned {
    /// Everything that came in was handled.
    NeedInput,
    /// There is more to do: write, let others run, and take another turn.
    Yield,
    /// The session is over.
    Ended,
}

enum Next {
    Batch,
    Deliver(Incoming),
    /// A piece of a large body has begun: what has come of it goes to its place.
    Piece,
    /// The peer has said what it wants.
    Asked,
    Turned(Turned),
}

impl Connection {
    /// Handles frames and runs calls until there is no whole frame left, or for a bounded while (R6). Now and then it
    /// asks whether that is `enough`: it has no clock.
    pub fn turn(&self, input: &mut Input, mut enough: impl FnMut() -> bool) -> Turned {
        let mut reply = Reply::from_pool();
        let mut done = None;
        let mut budget = TURN_FRAMES;
        let mut check = TURN_FRAMES - TURN_CHECK;
        let mut most_output = None;
        if input.piece.is_some() {
            self.read_piece(input);
        }
        loop {
            let next = self.with(|state| {
                // What the transport has not taken of earlier turns does not end this one: reading never waits for
                // writing.
                let most_output = *most_output.get_or_insert(state.session.out.total() + TURN_OUTPUT);
                if let Some((id, flags)) = done.take() {
                    state.session.complete_inline(id, flags, &mut reply);
                }
                if reply.start > 0 {
                    state.session.answer_plain(&reply.encoded.bytes);
                }
                next(state, input, &mut budget, most_output)
            });
            reply.reset();
            match next {
                Next::Turned(turned) => {
                    crate::pool::give(reply.encoded);
                    return turned;
                }
                Next::Batch => self.run_batch(input, &mut reply),
                Next::Piece => self.read_piece(input),
                Next::Asked => self.look_up(),
                Next::Deliver(incoming) => done = self.deliver(incoming, input, &mut reply),
            }
            if budget <= check {
                check = budget.saturating_sub(TURN_CHECK);
                if enough() {
                    budget = 0;
                }
            }
        }
    }

    /// Runs one call. With a result, `reply` is the reply to it.
    #[inline]
    fn deliver(&self, incoming: Incoming, input: &Input, reply: &mut Reply) -> Option<(i64, u8)> {
        let Incoming { id, flags, target, method, caps, filled, metadata, body, cost: _, what } = incoming;
        if what != What::Call {
            self.echo(id, &target);
            return None;
        }
        let caps = self.take_caps(caps);
        let filled = self.take_filled(filled);
        if !caps.is_empty() && crate::sites::recording() {
            self.note_received(&caps, &target, MethodId(method));
        }
        let kept;
        let (body, owner) = match body {
            IncomingBody::Frame(span) => {
                let (frame, owner) = input.frame();
                (frame.get(span).unwrap_or_default(), owner)
            }
            IncomingBody::Kept(bytes) => {
                kept = bytes;
                (&kept[..], Some(&kept))
            }
            // A call is not given out before its body is there.
            IncomingBody::Arriving(_) => (&[][..], None),
        };
        let args = Args::Wire { body, owner, present: 0, caps, filled };
        let context = metadata.map(|metadata| CallContext::read(&metadata));
        let context = context.as_ref().unwrap_or(&CallContext::CALLED);
        self.run((id, flags), &target, MethodId(method), (args, context), reply).then_some((id, flags))
    }

    /// Runs a call where its target lives. `true`: `reply` is the reply to it.
    #[inline]
    pub(super) fn run(
        &self,
        (id, flags): (i64, u8),
        target: &Capability,
        method: MethodId,
        (args, context): (Args<'_>, &CallContext),
        reply: &mut Reply,
    ) -> bool {
        let bytes = args.len();
        let Repr::Local(local) = &target.handle.0 else {
            let (body, owner, mut caps, mut filled) = match args {
                Args::Wire { body, owner, caps, filled, .. } => (body, owner, caps, filled),
                Args::Plain { body, .. } => (body, None, Vec::new(), Vec::new()),
                Args::Typed(_) | Args::Taken => return false,
            };
            let found = target.interface.and_then(|interface| {
                let (index, present) = interface.find(method).ok()?;
                Some((interface.method(index)?, present))
            });
            if let Some((info, present)) = found {
                name_args(info, present, body, &mut caps, &mut filled);
            }
            // A long one is passed on without being copied.
            let shared = owner.filter(|_| body.len() >= SPLICE_FROM);
            self.pass_on(
                self.running_sink(id, flags, bytes),
                target,
                (method, found.map(|(info, _)| info)),
                Box::new(Encoded {
                    bytes: if shared.is_some() { Vec::new() } else { body.to_vec() },
                    splices: shared.map(|owner| (0, owner.slice_ref(body))).into_iter().collect(),
                    caps,
                    filled,
                    context: context.clone(),
                    ..Encoded::default()
                }),
            );
            return false;
        };
        let found = match local.target().find(method) {
            Ok(found) => found,
            Err(error) => {
                reply.fail(error);
                return true;
            }
        };
        let traced;
        let context = if is_traced() {
            traced = context.traced(local.target().interface().name, found.info, bytes);
            &traced
        } else {
            context
        };
        let mut call = Call {
            info: found.info,
            args: args.with_present(found.present),
            reply: ReplyTo::Encode(reply),
            step: Step::Idle,
            context,
        };
        let mut make_sink = || self.running_sink(id, flags, bytes);
        let _driving = crate::waiting::driving(self.id());
        match deliver(local.target(), found, &mut call, &mut make_sink) {
            Delivered::Done => {
                context.ended(&reply.status);
                true
            }
            Delivered::Reply(ready) => {
                context.ended(&ready.status);
                reply.take_over(ready);
                true
            }
            Delivered::Elsewhere => false,
        }
    }

    #[inline]
    fn take_caps(&self, caps: Vec<Cap>) -> Vec<Capability> {
        if caps.is_empty() {
            return Vec::new();
        }
        caps.into_iter().map(|cap| self.take_cap(cap)).collect()
    }

    #[inline]
    fn take_filled(&self, filled: Vec<Filled>) -> Vec<FilledArg> {
        if filled.is_empty() {
            return Vec::new();
        }
        let take =
            |arg: Filled| FilledArg { param: arg.param, body: arg.body, caps: self.take_caps(arg.caps) };
        filled.into_iter().map(take).collect()
    }

    pub(super) fn running_sink(&self, id: i64, flags: u8, bytes: usize) -> Sink {
        self.with(|state| state.session.running(id, flags, bytes));
        Sink::connection(self.clone(), id)
    }

    /// Passes a call on to where its target lives.
    fn pass_on(
        &self,
        sink: Sink,
        target: &Capability,
        (method, info): (MethodId, Option<&'static MethodInfo>),
        encoded: Box<Encoded>,
    ) {
        target.handle.send(Parked::call(method, info, encoded, sink));
    }

    /// Sends an echo of the peer after the calls that went to its target.
    fn echo(&self, id: i64, target: &Capability) {
        self.with(|state| state.session.echo_runs(id));
        target.handle.send(Parked::echo(Sink::echo(self.clone(), id)));
    }

    /// Takes everything that waits to be written into `segment`, which must have been written. Tells whether
    /// there is anything.
    pub fn take_output(&self, segment: &mut Segment) -> bool {
        let (waits, sent) = self.with(|state| {
            state.session.serve_line();
            let waits = !state.session.out.is_empty();
            if waits {
                state.session.out.swap(segment);
            }
            state.session.set_writing_answers(if waits { segment.answer_bytes } else { 0 });
            (waits, if waits { std::mem::take(&mut state.sent) } else { Vec::new() })
        });
        for waker in sent {
            waker.wake();
        }
        waits
    }

    /// Registers the driver to be woken when there is something to do. Tells whether there is already; then a turn
    /// is due, and writing. With `blocked` the transport takes nothing for now.
    pub fn sleep(&self, waker: &Waker, blocked: bool) -> bool {
        let waker = waker.clone();
        let (awake, old) = self.with(|state| {
            state.blocked = blocked;
            let awake = state.wants_driver();
            state.wake_driver = false;
            (awake, if awake { Some(waker) } else { state.driver.replace(waker) })
        });
        drop(old);
        awake
    }

    /// Whether this side may close its direction: nothing is in flight, and it is leaving. The side that connected
    /// leaves when nothing keeps the connection open (R17b).
    pub fn may_close(&self, connecting: bool) -> bool {
        self.with(|state| state.session.may_close(connecting))
    }

    /// The peer has closed its direction. Tells whether calls that it detached still run: then the driver stays until
    /// the connection has ended.
    pub fn input_ended(&self) -> bool {
        self.with(|state| {
            state.session.peer_closed(Error::new(ErrorKind::Disconnected, "the peer closed the connection"));
            state.session.ended().is_none()
        })
    }

    /// The transport has ended. Whatever waits fails as disconnected.
    pub fn transport_ended(&self, error: Option<&std::io::Error>) {
        let text = match error {
            Some(error) => format!("the connection was lost: {error}"),
            None => "the peer closed the connection".to_owned(),
        };
        self.close(Error::new(ErrorKind::Disconnected, text));
        // Nobody will write it any more, while handles may keep the connection for long.
        let mut unwritten = Segment::default();
        self.with(|state| state.session.out.swap(&mut unwritten));
        drop(unwritten);
    }
}

/// The next call to run, or why there is none.
#[inline]
fn next(state: &mut State, input: &mut Input, budget: &mut usize, most_output: usize) -> Next {
    loop {
        if state.session.ended().is_some() {
            return Next::Turned(Turned::Ended);
        }
        if *budget == 0 || state.session.out.total() >= most_output {
            return if input.batch.is_empty() { Next::Turned(Turned::Yield) } else { Next::Batch };
        }
        if let Some(incoming) = state.session.next_ready() {
            *budget -= 1;
            return Next::Deliver(incoming);
        }
        match input.next_frame(state.session.longest_frame()) {
            Ok(Found::Frame) => {}
            Ok(Found::Later) => return Next::Batch,
            Ok(Found::Nothing) => {
                return match input.piece_ahead() {
                    Some(piece) => begin_piece(state, input, piece),
                    None => Next::Turned(Turned::NeedInput),
                };
            }
            Err(text) => return violated(state, &text),
        }
        *budget -= 1;
        let (frame, owner) = input.frame();
        // What came before an answer is delivered before it.
        if input.batch.is_empty() && state.session.settle_plain(frame, owner) {
            continue;
        }
        if let Some(end) = input.frame_end() {
            let batch = &input.batch;
            let known = batch.known();
            if let Some(plain) = state.session.accept_plain(frame, batch.len(), known) {
                input.batch.add(plain, end, state.session.longest_plain());
                if input.batch.is_full() {
                    return Next::Batch;
                }
                continue;
            }
            if !input.batch.is_empty() {
                *budget += 1;
                input.put_back();
                return Next::Batch;
            }
        }
        if let Some(piece) = input.piece_here() {
            return begin_piece(state, input, piece);
        }
        match state.session.handle_frame(frame, owner) {
            Ok(Some(incoming)) => return Next::Deliver(incoming),
            Ok(None) if state.session.is_asked() => return Next::Asked,
            Ok(None) => {}
            Err(_) => return Next::Turned(Turned::Ended),
        }
    }
}

#[cold]
fn begin_piece(state: &mut State, input: &mut Input, piece: PieceHead) -> Next {
    match state.session.begin_piece(piece.body, piece.bytes) {
        Ok(space) => {
            input.begin_piece(piece, space);
            Next::Piece
        }
        Err(text) => violated(state, &text),
    }
}

#[cold]
fn violated(state: &mut State, text: &str) -> Next {
    state.session.violated(format!("the peer broke the protocol: {text}"));
    Next::Turned(Turned::Ended)
}
