//! Calls through gates: what comes home through one, or is returned by a method that stands before one, keeps its order,
//! and what came home stays when the gate is revoked.

use farcall::prelude::*;
use farcall::{Revocable, Revoker, Stub};

use crate::embargo::{DELAY, MirrorStub, Notes, NotesStub, all, delayed, is_home};
use crate::kit::{Transport, behaviours, open_narrow, until};

type Wrap = fn(MirrorStub) -> (MirrorStub, Revoker);

const WRAPS: [Wrap; 2] = [Revocable::wrap, Revocable::membrane];

/// Returns what another returns.
pub struct Hall(MirrorStub);

#[rpc_target]
impl Hall {
    pub fn echo(&self, notes: NotesStub) -> Promise<NotesStub> {
        self.0.echo(notes)
    }

    pub async fn echo_later(&self, notes: NotesStub) -> Promise<NotesStub> {
        tokio::task::yield_now().await;
        self.0.echo_later(notes)
    }
}

fn is_over<T>(result: Result<T, Error>) -> Error {
    let Err(error) = result else { panic!("it was revoked") };
    assert_eq!(error.origin(), ErrorKind::Disposed, "{error}");
    error
}

behaviours! {
    async fn r131_what_comes_home_through_a_gate_stays_in_order_and_stays(transport: Transport) {
        for (wrap, later) in WRAPS.into_iter().flat_map(|wrap| [(wrap, false), (wrap, true)]) {
            let (mirror, other, link) = delayed(transport).await;
            let (lent, revoker) = wrap(mirror.clone());
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = if later { lent.echo_later(&mine) } else { lent.echo(&mine) };
            let kept: NotesStub = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| if n % 2 == 0 { promise.note(n) } else { promise.note_slowly(n) }).collect();
            if later {
                other.go.notify_one();
            }
            let home = promise.await.unwrap();
            calls.extend((10..20).map(|n| home.note(n)));
            all(calls).await;
            assert_eq!(notes.read(), (0..20).collect::<Vec<_>>());
            is_home(&home, &mine).await;
            assert_eq!(kept.note(20).await.unwrap(), 20);
            revoker.revoke();
            // The promise was made through the gate; what it gave was the caller's own all along.
            is_over(kept.note(21).await);
            is_over(lent.echo(&mine).await);
            assert_eq!(home.note(21).await.unwrap(), 21);
            assert_eq!(mirror.note(&home, 22).await.unwrap(), 22);
            assert!(home.same_target(&mine));
            assert_eq!(notes.read(), (0..23).collect::<Vec<_>>());
            drop((home, kept, lent));
            link.server_holds(0).await;
        }
    }

    async fn r131_what_comes_home_through_a_gate_of_the_introducer_stays_in_order(transport: Transport) {
        for (wrap, later) in WRAPS.into_iter().flat_map(|wrap| [(wrap, false), (wrap, true)]) {
            let (mirror, other, far) = delayed(transport).await;
            let (lent, revoker) = wrap(mirror);
            let (front, near) = open_narrow(transport, DELAY, lent).await;
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = if later { front.echo_later(&mine) } else { front.echo(&mine) };
            let kept: NotesStub = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| if n % 2 == 0 { promise.note(n) } else { kept.note_slowly(n) }).collect();
            if later {
                other.go.notify_one();
            }
            let home = promise.await.unwrap();
            calls.extend((10..20).map(|n| if n % 2 == 0 { home.note(n) } else { kept.note(n) }));
            all(calls).await;
            assert_eq!(notes.read(), (0..20).collect::<Vec<_>>());
            is_home(&home, &mine).await;
            revoker.revoke();
            assert_eq!(home.note(20).await.unwrap(), 20);
            is_over(front.echo(&mine).await);
            drop((home, kept));
            near.server_holds(0).await;
            far.server_holds(0).await;
        }
    }

    async fn r238_revoking_while_calls_come_home_loses_and_doubles_nothing(transport: Transport) {
        for (wrap, wait) in WRAPS.into_iter().flat_map(|wrap| [(wrap, 0), (wrap, 1), (wrap, 3)]) {
            let (mirror, _, link) = delayed(transport).await;
            let (lent, revoker) = wrap(mirror.clone());
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = lent.echo(&mine);
            let early: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            let home = promise.await.unwrap();
            let late: Vec<_> = (10..20).map(|n| home.note(n)).collect();
            for _ in 0..wait {
                mirror.own().await.unwrap();
            }
            revoker.revoke();
            let mut ran = Vec::new();
            for (n, call) in (0..20).zip(early.into_iter().chain(late)) {
                match call.await {
                    Ok(noted) => ran.push(noted),
                    Err(error) if error.may_have_run() => assert_eq!(error.origin(), ErrorKind::Disposed, "{n}: {error}"),
                    Err(error) => {
                        assert_eq!(error.origin(), ErrorKind::Disposed, "{n}: {error}");
                        assert!(!notes.read().contains(&n), "{n} ran, and said that it did not");
                    }
                }
            }
            let noted = notes.read();
            assert!(noted.is_sorted_by(|a, b| a < b), "{noted:?}");
            assert!(ran.iter().all(|n| noted.contains(n)));
            assert_eq!(mine.note(20).await.unwrap(), 20);
            drop((home, lent));
            link.server_holds(0).await;
        }
    }

    async fn r121_promise_through_a_gate_that_is_returned_stays_in_order(transport: Transport) {
        for (wrap, later) in WRAPS.into_iter().flat_map(|wrap| [(wrap, false), (wrap, true)]) {
            let (mirror, other, far) = delayed(transport).await;
            let (lent, revoker) = wrap(mirror);
            let (hall, near) = open_narrow(transport, DELAY, Hall(lent)).await;
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = if later { hall.echo_later(&mine) } else { hall.echo(&mine) };
            let mut calls: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            if later {
                other.go.notify_one();
            }
            let home = promise.await.unwrap();
            calls.extend((10..20).map(|n| home.note(n)));
            all(calls).await;
            assert_eq!(notes.read(), (0..20).collect::<Vec<_>>());
            is_home(&home, &mine).await;
            // One that is under way is struck, and what is called through it does not run.
            let waiting = hall.echo_later(&mine);
            let behind = waiting.note(20);
            until(|| far.server.as_ref().is_none_or(|server| server.table_sizes().0 > 0)).await;
            revoker.revoke();
            assert!(is_over(waiting.await).may_have_run() || !transport.has_wire());
            is_over(behind.await);
            assert_eq!(home.note(21).await.unwrap(), 21);
            assert!(!notes.read().contains(&20));
            drop((home, mine));
            near.server_holds(0).await;
            far.server_holds(0).await;
        }
    }
}
