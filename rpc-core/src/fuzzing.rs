//! What is fuzzed: frames, values, and sessions. Compiled for tests and for `cargo fuzz` only.
//!
//! Every function here takes arbitrary bytes and panics if the library does what it must not. `fuzz/` feeds them
//! what libFuzzer finds, the tests what a small generator of random numbers gives.

mod choices;
mod side;
mod values;

use choices::Choices;

use crate::codec::{Encoded, FilledArg};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::wire::{self, CallFrame, LENGTH_BYTES, Message, Out, Path, Segment, WireArg, decode, flag};

pub use choices::Random;
pub(crate) use side::{Side, does, local};
pub use values::{example, values};

/// Takes bytes apart as one frame. What is a frame is the same after it was written and read again.
pub fn frames(data: &[u8]) {
    let limits = Limits::default();
    let decoded = decode(data, &limits);
    check_plain(data, &decoded);
    let Ok(message) = decoded else { return };
    let exceeds = match &message {
        Message::Call(call) => call.over.is_some(),
        Message::Answer { over, .. } => over.is_some(),
        Message::Echo { over, .. } => *over,
        _ => false,
    };
    // A session takes no body that is longer than a frame may be.
    let long = matches!(&message, Message::Call(call) if call.in_pieces > Some(limits.frame_bytes));
    if exceeds || long {
        return;
    }
    let written = encode(&message);
    let again = decode(&written, &limits).expect("what was written can be read");
    assert_eq!(encode(&again), written, "{message:?}");
}

/// The short way of small calls reads and writes what the general way does.
fn check_plain(data: &[u8], decoded: &Result<Message<'_>, wire::WireError>) {
    let mut out = Out::default();
    if let Some((flags, target, method, metadata, body)) = wire::plain_call(data) {
        let Ok(Message::Call(call)) = decoded else { panic!("{decoded:?}") };
        let of_general = (call.flags & !flag::META, call.target, call.method);
        assert_eq!(of_general, (flags, target, method));
        assert_eq!((call.metadata, call.body), (&data[body - metadata..body], &data[body..]));
        assert!(call.path.is_empty() && call.caps.is_empty() && call.args.is_empty() && call.over.is_none());
        assert_eq!(call.in_pieces, None);
        if call.flags & flag::META == 0 {
            out.plain_call(flags, target, method, call.body);
        } else {
            out.plain_call_with(flags, (target, method), call.metadata, call.body);
        }
    } else if let Some((id, body)) = wire::plain_answer(data) {
        let Ok(Message::Answer { id: other, user: false, caps, over: None, in_pieces: None, body: same }) =
            decoded
        else {
            panic!("{decoded:?}");
        };
        assert_eq!((id, body, caps.len()), (*other, *same, 0));
        let mut answer = Vec::new();
        wire::begin_plain_answer(&mut answer, id);
        answer.extend_from_slice(body);
        wire::end_plain_answer(&mut answer, 0);
        out.plain_answers(&answer);
    } else {
        return;
    }
    let frame = flatten(&mut out).split_off(LENGTH_BYTES);
    assert_eq!(decoded.as_ref().map(encode), Ok(frame));
}

/// Writes a message as a frame, without its length field.
pub(crate) fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Out::default();
    match message {
        Message::Hello { version: _, window, frame_bytes, name, props } => {
            out.hello(*window as usize, *frame_bytes as usize, name, props);
        }
        Message::Call(call) => encode_call(call, &mut out),
        Message::Answer { id, user, caps, over: _, in_pieces, body } => match in_pieces {
            Some(length) => out.answer_head(*id, *user, caps, *length),
            None => out.answer(*id, *user, caps, &encoded(body)),
        },
        Message::Reject { id, kind, origin, may_have_run, message, user } => {
            let user = user.map(bytes::Bytes::copy_from_slice);
            let error = Error::from_wire(*kind, *origin, (*message).to_owned(), *may_have_run, user);
            out.reject(*id, &error, usize::MAX);
        }
        Message::Release { id, count } => out.release(*id, *count),
        Message::Finish { id, cancel } => out.finish(*id, *cancel),
        Message::Pull { id } => out.pull(*id),
        Message::Credit { bytes } => out.credit(*bytes),
        Message::Goaway { last } => out.goaway(*last),
        Message::Echo { target, path, over: _ } => {
            out.echo(*target, path);
        }
        Message::EchoBack { id } => out.echo_back(*id),
        Message::Abort { kind, message } => out.abort(&Error::new(*kind, (*message).to_owned())),
        Message::Piece { body, bytes } => out.piece(*body, bytes),
        Message::Discard { body } => out.discard(*body),
        Message::Ping => out.ping(),
        Message::Pong => drop(out.pong(None)),
    }
    let mut frame = flatten(&mut out);
    let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    assert_eq!(frame.len(), LENGTH_BYTES + length, "the length field is right");
    frame.split_off(LENGTH_BYTES)
}

fn encode_call(call: &wire::CallMessage<'_>, out: &mut Out) {
    let mut promises = Vec::new();
    let mut filled = Vec::new();
    for arg in &call.args {
        match arg {
            WireArg::Promise { param, id, path } => promises.push((*param, *id, path.clone())),
            WireArg::Value { param, caps, body } => filled.push(FilledArg {
                param: *param,
                body: bytes::Bytes::copy_from_slice(body),
                caps: (0..*caps).map(|_| local()).collect(),
            }),
            WireArg::Later { param, caps, length } => filled.push(FilledArg {
                param: *param,
                body: vec![0; *length].into(),
                caps: (0..*caps).map(|_| local()).collect(),
            }),
        }
    }
    out.call(&CallFrame {
        flags: call.flags,
        in_pieces: call.in_pieces,
        target: call.target,
        path: &call.path,
        method: call.method,
        caps: &call.caps,
        promises: &promises,
        filled: &filled,
        encoded: &Encoded { metadata: call.metadata.to_vec(), ..encoded(call.body) },
    });
}

/// Everything that waits to be written, as bytes.
pub(crate) fn flatten(out: &mut Out) -> Vec<u8> {
    let mut segment = Segment::default();
    out.swap(&mut segment);
    let mut bytes = Vec::new();
    let mut done = 0;
    for (at, payload) in segment.payloads() {
        bytes.extend_from_slice(&segment.bytes()[done..*at]);
        bytes.extend_from_slice(payload);
        done = *at;
    }
    bytes.extend_from_slice(&segment.bytes()[done..]);
    bytes
}

pub(crate) fn encoded(body: &[u8]) -> Encoded {
    Encoded { bytes: body.to_vec(), ..Encoded::default() }
}

/// Limits that are reached soon.
fn small() -> Limits {
    Limits {
        window_bytes: 128 * 1024,
        running_calls: 4,
        running_bytes: 12_000,
        parked_bytes: 1024,
        parked_calls: 8,
        waiting_caps: 8,
        answer_bytes: 64,
        exports: 64,
        imports: 64,
        path_steps: 4,
        caps_per_message: 3,
        calls_in_flight: 32,
        unread_result_bytes: 64,
        line_bytes: 4096,
        ..Limits::default()
    }
}

/// Most bodies go in pieces of a few bytes, or of one, or go whole.
fn cut(side: &mut Side, choices: &mut Choices<'_>) {
    let (whole_up_to, piece) = [(2, 2), (2, 9), (10, 1), (1000, 1)][choices.below(4)];
    side.session.out.cut_small(whole_up_to, piece);
}

/// A session, and a peer that sends whatever the bytes say.
pub fn session(data: &[u8]) {
    let mut choices = Choices(data);
    while !choices.0.is_empty() {
        let mut side = Side::new(&small());
        cut(&mut side, &mut choices);
        let main = side.main();
        let greeting = side.flush();
        assert!(side.handle(&greeting[LENGTH_BYTES..]).is_ok(), "a greeting is fine");
        while !choices.0.is_empty() && side.session.ended().is_none() {
            match choices.next() % 8 {
                0 => drop(side.call(main, &[], u64::from(choices.next()), arguments(&side, &mut choices))),
                1 => own_step(&mut side, &mut choices),
                2 => drop(side.flush()),
                _ => {
                    let frame = hostile(&mut choices);
                    let sizes = side.session.sizes();
                    let handled = side.handle(&frame);
                    assert_eq!(
                        handled.is_err(),
                        side.session.ended().is_some_and(is_violation),
                        "{handled:?}, {sizes:?}"
                    );
                }
            }
        }
        side.session.end(Error::new(ErrorKind::Disconnected, "the end"));
        side.after();
        finish(&mut side);
        assert_eq!(side.session.sizes(), (0, 0), "after the end nothing is left");
    }
}

fn is_violation(error: &Error) -> bool {
    error.message().starts_with("the peer broke the protocol")
}

/// A frame that is well-formed more often than not.
fn hostile(choices: &mut Choices<'_>) -> Vec<u8> {
    let id = |choices: &mut Choices<'_>| {
        let mut bytes = Vec::new();
        wire::put_signed(&mut bytes, i64::from(choices.next() % 12) - 3);
        bytes
    };
    let mut frame = vec![choices.next() % 17];
    match frame[0] {
        wire::kind::CALL => {
            frame.push(choices.next() & (31 | flag::PIECES));
            frame.extend(id(choices));
            if frame[1] & flag::PATH != 0 {
                path(&mut frame, choices);
            }
            frame.extend([choices.next(), 0, 0, 0, 0, 0, 0, 0]);
            if frame[1] & flag::CAPS != 0 {
                caps(&mut frame, choices, id);
            }
            if frame[1] & flag::ARGS != 0 {
                let count = choices.next() % 3;
                frame.push(count);
                for _ in 0..count {
                    frame.extend([choices.next() % 3, choices.next() % 2]);
                    if frame.last() == Some(&0) {
                        frame.extend(id(choices));
                        path(&mut frame, choices);
                    } else {
                        frame.extend([choices.next() % 2, 1]);
                        frame.extend((frame[1] & flag::PIECES == 0).then_some(0));
                    }
                }
            }
            if frame[1] & flag::PIECES != 0 {
                frame.push(choices.next() % 8);
            }
        }
        wire::kind::ANSWER => {
            frame.extend(id(choices));
            let flags = choices.next() & 7;
            frame.push(flags);
            if flags & 2 != 0 {
                caps(&mut frame, choices, id);
            }
            if flags & 4 == 0 {
                frame.extend([7, 0, 1, 1]);
            } else {
                frame.push(choices.next() % 8);
            }
        }
        wire::kind::REJECT => {
            frame.extend(id(choices));
            frame.extend([choices.next() % 20, choices.next() % 20, choices.next() & 1, 1, b'x']);
        }
        wire::kind::RELEASE | wire::kind::FINISH => {
            frame.extend(id(choices));
            frame.push(choices.next() & 1);
        }
        wire::kind::ECHO => {
            frame.extend(id(choices));
            path(&mut frame, choices);
        }
        wire::kind::PULL | wire::kind::GOAWAY | wire::kind::ECHO_BACK => frame.extend(id(choices)),
        wire::kind::CREDIT => frame.push(choices.next() & 127),
        wire::kind::PIECE => {
            frame.push(choices.next() % 6);
            frame.extend([7, 0, 1].iter().take(choices.below(4)));
        }
        wire::kind::DISCARD => frame.push(choices.next() % 6),
        wire::kind::PING | wire::kind::PONG => {}
        _ => frame.extend((0..choices.below(24)).map(|_| choices.next())),
    }
    frame
}

fn path(frame: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let path = choices.path();
    frame.push(path.len() as u8);
    frame.extend(path.iter().map(|step| *step as u8));
}

fn caps(frame: &mut Vec<u8>, choices: &mut Choices<'_>, id: impl Fn(&mut Choices<'_>) -> Vec<u8>) {
    let count = choices.next() % 5;
    frame.push(count);
    for _ in 0..count {
        let tag = choices.next() % 3;
        frame.push(tag);
        frame.extend(id(choices));
        if tag == 2 {
            path(frame, choices);
        }
    }
}

/// Random arguments: capabilities of this process and of the session, and promises.
fn arguments(side: &Side, choices: &mut Choices<'_>) -> Encoded {
    let mut args = encoded(&vec![1; choices.below(32)]);
    for _ in 0..choices.next() % 3 {
        args.caps.push(match (choices.next() % 3, choices.one_of(&side.usable())) {
            (1, Some(key)) => side.capability(key, Path::from_steps(choices.path())),
            (2, _) => side.shared.clone(),
            _ => local(),
        });
    }
    if choices.below(4) == 0
        && let Some(key) = choices.one_of(&side.usable())
    {
        args.promises.push(side.promise(0, key, Path::from_steps(choices.path())));
    }
    args
}

/// One random thing that the user of a side may do at any time.
fn own_step(side: &mut Side, choices: &mut Choices<'_>) {
    match choices.next() % 9 {
        0 | 1 => {
            if let Some(target) = choices.one_of(&side.usable()) {
                let path = if choices.below(2) == 0 { &[][..] } else { choices.path() };
                let method = u64::from(choices.next() % 32);
                let args = arguments(side, choices);
                // Most calls may fail: paths lead nowhere, limits are small.
                drop(side.call(target, path, method, args));
            }
        }
        2 => {
            if let Some((id, ..)) = side.running.get(choices.below(side.running.len())) {
                let id = *id;
                side.complete(id, None);
            }
        }
        3 => {
            if let Some(key) = choices.one_of(&side.handles) {
                side.drop_handle(key);
            }
        }
        4 => {
            if let Some(key) = choices.one_of(&side.handles) {
                side.session.detach(key);
                side.after();
            }
        }
        5 => {
            if let Some(key) = choices.one_of(&side.usable()) {
                side.session.hold(key);
                side.handles.push(key);
            }
        }
        6 => side.session.ping(),
        _ => {
            if let Some(key) = choices.one_of(&side.handles) {
                drop(side.poll(key));
            }
        }
    }
}

/// Lets everything go.
fn finish(side: &mut Side) {
    while let Some(key) = side.handles.pop() {
        side.session.release(key);
        side.after();
    }
    while let Some((id, ..)) = side.running.last() {
        let id = *id;
        side.complete(id, None);
    }
}

/// Two honest sessions that do random things, with bytes between them that come in any portions. In the end nothing
/// is left of all that.
pub fn pair(data: &[u8]) {
    let mut choices = Choices(data);
    let mut sides = [Side::new(&small()), Side::new(&small())];
    for side in &mut sides {
        cut(side, &mut choices);
        side.main();
        // Both ways of small calls do the same: either side may take either.
        side.short = choices.below(2) == 1;
    }
    let mut between = [Vec::new(), Vec::new()];
    while !choices.0.is_empty() {
        let who = choices.below(2);
        match choices.next() % 4 {
            0 => {
                let bytes = sides[who].flush();
                between[who].extend(bytes);
            }
            1 => {
                let most = between[who].len();
                let portion = (choices.below(64) * choices.below(64)).min(most);
                let bytes: Vec<u8> = between[who].drain(..portion).collect();
                sides[1 - who].feed(&bytes);
            }
            _ => own_step(&mut sides[who], &mut choices),
        }
    }
    // Releases cross calls that cross releases; there are only so many of either.
    for _ in 0..10_000 {
        let mut moved = false;
        for who in [0, 1] {
            finish(&mut sides[who]);
            between[who].extend(sides[who].flush());
            let bytes = std::mem::take(&mut between[who]);
            moved |= !bytes.is_empty();
            sides[1 - who].feed(&bytes);
        }
        if !moved {
            break;
        }
    }
    for side in &mut sides {
        assert!(side.session.ended().is_none(), "{:?}", side.session.ended());
        assert_eq!(side.session.sizes(), (0, 0), "something is left");
        assert!(side.session.is_idle());
        side.session.check_empty();
    }
}
