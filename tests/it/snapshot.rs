//! What is held over a connection, listed by interface and by the place it comes from.

use std::sync::Mutex;

use farcall::prelude::*;
use farcall::snapshot::{Held, Origin};
use farcall::{Connection, Endpoint, Revocable, testing};

use crate::kit::{Transport, behaviours, until};

pub struct Item(u32);

#[rpc_target]
impl Item {
    pub fn number(&self) -> u32 {
        self.0
    }

    pub async fn never(&self) -> u32 {
        std::future::pending().await
    }
}

type Watcher = RpcFn<fn(u32)>;

#[derive(Default)]
pub struct Store {
    watchers: Mutex<Vec<Watcher>>,
}

#[rpc_target]
impl Store {
    pub fn item(&self, number: u32) -> Item {
        Item(number)
    }

    pub async fn late_item(&self, number: u32) -> Item {
        tokio::task::yield_now().await;
        Item(number)
    }

    pub fn items(&self, count: u32) -> Vec<Item> {
        (0..count).map(Item).collect()
    }

    pub fn watch(&self, watcher: Watcher) {
        self.watchers.lock().unwrap().push(watcher);
    }

    pub fn forget(&self) {
        self.watchers.lock().unwrap().clear();
    }
}

/// A store behind a pipe in memory.
struct Setup {
    store: StoreStub,
    client: Connection,
    server: Connection,
}

fn open(records: bool) -> Setup {
    let endpoint = || if records { Endpoint::new().record_sites() } else { Endpoint::new() };
    let (a, b) = tokio::io::duplex(64 * 1024);
    let (client, client_driver) = endpoint().connect_over(a);
    let (server, server_driver) = endpoint().offer::<StoreStub>(Store::default()).accept_over(b);
    let store = farcall::main_stub(&client);
    tokio::spawn(client_driver);
    tokio::spawn(server_driver);
    Setup { store, client, server }
}

/// One line of a list: what, how it came, by which method, in which line, how many.
type Line = (Option<&'static str>, Option<(Origin, Option<&'static str>, Option<u32>)>, usize);

fn lines(list: &[Held]) -> Vec<Line> {
    let site = |held: &Held| {
        held.site.map(|site| {
            let at = site.at.map(|at| {
                assert!(at.file().ends_with("snapshot.rs"), "{at}");
                at.line()
            });
            (site.origin, site.method, at)
        })
    };
    list.iter().map(|held| (held.interface, site(held), held.count)).collect()
}

#[tokio::test]
async fn r159_what_is_held_is_listed_by_interface_and_place() {
    let Setup { store, client, server } = open(true);
    assert!(client.snapshot().is_clean());
    assert_eq!((client.snapshot().main, client.snapshot().to_string().as_str()), (1, "nothing is held"));

    let mut kept = Vec::new();
    for n in 0..3 {
        kept.push(store.item(n).await.unwrap());
    }
    let single = line!() - 2;
    kept.extend(store.items(5).await.unwrap());
    let several = line!() - 1;
    kept.push(store.late_item(9).await.unwrap());
    let late = line!() - 1;
    store.watch(|_: u32| {}).await.unwrap();
    let watched = line!() - 1;
    let unread = kept[0].number();
    let called = line!() - 1;
    let waiting = kept[0].never();
    let waits = line!() - 1;
    until(|| client.snapshot().results.len() == 1).await;

    let snapshot = client.snapshot();
    let obtained = |method, line| Some((Origin::Obtained, Some(method), Some(line)));
    assert_eq!(
        lines(&snapshot.imports),
        [
            (Some("Item"), obtained("items", several), 5),
            (Some("Item"), obtained("item", single), 3),
            (Some("Item"), obtained("late_item", late), 1),
        ]
    );
    let passed = Some((Origin::Passed, Some("watch"), Some(watched)));
    assert_eq!(lines(&snapshot.exports), [(Some("RpcFn"), passed, 1)]);
    let by = |method, line| Some((Origin::Called, Some(method), Some(line)));
    assert_eq!(lines(&snapshot.calls), [(None, by("never", waits), 1)]);
    assert_eq!(lines(&snapshot.results), [(None, by("number", called), 1)]);
    assert_eq!((snapshot.main, snapshot.serving, snapshot.kept), (1, 0, 0));
    assert!(snapshot.recorded && !snapshot.is_clean());

    let theirs = server.snapshot();
    let returned = |method| Some((Origin::Returned, Some(method), None));
    assert_eq!(
        lines(&theirs.exports),
        [
            (Some("Item"), returned("items"), 5),
            (Some("Item"), returned("item"), 3),
            (Some("Item"), returned("late_item"), 1),
        ]
    );
    let received = Some((Origin::Received, Some("watch"), None));
    assert_eq!(lines(&theirs.imports), [(Some("RpcFn"), received, 1)]);
    assert_eq!((theirs.serving, theirs.kept), (1, 1));

    // As it is printed.
    let printed = snapshot.to_string();
    for expected in [
        "imported, held by this side: 9".to_owned(),
        format!("  5 × Item obtained from `items` at tests/it/snapshot.rs:{several}:23"),
        format!("  1 × RpcFn passed to `watch` at tests/it/snapshot.rs:{watched}:11"),
        format!("  1 × called `never` at tests/it/snapshot.rs:{waits}:27"),
    ] {
        assert!(printed.lines().any(|line| line == expected), "{expected}\n{printed}");
    }
    let printed = theirs.to_string();
    assert!(printed.contains("calls of the peer: 1 under way, 1 answers kept"), "{printed}");

    // What is given up is no longer there.
    drop((unread, waiting, kept));
    store.forget().await.unwrap();
    testing::assert_no_leaks(&client).await;
    testing::assert_no_leaks(&server).await;
}

#[tokio::test]
async fn r159_without_records_what_is_held_is_counted() {
    let Setup { store, client, server } = open(false);
    let kept = store.items(2).await.unwrap();
    store.watch(|_: u32| {}).await.unwrap();
    // Another connection of the process that records does not make this one record.
    let other = open(true);
    let theirs = other.store.item(1).await.unwrap();
    let snapshot = client.snapshot();
    assert_eq!(lines(&snapshot.imports), [(None, None, 2)]);
    assert_eq!(lines(&snapshot.exports), [(Some("RpcFn"), None, 1)]);
    assert_eq!(lines(&server.snapshot().exports), [(Some("Item"), None, 2)]);
    let waiting = kept[0].never();
    // The name of a method is known all the same.
    assert_eq!(lines(&client.snapshot().calls), [(None, Some((Origin::Called, Some("never"), None)), 1)]);
    assert!(client.snapshot().to_string().contains("`Endpoint::record_sites`"));
    drop((kept, waiting, theirs));
}

#[tokio::test]
async fn r159_call_through_a_revocable_stub_has_its_place() {
    let Setup { store, client, .. } = open(true);
    let (lent, _revoker) = Revocable::membrane(store.clone());
    let item = lent.item(1).await.unwrap();
    let line = line!() - 1;
    let obtained = Some((Origin::Obtained, Some("item"), Some(line)));
    assert_eq!(lines(&client.snapshot().imports), [(Some("Item"), obtained, 1)]);
    drop(item);
    testing::assert_no_leaks(&client).await;
}

#[tokio::test(start_paused = true)]
async fn r159_leak_fails_the_test_with_the_list() {
    let Setup { store, client, .. } = open(true);
    let item = store.item(1).await.unwrap();
    let line = line!() - 1;
    let leaky = client.clone();
    let error = tokio::spawn(async move { testing::assert_no_leaks(&leaky).await }).await.unwrap_err();
    let payload = error.into_panic();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(
        text.contains(&format!("1 × Item obtained from `item` at tests/it/snapshot.rs:{line}:")),
        "{text}"
    );
    assert!(text.starts_with("still held over the connection at tests/it/snapshot.rs:"), "{text}");
    drop(item);
    testing::assert_no_leaks(&client).await;
}

#[tokio::test]
async fn r159_notes_on_what_is_gone_are_swept_out() {
    let Setup { store, client, .. } = open(true);
    for n in 0..2000 {
        store.item(n).await.unwrap();
    }
    testing::assert_no_leaks(&client).await;
    assert!(client.recorded_sites() < 256, "{}", client.recorded_sites());
}

behaviours! { wire
    async fn r159_tables_are_empty_when_all_is_dropped(transport: Transport) {
        let (store, link) = crate::kit::open(transport, Store::default()).await;
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        let items = store.items(3).await.unwrap();
        assert_eq!(items[2].number().await.unwrap(), 2);
        assert_eq!(server.snapshot().exports.iter().map(|held| held.count).sum::<usize>(), 3);
        drop(items);
        testing::assert_no_leaks(client).await;
        testing::assert_no_leaks(server).await;
    }
}
