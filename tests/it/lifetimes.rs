//! How long targets live, and when they are dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open, until};

/// A target whose life can be watched: it holds what the test has a weak reference to.
#[derive(Clone, Default)]
pub struct Watched {
    alive: Arc<()>,
    value: Arc<AtomicUsize>,
}

impl Watched {
    fn new() -> (Self, Weak<()>) {
        let watched = Self::default();
        let alive = Arc::downgrade(&watched.alive);
        (watched, alive)
    }
}

#[rpc_target]
impl Watched {
    pub fn increment(&self) -> u64 {
        self.value.fetch_add(1, Ordering::SeqCst) as u64 + 1
    }
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Held {
    pub id: i64,
    pub field: WatchedStub,
    pub maybe: Option<WatchedStub>,
    pub list: Vec<WatchedStub>,
}

#[derive(Debug, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused")]
pub struct Refused;

/// Keeps, gives and gives back targets.
#[derive(Clone, Default)]
pub struct Keeper {
    stored: Arc<Mutex<Option<WatchedStub>>>,
    noted: Arc<Mutex<Vec<Weak<()>>>>,
}

impl Keeper {
    fn make(&self) -> Watched {
        let (watched, alive) = Watched::new();
        self.noted.lock().unwrap().push(alive);
        watched
    }

    /// How many of the targets that this one made are alive.
    fn alive(&self) -> usize {
        self.noted.lock().unwrap().iter().filter(|alive| alive.strong_count() > 0).count()
    }
}

#[rpc_target]
impl Keeper {
    pub fn new_watched(&self) -> Watched {
        self.make()
    }

    pub fn value(&self) -> Held {
        Held {
            id: 1,
            field: self.make().into_stub(),
            maybe: Some(self.make().into_stub()),
            list: vec![self.make().into_stub()],
        }
    }

    /// Gives a stub and keeps none.
    pub async fn given_away(&self) -> WatchedStub {
        let stub = self.make().into_stub();
        stub.increment().await.unwrap();
        stub.clone()
    }

    pub async fn use_once(&self, stub: WatchedStub) -> Result<u64, Error> {
        stub.increment().await
    }

    pub fn store(&self, stub: WatchedStub) {
        *self.stored.lock().unwrap() = Some(stub);
    }

    pub async fn use_stored(&self) -> Result<u64, Error> {
        let stub = self.stored.lock().unwrap().clone();
        stub.unwrap().increment().await
    }

    pub fn clear(&self) {
        self.stored.lock().unwrap().take();
    }

    pub fn identity(&self, stub: WatchedStub) -> WatchedStub {
        stub
    }

    pub fn wrapped(&self, stub: WatchedStub) -> Held {
        Held { id: 2, field: stub, maybe: None, list: Vec::new() }
    }

    pub fn fails(&self, _stub: WatchedStub) -> Result<i64, Refused> {
        Err(Refused)
    }

    pub fn no_keeper(&self) -> Result<Self, Refused> {
        Err(Refused)
    }

    pub async fn panics(&self, _stub: WatchedStub) -> i64 {
        tokio::task::yield_now().await;
        panic!("as the test wants it")
    }

    pub async fn waits(&self, _stub: WatchedStub) {
        std::future::pending::<()>().await;
    }

    pub fn ping(&self) -> bool {
        true
    }
}

fn is_alive(alive: &Weak<()>) -> bool {
    alive.strong_count() > 0
}

async fn is_dropped(alive: &Weak<()>) {
    until(|| !is_alive(alive)).await;
}

behaviours! {
    async fn r136_stub_keeps_its_target_alive(transport: Transport) {
        let main = Keeper::default();
        let (keeper, link) = open(transport, main.clone()).await;
        let stub = keeper.new_watched().await.unwrap();
        for n in 1..=10 {
            assert_eq!(stub.increment().await.unwrap(), n);
        }
        assert_eq!(main.alive(), 1);
        drop(stub);
        until(|| main.alive() == 0).await;
        link.server_holds(0).await;
    }

    async fn r137_scope_end_releases_the_stub(transport: Transport) {
        let main = Keeper::default();
        let (keeper, _link) = open(transport, main.clone()).await;
        {
            let _stub = keeper.new_watched().await.unwrap();
            assert_eq!(main.alive(), 1);
        }
        until(|| main.alive() == 0).await;
        let left_early = async {
            let stub = keeper.new_watched().await?;
            stub.increment().await?;
            Err(Error::new(ErrorKind::Cancelled, "by `?`"))?;
            stub.increment().await
        };
        assert!(left_early.await.is_err());
        until(|| main.alive() == 0).await;
        let stub = keeper.new_watched().await.unwrap();
        let panicked = tokio::spawn(async move {
            stub.increment().await.unwrap();
            panic!("as the test wants it");
        });
        assert!(panicked.await.unwrap_err().is_panic());
        until(|| main.alive() == 0).await;
    }

    async fn r139_target_is_released_after_its_last_clone(transport: Transport) {
        let main = Keeper::default();
        let (keeper, _link) = open(transport, main.clone()).await;
        let stub = keeper.new_watched().await.unwrap();
        let tasks: Vec<_> = (0..3)
            .map(|_| stub.clone())
            .map(|stub| tokio::spawn(async move { stub.increment().await.unwrap() }))
            .collect();
        for task in tasks {
            task.await.unwrap();
            assert!(keeper.ping().await.unwrap());
            assert_eq!(main.alive(), 1);
        }
        assert_eq!(stub.increment().await.unwrap(), 4);
        drop(stub);
        until(|| main.alive() == 0).await;
    }

    async fn r140_argument_stub_lives_as_long_as_it_is_kept(transport: Transport) {
        let (keeper, _link) = open(transport, Keeper::default()).await;
        let (watched, alive) = Watched::new();
        assert_eq!(keeper.use_once(watched).await.unwrap(), 1);
        is_dropped(&alive).await;
        let (watched, alive) = Watched::new();
        keeper.store(watched).await.unwrap();
        assert!(keeper.ping().await.unwrap() && is_alive(&alive));
        assert_eq!(keeper.use_stored().await.unwrap(), 1);
        assert_eq!(keeper.use_stored().await.unwrap(), 2);
        keeper.clear().await.unwrap();
        is_dropped(&alive).await;
    }

    async fn r141_reference_duplicates_and_value_moves(transport: Transport) {
        let (keeper, _link) = open(transport, Keeper::default()).await;
        let (watched, alive) = Watched::new();
        let stub: WatchedStub = watched.into_stub();
        assert_eq!(keeper.use_once(&stub).await.unwrap(), 1);
        assert_eq!(stub.increment().await.unwrap(), 2);
        assert!(is_alive(&alive));
        assert_eq!(keeper.use_once(stub).await.unwrap(), 3);
        is_dropped(&alive).await;
    }

    async fn r143_stubs_in_a_result_belong_to_the_caller(transport: Transport) {
        let main = Keeper::default();
        let (keeper, link) = open(transport, main.clone()).await;
        let stub = keeper.given_away().await.unwrap();
        assert_eq!(stub.increment().await.unwrap(), 2);
        assert_eq!(main.alive(), 1);
        drop(stub);
        until(|| main.alive() == 0).await;
        link.server_holds(0).await;
    }

    async fn r144_returned_argument_works(transport: Transport) {
        let (keeper, link) = open(transport, Keeper::default()).await;
        let (watched, alive) = Watched::new();
        let stub: WatchedStub = watched.into_stub();
        let returned = keeper.identity(&stub).await.unwrap();
        assert_eq!(returned.increment().await.unwrap(), 1);
        assert_eq!(stub.increment().await.unwrap(), 2);
        assert!(returned.same_target(&stub));
        drop(stub);
        assert_eq!(returned.increment().await.unwrap(), 3);
        drop(returned);
        is_dropped(&alive).await;
        link.server_holds(0).await;
    }

    async fn r144_returned_argument_works_pipelined(transport: Transport) {
        let (keeper, link) = open(transport, Keeper::default()).await;
        let (watched, alive) = Watched::new();
        let stub: WatchedStub = watched.into_stub();
        assert_eq!(keeper.identity(&stub).increment().await.unwrap(), 1);
        assert_eq!(keeper.wrapped(&stub).field().increment().await.unwrap(), 2);
        assert_eq!(keeper.identity(keeper.identity(&stub)).increment().await.unwrap(), 3);
        assert_eq!(keeper.use_once(keeper.wrapped(stub).field()).await.unwrap(), 4);
        is_dropped(&alive).await;
        link.server_holds(0).await;
    }

    async fn r146_target_argument_moves_and_stub_argument_shares(transport: Transport) {
        let (keeper, _link) = open(transport, Keeper::default()).await;
        for _ in 0..2 {
            let (watched, alive) = Watched::new();
            keeper.use_once(watched).await.unwrap();
            is_dropped(&alive).await;
        }
        let (watched, alive) = Watched::new();
        let stub: WatchedStub = watched.into_stub();
        for n in 1..=2 {
            assert_eq!(keeper.use_once(&stub).await.unwrap(), n);
        }
        assert!(keeper.ping().await.unwrap() && is_alive(&alive));
        drop(stub);
        is_dropped(&alive).await;
    }

    async fn r147_dropped_value_releases_its_stubs(transport: Transport) {
        let main = Keeper::default();
        let (keeper, link) = open(transport, main.clone()).await;
        let value = keeper.value().await.unwrap();
        assert_eq!((value.id, main.alive()), (1, 3));
        let field = value.field.clone();
        drop(value);
        until(|| main.alive() == 1).await;
        assert_eq!(field.increment().await.unwrap(), 1);
        drop(field);
        until(|| main.alive() == 0).await;
        link.server_holds(0).await;
    }

    async fn r148_guard_in_a_result_drops_with_it(transport: Transport) {
        let main = Keeper::default();
        let (keeper, _link) = open(transport, main.clone()).await;
        let (watched, _alive) = Watched::new();
        let guarded = keeper.wrapped(watched).await.unwrap();
        let guard = keeper.value().await.unwrap();
        assert!(keeper.ping().await.unwrap());
        assert_eq!(main.alive(), 3);
        drop(guard);
        until(|| main.alive() == 0).await;
        assert_eq!(guarded.field.increment().await.unwrap(), 1);
    }

    async fn r284_arguments_are_released_however_the_method_ends(transport: Transport) {
        let (keeper, link) = open(transport, Keeper::default()).await;
        let (watched, alive) = Watched::new();
        assert!(matches!(keeper.fails(watched).await, Err(CallError::User(Refused))));
        is_dropped(&alive).await;
        let (watched, alive) = Watched::new();
        assert_eq!(keeper.panics(watched).await.unwrap_err().kind(), ErrorKind::Panicked);
        is_dropped(&alive).await;
        let (watched, alive) = Watched::new();
        let waiting = keeper.waits(watched);
        assert!(keeper.ping().await.unwrap() && is_alive(&alive));
        drop(waiting);
        is_dropped(&alive).await;
        // It is never started: its target failed, or nobody wants it any more.
        let (watched, alive) = Watched::new();
        let error = keeper.no_keeper().use_once(watched).await.unwrap_err();
        assert!(!error.rpc().unwrap().may_have_run());
        is_dropped(&alive).await;
        let (watched, alive) = Watched::new();
        drop(keeper.identity(watched));
        is_dropped(&alive).await;
        link.server_holds(0).await;
    }
}
