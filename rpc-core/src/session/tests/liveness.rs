//! Pings and pongs, the greeting, and what a side may be made to hold or say without reading anything.

use super::{Two, call_frame, kinds, refusal};
use crate::error::{Error, ErrorKind};
use crate::fuzzing::{Side, does, encoded, local};
use crate::limits::{INITIAL_WINDOW, Limits, RUNNING_FROM};
use crate::outcome::Reply;
use crate::wire::{Path, WireCap, flag, kind};

#[test]
fn a_ping_is_answered_and_a_pong_is_not() {
    let mut two = Two::new();
    two.near.session.ping();
    assert_eq!(two.go(), (vec![kind::PING], vec![kind::PONG]));
    two.far.handle(&[kind::PONG]).unwrap();
    assert_eq!(two.go(), (vec![], vec![]));
    two.is_clean();
}

#[test]
fn any_number_of_pings_has_one_pong_that_waits() {
    let mut two = Two::new();
    for round in 0..3 {
        for _ in 0..10_000 {
            two.far.handle(&[kind::PING]).unwrap();
        }
        assert_eq!(kinds(&two.far.flush()), [kind::PONG], "round {round}");
    }
}

#[test]
fn a_ping_before_the_greeting_and_one_with_fields_break_the_rules() {
    let mut side = Side::new(&Limits::default());
    assert_eq!(refusal(&mut side, &[kind::PING]), "it sent another message before its greeting");
    for kind in [kind::PING, kind::PONG] {
        let mut two = Two::new();
        assert_eq!(refusal(&mut two.far, &[kind, 1]), "a frame has 1 bytes after its last field");
    }
}

#[test]
fn a_greeting_is_no_longer_than_the_first_window() {
    let side = Side::new(&Limits::default());
    assert_eq!(side.session.longest_frame(), INITIAL_WINDOW);
    let two = Two::new();
    assert_eq!(two.near.session.longest_frame(), Limits::default().frame_bytes);
}

#[test]
fn a_side_that_turns_its_peer_away_tells_it() {
    let mut two = Two::new();
    let call = two.call(does::WAIT);
    two.near.session.turn_away(Error::new(ErrorKind::Limit, "too late"));
    assert_eq!(two.near.poll(call), Some(Err(ErrorKind::Limit)));
    let said = two.near.flush();
    assert_eq!(kinds(&said), [kind::CALL, kind::ABORT]);
    two.far.feed(&said);
    assert_eq!(two.far.session.ended().map(Error::kind), Some(ErrorKind::Limit));
}

#[test]
fn releases_count_as_output_that_the_peer_caused() {
    let limits = Limits {
        unsent_answer_bytes: 5000,
        window_bytes: INITIAL_WINDOW,
        frame_bytes: INITIAL_WINDOW / 4,
        ..Limits::default()
    };
    let mut two = Two::with(&limits);
    // Each is forgotten and not answered; what it brings is given back at once.
    let caps: Vec<_> = (1..=100).map(|id| WireCap::Export(-id)).collect();
    let bomb = call_frame(flag::FORGET, (0, &[]), does::RETURN, &caps);
    let mut delivered = 0;
    let ended = (0..1000).find_map(|_| {
        let ended = two.far.handle(&bomb).err();
        for (_, _, received) in std::mem::take(&mut two.far.running) {
            drop(received);
        }
        while let Some(key) = two.far.handles.pop() {
            two.far.session.release(key);
            two.far.after();
        }
        delivered = two.far.started.len();
        ended.or(two.far.session.ended().cloned())
    });
    assert!((5..20).contains(&delivered), "{delivered} were delivered before that stopped");
    // What waits is bounded by the window.
    let ended = ended.or_else(|| (0..1000).find_map(|_| two.far.handle(&bomb).err())).expect("it ends");
    assert_eq!(ended.kind(), ErrorKind::Protocol);
    assert!(ended.message().contains("`window_bytes`"), "{ended}");
}

#[test]
fn refused_capabilities_that_nobody_reads_about_end_the_session() {
    let limits = Limits { unsent_answer_bytes_hard: 20_000, caps_per_message: 3, ..Limits::default() };
    let mut two = Two::with(&limits);
    let caps: Vec<_> = (1..=100).map(|id| WireCap::Export(-id)).collect();
    let bomb = call_frame(flag::FORGET, (0, &[]), does::RETURN, &caps);
    let ended = (0..1000).find_map(|_| {
        let refused = two.far.handle(&bomb).err();
        refused.or(two.far.session.ended().cloned())
    });
    let ended = ended.expect("it ends");
    assert_eq!(ended.kind(), ErrorKind::Limit);
    assert!(ended.message().contains("`unsent_answer_bytes_hard` is 20000"), "{ended}");
    assert!(two.far.session.out.len() < 22_000, "{}", two.far.session.out.len());
}

#[test]
fn many_calls_that_fail_for_one_reason_do_not_write_more_than_the_limit() {
    let limits = Limits { unsent_answer_bytes_hard: 100_000, ..Limits::default() };
    let mut two = Two::with(&limits);
    let parent = two.call(does::WAIT);
    for _ in 0..1000 {
        two.near.call(parent, &[1], does::RETURN, encoded(&[])).unwrap();
    }
    two.far.feed(&two.near.flush());
    let (id, ..) = two.far.running[0];
    two.far.complete(id, Some(Error::new(ErrorKind::Panicked, "x".repeat(10_000))));
    let ended = two.far.session.ended().cloned().expect("it ends");
    assert!(ended.message().contains("`unsent_answer_bytes_hard` is 100000"), "{ended}");
    assert!(two.far.session.out.len() < 120_000, "{}", two.far.session.out.len());
}

#[test]
fn r135_parked_calls_are_counted() {
    let mut two = Two::with(&Limits { parked_calls: 7, ..Limits::default() });
    let parent = two.call(does::WAIT);
    let keys: Vec<_> =
        (0..9).map(|_| two.near.call(parent, &[1], does::FAIL, encoded(&[])).unwrap()).collect();
    two.go();
    let refused: Vec<_> = keys.iter().map(|key| two.near.poll(*key)).collect();
    assert_eq!(refused[..7], [None, None, None, None, None, None, None]);
    assert_eq!(refused[7..], [Some(Err(ErrorKind::Limit)), Some(Err(ErrorKind::Limit))]);
}

#[test]
fn r135_parked_calls_never_take_more_than_half_of_the_window() {
    let mut two = Two::with(&Limits {
        window_bytes: 2 * INITIAL_WINDOW,
        frame_bytes: INITIAL_WINDOW,
        ..Limits::default()
    });
    let parent = two.call(does::WAIT);
    two.go();
    let body = INITIAL_WINDOW / 2;
    let keys: Vec<_> =
        (0..2).map(|_| two.near.call(parent, &[1], does::FAIL, encoded(&vec![0; body])).unwrap()).collect();
    two.go();
    assert_eq!(two.near.poll(keys[0]), None);
    assert_eq!(two.near.poll(keys[1]), Some(Err(ErrorKind::Limit)), "half the window is {INITIAL_WINDOW}");
}

#[test]
fn capabilities_of_calls_that_wait_are_counted() {
    let limits = Limits { running_calls: 1, waiting_caps: 10, ..Limits::default() };
    let mut two = Two::with(&limits);
    two.call(does::WAIT);
    let keys: Vec<_> = (0..4)
        .map(|_| {
            let mut args = encoded(&[]);
            args.caps.extend((0..3).map(|_| local()));
            two.near.call(two.main, &[], does::FAIL, args).unwrap()
        })
        .collect();
    two.go();
    for key in &keys[..3] {
        assert_eq!(two.near.poll(*key), None);
    }
    assert_eq!(two.near.poll(keys[3]), Some(Err(ErrorKind::Limit)), "nine wait");
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.far.run_ready();
    two.go();
    assert_eq!(two.near.poll(keys[0]), Some(Err(ErrorKind::Panicked)));
}

#[test]
fn an_answer_does_not_multiply_its_capabilities_in_calls_that_wait_for_it() {
    let limits = Limits { waiting_caps: 5, ..Limits::default() };
    let mut two = Two::with(&limits);
    let parent = two.call(does::WAIT);
    let blocker = two.call(does::WAIT);
    let keys: Vec<_> = (0..4)
        .map(|_| {
            let mut args = encoded(&[]);
            args.promises.push(two.near.promise(0, parent, Path::EMPTY));
            args.promises.push(two.near.promise(1, blocker, Path::EMPTY));
            two.near.call(two.main, &[], does::FAIL, args).unwrap()
        })
        .collect();
    two.go();
    let (id, ..) = two.far.running[0];
    // One capability each; the call still waits for the other argument.
    two.far.complete(id, None);
    two.go();
    assert!(keys.iter().all(|key| two.near.poll(*key).is_none()), "four of five");
    let (id, ..) = two.far.running[0];
    two.far.complete(id, None);
    two.far.run_ready();
    two.go();
    let kinds: Vec<_> = keys.iter().map(|key| two.near.poll(*key)).collect();
    assert!(kinds.contains(&Some(Err(ErrorKind::Limit))), "{kinds:?}");
}

#[test]
fn targets_in_answers_that_are_kept_are_counted() {
    let mut two = Two::with(&Limits { exports: 3, ..Limits::default() });
    let keys: Vec<_> = (0..5).map(|_| two.call(does::RETURN)).collect();
    // Called through and not sent: each keeps a target.
    let children: Vec<_> =
        keys.iter().map(|key| two.near.call(*key, &[1], does::FAIL, encoded(&[])).unwrap()).collect();
    two.go();
    let kinds: Vec<_> = children.into_iter().map(|key| two.near.poll(key).unwrap().unwrap_err()).collect();
    assert_eq!(kinds[..3], [ErrorKind::Panicked; 3]);
    assert_eq!(kinds[3..], [ErrorKind::Upstream; 2]);
}

#[test]
fn methods_that_hold_much_stop_deliveries_until_one_has_ended() {
    let mut two = Two::with(&Limits { running_bytes: 3 * RUNNING_FROM, ..Limits::default() });
    let session = &mut two.far.session;
    session.running(1, 0, RUNNING_FROM - 1);
    session.running(2, 0, 2 * RUNNING_FROM);
    two.call(does::FAIL);
    two.go();
    assert_eq!(two.far.started.len(), 1, "there is room");
    two.far.session.running(3, 0, RUNNING_FROM);
    two.call(does::FAIL);
    two.go();
    assert_eq!(two.far.started.len(), 1);
    two.far.session.complete(3, &mut Reply::failed(Error::new(ErrorKind::Cancelled, "")));
    two.far.run_ready();
    assert_eq!(two.far.started.len(), 2);
}

#[test]
fn long_texts_of_failures_count_as_results_that_nobody_has_read() {
    let mut two = Two::with(&Limits { unread_result_bytes: 3000, ..Limits::default() });
    let keys: Vec<_> = (0..4).map(|_| two.call(does::WAIT)).collect();
    two.go();
    while let Some((id, ..)) = two.far.running.first() {
        let id = *id;
        two.far.complete(id, Some(Error::new(ErrorKind::Panicked, "x".repeat(1256))));
    }
    two.go();
    let read: Vec<_> = keys.into_iter().map(|key| two.near.poll(key).unwrap().unwrap_err()).collect();
    assert_eq!(read.iter().filter(|kind| **kind == ErrorKind::Panicked).count(), 3, "{read:?}");
    assert_eq!(read.iter().filter(|kind| **kind == ErrorKind::Limit).count(), 1, "{read:?}");
}

#[test]
fn capabilities_that_are_broken_for_one_reason_have_one_error() {
    let mut two = Two::with(&Limits { imports: 2, ..Limits::default() });
    let caps: Vec<_> = (1..=4).map(|id| WireCap::Export(-id)).collect();
    let frame = call_frame(flag::FORGET, (0, &[]), does::RETURN, &caps);
    let incoming = two.far.session.handle_frame(&frame, None).unwrap().unwrap();
    let broken: Vec<_> = incoming
        .caps
        .iter()
        .filter_map(|cap| match cap {
            crate::session::Cap::Broken(error) => Some(error.message().as_ptr()),
            _ => None,
        })
        .collect();
    assert_eq!(broken.len(), 2);
    assert!(broken.iter().all(|text| *text == broken[0]), "they share it");
}
