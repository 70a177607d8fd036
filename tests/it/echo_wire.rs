//! Echoes written by hand: what they come behind of, what they cost, and what a peer must not do with them.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use tokio::sync::Notify;

use crate::kit::raw::{
    Call, FORGET, Got, Raw, Stage, answer, body, echo, echo_back, finish, frame, hello_with_window, home, id,
    method, number, own, path, pull,
};
use crate::kit::{Transport, behaviours, until};

#[derive(Clone, Default)]
pub struct Ear {
    heard: Arc<Mutex<Vec<i64>>>,
}

#[rpc_target]
impl Ear {
    pub fn hear(&self, n: i64) {
        self.heard.lock().unwrap().push(n);
    }
}

#[derive(Clone, Default)]
pub struct Wall {
    go: Arc<Notify>,
    ear: Ear,
    results: Arc<Mutex<Vec<String>>>,
}

#[rpc_target]
impl Wall {
    pub fn number(&self) -> i64 {
        6
    }

    pub fn bounce(&self, ear: EarStub) -> EarStub {
        ear
    }

    pub async fn bounce_later(&self, ear: EarStub) -> EarStub {
        self.go.notified().await;
        ear
    }

    pub async fn never(&self) -> Ear {
        std::future::pending().await
    }

    /// A stub of a promise of this side that settles when it is told to.
    pub fn promised(&self) -> EarStub {
        let wall: WallStub = self.clone().into_stub();
        wall.later().clone()
    }

    pub async fn later(&self) -> Ear {
        self.go.notified().await;
        self.ear.clone()
    }

    /// Takes bytes.
    pub fn take(&self, bytes: Bytes) -> u64 {
        bytes.len() as u64
    }

    /// Calls through a promise that is under way, with calls before that fill the window.
    pub fn speak_into_a_line(&self, wall: WallStub) {
        let promise = wall.bounce(self.ear.clone());
        for _ in 0..2 {
            Promise::detach(wall.take(vec![0; 100]));
        }
        self.go_on(promise);
    }

    /// The same with a promise that is in line itself when it is called through.
    pub fn speak_in_line(&self, wall: WallStub) {
        Promise::detach(wall.take(vec![0; 100]));
        let promise = wall.bounce(self.ear.clone());
        Promise::detach(wall.take(vec![0; 100]));
        self.go_on(promise);
    }

    /// Calls the peer through a promise that comes home, and goes on when it has.
    pub fn speak(&self, wall: WallStub) {
        let mine: EarStub = self.ear.clone().into_stub();
        let promise = wall.bounce(mine);
        Promise::detach(promise.hear(1));
        let results = Arc::clone(&self.results);
        tokio::spawn(async move {
            let said = match promise.await {
                Ok(ear) => {
                    format!("{:?}", ear.hear(2).await.map_err(|error| (error.kind(), error.may_have_run())))
                }
                Err(error) => error.to_string(),
            };
            results.lock().unwrap().push(said);
        });
    }
}

impl Wall {
    /// Calls through a promise, and through what comes of it.
    fn go_on(&self, promise: Promise<EarStub>) {
        Promise::detach(promise.hear(1));
        let results = Arc::clone(&self.results);
        tokio::spawn(async move {
            let ear = promise.await.unwrap();
            let late = ear.hear(2);
            results.lock().unwrap().push("settled".to_owned());
            let _ = late.await;
        });
    }
}

fn wall(name: &str) -> u64 {
    method::<WallStub>(name)
}

fn hear(n: u8) -> Call {
    Call { flags: FORGET, ..Call::of(method::<EarStub>("hear"), &[2 * n]) }
}

async fn raw_wall(transport: Transport) -> (Raw, Wall) {
    let target = Wall::default();
    (Stage::new(transport, target.clone()).raw().await, target)
}

/// Lets the library speak to a wall that the test is, up to its echo. The call is its second, the echo its third.
async fn speaking(transport: Transport) -> (Raw, Wall) {
    let (mut raw, target) = raw_wall(transport).await;
    raw.send(&Call { flags: FORGET, ..Call::of(wall("speak"), &[0]) }.caps(&[own(-1)]).frame()).await;
    assert_eq!(raw.reply().await, Got::Call { target: -1, method: wall("bounce") });
    assert_eq!(raw.reply().await, Got::Call { target: 1, method: method::<EarStub>("hear") });
    raw.send(&answer(1, &home(-1))).await;
    loop {
        match raw.reply().await {
            Got::Echo { target: 1, path } if path.is_empty() => return (raw, target),
            Got::Pull { id: 1 } | Got::Release { .. } | Got::Finish { .. } => {}
            other => panic!("an echo? {other:?}"),
        }
    }
}

behaviours! { wire
    async fn echo_comes_back_behind_the_calls_before_it(transport: Transport) {
        let (mut raw, target) = raw_wall(transport).await;
        let later = [false, true];
        for (round, later) in later.into_iter().enumerate() {
            let first = 5 * round as i64 + 1;
            let name = if later { "bounce_later" } else { "bounce" };
            let mut frames = Call { flags: 0, ..Call::of(wall(name), &[0]) }.caps(&[own(-1)]).frame();
            for n in 0..3 {
                frames.extend(hear(n).on(first, &[]).frame());
            }
            frames.extend(echo(first, &[]));
            raw.send(&frames).await;
            if later {
                // All of it waits for the answer.
                until(|| raw.server.table_sizes().0 > 0).await;
                target.go.notify_one();
            }
            let mut got = Vec::new();
            while got.last() != Some(&Got::EchoBack { id: first + 4 }) {
                got.push(raw.reply().await);
            }
            let call = || Got::Call { target: -1, method: method::<EarStub>("hear") };
            assert_eq!(got, [call(), call(), call(), Got::EchoBack { id: first + 4 }]);
        }
    }

    async fn echo_takes_an_id_and_its_turn_behind_promises(transport: Transport) {
        let (mut raw, target) = raw_wall(transport).await;
        let mut frames = Call { flags: 0, ..Call::of(wall("promised"), &[]) }.frame();
        frames.extend(hear(1).on(1, &[]).frame());
        frames.extend(echo(1, &[]));
        frames.extend(Call::of(wall("number"), &[]).frame());
        raw.send(&frames).await;
        // The third of its calls is the echo.
        assert_eq!(raw.reply().await, Got::Answer { id: 4, user: false, caps: vec![], body: vec![12] });
        assert!(target.ear.heard.lock().unwrap().is_empty());
        target.go.notify_one();
        assert_eq!(raw.reply().await, Got::EchoBack { id: 3 });
        assert_eq!(*target.ear.heard.lock().unwrap(), [1]);
    }

    async fn echo_comes_back_from_where_no_call_can_go(transport: Transport) {
        let (mut raw, target) = raw_wall(transport).await;
        raw.send(&Call { flags: 0, ..Call::of(wall("number"), &[]) }.frame()).await;
        for (n, steps) in [&[][..], &[3], &[0; 64], &[0; 65], &[0; 300]].into_iter().enumerate() {
            raw.send(&echo(1, steps)).await;
            assert_eq!(raw.reply().await, Got::EchoBack { id: n as i64 + 2 });
        }
        // One that waits for a call which fails, and one that comes after the other side has said that it leaves.
        raw.send(&Call { flags: 0, ..Call::of(wall("bounce_later") ^ 1, &[0]) }.frame()).await;
        raw.send(&echo(7, &[])).await;
        assert_eq!(raw.reply().await, Got::EchoBack { id: 8 });
        raw.send(&Call { flags: 0, ..Call::of(wall("bounce_later"), &[0]) }.caps(&[own(-1)]).frame()).await;
        raw.send(&echo(9, &[])).await;
        assert_eq!(body(raw.call(&Call { flags: 1 | FORGET, ..Call::of(wall("number"), &[]) }).await), [12]);
        raw.server.shutdown();
        assert_eq!(raw.reply().await, Got::Goaway { last: 11 });
        raw.send(&echo(1, &[])).await;
        assert_eq!(raw.reply().await, Got::EchoBack { id: 12 });
        target.go.notify_one();
        assert_eq!(raw.reply().await, Got::EchoBack { id: 10 });
    }

    async fn misused_echoes_end_the_session(transport: Transport) {
        let cases: [(&str, Vec<u8>, &str); 9] = [
            ("of itself", echo(3, &[]), "its call 3 refers to its call 3, which comes later"),
            ("of a later call", echo(9, &[]), "its call 3 refers to its call 9, which comes later"),
            ("of a call given up", echo(1, &[]), "it referred to its call 1, which it gave up"),
            ("of the main object", echo(0, &[]), "the id 0 cannot stand where it does"),
            ("of an export", echo(-1, &[]), "the id -1 cannot stand where it does"),
            ("not asked for", echo_back(1), "it sent the echo 1 back, which it does not have"),
            ("without a path", frame(10, &[&id(2)]), "a frame ends in the middle of a field"),
            ("with more", frame(10, &[&id(2), &path(&[]), &[0]]), "a frame has 1 bytes after its last field"),
            ("path cut short", frame(10, &[&id(2), &number(9), &[1, 2]]), "a frame ends in the middle of a field"),
        ];
        for (name, bytes, text) in cases {
            let (mut raw, _) = raw_wall(transport).await;
            assert_eq!(body(raw.call(&Call { flags: 1 | FORGET, ..Call::of(wall("number"), &[]) }).await), [12]);
            raw.send(&Call { flags: 0, ..Call::of(wall("number"), &[]) }.frame()).await;
            assert_eq!(raw.aborted(&bytes).await, text, "{name}");
        }
        // An echo is no answer.
        let (mut raw, _) = raw_wall(transport).await;
        raw.send(&Call { flags: 0, ..Call::of(wall("never"), &[]) }.frame()).await;
        raw.send(&echo(1, &[])).await;
        assert_eq!(raw.aborted(&pull(2)).await, "it referred to its call 2, which it gave up");
    }

    async fn echo_comes_back_once(transport: Transport) {
        let (mut raw, target) = speaking(transport).await;
        assert!(target.ear.heard.lock().unwrap().is_empty(), "the peer passed nothing on yet");
        let caught_up = hear(1).on(-1, &[]);
        raw.send(&[caught_up.frame(), echo_back(3)].concat()).await;
        until(|| target.results.lock().unwrap().len() == 1).await;
        assert_eq!(target.results.lock().unwrap()[0], "Ok(())");
        assert_eq!(*target.ear.heard.lock().unwrap(), [1, 2]);
        assert_eq!(raw.aborted(&echo_back(3)).await, "it sent the echo 3 back, which it does not have");

        // The number of another call, and what is no echo.
        for bytes in [echo_back(2), answer(3, &home(-1))] {
            let (mut raw, target) = speaking(transport).await;
            let text = raw.aborted(&bytes).await;
            let expected = ["it sent the echo 2 back, which it does not have", "it answered the echo 3"];
            assert!(expected.contains(&&text[..]), "{text}");
            until(|| target.results.lock().unwrap().len() == 1).await;
            assert_eq!(target.results.lock().unwrap()[0], "Err((Disconnected, false))");
            assert!(target.ear.heard.lock().unwrap().is_empty());
        }
    }

    async fn flood_of_echoes_has_a_limit(transport: Transport) {
        for name in ["never", "promised"] {
            let mut limits = farcall::Limits::default();
            (limits.window_bytes, limits.frame_bytes, limits.running_calls) = (64 * 1024, 16 * 1024, 100);
            let stage = Stage::with(transport, limits, Wall::default());
            let neighbour: WallStub = stage.neighbour().await;
            let mut raw = stage.raw().await;
            raw.send(&Call { flags: 0, ..Call::of(wall(name), &[]) }.frame()).await;
            let flood: Vec<u8> = (0..2000).flat_map(|_| echo(1, &[])).collect();
            let text = raw.aborted(&flood).await;
            assert!(text.ends_with("bytes of calls waiting; the limit `window_bytes` is 65536"), "{text}");
            assert_eq!(neighbour.number().await.unwrap(), 6);
        }
    }

    async fn call_given_up_takes_its_echo_along(transport: Transport) {
        let (mut raw, _) = raw_wall(transport).await;
        raw.send(&Call { flags: 0, ..Call::of(wall("never"), &[]) }.frame()).await;
        raw.send(&echo(1, &[])).await;
        raw.send(&finish(1, true)).await;
        // It waits for the call, as a call on it would, and gives it up with the session.
        assert_eq!(body(raw.call(&Call { flags: 1 | FORGET, ..Call::of(wall("number"), &[]) }).await), [12]);
        assert_eq!(raw.server.table_sizes().0, 2);
        raw.hang_up().await;
        until(|| raw.server.table_sizes() == (0, 0)).await;
    }

    async fn echo_comes_back_behind_calls_that_wait_in_line(transport: Transport) {
        let stage = Stage::new(transport, Wall::default());
        let mut raw = stage.silent().await;
        raw.send(&hello_with_window(200)).await;
        assert_eq!(raw.next().await, Some(Got::Hello));
        let mut frames = Call { flags: 0, ..Call::of(wall("bounce"), &[0]) }.caps(&[own(-1)]).frame();
        for n in 0..5 {
            frames.extend(hear(n).on(1, &[]).frame());
        }
        frames.extend(echo(1, &[]));
        frames.extend(Call { flags: 1 | FORGET, ..Call::of(wall("number"), &[]) }.frame());
        raw.send(&frames).await;
        // Two calls fit; the answer waits for nothing.
        let call = || Got::Call { target: -1, method: method::<EarStub>("hear") };
        assert_eq!([raw.reply().await, raw.reply().await], [call(), call()]);
        assert_eq!(body(raw.reply().await), [12]);
        raw.send(&frame(7, &[&number(10_000)])).await;
        let rest = [raw.reply().await, raw.reply().await, raw.reply().await, raw.reply().await];
        assert_eq!(rest, [call(), call(), call(), Got::EchoBack { id: 7 }]);
    }

    async fn calls_that_are_all_in_line_have_gone_that_way_too(transport: Transport) {
        // The promise has been sent when the call through it joins the line: there is room for one more call beside it.
        // Or it is in line itself, and leaves it before that call does, which has to wait for room still.
        for (name, window, sent) in [("speak_into_a_line", 412, true), ("speak_in_line", 330, false)] {
            let target = Wall::default();
            let stage = Stage::new(transport, target.clone());
            let mut raw = stage.silent().await;
            raw.send(&hello_with_window(window)).await;
            assert_eq!(raw.next().await, Some(Got::Hello));
            raw.send(&Call { flags: FORGET, ..Call::of(wall(name), &[0]) }.caps(&[own(-1)]).frame()).await;
            let call = |name: &str| Got::Call { target: -1, method: wall(name) };
            let id = if sent {
                assert_eq!([raw.reply().await, raw.reply().await], [call("bounce"), call("take")]);
                1
            } else {
                // The first is given up as soon as it was made: nobody waits for it.
                assert_eq!([raw.reply().await, raw.reply().await], [call("take"), Got::Finish { id: 1 }]);
                raw.send(&frame(7, &[&number(180)])).await;
                assert_eq!([raw.reply().await, raw.reply().await], [call("bounce"), call("take")]);
                2
            };
            raw.send(&answer(id, &home(-1))).await;
            until(|| !target.results.lock().unwrap().is_empty()).await;
            raw.send(&frame(7, &[&number(10_000)])).await;
            let mut got = Vec::new();
            while !matches!(got.last(), Some(Got::Echo { .. })) {
                match raw.reply().await {
                    Got::Call { target, .. } if target == id => got.push(Got::Pull { id: 0 }),
                    Got::Call { .. } | Got::Pull { .. } | Got::Finish { .. } | Got::Release { .. } => {}
                    other => got.push(other),
                }
            }
            assert_eq!(got, [Got::Pull { id: 0 }, Got::Echo { target: id, path: vec![] }]);
            assert!(target.ear.heard.lock().unwrap().is_empty(), "the later call waits");
        }
    }
}

/// Over one pipe and on one thread: that all of it is handled in one turn decides what is seen.
#[tokio::test]
async fn echo_waits_in_the_queue_of_its_target() {
    let (mut raw, target) = raw_wall(Transport::Duplex).await;
    raw.send(&Call { flags: 0, ..Call::of(wall("promised"), &[]) }.frame()).await;
    target.go.notify_one();
    // The promise has settled, and calls on it go to the queue of a target of this process.
    assert_eq!(body(raw.call(&Call { flags: 1 | FORGET, ..hear(0) }.on(1, &[])).await), [0; 0]);
    let mut frames = hear(1).on(1, &[]).frame();
    frames.extend(echo(1, &[]));
    frames.extend(Call { flags: 1 | FORGET, ..Call::of(wall("number"), &[]) }.frame());
    raw.send(&frames).await;
    // The queue is served after the turn.
    assert_eq!(body(raw.reply().await), [12]);
    assert_eq!(raw.reply().await, Got::EchoBack { id: 4 });
    assert_eq!(*target.ear.heard.lock().unwrap(), [0, 1]);
}
