//! What ends an embargo beside the echo, and what bounds it: lost connections, limits, waiting lines.

use farcall::prelude::*;

use crate::embargo::{DELAY, Mirror, Notes, NotesStub, all, delayed, is_home};
use crate::kit::{Transport, behaviours, open_with};

behaviours! { wire
    async fn lost_way_fails_what_waited_for_it(transport: Transport) {
        let (mirror, _, link) = delayed(transport).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        let promise = mirror.echo(&mine);
        let early = promise.note(1);
        let home = promise.await.unwrap();
        let late = home.note(2);
        link.cut();
        let error = late.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false), "{error}");
        // Nothing is delivered behind the hole, now or later.
        let error = home.note(3).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        assert_eq!(early.await.unwrap_err().kind(), ErrorKind::Disconnected);
        assert_eq!(mine.note(4).await.unwrap(), 4);
        assert!(!notes.read().contains(&2) && !notes.read().contains(&3));
    }

    async fn peaceful_end_of_the_way_fails_nothing(transport: Transport) {
        for caller_leaves in [false, true] {
            let (mirror, other, link) = delayed(transport).await;
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = mirror.echo_later(&mine);
            // A call went that way, and has been answered.
            let first = promise.note(1);
            other.go.notify_one();
            let home = promise.await.unwrap();
            first.await.unwrap();
            // Either side leaves before the echo can be back.
            if caller_leaves { &link.client } else { &link.server }.as_ref().unwrap().shutdown();
            all([home.note(2), home.note(3)]).await;
            link.client.as_ref().unwrap().closed().await;
            assert_eq!(home.note(4).await.unwrap(), 4);
            assert_eq!(notes.read(), [1, 2, 3, 4]);
        }
    }

    async fn connection_stays_until_the_echo_is_back(transport: Transport) {
        let (mirror, _, link) = delayed(transport).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        let promise = mirror.echo(&mine);
        Promise::detach(promise.note(1));
        let home = promise.await.unwrap();
        let late = home.note(2);
        // Nothing else keeps the connection.
        drop(mirror);
        late.await.unwrap();
        assert_eq!(notes.read(), [1, 2]);
        link.client.as_ref().unwrap().closed().await;
        assert_eq!(home.note(3).await.unwrap(), 3);
    }

    async fn calls_that_wait_for_an_echo_have_a_limit(transport: Transport) {
        let mut limits = farcall::Limits::default();
        limits.parked_bytes = 10_000;
        let (mirror, _link) = open_with(transport, DELAY, limits, Mirror::default()).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        let promise = mirror.echo(&mine);
        let early = promise.note(0);
        let home = promise.await.unwrap();
        let payload = || Bytes::from(vec![0; 3000]);
        let mut late: Vec<_> = (1..4).map(|n| home.note_large(n, payload())).collect();
        let error = home.note_large(4, payload()).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false));
        assert!(error.message().contains("bytes of calls wait for others; the limit `parked_bytes` is 10000"), "{error}");
        // What is given up makes room.
        drop(late.pop());
        late.push(home.note_large(5, payload()));
        early.await.unwrap();
        all(late).await;
        is_home(&home, &mine).await;
        all((6..20).map(|n| home.note_large(n, payload()))).await;
        assert_eq!(notes.read(), [0, 1, 2, 5].into_iter().chain(6..20).collect::<Vec<_>>());
    }

    async fn calls_in_line_are_not_overtaken_either(transport: Transport) {
        let mut limits = farcall::Limits::default();
        limits.window_bytes = 64 * 1024;
        limits.frame_bytes = 32 * 1024;
        for early in [4, 40] {
            let other = Mirror::default();
            let (mirror, link) = open_with(transport, DELAY, limits.clone(), other.clone()).await;
            let notes = Notes::default();
            let mine: NotesStub = notes.clone().into_stub();
            let promise = mirror.echo_later(&mine);
            let kept = promise.clone();
            // They do not fit into the window; the promise settles while some are in line.
            let payload = || Bytes::from(vec![0; 10_000]);
            let mut calls: Vec<_> = (0..early).map(|n| promise.note_large(n, payload())).collect();
            other.go.notify_one();
            let home = promise.await.unwrap();
            calls.extend((early..60).map(|n| if n % 2 == 0 { home.note_large(n, payload()) } else { kept.note_large(n, payload()) }));
            all(calls).await;
            assert_eq!(notes.read(), (0..60).collect::<Vec<_>>());
            is_home(&home, &mine).await;
            drop((mirror, home, kept));
            link.server_holds(0).await;
        }
    }

    async fn promise_in_line_is_not_overtaken_when_it_comes_home(transport: Transport) {
        let mut limits = farcall::Limits::default();
        limits.window_bytes = 64 * 1024;
        limits.frame_bytes = 32 * 1024;
        let (mirror, _link) = open_with(transport, DELAY, limits, Mirror::default()).await;
        let notes = Notes::default();
        let mine: NotesStub = notes.clone().into_stub();
        let own = mirror.own();
        let payload = || Bytes::from(vec![0; 20_000]);
        // The promise itself is in line, and what is called through it.
        let before: Vec<_> = (0..5).map(|n| own.note_large(n, payload())).collect();
        let promise = mirror.echo(&mine);
        let mut calls: Vec<_> = (0..20).map(|n| promise.note_large(n, payload())).collect();
        let home = promise.await.unwrap();
        calls.extend((20..30).map(|n| home.note_large(n, payload())));
        all(calls).await;
        all(before).await;
        assert_eq!(notes.read(), (0..30).collect::<Vec<_>>());
    }
}
