//! The flags that say whether an answer is sent and whether it is kept (R2).

use super::{Two, call_frame, split};
use crate::fuzzing::{does, encoded};
use crate::wire::{Path, flag, kind};

const CALL: u8 = kind::CALL;
const ANSWER: u8 = kind::ANSWER;
const FINISH: u8 = kind::FINISH;
const PULL: u8 = kind::PULL;
const RELEASE: u8 = kind::RELEASE;

/// The flags of the calls in what the near side sends now.
fn flags(two: &mut Two) -> Vec<u8> {
    let bytes = two.near.flush();
    let flags = split(&bytes).iter().filter(|frame| frame[0] == CALL).map(|frame| frame[1]).collect();
    two.far.feed(&bytes);
    flags
}

#[test]
fn an_awaited_call_is_sent_and_forgotten() {
    let mut two = Two::new();
    let key = two.call(does::FAIL);
    assert_eq!(two.near.poll(key), None);
    assert_eq!(flags(&mut two), [flag::SEND | flag::FORGET]);
    assert_eq!(two.go(), (vec![], vec![kind::REJECT]));
    assert!(two.near.poll(key).is_some());
    assert_eq!(two.go(), (vec![], vec![]), "there is nothing to give up");
    two.is_clean();
}

#[test]
fn a_call_that_nobody_looked_at_is_sent_and_kept() {
    let mut two = Two::new();
    let key = two.call(does::FAIL);
    assert_eq!(flags(&mut two), [flag::SEND]);
    assert_eq!(two.go(), (vec![], vec![kind::REJECT]));
    assert!(two.near.poll(key).is_some());
    assert_eq!(two.go(), (vec![FINISH], vec![]));
    two.is_clean();
}

#[test]
fn a_result_that_is_only_called_through_is_not_sent() {
    let mut two = Two::new();
    let parent = two.call(does::RETURN);
    let child = two.near.call(parent, &[1], does::RETURN, encoded(&[])).unwrap();
    assert_eq!(two.near.poll(child), None);
    assert_eq!(flags(&mut two), [0, flag::SEND | flag::FORGET | flag::PATH]);
    assert_eq!(two.go(), (vec![], vec![ANSWER]), "of the child alone");
    assert_eq!(two.far.session.sizes().0, 2, "what is kept: the parent's answer, and the child's stub");
}

#[test]
fn a_result_that_is_passed_on_is_not_sent() {
    for promise in [true, false] {
        let mut two = Two::new();
        let first = two.call(does::RETURN);
        let mut args = encoded(&[]);
        if promise {
            args.promises.push(two.near.promise(0, first, Path::EMPTY));
        } else {
            args.caps.push(two.near.capability(first, Path::from_steps(&[1])));
        }
        let second = two.near.call(two.main, &[], does::FAIL, args).unwrap();
        assert_eq!(two.near.poll(second), None);
        let with = if promise { flag::ARGS } else { flag::CAPS };
        assert_eq!(flags(&mut two), [0, flag::SEND | flag::FORGET | with]);
        assert_eq!(two.go(), (vec![], vec![kind::REJECT]));
    }
}

#[test]
fn a_detached_call_is_not_sent_and_runs() {
    let mut two = Two::new();
    let key = two.call(does::WAIT);
    two.near.session.detach(key);
    two.near.drop_handle(key);
    assert_eq!(flags(&mut two), [0]);
    assert_eq!(two.far.running.len(), 1, "it runs on");
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    assert_eq!(two.go(), (vec![], vec![]), "nobody is told");
    two.is_clean();
}

#[test]
fn dropping_the_promise_cancels() {
    let mut two = Two::new();
    let key = two.call(does::WAIT);
    two.go();
    two.near.drop_handle(key);
    assert_eq!(two.go(), (vec![FINISH], vec![]));
    assert_eq!(two.far.cancelled, [1]);
    two.is_clean();
}

#[test]
fn a_call_that_says_forget_and_not_send_is_never_answered() {
    for method in [does::RETURN, does::FAIL, does::WAIT, does::RETURN_ERROR] {
        let mut two = Two::new();
        two.far.handle(&call_frame(flag::FORGET, (0, &[]), method, &[])).unwrap();
        two.far.complete(1, None);
        assert_eq!(two.far.flush(), [0; 0], "{method}");
        assert_eq!(two.far.session.sizes().0, 0);
    }
}

#[test]
fn what_was_written_is_asked_for_later() {
    let mut two = Two::new();
    let parent = two.call(does::RETURN);
    let child = two.near.call(parent, &[1], does::FAIL, encoded(&[])).unwrap();
    assert_eq!(flags(&mut two), [0, flag::SEND | flag::PATH]);
    two.go();
    assert_eq!(two.near.poll(parent), None);
    assert_eq!(two.go(), (vec![PULL], vec![ANSWER]));
    assert!(two.near.poll(parent).unwrap().is_ok());
    assert!(two.near.poll(child).unwrap().is_err());
    two.near.drop_handle(*two.near.handles.last().unwrap());
    two.is_clean();
}

#[test]
fn a_partial_flush_leaves_alone_what_it_took() {
    let mut two = Two::new();
    let first = two.call(does::RETURN);
    // The driver takes the first call; the second is still in the buffer.
    let taken = two.near.flush();
    let second = two.near.call(first, &[1], does::RETURN, encoded(&[])).unwrap();
    let third = two.near.call(second, &[1], does::FAIL, encoded(&[])).unwrap();
    assert_eq!(two.near.poll(third), None);
    assert_eq!(two.near.poll(second), None);
    two.far.feed(&taken);
    let flags = flags(&mut two);
    let path = flag::PATH;
    // The second was called through and then awaited: it is sent, and kept because a frame refers to it.
    assert_eq!(flags, [flag::SEND | path, flag::SEND | flag::FORGET | path]);
    assert_eq!(split(&taken)[0][1], flag::SEND, "the first one says what it said");
    assert_eq!(two.go().1, [ANSWER, ANSWER, kind::REJECT]);
}

#[test]
fn a_second_handle_keeps_the_answer() {
    let mut two = Two::new();
    let key = two.call(does::RETURN);
    two.near.session.hold(key);
    two.near.handles.push(key);
    assert_eq!(two.near.poll(key), None);
    assert_eq!(flags(&mut two), [flag::SEND], "it may still be called through");
    two.go();
    let child = two.near.call(key, &[1], does::FAIL, encoded(&[])).unwrap();
    two.go();
    assert!(two.near.poll(child).unwrap().is_err());
    for key in two.near.handles.clone() {
        if key != two.main {
            two.near.drop_handle(key);
        }
    }
    let (there, _) = two.go();
    assert_eq!(there, [FINISH, FINISH, RELEASE]);
    two.is_clean();
}

#[test]
fn a_call_without_forget_is_given_up_once_it_is_read() {
    let mut two = Two::new();
    let key = two.call(does::RETURN);
    two.go();
    assert!(two.near.poll(key).unwrap().is_ok());
    assert_eq!(two.go(), (vec![FINISH], vec![]));
    two.near.drop_handle(*two.near.handles.last().unwrap());
    assert_eq!(two.go(), (vec![RELEASE], vec![]));
    two.is_clean();
}
