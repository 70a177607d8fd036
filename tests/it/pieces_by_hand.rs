//! Bodies in pieces against a peer that writes its frames by hand: order, cancelling, loss, and pieces that nobody may
//! send.

use std::task::{Context, Poll, Waker};

use farcall::prelude::*;
use farcall::{Endpoint, Limits, main_stub};

use crate::kit::raw::{Call, Got, Raw, Stage, answer_head, discard, finish, method, number, piece, pull};
use crate::kit::{Transport, behaviours, until};
use crate::pieces::{Depot, DepotStub, LARGE, MIB, OfficeStub, PIECE, payload};

/// The number of a method of [`Depot`].
fn of(name: &str) -> u64 {
    method::<DepotStub>(name)
}

/// The body of a call of `put`.
fn put_body(name: &str, content: &[u8]) -> Vec<u8> {
    [crate::kit::raw::text(name), number(content.len() as u64), content.to_vec()].concat()
}

fn put_head(length: usize) -> Call {
    Call::of(of("put"), &[]).in_pieces(length as u64)
}

fn note(name: &str) -> Call {
    Call::of(of("note"), &crate::kit::raw::text(name))
}

/// Reads the pieces of one body up to its last, with what comes between them.
async fn rest_of(raw: &mut Raw, length: u64) -> (Vec<u8>, Vec<Got>) {
    let (mut body, mut between) = (Vec::new(), Vec::new());
    while (body.len() as u64) < length {
        match raw.next().await.expect("the connection lives") {
            Got::Piece { bytes, .. } => {
                assert!((1..=PIECE).contains(&bytes.len()));
                body.extend(bytes);
            }
            other => between.push(other),
        }
    }
    (body, between)
}

behaviours! { wire
    async fn r278_an_incomplete_call_holds_up_its_target_alone(transport: Transport) {
        let target = Depot::default();
        let stage = Stage::new(transport, target.clone());
        let mut raw = stage.raw().await;
        let office = raw.call(&Call::of(of("office"), &[])).await;
        let Got::Answer { caps, .. } = office else { panic!("{office:?}") };
        let body = put_body("large", &payload(MIB, 1));
        raw.send(&put_head(body.len()).frame()).await;
        raw.send(&piece(1, &body[..PIECE])).await;
        raw.send(&note("behind").frame()).await;
        let other = method::<OfficeStub>("note");
        // What goes to another target is answered while the call is incomplete.
        let small = Call::of(other, &crate::kit::raw::text("small")).on(caps[0].1, &[]);
        assert!(matches!(raw.call(&small).await, Got::Answer { id: 4, .. }));
        assert_eq!(target.log(), ["small"]);
        for part in body[PIECE..].chunks(100_000) {
            raw.send(&piece(1, part)).await;
        }
        assert!(matches!(raw.reply().await, Got::Answer { id: 2, .. }));
        assert!(matches!(raw.reply().await, Got::Answer { id: 3, .. }));
        assert_eq!(target.log(), ["small".to_owned(), format!("large {MIB}"), "behind".to_owned()]);
    }

    async fn a_small_answer_stands_between_the_pieces_of_a_large_one(transport: Transport) {
        let stage = Stage::new(transport, Depot::default());
        let mut raw = stage.raw().await;
        let arguments = [number(LARGE as u64), number(3)].concat();
        raw.send(&Call::of(of("make"), &arguments).frame()).await;
        let Some(Got::LargeAnswer { id: 1, length }) = raw.next().await else { panic!("a large answer") };
        assert!(matches!(raw.next().await, Some(Got::Piece { body: 1, .. })));
        // The rest does not fit into what is between the two sides.
        raw.send(&note("small").frame()).await;
        let (body, between) = rest_of(&mut raw, length - PIECE as u64).await;
        assert!(matches!(between[..], [Got::Answer { id: 2, .. }]), "{between:?}");
        assert!(body[..] == payload(LARGE, 3)[PIECE - 4..]);
    }

    async fn large_answers_take_turns(transport: Transport) {
        let stage = Stage::new(transport, Depot::default());
        let mut raw = stage.raw().await;
        let make = |seed: u64| {
            Call::of(of("make"), &[number(4 * MIB as u64), number(seed)].concat()).frame()
        };
        raw.send(&[make(1), make(2), make(3)].concat()).await;
        let (mut order, mut bodies) = (Vec::new(), vec![Vec::new(); 3]);
        while bodies.iter().any(|body| body.len() < 4 * MIB + 4) {
            match raw.next().await.expect("the connection lives") {
                Got::Piece { body, bytes } => {
                    order.push(body);
                    bodies[body as usize - 1].extend(bytes);
                }
                Got::LargeAnswer { length, .. } => assert_eq!(length as usize, 4 * MIB + 4),
                other => panic!("{other:?}"),
            }
        }
        for (seed, body) in (1..).zip(&bodies) {
            assert!(body[4..] == payload(4 * MIB, seed)[..]);
        }
        // Once all three have begun, none has two pieces in a row before the first of them is at its end.
        let third = order.iter().position(|body| *body == 3).unwrap();
        let turns = &order[third..order.len() - 8];
        assert!(turns.len() > 20 && turns.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
    }

    async fn r150_a_call_that_is_given_up_midway_leaves_nothing(transport: Transport) {
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let put = stub.put("large", payload(LARGE, 1));
        let Some(Got::LargeCall { length, .. }) = raw.next().await else { panic!("a large call") };
        assert!(length as usize > LARGE);
        assert!(matches!(raw.next().await, Some(Got::Piece { body: 1, .. })));
        drop(put);
        let mut came = PIECE;
        loop {
            match raw.next().await.expect("the connection lives") {
                Got::Piece { bytes, .. } => came += bytes.len(),
                Got::Finish { id: 1 } => {}
                Got::Discard { body: 1 } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(came < LARGE, "the rest was not sent");
        // The connection goes on, and the next body has the next number.
        let again = stub.put("again", payload(MIB, 2));
        let Some(Got::LargeCall { length, .. }) = raw.next().await else { panic!("a large call") };
        let (body, _) = rest_of(&mut raw, length).await;
        assert!(body == put_body("again", &payload(MIB, 2)));
        raw.send(&crate::kit::raw::frame(2, &[&crate::kit::raw::id(2), &[0], &[9]])).await;
        assert_eq!(again.await.unwrap(), 9);
        until(|| raw.server.table_sizes() == (0, 1)).await;
    }

    async fn r150_a_body_that_its_caller_gave_up_is_forgotten(transport: Transport) {
        let target = Depot::default();
        let stage = Stage::new(transport, target.clone());
        let mut raw = stage.raw().await;
        raw.send(&put_head(LARGE).frame()).await;
        for _ in 0..5 {
            raw.send(&piece(1, &payload(PIECE, 1))).await;
        }
        raw.send(&[note("behind").frame(), finish(1, true)].concat()).await;
        // What comes for it now is read and dropped; what it held up goes on.
        raw.send(&piece(1, &payload(PIECE, 1))).await;
        assert!(matches!(raw.reply().await, Got::Answer { id: 2, .. }));
        raw.send(&discard(1)).await;
        assert!(matches!(raw.call(&note("after")).await, Got::Answer { id: 3, .. }));
        assert_eq!(target.log(), ["behind", "after"]);
        raw.send(&[finish(2, false), finish(3, false)].concat()).await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
        let reason = raw.aborted(&piece(1, &[7])).await;
        assert_eq!(reason, "it sent a piece of the body 1, which is complete or was given up");
    }

    async fn an_answer_that_is_given_up_midway_leaves_nothing(transport: Transport) {
        let stage = Stage::new(transport, Depot::default());
        let mut raw = stage.raw().await;
        let arguments = [number(LARGE as u64), number(3)].concat();
        raw.send(&Call::of(of("make"), &arguments).frame()).await;
        assert!(matches!(raw.next().await, Some(Got::LargeAnswer { id: 1, .. })));
        raw.send(&finish(1, true)).await;
        let mut came = 0;
        loop {
            match raw.next().await.expect("the connection lives") {
                Got::Piece { bytes, .. } => came += bytes.len(),
                Got::Discard { body: 1 } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(came < LARGE);
        assert_eq!(raw.server.table_sizes(), (0, 0));
        assert!(matches!(raw.call(&note("after")).await, Got::Answer { id: 2, .. }));
    }

    async fn an_answer_that_is_asked_for_late_is_cut_as_well(transport: Transport) {
        let stage = Stage::new(transport, Depot::default());
        let mut raw = stage.raw().await;
        let arguments = [number(MIB as u64), number(3)].concat();
        let make = Call { flags: 0, ..Call::of(of("make"), &arguments) };
        raw.send(&[make.frame(), note("small").frame()].concat()).await;
        assert!(matches!(raw.next().await, Some(Got::Answer { id: 2, .. })));
        raw.send(&pull(1)).await;
        let Some(Got::LargeAnswer { id: 1, length }) = raw.next().await else { panic!("a large answer") };
        let (body, _) = rest_of(&mut raw, length).await;
        assert!(body[3..] == payload(MIB, 3)[..]);
    }

    async fn r160_a_connection_that_is_lost_midway_leaves_nothing(transport: Transport) {
        let target = Depot::default();
        let stage = Stage::new(transport, target.clone());
        let mut raw = stage.raw().await;
        raw.send(&[put_head(LARGE).frame(), piece(1, &payload(PIECE, 1)), note("behind").frame()].concat()).await;
        until(|| raw.server.table_sizes().0 == 2).await;
        raw.hang_up().await;
        while raw.next().await.is_some() {}
        assert_eq!(raw.server.closed().await.kind(), ErrorKind::Disconnected);
        until(|| raw.server.table_sizes() == (0, 0)).await;
        assert!(target.log().is_empty(), "neither ran");
        // Seen from the caller: what did not leave as a whole did not run.
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let put = stub.put("large", payload(LARGE, 1));
        assert!(matches!(raw.next().await, Some(Got::LargeCall { .. })));
        let connection = raw.server.clone();
        drop(raw);
        let error = put.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        drop(stub);
        until(|| connection.table_sizes() == (0, 0)).await;
    }

    async fn a_refused_call_needs_no_more_of_its_body(transport: Transport) {
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let put = stub.put("large", payload(LARGE, 1));
        assert!(matches!(raw.next().await, Some(Got::LargeCall { .. })));
        // Overloaded, did not run.
        let reject = [&crate::kit::raw::id(1)[..], &[10, 10, 0], &crate::kit::raw::text("busy")].concat();
        raw.send(&crate::kit::raw::frame(3, &[&reject])).await;
        assert_eq!(put.await.unwrap_err().kind(), ErrorKind::Overloaded);
        let mut came = 0;
        loop {
            match raw.next().await.expect("the connection lives") {
                Got::Piece { bytes, .. } => came += bytes.len(),
                Got::Finish { id: 1 } => {}
                Got::Discard { body: 1 } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(came < LARGE);
    }

    async fn r228_pieces_that_nobody_may_send_end_their_session(transport: Transport) {
        let target = Depot::default();
        let stage = Stage::new(transport, target.clone());
        let neighbour: DepotStub = stage.neighbour().await;
        let head = put_head(9).frame();
        let after = |bytes: Vec<u8>| [head.clone(), piece(1, &[7; 4]), bytes].concat();
        let unknown = "it sent a piece of the body 2, which it never announced";
        let cases: [(Vec<u8>, String); 12] = [
            (piece(1, &[7]), unknown.replace('2', "1")),
            (after(piece(2, &[7])), unknown.to_owned()),
            (after(piece(0, &[7])), unknown.replace('2', "0")),
            (after(discard(2)), "it gave up the body 2, which it never announced".to_owned()),
            (after(piece(1, &[])), "it sent an empty piece of the body 1".to_owned()),
            (
                after(piece(1, &[7; 6])),
                "the body 1 has 10 bytes and more; it said that there are 9".to_owned(),
            ),
            (
                after([piece(1, &[7; 5]), piece(1, &[7])].concat()),
                "it sent a piece of the body 1, which is complete or was given up".to_owned(),
            ),
            (
                after(piece(1, &vec![7; PIECE + 1])),
                format!("it sent a piece of {} bytes; none has more than {PIECE}", PIECE + 1),
            ),
            (put_head(0).frame(), "a body that comes in pieces is said to have no bytes".to_owned()),
            (
                put_head(32 * MIB).frame(),
                format!(
                    "a message says it is {} bytes long with its body; the limit `frame_bytes` is {}",
                    32 * MIB + put_head(32 * MIB).frame().len() - 4,
                    32 * MIB
                ),
            ),
            (
                put_head(31 * MIB).frame().repeat(3),
                format!(
                    "it has {} bytes of calls waiting; the limit `window_bytes` is {}",
                    3 * (31 * MIB + put_head(31 * MIB).frame().len() - 4 + 64),
                    64 * MIB
                ),
            ),
            (
                [put_head(2).frame().repeat(65), (1..=65).flat_map(|body| piece(body, &[7])).collect()].concat(),
                "it has begun 65 bodies; no more than 64 may be under way".to_owned(),
            ),
        ];
        for (bytes, reason) in cases {
            let mut raw = stage.raw().await;
            assert_eq!(raw.aborted(&bytes).await, reason);
            neighbour.note("neighbour").await.unwrap();
        }
        assert!(target.log().iter().all(|entry| entry == "neighbour"));
    }

    async fn pieces_arrive_in_any_portions(transport: Transport) {
        let target = Depot::default();
        let stage = Stage::new(transport, target.clone());
        for portion in [1, 7, 1000, 5000, 70_000] {
            let mut raw = stage.raw().await;
            let bodies = [put_body("a", &payload(portion * 40, 1)), put_body("b", &payload(portion * 9, 2))];
            let mut stream: Vec<u8> = bodies.iter().flat_map(|body| put_head(body.len()).frame()).collect();
            let pieces = [(1, 0..portion), (2, 0..5), (1, portion..portion * 40), (2, 5..bodies[1].len())];
            for (number, range) in pieces {
                let parts = bodies[number - 1][range].chunks(PIECE);
                stream.extend(parts.flat_map(|part| piece(number as u64, part)));
                stream.extend(note("between").frame());
            }
            let left = bodies[0].len() - portion * 40;
            stream.extend(piece(1, &bodies[0][bodies[0].len() - left..]));
            for bytes in stream.chunks(portion) {
                raw.send(bytes).await;
                // Else the portions would be put together again on their way.
                tokio::task::yield_now().await;
            }
            for _ in 0..6 {
                assert!(matches!(raw.reply().await, Got::Answer { .. }), "{portion}");
            }
            let log = std::mem::take(&mut *target.log.lock().unwrap());
            let expected = [format!("a {}", portion * 40), format!("b {}", portion * 9)];
            assert_eq!(log[..2], expected, "{portion}");
        }
    }
}

#[tokio::test]
async fn a_large_call_counts_as_sent_with_its_last_piece() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let stub: DepotStub = main_stub(&connection);
    tokio::spawn(driver);
    let mut raw = Raw::over(Box::new(theirs), connection).await;
    let put = stub.put("large", payload(MIB, 1));
    let mut sent = std::pin::pin!(Promise::sent(&put));
    let mut is_sent = || sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(());
    assert!(matches!(raw.next().await, Some(Got::LargeCall { .. })));
    for _ in 0..3 {
        assert!(matches!(raw.next().await, Some(Got::Piece { .. })));
        assert!(!is_sent(), "there is more of it");
    }
    while let Some(Got::Piece { bytes, .. }) = raw.next().await
        && bytes.len() == PIECE
    {}
    assert!(is_sent());
}

#[tokio::test(start_paused = true)]
async fn r246_a_peer_that_takes_no_pieces_loses_its_session() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (connection, driver) = Endpoint::new().connect_over(ours);
    let stub: DepotStub = main_stub(&connection);
    tokio::spawn(driver);
    let mut raw = Raw::over(Box::new(theirs), connection).await;
    let put = stub.put("large", payload(MIB, 1));
    assert!(matches!(raw.next().await, Some(Got::LargeCall { .. })));
    let error = put.await.unwrap_err();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false));
    assert!(error.message().contains("write_stall"), "{error}");
    until(|| raw.server.table_sizes() == (0, 1)).await;
}

#[tokio::test]
async fn r246_calls_on_their_way_are_bounded_by_the_window_of_the_callee() {
    let window = Limits::default().window_bytes;
    let (mut raw, stub) = Raw::called::<DepotStub>(Transport::Duplex).await;
    // Eight of them are more than the window: some wait in line, and nothing is said of them.
    let puts: Vec<_> = (0..8).map(|n| stub.put("large", payload(LARGE - 1000, n))).collect();
    let mut heads = 0;
    let mut bytes_left = 0;
    loop {
        match raw.next().await.expect("the connection lives") {
            Got::LargeCall { length, .. } => {
                heads += 1;
                bytes_left += length;
            }
            Got::Piece { bytes, .. } => bytes_left -= bytes.len() as u64,
            other => panic!("{other:?}"),
        }
        if bytes_left == 0 {
            break;
        }
    }
    assert_eq!(heads, window / LARGE, "as many as fit");
    raw.send(&crate::kit::raw::frame(7, &[&number(window as u64)])).await;
    assert!(matches!(raw.next().await, Some(Got::LargeCall { .. })));
    drop(puts);
}

behaviours! { wire
    async fn an_incomplete_answer_holds_up_no_other(transport: Transport) {
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let (make, note) = (stub.make(MIB, 4), stub.note("small"));
        for _ in 0..2 {
            assert!(matches!(raw.next().await, Some(Got::Call { .. })));
        }
        let body = [number(MIB as u64), payload(MIB, 4).to_vec()].concat();
        raw.send(&answer_head(1, body.len() as u64)).await;
        raw.send(&piece(1, &body[..PIECE])).await;
        raw.send(&crate::kit::raw::frame(2, &[&crate::kit::raw::id(2), &[0]])).await;
        note.await.unwrap();
        for part in body[PIECE..].chunks(PIECE) {
            raw.send(&piece(1, part)).await;
        }
        assert!(make.await.unwrap() == payload(MIB, 4));
    }

    async fn r150_an_answer_that_nobody_waits_for_is_read_and_dropped(transport: Transport) {
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let make = stub.make(LARGE, 4);
        assert!(matches!(raw.next().await, Some(Got::Call { .. })));
        raw.send(&answer_head(1, LARGE as u64)).await;
        raw.send(&piece(1, &payload(PIECE, 1))).await;
        drop(make);
        assert_eq!(raw.next().await, Some(Got::Finish { id: 1 }));
        // It has crossed.
        raw.send(&piece(1, &payload(PIECE, 1))).await;
        raw.send(&discard(1)).await;
        let note = stub.note("after");
        assert!(matches!(raw.next().await, Some(Got::Call { .. })));
        raw.send(&crate::kit::raw::frame(2, &[&crate::kit::raw::id(2), &[0]])).await;
        note.await.unwrap();
        until(|| raw.server.table_sizes() == (0, 1)).await;
    }

    async fn an_answer_that_its_callee_gives_up_fails(transport: Transport) {
        let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
        let make = stub.make(LARGE, 4);
        assert!(matches!(raw.next().await, Some(Got::Call { .. })));
        raw.send(&[answer_head(1, LARGE as u64), piece(1, &payload(PIECE, 1)), discard(1)].concat()).await;
        let error = make.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Cancelled, true));
        raw.send(&discard(1)).await;
        raw.server.closed().await;
        drop(stub);
        let reason = raw.abort().await;
        assert_eq!(reason, "it gave up the body 1, which is complete or was given up");
    }

    async fn r228_answers_in_pieces_that_nobody_may_send_end_their_session(transport: Transport) {
        let begun = |bytes: Vec<u8>| [answer_head(1, 40 << 10), piece(1, &[7]), bytes].concat();
        let long = 32 * MIB as u64;
        let cases: [(Vec<u8>, String); 5] = [
            (begun(answer_head(1, 9)), "it answered the call 1 twice".to_owned()),
            (
                begun(crate::kit::raw::frame(2, &[&crate::kit::raw::id(1), &[0], &[1, 7]])),
                "it answered the call 1 twice".to_owned(),
            ),
            (answer_head(9, 9), "it answered the call 9, which was never made".to_owned()),
            (
                answer_head(1, long),
                format!(
                    "a message says it is {} bytes long with its body; the limit `frame_bytes` is {long}",
                    long as usize + answer_head(1, long).len() - 4
                ),
            ),
            (
                (1..=3).flat_map(|n| [answer_head(n, long - 100), piece(n as u64, &[7])].concat()).collect(),
                format!(
                    "it has begun answers of {} bytes; the limit `window_bytes` is {}",
                    3 * (long - 100),
                    2 * long
                ),
            ),
        ];
        for (bytes, reason) in cases {
            let (mut raw, stub) = Raw::called::<DepotStub>(transport).await;
            let made: Vec<_> = (0..3).map(|seed| stub.make(MIB, seed)).collect();
            for _ in 0..3 {
                assert!(matches!(raw.next().await, Some(Got::Call { .. })));
            }
            raw.send(&bytes).await;
            for made in made {
                assert_eq!(made.await.unwrap_err().kind(), ErrorKind::Protocol);
            }
            drop(stub);
            assert_eq!(raw.abort().await, reason);
        }
    }
}
