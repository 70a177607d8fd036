//! Calls on promises, and what happens when they settle, fail or are given up.

use super::{Two, call_frame};
use crate::error::{Error, ErrorKind};
use crate::fuzzing::{does, encode, encoded};
use crate::limits::{CALL_COST, Limits};
use crate::wire::{Message, Path, WireCap, flag};

/// Completes the oldest running method of the far side.
fn complete_first(two: &mut Two) {
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.far.run_ready();
}

#[test]
fn r122_calls_on_a_promise_are_delivered_in_order_when_it_settles() {
    let mut two = Two::new();
    let parent = two.call(does::WAIT);
    for n in 0..100 {
        let key = two.near.call(parent, &[1], n * 16, encoded(&[])).unwrap();
        two.near.session.detach(key);
    }
    two.go();
    assert_eq!(two.far.started, [does::WAIT], "all of them wait");
    complete_first(&mut two);
    let numbers: Vec<u64> = two.far.started[1..].iter().map(|method| method / 16).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

#[test]
fn r123_a_failure_reaches_every_call_behind_it() {
    let mut two = Two::new();
    let first = two.call(does::FAIL);
    let second = two.near.call(first, &[1], does::RETURN, encoded(&[])).unwrap();
    let third = two.near.call(second, &[1], does::RETURN, encoded(&[])).unwrap();
    let mut args = encoded(&[]);
    args.promises.push(two.near.promise(0, third, Path::EMPTY));
    let fourth = two.near.call(two.main, &[], does::RETURN, args).unwrap();
    two.go();
    assert_eq!(two.near.poll(second), None, "it was only called through");
    two.go();
    assert_eq!(two.near.poll(second), Some(Err(ErrorKind::Upstream)));
    assert_eq!(two.near.poll(fourth), Some(Err(ErrorKind::Upstream)));
    assert_eq!(two.far.started, [does::FAIL]);
    two.near.drop_handle(third);
    two.near.drop_handle(first);
    two.is_clean();
}

#[test]
fn a_cancel_that_crosses_the_answer_does_no_harm() {
    let mut two = Two::new();
    let key = two.call(does::WAIT);
    two.go();
    two.near.drop_handle(key);
    complete_first(&mut two);
    let (finish, answer) = (two.near.flush(), two.far.flush());
    two.far.feed(&finish);
    two.near.feed(&answer);
    assert!(two.far.cancelled.is_empty(), "there was nothing left to cancel");
    two.is_clean();
}

#[test]
fn a_call_is_held_by_the_calls_behind_it() {
    let mut two = Two::new();
    let parent = two.call(does::WAIT);
    let child = two.near.call(parent, &[1], does::WAIT, encoded(&[])).unwrap();
    two.go();
    two.near.drop_handle(parent);
    two.go();
    assert!(two.far.cancelled.is_empty(), "the child needs it");
    two.near.drop_handle(child);
    two.go();
    assert_eq!(two.far.cancelled, [1], "nobody needs it any more");
    two.is_clean();
}

#[test]
fn a_detached_call_keeps_what_it_builds_on() {
    let mut two = Two::new();
    let parent = two.call(does::WAIT);
    let child = two.near.call(parent, &[1], does::RETURN, encoded(&[])).unwrap();
    two.near.session.detach(child);
    two.near.drop_handle(child);
    two.near.drop_handle(parent);
    two.go();
    assert!(two.far.cancelled.is_empty());
    complete_first(&mut two);
    assert_eq!(two.far.started, [does::WAIT, does::RETURN]);
    two.is_clean();
}

#[test]
fn one_promise_may_be_target_and_argument_at_once() {
    for fails in [true, false] {
        let mut two = Two::new();
        let parent = two.call(does::WAIT);
        let mut args = encoded(&[]);
        args.promises.push(two.near.promise(0, parent, Path::from_steps(&[0])));
        args.promises.push(two.near.promise(1, parent, Path::EMPTY));
        let child = two.near.call(parent, &[1], does::FAIL, args).unwrap();
        two.go();
        two.near.drop_handle(parent);
        two.go();
        let (id, ..) = two.far.running[0];
        two.far.complete(id, fails.then(|| Error::new(ErrorKind::Panicked, "it did")));
        two.far.run_ready();
        two.go();
        let kind = if fails { ErrorKind::Upstream } else { ErrorKind::Panicked };
        assert_eq!(two.near.poll(child), Some(Err(kind)));
        two.is_clean();
    }
}

#[test]
fn a_promised_stub_can_be_passed_before_it_is_there() {
    let mut two = Two::new();
    let parent = two.call(does::WAIT);
    let mut args = encoded(&[]);
    args.caps.push(two.near.capability(parent, Path::from_steps(&[1])));
    args.caps.push(two.near.capability(parent, Path::from_steps(&[0])));
    let call = two.near.call(two.main, &[], does::FAIL, args).unwrap();
    two.go();
    assert_eq!(two.far.started, [does::WAIT, does::FAIL], "it is delivered without waiting");
    assert!(two.far.watched.is_empty());
    two.near.drop_handle(parent);
    two.go();
    assert!(two.far.cancelled.is_empty(), "the stubs keep it");
    complete_first(&mut two);
    assert_eq!(two.far.watched, [Ok(()), Err(ErrorKind::BadPath)]);
    assert!(two.near.poll(call).unwrap().is_err() || two.near.session.ended().is_none());
    two.near.drop_handle(call);
    two.is_clean();
}

/// Only a promised stub still holds the call, and goes when its turn has come and it has not begun.
#[test]
fn a_call_that_is_given_up_while_it_starts_leaves_nothing() {
    for method in [does::WAIT, does::RETURN] {
        let mut two = Two::new();
        let parent = two.call(does::WAIT);
        let child = two.near.call(parent, &[1], method, encoded(&[])).unwrap();
        let mut args = encoded(&[]);
        args.caps.push(two.near.capability(child, Path::from_steps(&[1])));
        let call = two.near.call(two.main, &[], does::RETURN, args).unwrap();
        two.near.drop_handle(child);
        two.go();
        let (parent_id, ..) = two.far.running[0];
        two.far.complete(parent_id, None);
        let incoming = two.far.session.next_ready().unwrap();
        assert_eq!((incoming.id, incoming.method), (parent_id + 1, method));
        two.far.session.unwatch(incoming.id, incoming.id as usize);
        two.far.deliver(incoming, &[]);
        assert!(two.far.running.is_empty(), "nobody waits for it");
        two.near.drop_handle(parent);
        two.near.drop_handle(call);
        two.is_clean();
    }
}

/// Each waits for the first call and holds the one before it: giving up the last gives up all.
#[test]
fn r234_a_long_chain_of_waiting_calls_is_given_up_on_a_small_stack() {
    const CHAIN: i64 = 50_000;
    let chain = || {
        let mut two = Two::new();
        two.far.handle(&call_frame(flag::SEND, (0, &[]), does::WAIT, &[])).unwrap();
        // Not by way of `handle`, which would look at all of them after every frame.
        for id in 1..=CHAIN {
            let cap = WireCap::Answer(id, Path::from_steps(&[1]));
            let frame = call_frame(flag::SEND, (1, &[1]), does::WAIT, &[cap]);
            assert!(two.far.session.handle_frame(&frame, None).unwrap().is_none());
        }
        assert_eq!(two.far.session.sizes().0, CHAIN as usize + 1);
        // The peer gives up everything but the last, which holds all the others in a row, and then the last.
        for id in 1..=CHAIN + 1 {
            let finish = encode(&Message::Finish { id, cancel: true });
            two.far.session.handle_frame(&finish, None).unwrap();
        }
        two.far.after();
        assert_eq!(two.far.cancelled, [1]);
        assert_eq!(two.far.session.sizes().0, 0);
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(chain).unwrap().join().unwrap();
}

#[test]
fn calls_that_come_and_go_behind_a_slow_one_leave_nothing() {
    let mut two = Two::new();
    let slow = two.call(does::WAIT);
    two.go();
    for _ in 0..2_000 {
        let key = two.near.call(slow, &[1], does::RETURN, encoded(&[])).unwrap();
        two.go();
        two.near.drop_handle(key);
        // `after` checks that the slow call does not remember those that came and went.
        two.go();
    }
    assert_eq!(two.far.session.sizes().0, 1);
}

#[test]
fn r156_the_end_gives_everything_up() {
    let mut two = Two::new();
    let parent = two.call(does::WAIT);
    let mut args = encoded(&[]);
    args.caps.push(two.near.capability(parent, Path::from_steps(&[1])));
    args.promises.push(two.near.promise(0, parent, Path::EMPTY));
    let child = two.near.call(parent, &[1], does::RETURN, args).unwrap();
    let result = two.call(does::RETURN);
    two.go();
    assert!(two.near.poll(result).unwrap().is_ok());
    for side in [&mut two.near, &mut two.far] {
        side.session.end(Error::new(ErrorKind::Disconnected, "cut"));
        side.after();
    }
    assert_eq!(two.far.cancelled, [1]);
    assert_eq!(two.far.session.sizes().0, 0);
    for key in [parent, child] {
        assert_eq!(two.near.poll(key), Some(Err(ErrorKind::Disconnected)));
    }
    let late = two.near.call(two.main, &[], does::RETURN, encoded(&[])).unwrap_err();
    assert_eq!((late.kind(), late.may_have_run()), (ErrorKind::Disconnected, false));
}

#[test]
fn what_was_detached_outlives_the_peaceful_end_of_the_peer() {
    let mut two = Two::new();
    let detached = two.call(does::WAIT);
    two.near.session.detach(detached);
    two.near.drop_handle(detached);
    two.call(does::WAIT);
    two.go();
    two.near.session.leave();
    two.go();
    two.far.session.peer_closed(Error::new(ErrorKind::Disconnected, "closed"));
    two.far.after();
    assert_eq!(two.far.cancelled, [2], "nobody waits for that one any more");
    assert!(two.far.session.ended().is_none());
    complete_first(&mut two);
    assert!(two.far.session.ended().is_some(), "with the last of them");
    assert_eq!(two.far.session.sizes(), (0, 0));
}

#[test]
fn r156_a_method_that_starts_as_the_session_ends_is_cancelled() {
    let mut two = Two::new();
    two.call(does::WAIT);
    let call = two.near.flush();
    let incoming = two.far.session.handle_frame(&super::split(&call)[0], None).unwrap().unwrap();
    two.far.session.end(Error::new(ErrorKind::Disconnected, "cut"));
    two.far.deliver(incoming, &super::split(&call)[0]);
    assert!(two.far.running.is_empty());
    assert_eq!(two.far.session.sizes(), (0, 0));
}

#[test]
fn a_call_that_was_asked_for_in_the_line_is_answered_although_others_build_on_it() {
    let mut two = Two::with(&Limits { window_bytes: 4096, ..Limits::default() });
    // The line: a call that does not fit yet, one that is awaited, and one through the promise of that.
    let window = two.near.session.window_left as usize;
    two.near.call(two.main, &[], does::RETURN, encoded(&vec![0; window - 2 * CALL_COST])).unwrap();
    two.near.call(two.main, &[], does::RETURN, encoded(&[0; 512])).unwrap();
    let awaited = two.call(does::RETURN);
    let built = two.near.call(awaited, &[1], does::RETURN, encoded(&[])).unwrap();
    assert!(!two.near.session.line_is_empty());
    assert_eq!((two.near.poll(awaited), two.near.poll(built)), (None, None));
    two.go();
    assert!(two.near.session.line_is_empty());
    assert!(two.near.settled.contains(&built) && two.near.settled.contains(&awaited));
}
