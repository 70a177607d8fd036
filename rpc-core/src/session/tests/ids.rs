//! Who may name what: calls by their place in the order, exports by count.

use super::{Two, refusal, split};
use crate::fuzzing::{Side, does, encode, encoded, local};
use crate::wire::{LENGTH_BYTES, Message, Path, WireCap, decode, kind};

fn id_frame(kind: u8, id: i64, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    crate::wire::put_signed(&mut frame, id);
    frame.extend_from_slice(rest);
    frame
}

fn call_frame(flags: u8, target: i64, method: u64, caps: &[WireCap]) -> Vec<u8> {
    super::call_frame(flags, (target, &[]), method, caps)
}

#[test]
fn r227_ids_never_given_end_the_session() {
    let frames = [
        (call_frame(1, -1, 0, &[]), "it called the export -1, which it does not hold"),
        (call_frame(1, 1, 0, &[]), "its call 1 refers to its call 1, which comes later"),
        (
            call_frame(1, 0, 0, &[WireCap::Answer(1, Path::EMPTY)]),
            "it referred to its call 1, which it never made",
        ),
        (call_frame(1, 0, 0, &[WireCap::Import(-1)]), "it passed the export -1, which it does not hold"),
        (id_frame(kind::RELEASE, -1, &[1]), "it released the export -1, which it does not hold"),
        (id_frame(kind::RELEASE, 0, &[1]), "it released the id 0, which is no export"),
        (id_frame(kind::FINISH, 1, &[1]), "it gave up its call 1, which it never made"),
        (id_frame(kind::PULL, 1, &[]), "it referred to its call 1, which it never made"),
        (id_frame(kind::ANSWER, 1, &[0]), "it answered the call 1, which was never made"),
        (id_frame(kind::GOAWAY, 1, &[]), "it serves calls up to 1, which was never made"),
    ];
    for (frame, text) in frames {
        let mut two = Two::new();
        assert_eq!(refusal(&mut two.far, &frame), text);
        assert!(two.far.started.is_empty(), "{text}");
        let (_, aborted) = (two.near.flush(), two.far.flush());
        let aborted = split(&aborted);
        let limits = crate::limits::Limits::default();
        let Ok(Message::Abort { message, .. }) = decode(&aborted[0], &limits) else { panic!("{aborted:?}") };
        assert_eq!(message, format!("the peer broke the protocol: {text}"));
        assert_eq!(aborted.len(), 1);
    }
}

#[test]
fn r227_a_call_that_was_given_up_cannot_be_referred_to() {
    for gone in [call_frame(1, 1, 0, &[]), id_frame(kind::PULL, 1, &[])] {
        for forget in [true, false] {
            let mut two = Two::new();
            two.far.handle(&call_frame(if forget { 3 } else { 1 }, 0, does::WAIT, &[])).unwrap();
            if !forget {
                two.far.handle(&id_frame(kind::FINISH, 1, &[0])).unwrap();
            }
            assert_eq!(refusal(&mut two.far, &gone), "it referred to its call 1, which it gave up");
        }
    }
}

#[test]
fn giving_a_call_up_twice_changes_nothing() {
    let mut two = Two::new();
    two.far.handle(&call_frame(1, 0, does::RETURN, &[])).unwrap();
    for _ in 0..3 {
        two.far.handle(&id_frame(kind::FINISH, 1, &[1])).unwrap();
    }
    two.far.handle(&call_frame(3, 0, does::RETURN, &[])).unwrap();
    assert_eq!(two.far.started.len(), 2);
}

#[test]
fn an_answer_comes_once() {
    let mut side = Side::new(&crate::limits::Limits::default());
    let main = side.main();
    let hello = side.flush();
    side.handle(&hello[LENGTH_BYTES..]).unwrap();
    let key = side.call(main, &[], 0, encoded(&[])).unwrap();
    side.session.hold(key);
    side.handle(&id_frame(kind::ANSWER, 1, &[0, 7])).unwrap();
    assert_eq!(refusal(&mut side, &id_frame(kind::ANSWER, 1, &[0, 8])), "it answered the call 1 twice");
    assert_eq!(side.poll(key), Some(Ok(vec![7])), "the first one counts");
}

#[test]
fn an_answer_is_asked_for_once() {
    for settled in [true, false] {
        let mut two = Two::new();
        let method = if settled { does::RETURN } else { does::WAIT };
        two.far.handle(&call_frame(0, 0, method, &[])).unwrap();
        two.far.handle(&id_frame(kind::PULL, 1, &[])).unwrap();
        let text = "it asked for the answer to its call 1 a second time";
        assert_eq!(refusal(&mut two.far, &id_frame(kind::PULL, 1, &[])), text);
    }
}

#[test]
fn an_answer_to_a_call_that_was_given_up_is_given_back() {
    let mut two = Two::new();
    let key = two.call(does::RETURN | does::SHARED);
    let call = two.near.flush();
    two.near.drop_handle(key);
    two.far.feed(&call);
    // The answer, with two capabilities, and the giving up cross.
    let (finish, answer) = (two.near.flush(), two.far.flush());
    assert_eq!((super::kinds(&finish), super::kinds(&answer)), (vec![kind::FINISH], vec![kind::ANSWER]));
    assert_eq!(two.far.session.sizes().0, 3);
    two.near.feed(&answer);
    two.far.feed(&finish);
    let (there, _) = two.go();
    assert_eq!(there, [kind::RELEASE, kind::RELEASE]);
    two.is_clean();
}

#[test]
fn r81_one_target_has_one_id_and_a_count() {
    let mut two = Two::new();
    let first = two.call(does::RETURN | does::SHARED);
    two.go();
    two.near.poll(first);
    two.go();
    let before = two.far.session.sizes().0;
    let second = two.call(does::RETURN | does::SHARED);
    two.go();
    two.near.poll(second);
    two.go();
    // One more result of its own; the other stub has the id that it had.
    assert_eq!(two.far.session.sizes().0, before + 1);
}

#[test]
fn a_release_that_crosses_another_introduction_does_no_harm() {
    let mut two = Two::new();
    let first = two.call(does::RETURN | does::SHARED);
    two.go();
    two.near.poll(first);
    let second = two.call(does::RETURN | does::SHARED);
    let call = two.near.flush();
    let held: Vec<_> =
        two.near.handles.iter().copied().filter(|key| ![two.main, second].contains(key)).collect();
    for key in held {
        two.near.drop_handle(key);
    }
    let release = two.near.flush();
    assert_eq!(super::kinds(&release), [kind::RELEASE, kind::RELEASE]);
    // The answer introduces the shared target again before the release of the first introduction arrives.
    two.far.feed(&call);
    two.far.feed(&release);
    two.go();
    two.near.poll(second);
    let stub = *two.near.handles.last().unwrap();
    let call = two.near.call(stub, &[], does::RETURN, encoded(&[])).unwrap();
    two.go();
    assert!(two.near.poll(call).unwrap().is_ok(), "the stub is alive");
    for key in two.near.handles.clone() {
        if key != two.main {
            two.near.drop_handle(key);
        }
    }
    two.is_clean();
}

#[test]
fn r227_a_release_count_that_is_too_high_ends_the_session() {
    let mut two = Two::new();
    let key = two.call(does::RETURN);
    two.go();
    two.near.poll(key);
    let text = "it released the export -1 2 times; it holds 1 introductions";
    assert_eq!(refusal(&mut two.far, &id_frame(kind::RELEASE, -1, &[2])), text);
}

#[test]
fn a_stub_that_comes_home_is_the_target_again() {
    let mut two = Two::new();
    let mut args = encoded(&[]);
    args.caps.push(local());
    let key = two.near.call(two.main, &[], does::RETURN | does::PASS_BACK, args).unwrap();
    two.go();
    assert!(two.near.poll(key).unwrap().is_ok());
    assert_eq!(two.near.handles, [two.main], "it is no import");
    for key in std::mem::take(&mut two.far.handles) {
        two.far.session.release(key);
        two.far.after();
    }
    two.is_clean();
}

#[test]
fn nothing_comes_before_the_greeting_and_only_one_greeting() {
    let limits = crate::limits::Limits::default();
    let mut side = Side::new(&limits);
    assert_eq!(refusal(&mut side, &[kind::CREDIT, 1]), "it sent another message before its greeting");
    let mut side = Side::new(&limits);
    let hello = side.flush();
    side.handle(&hello[LENGTH_BYTES..]).unwrap();
    assert_eq!(refusal(&mut side, &hello[LENGTH_BYTES..]), "it greeted twice");
    let mut side = Side::new(&limits);
    let mut other = encode(&Message::Hello { version: 1, window: 1, frame_bytes: 1, name: "", props: "" });
    other[5] = 2;
    assert_eq!(refusal(&mut side, &other), "it speaks version 2 of the wire, this side speaks 1");
}
