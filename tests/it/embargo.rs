//! Promises that settle to what the settling peer does not host: stubs that come home, or that belong to a third. Calls
//! made before, while and after that happens are delivered in the order in which they were made, and in the end nothing
//! stands between caller and target any more (R4).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::{Link, Transport, behaviours, open_narrow, until};

/// Longer than anything takes that does not wait for the transport.
pub const DELAY: Duration = Duration::from_millis(5);

/// A target that writes down what it is told, in the order in which it is told.
#[derive(Clone, Default)]
pub struct Notes {
    log: Arc<Mutex<Vec<i64>>>,
    go: Arc<Notify>,
}

impl Notes {
    pub fn read(&self) -> Vec<i64> {
        self.log.lock().unwrap().clone()
    }
}

#[rpc_target]
impl Notes {
    pub fn note(&self, n: i64) -> i64 {
        self.log.lock().unwrap().push(n);
        n
    }

    pub fn note_large(&self, n: i64, payload: Bytes) -> u64 {
        self.log.lock().unwrap().push(n);
        payload.len() as u64
    }

    /// Written down when it begins.
    pub async fn note_slowly(&self, n: i64) -> i64 {
        self.log.lock().unwrap().push(n);
        tokio::task::yield_now().await;
        n
    }

    /// Itself, when it is told to.
    pub async fn later(&self) -> Self {
        self.go.notified().await;
        self.clone()
    }

    /// What it was given, when it is told to.
    pub async fn pass_later(&self, notes: NotesStub) -> NotesStub {
        self.go.notified().await;
        notes
    }
}

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Folder {
    pub label: String,
    pub notes: NotesStub,
    pub more: Option<NotesStub>,
}

/// The other side, which hands things back.
#[derive(Clone, Default)]
pub struct Mirror {
    pub go: Arc<Notify>,
    kept: Arc<Mutex<Vec<NotesStub>>>,
    next: Option<MirrorStub>,
    own: Notes,
}

#[rpc_target]
impl Mirror {
    pub fn echo(&self, notes: NotesStub) -> NotesStub {
        notes
    }

    pub async fn echo_later(&self, notes: NotesStub) -> NotesStub {
        self.go.notified().await;
        notes
    }

    pub fn folder(&self, notes: NotesStub, more: Option<NotesStub>) -> Folder {
        Folder { label: "echo".to_owned(), notes, more }
    }

    pub fn list(&self, notes: Vec<NotesStub>) -> Vec<NotesStub> {
        notes
    }

    pub fn pair(&self, notes: NotesStub, n: i64) -> (i64, NotesStub) {
        (n, notes)
    }

    pub fn maybe(&self, notes: Option<NotesStub>) -> Option<NotesStub> {
        notes
    }

    pub fn put(&self, notes: NotesStub) {
        self.kept.lock().unwrap().push(notes);
    }

    pub async fn take(&self) -> NotesStub {
        self.go.notified().await;
        self.kept.lock().unwrap().pop().unwrap()
    }

    pub fn own(&self) -> Notes {
        self.own.clone()
    }

    /// A promise of what the caller itself will answer.
    pub fn relay(&self, notes: NotesStub) -> NotesStub {
        notes.later().clone()
    }

    /// The same for an object of this side.
    pub fn relay_own(&self, notes: NotesStub) -> NotesStub {
        notes.pass_later(self.own.clone()).clone()
    }

    /// Through one more, awaited and not.
    pub async fn through(&self, notes: NotesStub) -> Result<NotesStub, Error> {
        self.next.as_ref().unwrap().echo(notes).await
    }

    pub async fn through_later(&self, notes: NotesStub) -> Result<NotesStub, Error> {
        self.next.as_ref().unwrap().echo_later(notes).await
    }

    pub async fn note(&self, notes: NotesStub, n: i64) -> i64 {
        notes.note(n).await.unwrap()
    }
}

/// Makes them all before it waits for any.
pub async fn all<T: RpcValue>(calls: impl IntoIterator<Item = Promise<T>>) {
    for call in calls.into_iter().collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

/// Waits until both stubs are known to be the same: then nothing stands between the first and its target.
pub async fn is_home(stub: &NotesStub, original: &NotesStub) {
    until(|| stub.same_target(original)).await;
}

/// Makes calls that need no connection: with a detour each would cost a frame in either direction. What is said about
/// earlier ones may cross meanwhile.
async fn crosses_nothing(link: &Link, stub: &NotesStub, n: i64) {
    let before = link.counters.as_ref().map(farcall::probe::Counters::read);
    all((0..100).map(|_| stub.note(n))).await;
    if let (Some(counters), Some(before)) = (&link.counters, before) {
        let crossed = counters.since(before);
        assert!(crossed.frames_out < 50 && crossed.frames_in < 50, "{crossed:?}");
    }
}

pub async fn delayed(transport: Transport) -> (MirrorStub, Mirror, Link) {
    let mirror = Mirror::default();
    let (stub, link) = open_narrow(transport, DELAY, mirror.clone()).await;
    (stub, mirror, link)
}

behaviours! {
    async fn r144_stub_that_comes_home_is_the_local_object(transport: Transport) {
        let (mirror, _, link) = delayed(transport).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        // Without calls on the promise: at once.
        let home = mirror.echo(&mine).await.unwrap();
        assert!(home.same_target(&mine));
        crosses_nothing(&link, &home, 1).await;
        // With calls on it: when they are over.
        let promise = mirror.echo(&mine);
        let early = promise.note(2);
        let home = promise.await.unwrap();
        let late = home.note(3);
        all([early, late]).await;
        is_home(&home, &mine).await;
        crosses_nothing(&link, &home, 4).await;
        let expected: Vec<i64> = [[1; 100].as_slice(), &[2, 3], &[4; 100]].concat();
        assert_eq!(notes.read(), expected);
        drop((home, mirror));
    }

    async fn r131_calls_before_while_and_after_it_settles_are_in_order(transport: Transport) {
        let (mirror, other, link) = delayed(transport).await;
        for round in 0..8 {
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = if round % 2 == 0 { mirror.echo(&mine) } else { mirror.echo_later(&mine) };
            let kept: NotesStub = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| if n % 2 == 0 { promise.note(n) } else { kept.note_slowly(n) }).collect();
            if round % 2 == 1 {
                other.go.notify_one();
            }
            let home = promise.await.unwrap();
            // It has settled, and the calls are still under way.
            calls.extend((10..20).map(|n| if n % 2 == 0 { home.note(n) } else { kept.note(n) }));
            if round >= 4 {
                calls.pop().unwrap().await.unwrap();
            }
            calls.extend((20..30).map(|n| if n % 2 == 0 { kept.note_slowly(n) } else { home.note(n) }));
            all(calls).await;
            is_home(&home, &mine).await;
            is_home(&kept, &mine).await;
            assert_eq!(notes.read(), (0..30).collect::<Vec<_>>());
            crosses_nothing(&link, &kept, 30).await;
        }
        // Nothing is left of it.
        drop(mirror);
        link.server_holds(0).await;
    }

    async fn parts_of_a_value_come_home(transport: Transport) {
        let (mirror, _, link) = delayed(transport).await;
        let (first, second) = (Notes::default(), Notes::default());
        let (one, two): (NotesStub, NotesStub) = (first.clone().into_stub(), second.clone().into_stub());
        let promise = mirror.folder(&one, Some(two.clone()));
        // Only one of them is called through.
        let early: Vec<_> = (0..5).map(|n| promise.notes().note(n)).collect();
        let folder = promise.await.unwrap();
        assert!(folder.more.unwrap().same_target(&two));
        let late: Vec<_> = (5..10).map(|n| folder.notes.note(n)).collect();
        all(early.into_iter().chain(late)).await;
        assert_eq!(first.read(), (0..10).collect::<Vec<_>>());
        is_home(&folder.notes, &one).await;
        crosses_nothing(&link, &folder.notes, 10).await;

        let promise = mirror.folder(&one, Some(two.clone()));
        let early: Vec<_> = (0..5).map(|n| promise.more().note(n)).collect();
        let folder = promise.await.unwrap();
        assert!(folder.notes.same_target(&one));
        let more = folder.more.unwrap();
        let late: Vec<_> = (5..10).map(|n| more.note(n)).collect();
        all(early.into_iter().chain(late)).await;
        assert_eq!(second.read(), (0..10).collect::<Vec<_>>());
        is_home(&more, &two).await;

        let promise = mirror.pair(&one, 7);
        let early = promise._1().note(20);
        let (seven, notes) = promise.await.unwrap();
        let late = notes.note(21);
        all([early, late]).await;
        assert_eq!(seven, 7);
        assert!(first.read().ends_with(&[20, 21]));
        is_home(&notes, &one).await;

        let promise = mirror.maybe(Some(one.clone()));
        let early = promise.note(22);
        let notes = promise.await.unwrap().unwrap();
        let late = notes.note(23);
        all([early, late]).await;
        assert!(first.read().ends_with(&[22, 23]));
        is_home(&notes, &one).await;

        let list = mirror.list(vec![one.clone(), two.clone(), one.clone()]).await.unwrap();
        assert!(list[0].same_target(&one) && list[1].same_target(&two) && list[2].same_target(&one));
        crosses_nothing(&link, &list[1], 24).await;
    }

    async fn r131_stub_of_a_third_party_is_called_without_a_detour(transport: Transport) {
        let notes = Notes::default();
        let (third, c) = open_narrow(transport, DELAY, notes.clone()).await;
        let (mirror, other, b) = delayed(transport).await;
        for later in [false, true] {
            notes.log.lock().unwrap().clear();
            let promise = if later { mirror.echo_later(&third) } else { mirror.echo(&third) };
            let kept = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            if later {
                other.go.notify_one();
            }
            let home = promise.await.unwrap();
            calls.extend((10..20).map(|n| if n % 2 == 0 { home.note(n) } else { kept.note(n) }));
            all(calls).await;
            assert_eq!(notes.read(), (0..20).collect::<Vec<_>>());
            is_home(&home, &third).await;
            crosses_nothing(&b, &home, 20).await;
            crosses_nothing(&b, &kept, 20).await;
        }
        drop(mirror);
        b.server_holds(0).await;
        drop(third);
        c.server_holds(0).await;
    }

    async fn promise_that_settles_to_a_promise_of_the_caller_stays_in_order(transport: Transport) {
        let (mirror, _, link) = delayed(transport).await;
        for wait in [false, true] {
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = mirror.relay(&mine);
            let kept = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            // It has answered, with what this side has not answered yet.
            let home = promise.await.unwrap();
            calls.extend((10..15).map(|n| home.note(n)));
            if wait {
                tokio::time::sleep(4 * DELAY).await;
            }
            calls.extend((15..20).map(|n| kept.note(n)));
            notes.go.notify_one();
            calls.extend((20..25).map(|n| home.note(n)));
            calls.pop().unwrap().await.unwrap();
            calls.extend((25..30).map(|n| if n % 2 == 0 { home.note(n) } else { kept.note(n) }));
            all(calls).await;
            let expected: Vec<_> = (0..30).collect();
            assert_eq!(notes.read(), expected);
            crosses_nothing(&link, &home, 30).await;
        }
    }

    async fn promise_that_settles_back_and_forth_stays_in_order(transport: Transport) {
        let (mirror, other, link) = delayed(transport).await;
        for wait in 0..4 {
            let mine = Notes::default();
            other.own.log.lock().unwrap().clear();
            let promise = mirror.relay_own(mine.clone());
            let kept = promise.clone();
            let mut calls: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            if wait == 0 {
                mine.go.notify_one();
            }
            let settled = promise.await.unwrap();
            calls.extend((10..15).map(|n| settled.note(n)));
            if wait == 1 {
                mine.go.notify_one();
            }
            calls.extend((15..20).map(|n| kept.note(n)));
            if wait >= 2 {
                tokio::time::sleep(wait * DELAY).await;
                mine.go.notify_one();
            }
            calls.extend((20..25).map(|n| settled.note(n)));
            calls.pop().unwrap().await.unwrap();
            calls.extend((25..30).map(|n| if n % 2 == 0 { settled.note(n) } else { kept.note(n) }));
            all(calls).await;
            assert_eq!(other.own.read(), (0..30).collect::<Vec<_>>(), "{wait}");
        }
        drop(mirror);
        link.server_holds(0).await;
    }

    async fn stub_comes_home_through_two_introducers(transport: Transport) {
        let far = Mirror::default();
        let go = Arc::clone(&far.go);
        let (next, c) = open_narrow(transport, DELAY, far).await;
        let (mirror, b) = open_narrow(transport, DELAY, Mirror { next: Some(next), ..Mirror::default() }).await;
        for later in [false, true] {
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            if later {
                go.notify_one();
                assert!(mirror.through_later(&mine).await.unwrap().same_target(&mine));
            } else {
                assert!(mirror.through(&mine).await.unwrap().same_target(&mine));
            }
            let promise = if later { mirror.through_later(&mine) } else { mirror.through(&mine) };
            let mut calls: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            if later {
                go.notify_one();
            }
            let home = promise.await.unwrap();
            calls.extend((10..20).map(|n| home.note(n)));
            all(calls).await;
            is_home(&home, &mine).await;
            crosses_nothing(&b, &home, 20).await;
            crosses_nothing(&c, &home, 20).await;
            assert_eq!(notes.read()[..20], (0..20).collect::<Vec<_>>());
        }
        drop(mirror);
        b.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn stub_that_came_home_can_be_given_away_at_any_time(transport: Transport) {
        let (mirror, _, b) = delayed(transport).await;
        let (third, _, c) = delayed(transport).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        let promise = mirror.echo(&mine);
        let kept = promise.clone();
        let early = promise.note(0);
        let here: MirrorStub = Mirror::default().into_stub();
        // Before it has settled, while it settles, and afterwards, to either side and to one of this process.
        let before = [third.note(&kept, 1), mirror.note(&kept, 1), here.note(&kept, 1)];
        let home = promise.await.unwrap();
        let while_it_settles =
            [third.note(&home, 1), mirror.note(&home, 1), third.note(&kept, 1), here.note(&kept, 1)];
        all([early]).await;
        all(before).await;
        all(while_it_settles).await;
        is_home(&home, &mine).await;
        all([third.note(&kept, 1), mirror.note(&home, 1)]).await;
        assert!(third.echo(&kept).await.unwrap().same_target(&mine));
        assert!(mirror.echo(&home).await.unwrap().same_target(&mine));
        assert_eq!(notes.read(), [&[0][..], &[1; 9]].concat());
        drop((mirror, third, home, kept));
        b.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn promise_that_is_its_own_result_fails_calls(transport: Transport) {
        let (mirror, other, _link) = delayed(transport).await;
        let promise = mirror.take();
        mirror.put(promise.clone()).await.unwrap();
        let early = promise.note(1);
        other.go.notify_one();
        let error = early.await.unwrap_err();
        assert_eq!((error.origin(), error.may_have_run()), (ErrorKind::BadPath, false), "{error}");
        assert_eq!(promise.note(2).await.unwrap_err().origin(), ErrorKind::BadPath);
        // The connection is as good as ever.
        assert_eq!(mirror.own().note(3).await.unwrap(), 3);
    }
}
