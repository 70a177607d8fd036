//! Bodies that travel in pieces: order, turns, memory, cancelling, and what is refused.

use super::{Two, call_frame, kinds, refusal, split, with_seeds};
use crate::codec::FilledArg;
use crate::error::ErrorKind;
use crate::fuzzing::{Random, Side, does, encoded, flatten, local};
use crate::limits::{BODIES_BEGUN, CALL_COST, Limits, PIECE_BYTES, WHOLE_UP_TO};
use crate::session::SlotKey;
use crate::wire::{CallFrame, LENGTH_BYTES, Message, Out, Path, decode, flag, kind};

/// Two sides that cut bodies of more than `whole_up_to` bytes into pieces of `piece`.
fn cutting(whole_up_to: usize, piece: usize) -> Two {
    let mut two = Two::new();
    two.near.session.out.cut_small(whole_up_to, piece);
    two.far.session.out.cut_small(whole_up_to, piece);
    two
}

impl Two {
    fn put(&mut self, target: SlotKey, method: u64, length: usize) -> SlotKey {
        self.near.call(target, &[], method, encoded(&vec![7; length])).unwrap()
    }

    /// One write of the near side arrives. Gives the kinds of its frames.
    fn step(&mut self) -> Vec<u8> {
        let bytes = self.near.flush();
        self.far.feed(&bytes);
        kinds(&bytes)
    }

    /// One write of the far side arrives.
    fn step_back(&mut self) -> Vec<u8> {
        let bytes = self.far.flush();
        self.near.feed(&bytes);
        kinds(&bytes)
    }

    /// A stub of another target of the far side.
    fn other(&mut self) -> SlotKey {
        let key = self.call(does::RETURN);
        self.near.poll(key);
        self.go();
        let before = self.near.handles.len();
        assert!(self.near.poll(key).is_some());
        self.far.started.clear();
        self.near.handles[before - 1]
    }
}

/// The numbers and lengths of the pieces in a run of bytes.
fn pieces(bytes: &[u8]) -> Vec<(u64, usize)> {
    let piece = |frame: &Vec<u8>| match decode(frame, &Limits::default()) {
        Ok(Message::Piece { body, bytes }) => Some((body, bytes.len())),
        _ => None,
    };
    split(bytes).iter().filter_map(piece).collect()
}

fn piece_frame(body: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Out::default();
    out.piece(body, bytes);
    flatten(&mut out).split_off(LENGTH_BYTES)
}

fn discard_frame(body: u64) -> Vec<u8> {
    let mut out = Out::default();
    out.discard(body);
    flatten(&mut out).split_off(LENGTH_BYTES)
}

/// A call of the main object whose body has so many bytes and comes in pieces.
fn announcing(flags: u8, length: usize) -> Vec<u8> {
    let mut frame = call_frame(flags | flag::PIECES, (0, &[]), does::RETURN, &[]);
    crate::wire::put_varint(&mut frame, length as u64);
    frame
}

#[test]
fn r278_a_body_holds_up_its_own_target_and_no_other() {
    let mut two = cutting(10, 1);
    let other = two.other();
    two.put(two.main, 16, 11);
    two.put(two.main, 32, 1);
    two.put(other, 48, 1);
    // The headers and the small calls are in the first write, with one piece.
    assert_eq!(two.step(), [vec![kind::CALL; 3], vec![kind::PIECE]].concat());
    assert_eq!(two.far.started, [48], "the other target waits for nothing");
    for _ in 1..10 {
        assert_eq!(two.step(), [kind::PIECE]);
        assert_eq!(two.far.started, [48]);
    }
    assert_eq!(two.step(), [kind::PIECE]);
    assert_eq!(two.far.started, [48, 16, 32], "what was made first runs first");
    assert_eq!(two.far.received, [vec![], vec![7], vec![7; 11], vec![7]]);
}

#[test]
fn r278_several_bodies_to_one_target_keep_their_order() {
    let mut two = cutting(2, 1);
    // The second and the third are complete long before the first.
    for (method, length) in [(16, 9), (32, 3), (48, 1), (64, 5), (80, 2)] {
        two.put(two.main, method, length);
    }
    two.go();
    assert_eq!(two.far.started, [16, 32, 48, 64, 80]);
    let lengths: Vec<usize> = two.far.received.iter().map(Vec::len).collect();
    assert_eq!(lengths, [9, 3, 1, 5, 2]);
}

#[test]
fn r278_targets_are_compared_after_resolution() {
    let mut two = cutting(2, 1);
    let parent = two.call(does::WAIT | does::SHARED);
    two.go();
    // Through the promise, and after it has settled through the stub that it became.
    two.near.call(parent, &[2], 16, encoded(&[7; 9])).unwrap();
    two.near.call(parent, &[2], 32, encoded(&[])).unwrap();
    two.step();
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.far.run_ready();
    assert_eq!(two.far.started, [2 | does::SHARED], "its arguments are not there");
    two.near.poll(parent);
    two.step();
    while two.near.settled.is_empty() {
        two.step_back();
    }
    two.near.call(parent, &[2], 48, encoded(&[])).unwrap();
    two.near.call(parent, &[1], 64, encoded(&[])).unwrap();
    two.step();
    assert_eq!(two.far.started[1..], [64], "the other part of the result is another target");
    two.go();
    assert_eq!(two.far.started[1..], [64, 16, 32, 48]);
}

#[test]
fn a_call_that_waits_for_its_body_and_for_more_runs_when_all_is_there() {
    for body_first in [true, false] {
        let mut two = cutting(2, 1);
        let parent = two.call(does::WAIT);
        let mut args = encoded(&[7; 4]);
        args.promises.push(two.near.promise(0, parent, Path::from_steps(&[0])));
        two.near.call(two.main, &[], 16, args).unwrap();
        // It waits for its argument, so that it holds up nothing (R3a).
        two.put(two.main, 32, 1);
        two.step();
        let steps = if body_first { 4 } else { 1 };
        (0..steps).for_each(|_| drop(two.step()));
        assert_eq!(two.far.started, [does::WAIT, 32]);
        let (id, ..) = two.far.running[0];
        two.far.complete(id, None);
        two.far.run_ready();
        assert_eq!(two.far.started.len(), if body_first { 3 } else { 2 });
        two.put(two.main, 48, 1);
        two.go();
        assert_eq!(two.far.started, [does::WAIT, 32, 16, 48]);
        assert_eq!(two.far.received[2], [7; 5], "the argument from the answer, and the body");
    }
}

#[test]
fn bodies_take_turns_and_small_messages_go_first() {
    let mut two = cutting(2, 2);
    for length in [5, 3, 4] {
        two.put(two.main, 16, length);
    }
    let mut turns = Vec::new();
    for n in 0..7 {
        two.put(two.main, 32, 1);
        let bytes = two.near.flush();
        let frames = kinds(&bytes);
        assert_eq!(frames.iter().filter(|kind| **kind == kind::PIECE).count(), 1, "one piece a write");
        assert_eq!(frames.last(), Some(&kind::PIECE), "{n}: the small call before it");
        turns.extend(pieces(&bytes));
        two.far.feed(&bytes);
    }
    assert_eq!(turns, [(1, 2), (2, 2), (3, 2), (1, 2), (2, 1), (3, 2), (1, 1)]);
    assert!(two.near.flush().is_empty());
    assert_eq!(two.far.started.len(), 10);
}

#[test]
fn an_incomplete_answer_holds_up_nothing() {
    let mut two = cutting(2, 1);
    let large = two.call(does::RETURN);
    let small = two.call(does::FAIL);
    two.near.poll(large);
    two.near.poll(small);
    two.step();
    assert_eq!(two.step_back(), [kind::ANSWER, kind::REJECT, kind::PIECE]);
    assert_eq!(two.near.settled, [small]);
    assert_eq!(two.near.poll(small), Some(Err(ErrorKind::Panicked)));
    let late = two.call(does::FAIL);
    two.near.poll(late);
    two.step();
    assert_eq!(two.step_back(), [kind::REJECT, kind::PIECE]);
    assert_eq!(two.near.settled, [small, late]);
    assert_eq!(two.step_back(), [kind::PIECE]);
    assert_eq!(two.near.poll(large), Some(Ok(vec![7, 0, 0])));
    two.near.handles.clone().into_iter().skip(1).for_each(|key| two.near.drop_handle(key));
    two.is_clean();
}

#[test]
fn the_calls_behind_a_large_one_do_not_wait_in_line() {
    let mut two = Two::new();
    two.put(two.main, 16, 8 << 20);
    two.put(two.main, 32, 1);
    assert!(two.near.session.line_is_empty());
    assert!(two.near.session.out.len() < 100, "{} bytes before it", two.near.session.out.len());
    two.put(two.main, 48, WHOLE_UP_TO);
    assert!(two.near.session.out.len() > WHOLE_UP_TO, "it goes whole");
}

#[test]
fn r5_bodies_on_their_way_are_bounded_like_the_line() {
    let limits = Limits { line_bytes: 5000, window_bytes: 1 << 30, ..Limits::default() };
    let mut two = Two::with(&limits);
    two.near.session.out.cut_small(1000, 100);
    two.put(two.main, 16, 6000);
    assert!(two.near.session.line_is_empty(), "one alone may be longer");
    two.put(two.main, 32, 2000);
    assert!(!two.near.session.line_is_empty());
    two.put(two.main, 48, 2500);
    let error = two.near.call(two.main, &[], 64, encoded(&[0; 2000])).unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Overloaded, false));
    two.go();
    assert_eq!(two.far.started, [16, 32, 48]);
}

#[test]
fn arguments_beside_the_body_come_with_it() {
    let mut two = cutting(4, 3);
    let mut args = encoded(&[5, 6]);
    for (param, body) in [(2u8, &[1, 1, 1][..]), (0, &[]), (1, &[2, 2])] {
        let body = bytes::Bytes::copy_from_slice(body);
        args.filled.push(FilledArg { param, body, caps: vec![local()] });
    }
    args.caps.push(local());
    let key = two.near.call(two.main, &[], does::FAIL, args).unwrap();
    two.step();
    assert!(two.far.started.is_empty());
    two.go();
    // They are in the order of the parameters.
    assert_eq!(two.far.received, [[2, 2, 1, 1, 1, 5, 6]]);
    assert_eq!(two.near.session.sizes().0, 4, "with a capability each, and one beside them");
    two.far.handles.clone().into_iter().for_each(|key| two.far.drop_handle(key));
    two.near.drop_handle(key);
    two.is_clean();
}

#[test]
fn r150_dropping_the_promise_stops_the_rest_of_the_body() {
    let mut two = cutting(2, 1);
    let key = two.put(two.main, 16, 9);
    two.put(two.main, 32, 1);
    two.step();
    two.step();
    two.near.drop_handle(key);
    assert_eq!(two.step(), [kind::FINISH, kind::DISCARD]);
    assert_eq!(two.far.started, [32], "what it held up goes on");
    assert!(two.step().is_empty());
    two.near.handles.clone().into_iter().skip(1).for_each(|key| two.near.drop_handle(key));
    two.is_clean();
}

#[test]
fn r150_a_call_that_others_build_on_still_gets_its_body() {
    let mut two = cutting(2, 1);
    let key = two.put(two.main, does::RETURN, 9);
    let child = two.near.call(key, &[1], does::FAIL | 16, encoded(&[])).unwrap();
    let detached = two.put(two.main, 32, 3);
    two.near.session.detach(detached);
    two.step();
    two.near.drop_handle(key);
    two.near.drop_handle(detached);
    assert_eq!(two.step(), [kind::FINISH, kind::FINISH, kind::PIECE]);
    two.go();
    assert_eq!(two.near.poll(child), Some(Err(ErrorKind::Panicked)));
    two.far.started.sort_unstable();
    assert_eq!(two.far.started, [does::RETURN, does::FAIL | 16, 32]);
    two.is_clean();
}

#[test]
fn a_body_that_nobody_wants_is_read_and_dropped() {
    let mut two = cutting(2, 1);
    let key = two.put(two.main, 16, 9);
    let child = two.near.call(key, &[1], 32, encoded(&[])).unwrap();
    two.step();
    two.near.drop_handle(key);
    two.near.drop_handle(child);
    // The callee has given up both; the caller does not know and sends what it began.
    two.go();
    assert!(two.far.started.is_empty());
    two.is_clean();
}

#[test]
fn an_answer_that_is_given_up_midway_is_not_sent_to_its_end() {
    let mut two = cutting(2, 1);
    let key = two.call(does::RETURN);
    two.near.poll(key);
    two.step();
    assert_eq!(two.step_back(), [kind::ANSWER, kind::PIECE]);
    two.near.drop_handle(key);
    two.step();
    assert_eq!(two.step_back(), [kind::DISCARD]);
    two.is_clean();
}

#[test]
fn a_call_that_is_refused_before_its_body_has_come_needs_no_more_of_it() {
    let mut two = cutting(2, 1);
    two.far.session.leave();
    let key = two.put(two.main, 16, 9);
    two.near.poll(key);
    two.step();
    assert_eq!(two.step_back(), [kind::GOAWAY, kind::REJECT]);
    assert_eq!(two.near.poll(key), Some(Err(ErrorKind::ShuttingDown)));
    assert_eq!(two.step(), [kind::DISCARD]);
    assert!(two.far.started.is_empty());
    two.is_clean();
}

#[test]
fn r246_a_parked_call_over_the_limit_drops_its_body() {
    let limits = Limits { parked_bytes: 500, ..Limits::default() };
    let mut two = Two::with(&limits);
    two.near.session.out.cut_small(2, 100);
    let parent = two.call(does::WAIT);
    let key = two.near.call(parent, &[1], 16, encoded(&[7; 1000])).unwrap();
    two.near.poll(key);
    two.go();
    assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Limit)));
    two.near.drop_handle(parent);
    two.is_clean();
}

#[test]
fn a_caller_that_gives_a_body_up_without_a_word_fails_its_call() {
    let mut side = Two::new().far;
    side.handle(&announcing(flag::SEND, 9)).unwrap();
    side.handle(&piece_frame(1, &[7; 4])).unwrap();
    side.handle(&call_frame(flag::SEND | flag::FORGET, (0, &[]), 32, &[])).unwrap();
    side.handle(&discard_frame(1)).unwrap();
    assert_eq!(side.started, [32]);
    let replies = side.flush();
    let reject = split(&replies).into_iter().find(|frame| frame[0] == kind::REJECT).unwrap();
    let Ok(Message::Reject { id, kind, may_have_run, .. }) = decode(&reject, &Limits::default()) else {
        panic!("{reject:?}")
    };
    assert_eq!((id, kind, may_have_run), (1, ErrorKind::Cancelled, false));
    assert_eq!(
        refusal(&mut side, &discard_frame(1)),
        "it gave up the body 1, which is complete or was given up"
    );
}

#[test]
fn a_callee_that_gives_an_answer_up_fails_its_promise() {
    let mut two = cutting(2, 1);
    let key = two.call(does::RETURN);
    two.near.poll(key);
    two.step();
    two.step_back();
    two.near.handle(&discard_frame(1)).unwrap();
    assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Cancelled)));
}

#[test]
fn what_is_lost_with_a_body_on_its_way_did_not_run() {
    for complete in [false, true] {
        let mut two = cutting(2, 1);
        let key = two.put(two.main, does::WAIT, 3);
        let behind = two.put(two.main, does::WAIT, 1);
        two.near.poll(key);
        (0..if complete { 3 } else { 2 }).for_each(|_| drop(two.step()));
        assert_eq!(two.near.session.is_sent(key), complete);
        for side in [&mut two.near, &mut two.far] {
            side.session.end(crate::error::Error::new(ErrorKind::Disconnected, "lost"));
            side.after();
            side.session.check_empty_bodies();
        }
        let crate::session::Polled::Settled { outcome, .. } = two.near.session.poll(key) else { panic!() };
        let crate::outcome::Outcome::Failed(error) = outcome else { panic!() };
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, complete));
        two.near.drop_handle(behind);
    }
}

#[test]
fn detached_calls_whose_bodies_never_come_do_not_keep_the_session() {
    let mut two = cutting(2, 1);
    let key = two.put(two.main, 16, 9);
    two.near.session.detach(key);
    two.put(two.main, 32, 1);
    two.near.session.leave();
    two.step();
    two.near.drop_handle(key);
    two.step();
    two.far.session.peer_closed(crate::error::Error::new(ErrorKind::Disconnected, "closed"));
    two.far.after();
    two.far.run_ready();
    assert_eq!(two.far.session.ended().map(crate::error::Error::kind), Some(ErrorKind::Disconnected));
    two.far.session.check_empty_bodies();
}

#[test]
fn r6_answers_on_their_way_stop_deliveries_and_end_the_session_at_last() {
    let limits = Limits { unsent_answer_bytes: 50, unsent_answer_bytes_hard: 200, ..Limits::default() };
    let mut two = Two::with(&limits);
    two.far.session.out.cut_small(2, 1);
    let keys: Vec<SlotKey> = (0..20).map(|_| two.call(does::RETURN)).collect();
    keys.iter().for_each(|key| drop(two.near.poll(*key)));
    two.step();
    let first = two.far.started.len();
    assert!((2..20).contains(&first), "{first}");
    two.step_back();
    assert!(two.far.started.len() > first, "room came back with the headers that left");
    two.go();
    assert_eq!(two.far.started.len(), 20);
}

#[test]
fn memory_comes_with_the_bytes() {
    let frame = 1 << 20;
    let limits = Limits { frame_bytes: frame, window_bytes: 8 * frame, ..Limits::default() };
    let mut side = Two::with(&limits).far;
    let length = frame - 100;
    for _ in 0..6 {
        side.handle(&announcing(flag::SEND, length)).unwrap();
    }
    assert_eq!(side.session.body_memory(), (0, 0), "a header takes none");
    for body in 1..=6 {
        side.handle(&piece_frame(body, &[7; 10])).unwrap();
        let (taken, ahead) = side.session.body_memory();
        assert!(ahead <= frame, "{ahead} bytes are taken ahead");
        assert!(taken <= frame + 10_000, "{taken} bytes are taken after {body} pieces");
    }
    // They grow with what comes, and the one that was first in one step.
    let piece = vec![7; 100_000];
    let mut came = [10; 6];
    while let Some(body) = came.iter().position(|came| *came < length) {
        let bytes = piece.len().min(length - came[body]);
        side.handle(&piece_frame(body as u64 + 1, &piece[..bytes])).unwrap();
        came[body] += bytes;
        let (taken, _) = side.session.body_memory();
        let all: usize = came.iter().sum();
        assert!(taken <= 2 * all + frame + 500_000, "{taken} bytes are taken for {all}");
    }
    assert_eq!(side.started.len(), 6);
    assert_eq!(side.session.body_memory(), (0, 0));
}

#[test]
fn r240_a_body_is_in_the_window_before_its_first_byte() {
    let limits = Limits { window_bytes: 100_000, frame_bytes: 90_000, ..Limits::default() };
    let mut side = Two::with(&limits).far;
    let head = announcing(flag::SEND, 60_000);
    side.handle(&head).unwrap();
    let waiting = 2 * (head.len() + 60_000 + CALL_COST);
    let text = format!("it has {waiting} bytes of calls waiting; the limit `window_bytes` is 100000");
    assert_eq!(refusal(&mut side, &head), text);
}

/// A call that says its arguments have more bytes than its body.
fn lying_arguments() -> Vec<u8> {
    let filled = [FilledArg { param: 0, body: bytes::Bytes::from_static(&[1; 9]), caps: Vec::new() }];
    let mut out = Out::default();
    let (path, body) = (Path::EMPTY, encoded(&[]));
    out.call(&CallFrame {
        flags: flag::SEND,
        target: 0,
        path: &path,
        method: does::RETURN,
        caps: &[],
        promises: &[],
        filled: &filled,
        in_pieces: Some(8),
        encoded: &body,
    });
    flatten(&mut out).split_off(LENGTH_BYTES)
}

#[test]
fn r228_pieces_that_nobody_may_send_are_refused_by_name() {
    let announced = || {
        let mut side = Two::new().far;
        side.handle(&announcing(flag::SEND, 9)).unwrap();
        side.handle(&piece_frame(1, &[7; 4])).unwrap();
        side
    };
    let refused = |frame: &[u8]| refusal(&mut announced(), frame);
    let unknown = |what: &str, body: u64| format!("it {what} the body {body}, which it never announced");
    for body in [0, 2, u64::MAX] {
        assert_eq!(refused(&piece_frame(body, &[7])), unknown("sent a piece of", body));
        assert_eq!(refused(&discard_frame(body)), unknown("gave up", body));
    }
    assert_eq!(refused(&piece_frame(1, &[])), "it sent an empty piece of the body 1");
    let text = "the body 1 has 10 bytes and more; it said that there are 9";
    assert_eq!(refused(&piece_frame(1, &[7; 6])), text);
    let long = vec![7; PIECE_BYTES + 1];
    let text = format!("it sent a piece of {} bytes; none has more than {PIECE_BYTES}", PIECE_BYTES + 1);
    assert_eq!(refused(&piece_frame(1, &long)), text);
    assert_eq!(refused(&announcing(flag::SEND, 0)), "a body that comes in pieces is said to have no bytes");
    assert_eq!(refused(&lying_arguments()), "arguments have 9 bytes of a body that is said to have 8");
    let mut behind = announcing(flag::SEND, 9);
    behind.push(0);
    assert_eq!(refused(&behind), "a frame has 1 bytes after its last field");
    let (limit, head) = (Limits::default().frame_bytes, announcing(flag::SEND, 1 << 25).len());
    let text = format!(
        "a message says it is {} bytes long with its body; the limit `frame_bytes` is {limit}",
        limit + head
    );
    assert_eq!(refused(&announcing(flag::SEND, limit)), text);
    let mut complete = announced();
    complete.handle(&piece_frame(1, &[7; 5])).unwrap();
    let text = "it sent a piece of the body 1, which is complete or was given up";
    assert_eq!(refusal(&mut complete, &piece_frame(1, &[7])), text);
    let mut early = Side::new(&Limits::default());
    let text = "it sent another message before its greeting";
    assert_eq!(refusal(&mut early, &piece_frame(1, &[7])), text);
}

#[test]
fn r228_too_many_bodies_at_a_time_end_the_session() {
    let mut side = Two::new().far;
    let begun = BODIES_BEGUN as u64;
    for body in 1..=begun + 1 {
        side.handle(&announcing(flag::SEND | flag::FORGET, 2)).unwrap();
        if body <= begun {
            side.handle(&piece_frame(body, &[7])).unwrap();
        }
    }
    let mut other = Two::new().far;
    for body in 1..=begun + 1 {
        other.handle(&announcing(flag::SEND | flag::FORGET, 2)).unwrap();
        other.handle(&piece_frame(body, &[7])).unwrap();
        other.handle(&piece_frame(body, &[7])).unwrap();
    }
    assert_eq!(other.started.len(), BODIES_BEGUN + 1, "one after the other there may be more");
    let text = format!("it has begun {} bodies; no more than {begun} may be under way", begun + 1);
    assert_eq!(refusal(&mut side, &piece_frame(begun + 1, &[7])), text);
}

#[test]
fn no_more_bodies_begin_than_the_peer_takes() {
    let mut two = cutting(2, 1);
    for _ in 0..BODIES_BEGUN + 40 {
        two.put(two.main, does::FAIL, 5);
    }
    // `feed` fails if the far side says that a rule was broken.
    two.go();
    assert_eq!(two.far.started.len(), BODIES_BEGUN + 40);
}

/// The head of an answer that comes in pieces.
fn answer_head(id: i64, length: usize) -> Vec<u8> {
    let mut out = Out::default();
    out.answer_head(id, false, &[], length);
    flatten(&mut out).split_off(LENGTH_BYTES)
}

#[test]
fn r228_answers_that_nobody_may_send_are_refused_by_name() {
    let limits = Limits { window_bytes: 100_000, frame_bytes: 90_000, ..Limits::default() };
    let waiting = || {
        let mut two = Two::with(&limits);
        for _ in 0..2 {
            let key = two.call(does::RETURN);
            two.near.poll(key);
        }
        two.near.flush();
        two.near.handle(&answer_head(1, 60_000)).unwrap();
        two.near.handle(&piece_frame(1, &[7; 9])).unwrap();
        two.near
    };
    let mut side = waiting();
    assert_eq!(refusal(&mut side, &answer_head(1, 5)), "it answered the call 1 twice");
    let mut side = waiting();
    assert_eq!(refusal(&mut side, &[kind::ANSWER, 2, 0, 7, 0, 1]), "it answered the call 1 twice");
    let mut side = waiting();
    assert_eq!(refusal(&mut side, &answer_head(3, 5)), "it answered the call 3, which was never made");
    let mut side = waiting();
    side.handle(&answer_head(2, 60_000)).unwrap();
    let text = "it has begun answers of 120000 bytes; the limit `window_bytes` is 100000";
    assert_eq!(refusal(&mut side, &piece_frame(2, &[7; 9])), text);
    let mut side = waiting();
    let text = "a message says it is 90006 bytes long with its body; the limit `frame_bytes` is 90000";
    assert_eq!(refusal(&mut side, &answer_head(2, 90_000)), text);
}

#[test]
fn no_more_answers_begin_than_the_window_of_the_caller() {
    let limits = Limits { window_bytes: 65_536, frame_bytes: 65_536, ..Limits::default() };
    let mut far = Out::default();
    far.cut_small(2, 1000);
    far.set_answer_room(limits.window_bytes);
    for id in 1..=3 {
        far.answer_in_pieces(id, false, &[], vec![bytes::Bytes::from(vec![7; 30_000])]);
    }
    let mut turns = Vec::new();
    for _ in 0..90 {
        turns.extend(pieces(&frames_of(&mut far)));
    }
    assert!(turns[..59].iter().all(|(body, _)| *body < 3), "two of them fit");
    assert_eq!(turns.iter().filter(|(body, _)| *body == 3).count(), 30);
    assert!(far.is_empty());
}

fn frames_of(out: &mut Out) -> Vec<u8> {
    flatten(out)
}

#[test]
fn r3_calls_to_each_target_are_delivered_in_order_however_their_bodies_travel() {
    with_seeds(100, 500, |bytes| {
        let mut random = Random::new(bytes.len() as u64 + 1);
        let mut two = cutting(4, 3);
        let targets = [two.main, two.other(), two.other(), two.other()];
        let mut between = Vec::new();
        let mut made = Vec::new();
        for byte in bytes {
            match byte % 8 {
                0..3 => {
                    let target = random.number() % 4;
                    let method = 16 * (4 * made.len() as u64 + target);
                    let length = [0, 1, 5, 30][random.number() as usize % 4];
                    let args = encoded(&vec![7; length]);
                    let key = two.near.call(targets[target as usize], &[], method, args).unwrap();
                    made.push((method, length));
                    if byte % 16 == 0 {
                        two.near.poll(key);
                    }
                }
                3..6 => between.extend(two.near.flush()),
                6 => {
                    let portion = (random.number() as usize % 50).min(between.len());
                    let bytes: Vec<u8> = between.drain(..portion).collect();
                    two.far.feed(&bytes);
                }
                _ => drop(two.step_back()),
            }
        }
        two.far.feed(&between);
        two.go();
        for target in 0..4 {
            let of = |method: &u64| method / 16 % 4 == target;
            let started: Vec<u64> = two.far.started.iter().copied().filter(of).collect();
            let expected: Vec<u64> = made.iter().map(|(method, _)| *method).filter(of).collect();
            assert_eq!(started, expected, "target {target}");
        }
        let lengths = two.far.received.iter().skip(3).map(Vec::len).sum::<usize>();
        assert_eq!(lengths, made.iter().map(|(_, length)| length).sum::<usize>());
    });
}
