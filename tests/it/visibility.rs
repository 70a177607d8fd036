//! What of a target can be reached, and what cannot: by the types, and by calls that the types would not allow.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use farcall::Pipeline;
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Link, Transport, behaviours, open, until};

/// A door that counts its knocks.
#[derive(Default)]
pub struct Door {
    knocks: u32,
}

#[rpc_target]
impl Door {
    pub fn knock(&mut self) -> u32 {
        self.knocks += 1;
        self.knocks
    }
}

/// Everything that a target can have. The flag says whether something ran that must not.
pub struct Vault {
    value: i64,
    callback: Box<dyn Fn() -> i64 + Send + Sync>,
    touched: Arc<AtomicBool>,
}

#[rpc_target]
impl Vault {
    pub fn plain(&self) -> i64 {
        self.touch_nothing();
        self.value
    }

    pub async fn later(&self) -> i64 {
        tokio::task::yield_now().await;
        self.value + 1
    }

    pub fn exclusive(&mut self, value: i64) {
        self.value = value;
    }

    pub async fn exclusive_later(&mut self) -> i64 {
        tokio::task::yield_now().await;
        self.value += 10;
        self.value
    }

    #[rpc(get)]
    pub fn property(&self) -> i64 {
        (self.callback)()
    }

    fn private(&self) -> i64 {
        self.touch()
    }

    #[rpc(skip)]
    pub fn skipped(&self) -> i64 {
        self.private() + self.inside_crate() + self.inside_parent()
    }

    pub(crate) fn inside_crate(&self) -> i64 {
        self.touch()
    }

    pub(super) fn inside_parent(&self) -> i64 {
        self.touch()
    }
}

impl Vault {
    fn new() -> (Self, Arc<AtomicBool>) {
        let touched = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&touched);
        let vault = Self { value: 1, callback: Box::new(|| 77), touched };
        (vault, flag)
    }

    pub fn unmarked(&self) -> i64 {
        self.skipped()
    }

    fn touch(&self) -> i64 {
        self.touched.store(true, SeqCst);
        0
    }

    fn touch_nothing(&self) {
        let _: fn(&Self) -> i64 = Self::unmarked;
    }
}

/// A contract by which a caller names what `Vault` has and does not offer, in the shape that it would have.
#[rpc_target]
pub trait Burglar {
    fn value(&self) -> i64;
    fn callback(&self) -> i64;
    fn private(&self) -> i64;
    fn skipped(&self) -> i64;
    fn unmarked(&self) -> i64;
    fn inside_crate(&self) -> i64;
    fn inside_parent(&self) -> i64;
    fn touch(&self) -> i64;
    fn nowhere(&self) -> i64;
    fn plain(&self) -> i64;
}

fn burglar(link: &Link) -> BurglarStub {
    farcall::main_stub(link.client.as_ref().unwrap())
}

fn refused(result: Result<i64, Error>) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownMethod, "{error}");
    assert!(!error.may_have_run());
    error
}

behaviours! { wire
    async fn r73_fields_of_a_target_are_unreachable(transport: Transport) {
        let (stub, link) = open(transport, Vault::new().0).await;
        refused(burglar(&link).value().await);
        // The contract reaches what there is.
        assert_eq!(burglar(&link).plain().await.unwrap(), 1);
        assert_eq!(stub.plain().await.unwrap(), 1);
    }

    async fn r74_closure_in_a_field_is_unreachable(transport: Transport) {
        let (stub, link) = open(transport, Vault::new().0).await;
        refused(burglar(&link).callback().await);
        assert_eq!(stub.property().await.unwrap(), 77);
    }

    async fn r75_private_methods_are_not_in_the_table(transport: Transport) {
        let (vault, touched) = Vault::new();
        let (stub, link) = open(transport, vault).await;
        let burglar = burglar(&link);
        refused(burglar.private().await);
        refused(burglar.skipped().await);
        refused(burglar.unmarked().await);
        refused(burglar.touch().await);
        stub.plain().await.unwrap();
        assert!(!touched.load(SeqCst));
    }

    async fn r76_restricted_methods_are_not_in_the_table(transport: Transport) {
        let (vault, touched) = Vault::new();
        let (stub, link) = open(transport, vault).await;
        refused(burglar(&link).inside_crate().await);
        refused(burglar(&link).inside_parent().await);
        stub.plain().await.unwrap();
        assert!(!touched.load(SeqCst));
    }

    async fn r79_private_and_missing_look_alike(transport: Transport) {
        let (_stub, link) = open(transport, Vault::new().0).await;
        let private = refused(burglar(&link).private().await);
        let missing = refused(burglar(&link).nowhere().await);
        // What stands for the name, and the name itself, are the caller's own.
        let words = |error: &Error, name: &str| {
            let is_id = |word: &&str| word.chars().all(|c| c.is_ascii_hexdigit() || c == ':');
            let message = error.message().replace(name, "…");
            message.split(' ').filter(|word| !is_id(word)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words(&private, "private"), words(&missing, "nowhere"));
        assert_eq!(private.may_have_run(), missing.may_have_run());
    }

    async fn r81_clones_share_one_target(transport: Transport) {
        let (stub, link) = open(transport, Keeper::default()).await;
        let door: DoorStub = Door::default().into_stub();
        stub.keep([door.clone(), door.clone(), door.clone()]).await.unwrap();
        stub.keep([door.clone()]).await.unwrap();
        stub.keep([door.clone()]).await.unwrap();
        assert_eq!(stub.knock_all().await.unwrap(), [1, 2, 3, 4, 5]);
        let client = link.client.as_ref().unwrap();
        assert_eq!(client.table_sizes().0, 1, "five references, one export");
        stub.forget().await.unwrap();
        until(|| client.table_sizes().0 == 0).await;
        assert_eq!(door.knock().await.unwrap(), 6);
    }
}

#[tokio::test]
async fn r83_debug_sends_nothing() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (stub, link) = open(transport, Keeper::default()).await;
        let (door, function) = (stub.door().await.unwrap(), stub.function().await.unwrap());
        let promise = stub.door();
        assert_eq!(door.knock().await.unwrap(), 1);
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        let texts = (format!("{door:?} {stub:?}"), format!("{function:?}"), format!("{promise:?}"));
        assert!(texts.0.contains("Door") && texts.0.contains("Keeper"), "{texts:?}");
        assert!(texts.1.contains("RpcFn") && texts.2.contains("Promise"), "{texts:?}");
        // What had been sent by that would be sent before this.
        assert_eq!(door.knock().await.unwrap(), 2);
        let cost = counters.since(before);
        assert_eq!((cost.frames_out, cost.frames_in), (1, 1), "{transport:?}");
        assert_eq!(promise.await.unwrap().knock().await.unwrap(), 1);
    }
}

/// Keeps what it is given, and gives targets away.
#[derive(Default)]
pub struct Keeper {
    kept: Mutex<Vec<DoorStub>>,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Choice {
    Nothing,
    Door(DoorStub),
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Row {
    pub id: u32,
    pub door: DoorStub,
    pub choice: Choice,
    pub opaque: Plain<(u32, u32)>,
    #[serde(skip)]
    pub hidden: Vec<u32>,
}

#[rpc_target]
impl Keeper {
    pub fn keep(&self, doors: Vec<DoorStub>) {
        self.kept.lock().unwrap().extend(doors);
    }

    pub async fn knock_all(&self) -> Result<Vec<u32>, Error> {
        let doors = self.kept.lock().unwrap().clone();
        let mut knocks = Vec::new();
        for door in doors {
            knocks.push(door.knock().await?);
        }
        Ok(knocks)
    }

    pub fn forget(&self) {
        self.kept.lock().unwrap().clear();
    }

    pub fn door(&self) -> Door {
        Door::default()
    }

    pub fn function(&self) -> RpcFn<fn()> {
        RpcFn::new(|| {})
    }

    pub fn row(&self) -> Row {
        let door = || Door::default().into_stub();
        Row { id: 7, door: door(), choice: Choice::Door(door()), opaque: Plain((1, 2)), hidden: vec![1] }
    }
}

/// A call on what the path leads to, which the types would not allow.
async fn knock_at(stub: &KeeperStub, path: &[u16]) -> Result<u32, Error> {
    let row = stub.row();
    let mut handle = Pipeline::handle(&*row).clone();
    for index in path {
        handle = handle.field(*index);
    }
    DoorStub::from_handle(handle).knock().await
}

behaviours! {
    async fn r70_target_stays_where_it_is(transport: Transport) {
        let (stub, _link) = open(transport, Keeper::default()).await;
        let door = stub.door().await.unwrap();
        let other = door.clone();
        assert_eq!(door.knock().await.unwrap(), 1);
        assert_eq!(other.knock().await.unwrap(), 2);
        drop(door);
        assert_eq!(other.knock().await.unwrap(), 3);
        assert_eq!(stub.door().knock().await.unwrap(), 1, "each call returns a target of its own");
    }

    async fn r72_public_methods_and_properties_are_visible(transport: Transport) {
        let (stub, _link) = open(transport, Vault::new().0).await;
        assert_eq!(stub.plain().await.unwrap(), 1);
        assert_eq!(stub.later().await.unwrap(), 2);
        stub.exclusive(5).await.unwrap();
        assert_eq!(stub.exclusive_later().await.unwrap(), 15);
        assert_eq!(stub.property().await.unwrap(), 77);
    }

    async fn r78_path_follows_declared_fields_only(transport: Transport) {
        let (stub, _link) = open(transport, Keeper::default()).await;
        assert_eq!(knock_at(&stub, &[1]).await.unwrap(), 1);
        for path in [&[0][..], &[2], &[2, 0], &[4], &[5], &[u16::MAX], &[1, 0], &[0, 0]] {
            let error = knock_at(&stub, path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadPath, "{path:?}: {error}");
            assert!(!error.may_have_run());
        }
        assert!(stub.row().await.unwrap().hidden.is_empty());
        assert_eq!(knock_at(&stub, &[1]).await.unwrap(), 1);
    }

    async fn r80_path_into_opaque_data_is_refused(transport: Transport) {
        let (stub, _link) = open(transport, Keeper::default()).await;
        for path in [&[3][..], &[3, 0]] {
            let error = knock_at(&stub, path).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadPath, "{path:?}: {error}");
            assert!(error.message().contains("`opaque` is opaque data"), "{error}");
        }
        assert_eq!(stub.row().door().knock().await.unwrap(), 1);
    }
}

/// One of everything that a target can have.
pub struct Visible {
    i: i64,
    func_prop: fn() -> i64,
}

#[rpc_target]
impl Visible {
    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.i
    }

    pub fn method(&self) -> i64 {
        (self.func_prop)()
    }
}

/// What somebody may ask of it who does not go by the types.
#[rpc_target]
pub trait Asked {
    fn i(&self) -> i64;
    fn func_prop(&self) -> i64;
    fn value(&self) -> i64;
    fn method(&self) -> i64;
}

behaviours! { wire
    async fn r299_visibility_by_raw_frame(transport: Transport) {
        let (stub, _link) = open(transport, Visible { i: 1, func_prop: || 2 }).await;
        let asked = AskedStub::from_handle(Pipeline::handle(&stub).clone());
        for refused in [asked.i(), asked.func_prop()] {
            assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::UnknownMethod);
        }
        assert_eq!((asked.value().await.unwrap(), asked.method().await.unwrap()), (1, 2));
        assert_eq!((stub.value().await.unwrap(), stub.method().await.unwrap()), (1, 2));
    }
}
