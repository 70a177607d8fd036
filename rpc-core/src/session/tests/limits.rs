//! The window, the waiting line, and what is refused or ends the session.

use super::{Two, call_frame, kinds, refusal, split};
use crate::error::{Error, ErrorKind};
use crate::fuzzing::{Side, does, encoded, local};
use crate::limits::{CALL_COST, INITIAL_WINDOW, Limits};
use crate::wire::{LENGTH_BYTES, flag, kind};

const BODY: usize = 1000;

fn one_at_a_time() -> Limits {
    Limits {
        running_calls: 1,
        window_bytes: INITIAL_WINDOW,
        frame_bytes: INITIAL_WINDOW / 4,
        ..Limits::default()
    }
}

/// The far side runs one method that does not end, so that calls pile up in its window. Gives the frame of a call.
fn stuck(two: &mut Two) -> Vec<u8> {
    two.call(does::WAIT);
    two.go();
    let mut other = Two::new();
    other.near.call(other.main, &[], does::RETURN, encoded(&[0; BODY])).unwrap();
    split(&other.near.flush()).remove(0)
}

#[test]
fn a_call_over_the_window_ends_the_session_and_none_before() {
    let mut two = Two::with(&one_at_a_time());
    let frame = stuck(&mut two);
    // The call that runs has been started; its credit was not told yet, so it still counts.
    let first = split(&Two::new().call_bytes(does::WAIT))[0].len() + CALL_COST;
    let cost = frame.len() + CALL_COST;
    let fit = (INITIAL_WINDOW - first) / cost;
    for _ in 0..fit {
        two.far.handle(&frame).unwrap();
    }
    let waiting = first + (fit + 1) * cost;
    let text =
        format!("it has {waiting} bytes of calls waiting; the limit `window_bytes` is {INITIAL_WINDOW}");
    assert_eq!(refusal(&mut two.far, &frame), text);
}

impl Two {
    fn call_bytes(&mut self, method: u64) -> Vec<u8> {
        self.call(method);
        self.near.flush()
    }
}

#[test]
fn a_caller_never_overruns_the_window() {
    // One call after many ends at every distance from the end of the window.
    for left in 0..60 {
        let mut two = Two::with(&one_at_a_time());
        two.call(does::WAIT);
        for _ in 0..55 {
            two.near.call(two.main, &[], does::RETURN, encoded(&[0; BODY])).unwrap();
        }
        let window = two.near.session.window_left as usize;
        two.near.call(two.main, &[], does::RETURN, encoded(&vec![0; window - CALL_COST - left])).unwrap();
        for _ in 56..100 {
            two.near.call(two.main, &[], does::RETURN, encoded(&[0; BODY])).unwrap();
        }
        // `go` fails if the far side says that a rule was broken.
        two.go();
        assert_eq!(two.far.started.len(), 1, "one at a time");
        assert!(!two.near.session.line_is_empty(), "the window is full");
        while let Some((id, ..)) = two.far.running.first() {
            let id = *id;
            two.far.complete(id, None);
            two.go();
        }
        two.go();
        assert_eq!(two.far.started.len(), 101, "credit came back, and all were delivered");
        assert!(two.near.session.line_is_empty());
    }
}

#[test]
fn the_first_calls_do_not_wait_for_the_greeting() {
    let limits = Limits { window_bytes: 2 * INITIAL_WINDOW, ..Limits::default() };
    let (mut near, mut far) = (Side::new(&limits), Side::new(&limits));
    let main = near.main();
    for _ in 0..1000 {
        near.call(main, &[], does::RETURN, encoded(&[0; BODY])).unwrap();
    }
    let early = near.flush();
    let calls = kinds(&early).iter().filter(|kind| **kind == kind::CALL).count();
    assert!(
        (INITIAL_WINDOW / 2..=INITIAL_WINDOW).contains(&(calls * (BODY + CALL_COST))),
        "{calls} went out"
    );
    far.feed(&early);
    near.feed(&far.flush());
    assert!(kinds(&near.flush()).len() > 1, "the rest follows the greeting");
}

#[test]
fn a_call_that_the_peer_never_takes_fails_alone() {
    let far_limits = Limits { frame_bytes: 4096, window_bytes: 2048, ..Limits::default() };
    let (mut near, mut far) = (Side::new(&Limits::default()), Side::new(&far_limits));
    let main = near.main();
    // Too long for what everybody begins with: it waits in line until the greeting says that it never fits.
    let early = near.call(main, &[], does::FAIL, encoded(&vec![0; INITIAL_WINDOW])).unwrap();
    let behind = near.call(main, &[], does::FAIL, encoded(&[])).unwrap();
    near.feed(&far.flush());
    assert_eq!(near.poll(early), Some(Err(ErrorKind::Limit)));
    for (bytes, limit) in [(4000, "window_bytes"), (5000, "frame_bytes")] {
        let error = near.call(main, &[], does::FAIL, encoded(&vec![0; bytes])).unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false));
        assert!(error.message().contains(limit), "{error}");
    }
    let bytes = near.flush();
    far.feed(&bytes);
    near.feed(&far.flush());
    assert_eq!(near.poll(behind), Some(Err(ErrorKind::Panicked)), "the connection lives");
}

#[test]
fn a_window_that_is_shorter_than_a_frame_does_not_get_stuck() {
    let limits = Limits { window_bytes: 8192, frame_bytes: 8192, ..Limits::default() };
    let mut two = Two::with(&limits);
    for size in [3000, 7000, 100, 8000, 4000, 8000] {
        let key = two.near.call(two.main, &[], does::FAIL, encoded(&vec![0; size])).unwrap();
        two.go();
        assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Panicked)), "{size}");
    }
}

#[test]
fn too_many_calls_are_overloaded_and_leave_no_trace() {
    let limits = Limits { calls_in_flight: 10, ..Limits::default() };
    let mut two = Two::with(&limits);
    for _ in 0..10 {
        two.call(does::WAIT);
    }
    let error = two.near.call(two.main, &[], 0, encoded(&[])).unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Overloaded, false));
    assert_eq!(error.message(), "10 calls wait already; the limit `calls_in_flight` is 10");
    let limits = Limits { line_bytes: 5000, window_bytes: 2048, ..Limits::default() };
    let mut two = Two::with(&limits);
    let mut lined = 0;
    let error = loop {
        match two.near.call(two.main, &[], does::WAIT, encoded(&[0; BODY])) {
            Ok(_) => lined += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(lined, 5, "one is sent, four wait");
    assert!(error.message().contains("`line_bytes` is 5000"), "{error}");
    assert_eq!(two.near.session.sizes().1, 6);
}

#[test]
fn a_call_behind_one_that_failed_in_line_fails_as_well() {
    let mut two = Two::with(&Limits { window_bytes: 4096, ..Limits::default() });
    let failing = two.call(does::FAIL);
    two.go();
    // The line fills up; what it holds goes to the result of the call that failed.
    let mut keys = vec![failing];
    for _ in 0..10 {
        two.near.call(two.main, &[], does::WAIT, encoded(&[0; BODY])).unwrap();
    }
    let lined = two.near.call(failing, &[1], does::RETURN, encoded(&[])).unwrap();
    let mut args = encoded(&[]);
    args.promises.push(two.near.promise(0, lined, crate::wire::Path::EMPTY));
    let behind = two.near.call(two.main, &[], does::RETURN, args).unwrap();
    keys.extend([lined, behind]);
    two.go();
    for key in keys.into_iter().skip(1) {
        assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Upstream)));
    }
}

#[test]
fn a_line_that_is_lost_gives_up_what_its_calls_went_to() {
    let mut two = Two::with(&Limits { window_bytes: 4096, ..Limits::default() });
    let mut keys = vec![two.main, two.call(does::RETURN)];
    for _ in 0..5 {
        keys.push(two.near.call(two.main, &[], does::WAIT, encoded(&[0; BODY])).unwrap());
    }
    let lined = two.near.call(keys[1], &[1], does::RETURN, encoded(&[])).unwrap();
    keys.extend([lined, two.near.call(lined, &[1], does::RETURN, encoded(&[])).unwrap()]);
    assert!(!two.near.session.line_is_empty());
    two.near.session.end(Error::new(ErrorKind::Disconnected, "as the test wants it"));
    two.near.after();
    for key in keys {
        two.near.drop_handle(key);
    }
    assert_eq!(two.near.session.sizes(), (0, 0));
    two.near.session.check_empty();
}

#[test]
fn parked_calls_over_the_limit_are_refused_alone() {
    let limits = Limits { parked_bytes: 1000, ..Limits::default() };
    let mut two = Two::with(&limits);
    let parent = two.call(does::WAIT);
    let keys: Vec<_> =
        (0..20).map(|_| two.near.call(parent, &[1], does::FAIL, encoded(&[])).unwrap()).collect();
    two.go();
    let refused = keys.iter().filter(|key| two.near.poll(**key) == Some(Err(ErrorKind::Limit))).count();
    assert!((5..15).contains(&refused), "{refused} of 20");
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.far.run_ready();
    assert_eq!(two.far.started.len(), 1 + 20 - refused, "the others run");
}

#[test]
fn answers_over_the_limit_fail_when_they_are_kept() {
    let mut two = Two::with(&Limits { answer_bytes: 10, ..Limits::default() });
    let keys: Vec<_> = (0..5).map(|_| two.call(does::RETURN)).collect();
    // Not sent, because they are called through; kept, as long as there is room.
    let children: Vec<_> =
        keys.iter().map(|key| two.near.call(*key, &[1], does::FAIL, encoded(&[])).unwrap()).collect();
    two.go();
    let kinds: Vec<_> = children.into_iter().map(|key| two.near.poll(key).unwrap().unwrap_err()).collect();
    assert_eq!(kinds[..3], [ErrorKind::Panicked; 3], "three bytes each");
    assert_eq!(kinds[3..], [ErrorKind::Upstream; 2]);
}

#[test]
fn results_that_nobody_reads_fail_over_the_limit() {
    let mut two = Two::with(&Limits { unread_result_bytes: 10, ..Limits::default() });
    let keys: Vec<_> = (0..5).map(|_| two.call(does::RETURN)).collect();
    two.go();
    let read: Vec<_> = keys.into_iter().map(|key| two.near.poll(key).unwrap()).collect();
    assert!(read[..3].iter().all(Result::is_ok), "{read:?}");
    assert_eq!(read[3..], [Err(ErrorKind::Limit), Err(ErrorKind::Limit)]);
}

#[test]
fn r240_an_answer_that_is_asked_for_later_fits_into_a_frame_as_well() {
    let (mut near, mut far) =
        (Side::new(&Limits { frame_bytes: 300, ..Limits::default() }), Side::new(&Limits::default()));
    let main = near.main();
    near.feed(&far.flush());
    far.feed(&near.flush());
    // The answer has two capabilities, which are counted with the longest paths that they could have.
    let key = near.call(main, &[], does::RETURN | does::SHARED, encoded(&[])).unwrap();
    let child = near.call(key, &[1], does::FAIL, encoded(&[])).unwrap();
    far.feed(&near.flush());
    near.feed(&far.flush());
    assert_eq!(near.poll(child), Some(Err(ErrorKind::Panicked)));
    assert_eq!(near.poll(key), None);
    far.feed(&near.flush());
    let answer = far.flush();
    assert_eq!(kinds(&answer), [kind::REJECT]);
    near.feed(&answer);
    assert_eq!(near.poll(key), Some(Err(ErrorKind::Limit)));
}

#[test]
fn the_text_of_an_error_fits_into_a_frame() {
    let (mut near, mut far) =
        (Side::new(&Limits { frame_bytes: 500, ..Limits::default() }), Side::new(&Limits::default()));
    let main = near.main();
    near.feed(&far.flush());
    far.feed(&near.flush());
    let key = near.call(main, &[], does::WAIT, encoded(&[])).unwrap();
    far.feed(&near.flush());
    far.complete(1, Some(Error::new(ErrorKind::Panicked, "ä".repeat(100_000))));
    let answer = far.flush();
    assert!(answer.len() <= LENGTH_BYTES + 500, "{} bytes", answer.len());
    near.feed(&answer);
    assert_eq!(near.poll(key), Some(Err(ErrorKind::Panicked)));
}

#[test]
fn r241_a_path_over_the_limit_is_refused_before_it_is_sent() {
    let mut two = Two::new();
    let parent = two.call(does::RETURN);
    let error = two.near.call(parent, &[1; 65], does::RETURN, encoded(&[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(error.message(), "the path of the call has 65 steps; the limit `path_steps` is 64");
    two.near.call(parent, &[1; 64], does::RETURN, encoded(&[])).unwrap();
    two.go();
}

#[test]
fn a_limit_that_the_caller_was_not_told_fails_its_call_alone() {
    let limits = Limits { path_steps: 2, caps_per_message: 2, ..Limits::default() };
    let (mut near, mut far) = (Side::new(&Limits::default()), Side::new(&limits));
    let main = near.main();
    near.feed(&far.flush());
    far.feed(&near.flush());
    let parent = near.call(main, &[], does::RETURN, encoded(&[])).unwrap();
    let long_path = near.call(parent, &[1, 1, 1], does::FAIL, encoded(&[])).unwrap();
    let mut args = encoded(&[]);
    args.caps.extend((0..3).map(|_| local()));
    let many_caps = near.call(main, &[], does::FAIL, args).unwrap();
    let fine = near.call(main, &[], does::FAIL, encoded(&[])).unwrap();
    far.feed(&near.flush());
    near.feed(&far.flush());
    assert_eq!(near.poll(long_path), Some(Err(ErrorKind::Limit)));
    assert_eq!(near.poll(many_caps), Some(Err(ErrorKind::Limit)));
    assert_eq!(near.poll(fine), Some(Err(ErrorKind::Panicked)));
    far.feed(&near.flush());
    near.feed(&far.flush());
    assert_eq!(near.session.sizes().0, 0, "the capabilities came back");
}

#[test]
fn targets_over_the_limit_of_the_holder_are_broken_stubs() {
    let mut two = Two::with(&Limits { imports: 3, ..Limits::default() });
    let mut args = encoded(&[]);
    args.caps.extend((0..5).map(|_| local()));
    let key = two.near.call(two.main, &[], does::FAIL, args).unwrap();
    two.go();
    assert_eq!(two.far.session.sizes().1, 3);
    assert_eq!(two.near.session.sizes().0, 3, "the others were given back at once");
    assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Panicked)));
}

#[test]
fn promised_stubs_over_the_limit_of_the_holder_are_broken() {
    let mut two = Two::with(&Limits { imports: 5, ..Limits::default() });
    let parent = two.call(does::WAIT);
    for _ in 0..8 {
        let mut args = encoded(&[]);
        args.caps.push(two.near.capability(parent, crate::wire::Path::from_steps(&[1])));
        let key = two.near.call(two.main, &[], does::FAIL, args).unwrap();
        two.go();
        assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Panicked)));
    }
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    assert_eq!(two.far.watched.len(), 5);
}

#[test]
fn a_peer_that_gives_up_no_call_is_stopped() {
    let mut two = Two::new();
    two.far.session.max_kept = 100;
    for _ in 0..100 {
        two.call(does::FAIL);
    }
    two.go();
    let frame = split(&two.call_bytes(does::FAIL)).remove(0);
    let text = "it has given up none of 100 calls; the limit `kept_calls` is 100";
    assert_eq!(refusal(&mut two.far, &frame), text);
}

#[test]
fn a_peer_that_does_not_read_is_stopped() {
    let limits = Limits { unsent_answer_bytes: 500, unsent_answer_bytes_hard: 2000, ..Limits::default() };
    let mut two = Two::with(&limits);
    let frame = split(&two.call_bytes(does::RETURN)).remove(0);
    // Deliveries stop, the calls wait.
    for _ in 0..100 {
        two.far.handle(&frame).unwrap();
    }
    assert!((10..60).contains(&two.far.started.len()), "{}", two.far.started.len());
    // Refusals are no deliveries, so that somebody who only makes calls that fail has to be stopped.
    let mut two = Two::with(&limits);
    two.call(does::FAIL);
    two.go();
    let bad = call_frame(flag::SEND | flag::FORGET, (1, &[1]), does::RETURN, &[]);
    let ended = (0..1000).find_map(|_| two.far.handle(&bad).err().or(two.far.session.ended().cloned()));
    let ended = ended.expect("it ends");
    assert_eq!(ended.kind(), ErrorKind::Limit);
    assert!(ended.message().starts_with("the peer does not read"), "{ended}");
}

#[test]
fn calls_after_a_goaway_are_refused_and_did_not_run() {
    let mut two = Two::new();
    let before = two.call(does::WAIT);
    two.go();
    // Its goaway and our next call cross.
    two.far.session.leave();
    let crossing = two.call(does::RETURN);
    two.go();
    assert_eq!(two.near.poll(crossing), Some(Err(ErrorKind::ShuttingDown)));
    let late = two.near.call(two.main, &[], does::RETURN, encoded(&[])).unwrap_err();
    assert_eq!((late.kind(), late.may_have_run()), (ErrorKind::ShuttingDown, false));
    assert_eq!(two.far.started, [does::WAIT]);
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.go();
    assert!(two.near.poll(before).unwrap().is_ok(), "what ran may end");
}
