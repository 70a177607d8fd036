//! Errors: a method's own, and what becomes of panics and of what cannot be encoded or decoded.

use std::backtrace::Backtrace;
use std::error::Error as _;
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use farcall::{Endpoint, Pipeline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::kit::{Transport, behaviours, in_time, open, until};

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
pub enum BankError {
    #[error("there is no such account")]
    Unknown,
    #[error("{0} is locked since {1}")]
    Locked(String, u32),
    #[error("only {left} left")]
    Overdrawn { left: u64, hints: Vec<String> },
}

type BankResult<T> = Result<T, BankError>;

fn overdrawn() -> BankError {
    BankError::Overdrawn { left: 3, hints: vec!["wait".to_owned()] }
}

/// A value that cannot be written, or cannot be read, if its number says so.
#[derive(Clone, Copy, Debug, PartialEq, RpcValue)]
pub struct Fussy(u32);

const UNWRITABLE: Fussy = Fussy(1);
const EXPLODES_WRITING: Fussy = Fussy(2);
const UNREADABLE: Fussy = Fussy(3);
const EXPLODES_READING: Fussy = Fussy(4);

impl std::fmt::Display for Fussy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fussy")
    }
}

impl std::error::Error for Fussy {}

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            UNWRITABLE => Err(serde::ser::Error::custom("it does not want to be written")),
            EXPLODES_WRITING => panic!("it explodes when it is written"),
            Self(number) => serializer.serialize_newtype_struct("Fussy", &number),
        }
    }
}

impl<'de> Deserialize<'de> for Fussy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Self(u32::deserialize(deserializer)?) {
            UNREADABLE => Err(serde::de::Error::custom("it does not want to be read")),
            EXPLODES_READING => panic!("it explodes when it is read"),
            fussy => Ok(fussy),
        }
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Half {
    pub account: AccountStub,
    pub fussy: Fussy,
}

pub struct Account {
    _held: Arc<()>,
}

#[rpc_target]
impl Account {
    pub fn ping(&self) {}
}

/// An error with a cause, which has a cause, and each with a backtrace.
#[derive(Debug)]
struct Deep {
    level: u32,
    cause: Option<Box<Self>>,
    _backtrace: Backtrace,
}

impl Deep {
    fn new(level: u32) -> Self {
        let cause = (level < 2).then(|| Box::new(Self::new(level + 1)));
        Self { level, cause, _backtrace: Backtrace::force_capture() }
    }
}

impl std::fmt::Display for Deep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "level {}", self.level)
    }
}

impl std::error::Error for Deep {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[derive(Default)]
pub struct Bank {
    held: Arc<()>,
}

#[rpc_target]
impl Bank {
    pub fn sync(&self, error: BankError) -> BankResult<i64> {
        Err(error)
    }

    pub async fn later(&self, error: BankError) -> BankResult<Account> {
        tokio::task::yield_now().await;
        Err(error)
    }

    #[rpc(get)]
    pub fn property(&self) -> BankResult<String> {
        Err(overdrawn())
    }

    pub fn function(&self) -> RpcFn<fn(u32) -> BankResult<u32>> {
        RpcFn::new(|n: u32| if n > 0 { Ok(n) } else { Err(BankError::Unknown) })
    }

    pub fn panics(&self, text: &str) -> i64 {
        panic!("{text} happened")
    }

    pub async fn panics_later(&self) -> i64 {
        tokio::task::yield_now().await;
        std::panic::panic_any(7_u8)
    }

    pub async fn slow(&self, n: i64) -> i64 {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        n
    }

    pub fn fault(&self) -> Result<(), Fault> {
        Err(Fault::new(Deep::new(0)))
    }

    pub fn boxed_fault(&self) -> Result<u16, Fault> {
        let parse =
            |text: &str| -> Result<u16, Box<dyn std::error::Error + Send + Sync>> { Ok(text.parse()?) };
        Ok(parse("7")? + parse("70000")?)
    }

    pub fn take(&self, fussy: Fussy) -> u32 {
        fussy.0
    }

    pub fn give(&self, number: u32) -> Fussy {
        Fussy(number)
    }

    pub fn half(&self, number: u32) -> Half {
        Half { account: Account { _held: Arc::clone(&self.held) }.into_stub(), fussy: Fussy(number) }
    }

    pub fn fussy_error(&self, number: u32) -> Result<(), Fussy> {
        Err(Fussy(number))
    }
}

/// One call at a time.
pub struct Serial(u32);

#[rpc_target]
impl Serial {
    pub async fn step(&mut self, fails: bool) -> u32 {
        self.0 += 1;
        tokio::task::yield_now().await;
        assert!(!fails, "this step fails");
        self.0
    }
}

behaviours! {
    async fn r164_returned_error_fails_the_promise(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        assert_eq!(stub.sync(BankError::Unknown).await.unwrap_err(), CallError::User(BankError::Unknown));
        assert_eq!(stub.later(overdrawn()).await.unwrap_err(), CallError::User(overdrawn()));
        assert_eq!(stub.property().await.unwrap_err(), CallError::User(overdrawn()));
        let function = stub.function().await.unwrap();
        assert_eq!(function.call(0).await.unwrap_err(), CallError::User(BankError::Unknown));
        assert_eq!(function.call(1).await.unwrap(), 1);
        assert_eq!(stub.function().call(0).await.unwrap_err(), CallError::User(BankError::Unknown));
    }

    async fn r164_panic_fails_that_call_only(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        let before = stub.slow(1);
        let (sync, later) = (stub.panics("this"), stub.panics_later());
        let after = stub.slow(2);
        let error = sync.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Panicked, true));
        assert_eq!(error.message(), "`panics` panicked: this happened");
        assert_eq!(later.await.unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!((before.await.unwrap(), after.await.unwrap()), (1, 2));
        assert_eq!(stub.slow(3).await.unwrap(), 3);
        let serial: SerialStub = Serial(0).into_stub();
        let steps = [serial.step(false), serial.step(true), serial.step(false)];
        let [first, failed, third] = steps;
        assert_eq!(first.await.unwrap(), 1);
        assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!(third.await.unwrap(), 3, "the turn passed on");
    }

    async fn r165_error_arrives_with_variant_and_fields(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        for error in [BankError::Unknown, BankError::Locked("it".to_owned(), 1999), overdrawn()] {
            let arrived = stub.sync(error.clone()).await.unwrap_err();
            assert_eq!(arrived.to_string(), error.to_string());
            assert_eq!(arrived.user(), Some(&error));
            assert_eq!(stub.later(&error).await.unwrap_err(), CallError::User(error));
        }
        let fault = stub.boxed_fault().await.unwrap_err();
        assert_eq!(fault.user().unwrap().message(), "number too large to fit in target type");
    }

    async fn r167_fault_carries_its_chain(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        let CallError::User(fault) = stub.fault().await.unwrap_err() else { panic!("it is the method's own") };
        let chain = std::iter::successors(Some(&fault as &dyn std::error::Error), |&error| error.source());
        let texts: Vec<_> = chain.map(ToString::to_string).collect();
        assert_eq!(texts, ["level 0", "level 1", "level 2"]);
        assert!(fault.source().is_some());
    }

    async fn r169_error_type_of_another_version_is_refused(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        let other = OtherBankStub::from_handle(Pipeline::handle(&stub).clone());
        let error = other.sync(BankError::Unknown).await.unwrap_err().rpc().cloned().unwrap();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::SignatureMismatch, false), "{error}");
        assert!(stub.sync(BankError::Unknown).await.unwrap_err().user().is_some());
    }
}

/// The errors of the bank in another order.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("other")]
pub enum OtherBankError {
    Locked(String, u32),
    Unknown,
    Overdrawn { left: u64, hints: Vec<String> },
}

#[rpc_target]
pub trait OtherBank {
    fn sync(&self, error: BankError) -> Result<i64, OtherBankError>;
}

behaviours! { wire
    async fn r52_result_that_cannot_be_encoded_fails_its_call(transport: Transport) {
        let bank = Bank::default();
        let held = Arc::downgrade(&bank.held);
        let (stub, _link) = open(transport, bank).await;
        let error = stub.give(UNWRITABLE.0).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadResult, true), "{error}");
        assert!(error.message().contains("`give`"), "{error}");
        assert_eq!(stub.half(UNWRITABLE.0).await.err().map(|error| error.kind()), Some(ErrorKind::BadResult));
        until(|| held.strong_count() == 1).await;
        let error = stub.give(EXPLODES_WRITING.0).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadResult | ErrorKind::Panicked), "{error}");
        let error = stub.half(EXPLODES_WRITING.0).account().ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Upstream, "{error}");
        // And at the other end, where the capabilities came along.
        for number in [UNREADABLE.0, EXPLODES_READING.0] {
            let error = stub.half(number).await.err().unwrap();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadResult, true), "{error}");
        }
        until(|| held.strong_count() == 1).await;
        assert_eq!(stub.half(9).await.unwrap().fussy, Fussy(9));
    }

    async fn r54_panic_while_decoding_fails_that_call(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        let other = stub.slow(5);
        let error = stub.take(EXPLODES_READING).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Panicked, false), "{error}");
        let error = stub.take(UNREADABLE).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadArguments, false), "{error}");
        assert_eq!(stub.take(Fussy(8)).await.unwrap(), 8);
        assert_eq!(other.await.unwrap(), 5);
    }

    async fn r168_error_that_cannot_be_encoded_still_arrives(transport: Transport) {
        let (stub, _link) = open(transport, Bank::default()).await;
        let error = stub.fussy_error(UNWRITABLE.0).await.unwrap_err();
        assert_eq!(error.rpc().map(Error::kind), Some(ErrorKind::BadResult), "{error}");
        let error = stub.fussy_error(UNREADABLE.0).await.unwrap_err();
        assert_eq!(error.rpc().map(Error::kind), Some(ErrorKind::BadResult), "{error}");
        assert_eq!(stub.fussy_error(9).await.unwrap_err(), CallError::User(Fussy(9)));
    }
}

/// Passes bytes on and keeps a copy of them.
async fn tap(mut from: DuplexStream, mut to: DuplexStream, kept: Arc<Mutex<Vec<u8>>>) {
    let (mut there, mut back) = (vec![0; 4096], vec![0; 4096]);
    loop {
        let (bytes, to) = tokio::select! {
            read = from.read(&mut there) => (&there[..read.unwrap()], &mut to),
            read = to.read(&mut back) => (&back[..read.unwrap()], &mut from),
        };
        if bytes.is_empty() {
            return;
        }
        kept.lock().unwrap().extend_from_slice(bytes);
        to.write_all(bytes).await.unwrap();
    }
}

#[tokio::test]
async fn r166_no_backtrace_travels() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let ((a, b), (c, d)) = (tokio::io::duplex(4096), tokio::io::duplex(4096));
    let (client, client_driver) = Endpoint::new().connect_over(a);
    let (_server, server_driver) = Endpoint::new().offer::<BankStub>(Bank::default()).accept_over(d);
    let stub: BankStub = farcall::main_stub(&client);
    tokio::spawn(client_driver);
    tokio::spawn(server_driver);
    tokio::spawn(tap(b, c, Arc::clone(&kept)));
    in_time(async {
        assert!(stub.fault().await.unwrap_err().user().is_some());
        assert_eq!(stub.panics("terrible").await.unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!(stub.give(EXPLODES_WRITING.0).await.unwrap_err().kind(), ErrorKind::Panicked);
    })
    .await;
    let kept = kept.lock().unwrap();
    let holds =
        |text: &str| kept.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
    assert!(holds("level 2") && holds("terrible happened"), "this is what crossed");
    for text in ["errors.rs", "backtrace", "stack", "src/"] {
        assert!(!holds(text), "{text}");
    }
}
