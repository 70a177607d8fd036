//! Arguments and results are released on every way a call can take (row 145). Probes that count their drops go each of
//! them: as targets, as stubs in values and as what a closure captured. At the end nothing is left in any table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Limits, Pipeline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::Semaphore;

use crate::kit::{Link, Transport, behaviours, open, open_with, until};

/// How many probes were made, and how many dropped.
#[derive(Clone, Default)]
pub struct Ledger(Arc<(AtomicUsize, AtomicUsize)>);

pub struct Probe(Ledger);

#[rpc_target]
impl Probe {
    pub fn ping(&self) -> i64 {
        1
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.0.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A value with four probes in it.
#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Load {
    pub one: ProbeStub,
    pub more: Vec<ProbeStub>,
    pub function: RpcFn<fn() -> i64>,
}

impl Ledger {
    fn probe(&self) -> Probe {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        Probe(self.clone())
    }

    fn stub(&self) -> ProbeStub {
        self.probe().into_stub()
    }

    fn load(&self) -> Load {
        let captured = self.probe();
        let function = RpcFn::new(move || {
            let Probe(_ledger) = &captured;
            2
        });
        Load { one: self.stub(), more: vec![self.stub(), self.stub()], function }
    }

    fn counts(&self) -> (usize, usize) {
        (self.0.0.load(Ordering::SeqCst), self.0.1.load(Ordering::SeqCst))
    }

    /// Waits until all probes are dropped. `path` is what they went through.
    async fn is_balanced(&self, path: &str) {
        let balanced = || {
            let (made, dropped) = self.counts();
            assert!(made > 0 && dropped <= made, "{path}: {dropped} of {made}");
            made == dropped
        };
        let waited = tokio::time::timeout(Duration::from_secs(8), until(balanced)).await;
        assert!(waited.is_ok(), "{path}: {:?} probes were made and dropped", self.counts());
    }
}

/// Nothing but the callee's main object is left in either table.
async fn tables_are_empty(link: &Link) {
    let (Some(client), Some(server)) = (&link.client, &link.server) else { return };
    until(|| client.table_sizes() == (0, 1) && server.table_sizes() == (0, 0)).await;
}

/// The connection is over, and nothing is left of it at the callee.
async fn nothing_is_left(link: &Link) {
    let (Some(client), Some(server)) = (&link.client, &link.server) else { return };
    until(|| client.table_sizes().0 == 0 && server.table_sizes() == (0, 0)).await;
}

/// A value that cannot be encoded.
#[derive(Debug, Deserialize)]
pub struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not want to"))
    }
}

/// A value that cannot be decoded.
#[derive(Debug, Serialize)]
pub struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("nobody can read it"))
    }
}

/// An error with a stub in it.
#[derive(Debug, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused")]
pub struct Refused {
    pub stub: ProbeStub,
}

#[derive(Clone)]
pub struct Callee {
    ledger: Ledger,
    started: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Default for Callee {
    fn default() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { ledger: Ledger::default(), started: none(), go: none() }
    }
}

impl Callee {
    /// Waits until one more of those that wait has begun.
    async fn has_started(&self) {
        self.started.acquire().await.unwrap().forget();
    }

    /// Lets one of those that wait go on.
    fn lets_go(&self) {
        self.go.add_permits(1);
    }

    /// Lets what waits go on once it has begun.
    async fn release(&self) {
        self.has_started().await;
        self.lets_go();
    }

    async fn wait(&self) {
        self.started.add_permits(1);
        self.go.acquire().await.unwrap().forget();
    }
}

#[rpc_target]
impl Callee {
    pub fn takes(&self, _probe: ProbeStub, _load: Load) -> bool {
        true
    }

    pub fn takes_bulk(&self, _bulk: Bytes, _probe: ProbeStub, _load: Load) -> bool {
        true
    }

    pub fn takes_number(&self, _number: i64, _probe: ProbeStub, _load: Load) -> bool {
        true
    }

    pub fn refuses(&self, probe: ProbeStub, _load: Load) -> Result<i64, Refused> {
        Err(Refused { stub: probe })
    }

    pub fn panics(&self, _probe: ProbeStub, _load: Load) -> i64 {
        panic!("as the test wants it")
    }

    pub async fn panics_later(&self, _probe: ProbeStub, _load: Load) -> i64 {
        tokio::task::yield_now().await;
        panic!("as the test wants it")
    }

    pub async fn waits(&self, _probe: ProbeStub, _load: Load) -> bool {
        self.wait().await;
        true
    }

    pub fn cannot_read(&self, _probe: ProbeStub, _load: Load, _last: Plain<Unreadable>) -> bool {
        true
    }

    pub fn never_sent(&self, _probe: ProbeStub, _load: Load, _last: Plain<Unwilling>) -> bool {
        true
    }

    pub async fn itself(&self, there_is_one: bool) -> Result<Self, Refused> {
        self.wait().await;
        if there_is_one { Ok(self.clone()) } else { Err(Refused { stub: self.ledger.stub() }) }
    }

    pub async fn number(&self, there_is_one: bool) -> Result<i64, Refused> {
        self.wait().await;
        if there_is_one { Ok(7) } else { Err(Refused { stub: self.ledger.stub() }) }
    }

    pub fn line(&self) -> Line {
        Line(self.clone())
    }

    pub fn gives(&self) -> Load {
        self.ledger.load()
    }

    pub async fn gives_late(&self) -> Load {
        let load = self.ledger.load();
        self.wait().await;
        load
    }

    pub fn gives_unwilling(&self) -> (Load, Plain<Unwilling>) {
        (self.ledger.load(), Plain(Unwilling))
    }

    pub fn gives_unreadable(&self) -> (Load, Plain<Unreadable>) {
        (self.ledger.load(), Plain(Unreadable(1)))
    }

    pub fn gives_bulk(&self, bytes: u32) -> (Load, Bytes) {
        (self.ledger.load(), Bytes::from(vec![0; bytes as usize]))
    }

    pub fn ping(&self) -> bool {
        true
    }
}

/// The same, one call after another.
pub struct Line(Callee);

#[rpc_target]
impl Line {
    pub async fn waits(&mut self, _probe: ProbeStub, _load: Load) -> bool {
        self.0.wait().await;
        true
    }

    pub fn takes(&mut self, _probe: ProbeStub, _load: Load) -> bool {
        true
    }
}

/// A contract of which a [`Callee`] has less than it says.
#[rpc_target]
pub trait Believed {
    fn not_there(&self, probe: ProbeStub, load: Load) -> bool;
    fn takes(&self, probe: ProbeStub, load: Load, more: i64) -> bool;
}

/// The arguments of one call: five probes.
fn args(ledger: &Ledger) -> (Probe, Load) {
    (ledger.probe(), ledger.load())
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

behaviours! {
    async fn r145_method_that_ends_in_any_way(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main).await;
        let ledger = Ledger::default();
        let (probe, load) = args(&ledger);
        assert!(callee.takes(probe, load).await.unwrap());
        ledger.is_balanced("returned").await;
        let (probe, load) = args(&ledger);
        let CallError::User(refused) = callee.refuses(probe, load).await.unwrap_err() else { panic!() };
        assert_eq!(refused.stub.ping().await.unwrap(), 1);
        drop(refused);
        ledger.is_balanced("an error of its own").await;
        let (probe, load) = args(&ledger);
        Promise::detach(callee.refuses(probe, load));
        ledger.is_balanced("an error of its own that nobody reads").await;
        let (probe, load) = args(&ledger);
        assert_eq!(kind(callee.panics(probe, load).await), ErrorKind::Panicked);
        ledger.is_balanced("panicked").await;
        let (probe, load) = args(&ledger);
        assert_eq!(kind(callee.panics_later(probe, load).await), ErrorKind::Panicked);
        ledger.is_balanced("panicked later").await;
        tables_are_empty(&link).await;
    }

    async fn r145_call_that_never_runs(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main).await;
        let ledger = Ledger::default();
        let (probe, load) = args(&ledger);
        let error = kind(callee.never_sent(probe, load, Plain(Unwilling)).await);
        assert_eq!(error, ErrorKind::BadArguments);
        ledger.is_balanced("not encoded").await;
        let (probe, load) = args(&ledger);
        let error = kind(callee.cannot_read(probe, load, Plain(Unreadable(1))).await);
        assert_eq!(error, ErrorKind::BadArguments);
        ledger.is_balanced("not decoded").await;
        let believed = BelievedStub::from_handle(Pipeline::handle(&callee).clone());
        let (probe, load) = args(&ledger);
        assert_eq!(kind(believed.not_there(probe, load).await), ErrorKind::UnknownMethod);
        ledger.is_balanced("unknown method").await;
        let (probe, load) = args(&ledger);
        assert_eq!(kind(believed.takes(probe, load, 1).await), ErrorKind::SignatureMismatch);
        ledger.is_balanced("another signature").await;
        drop(believed);
        let mut field = callee.gives();
        let part = field.one();
        drop(std::mem::replace(&mut field, callee.gives()));
        let (probe, load) = args(&ledger);
        // The path leads from a stub, which has no fields: the call is refused wherever it gets to.
        let deep = CalleeStub::from_handle(Pipeline::handle(&*part).field(3));
        assert!(deep.takes(probe, load).await.is_err());
        ledger.is_balanced("a path that leads nowhere").await;
        drop((field, part, deep));
        tables_are_empty(&link).await;
    }

    async fn r145_call_that_is_cancelled(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main.clone()).await;
        let ledger = Ledger::default();
        let (probe, load) = args(&ledger);
        drop(callee.takes(probe, load));
        ledger.is_balanced("cancelled before it was sent").await;
        let (probe, load) = args(&ledger);
        let running = tokio::spawn(callee.waits(probe, load).into_future());
        main.has_started().await;
        running.abort();
        ledger.is_balanced("cancelled while it ran").await;
        let parent = callee.itself(true);
        let (probe, load) = args(&ledger);
        let parked = tokio::spawn(parent.takes(probe, load).into_future());
        main.has_started().await;
        parked.abort();
        ledger.is_balanced("cancelled behind another call").await;
        let number = callee.number(true);
        let (probe, load) = args(&ledger);
        let parked = tokio::spawn(callee.takes_number(&number, probe, load).into_future());
        main.has_started().await;
        parked.abort();
        ledger.is_balanced("cancelled while an argument was missing").await;
        drop((parent, number));
        let line = callee.line().await.unwrap();
        let (probe, load) = args(&ledger);
        let first = line.waits(probe, load);
        let (probe, load) = args(&ledger);
        let queued = tokio::spawn(line.takes(probe, load).into_future());
        main.has_started().await;
        assert!(callee.ping().await.unwrap());
        queued.abort();
        main.lets_go();
        assert!(first.await.unwrap());
        ledger.is_balanced("cancelled in its target's queue").await;
        drop(line);
        tables_are_empty(&link).await;
    }

    async fn r145_call_behind_one_that_fails(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main.clone()).await;
        let ledger = &main.ledger;
        let upstream = |error: CallError<Refused>| error.rpc().unwrap().kind();
        let parent = callee.itself(false);
        let (probe, load) = args(ledger);
        let child = parent.takes(probe, load);
        main.release().await;
        assert_eq!(kind(child.await), ErrorKind::Upstream);
        assert!(parent.await.is_err());
        ledger.is_balanced("its target failed").await;
        let parent = callee.itself(false);
        let broken: CalleeStub = parent.clone();
        main.release().await;
        assert!(parent.await.is_err());
        let (probe, load) = args(ledger);
        let failed = broken.refuses(probe, load).await.unwrap_err();
        assert_eq!(upstream(failed), ErrorKind::Upstream);
        drop(broken);
        ledger.is_balanced("its target had failed").await;
        let number = callee.number(false);
        let (probe, load) = args(ledger);
        let child = callee.takes_number(&number, probe, load);
        main.release().await;
        assert_eq!(kind(child.await), ErrorKind::Upstream);
        drop(number);
        ledger.is_balanced("an argument failed").await;
        // An argument that is awaited on this side: it is promised by another target, in another place.
        let other = main.clone().into_stub();
        let number = other.number(false);
        let (probe, load) = args(ledger);
        let child = callee.takes_number(&number, probe, load);
        main.release().await;
        assert_eq!(kind(child.await), ErrorKind::Upstream);
        drop(number);
        ledger.is_balanced("an argument of another place failed").await;
        let number = other.number(true);
        let (probe, load) = args(ledger);
        drop(callee.takes_number(&number, probe, load));
        drop((number, other));
        ledger.is_balanced("cancelled while an argument of another place was missing").await;
        tables_are_empty(&link).await;
    }

    async fn r145_results_however_they_are_used(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main.clone()).await;
        let ledger = &main.ledger;
        let load = callee.gives().await.unwrap();
        assert_eq!(load.function.call().await.unwrap() + load.more[1].ping().await.unwrap(), 3);
        drop(load);
        ledger.is_balanced("read").await;
        assert_eq!(callee.gives().one().ping().await.unwrap(), 1);
        ledger.is_balanced("called through").await;
        Promise::detach(callee.gives());
        assert!(callee.ping().await.unwrap());
        ledger.is_balanced("not wanted").await;
        drop(callee.gives());
        assert!(callee.ping().await.unwrap());
        // It may never have run.
        let _ = ledger.probe();
        ledger.is_balanced("given up").await;
        let mut unread = std::pin::pin!(callee.gives().into_future());
        // Mostly pending; the answer may be here already.
        let _ = futures_poll(unread.as_mut());
        assert!(callee.ping().await.unwrap());
        unread.set(callee.gives().into_future());
        let late = tokio::spawn(callee.gives_late().into_future());
        main.has_started().await;
        late.abort();
        assert_eq!(kind(callee.gives_unwilling().await), ErrorKind::BadResult);
        assert_eq!(kind(callee.gives_unreadable().await), ErrorKind::BadResult);
        assert!(callee.takes(callee.gives().one(), callee.gives()).await.unwrap());
        unread.set(callee.gives().into_future());
        assert!(unread.as_mut().await.is_ok());
        ledger.is_balanced("not read, late, not encoded, not decoded, passed on").await;
        tables_are_empty(&link).await;
    }
}

/// Polls once, for nobody.
fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

/// One method at a time, and room for about one large call in the window.
fn narrow() -> Limits {
    let mut limits = Limits::default();
    (limits.running_calls, limits.window_bytes, limits.frame_bytes) = (1, 64 * 1024, 64 * 1024);
    limits
}

/// Two thirds of a [`narrow`] window.
fn bulk() -> Bytes {
    Bytes::from(vec![0; 40 * 1024])
}

behaviours! { wire
    async fn r145_calls_in_the_waiting_line(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open_with(transport, Duration::ZERO, narrow(), main.clone()).await;
        let ledger = Ledger::default();
        for path in ["given up", "sent in the end", "detached", "lost"] {
            let (probe, load) = args(&ledger);
            let running = callee.waits(probe, load);
            main.has_started().await;
            let mut lined = Vec::new();
            for _ in 0..3 {
                let (probe, load) = args(&ledger);
                lined.push(callee.takes_bulk(bulk(), probe, load));
            }
            // With the first in the window there is no room for the second.
            let mut ready = std::pin::pin!(callee.ready());
            assert!(futures_poll(ready.as_mut()).is_pending(), "they wait in line");
            match path {
                "given up" => drop(lined),
                "sent in the end" => {
                    main.lets_go();
                    for call in lined {
                        assert!(call.await.unwrap());
                    }
                    assert!(running.await.unwrap());
                    ledger.is_balanced(path).await;
                    continue;
                }
                "detached" => lined.into_iter().for_each(Promise::detach),
                _ => {
                    link.cut();
                    for call in lined.into_iter().skip(1) {
                        let error = call.await.unwrap_err();
                        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
                    }
                    assert_eq!(kind(running.await), ErrorKind::Disconnected);
                    ledger.is_balanced(path).await;
                    continue;
                }
            }
            main.lets_go();
            assert!(running.await.unwrap());
            ledger.is_balanced(path).await;
            tables_are_empty(&link).await;
        }
        nothing_is_left(&link).await;
    }

    async fn r145_limits_that_refuse(transport: Transport) {
        let main = Callee::default();
        let mut limits = narrow();
        (limits.caps_per_message, limits.running_calls) = (4, 64);
        let (callee, link) = open_with(transport, Duration::ZERO, limits, main.clone()).await;
        let ledger = Ledger::default();
        let (probe, load) = args(&ledger);
        assert_eq!(kind(callee.takes(probe, load).await), ErrorKind::Limit);
        ledger.is_balanced("too many capabilities").await;
        assert_eq!(kind(callee.gives_bulk(70_000).await), ErrorKind::Limit);
        main.ledger.is_balanced("a result that is too long").await;
        tables_are_empty(&link).await;

        let mut limits = Limits::default();
        (limits.parked_bytes, limits.calls_in_flight, limits.frame_bytes) = (100, 3, 64 * 1024);
        (limits.unread_result_bytes, limits.path_steps) = (1000, 1);
        let (callee, link) = open_with(transport, Duration::ZERO, limits, main.clone()).await;
        let (probe, load) = args(&ledger);
        let long = Bytes::from(vec![0; 70_000]);
        assert_eq!(kind(callee.takes_bulk(long, probe, load).await), ErrorKind::Limit);
        ledger.is_balanced("a call that is too long").await;
        let parent = callee.itself(true);
        let (probe, load) = args(&ledger);
        let refused = parent.takes_bulk(Bytes::from(vec![0; 100]), probe, load);
        assert_eq!(kind(refused.await), ErrorKind::Limit);
        ledger.is_balanced("too much waits for others").await;
        let (probe, load) = args(&ledger);
        let (one, two) = (callee.number(true), callee.number(true));
        assert_eq!(kind(callee.takes(probe, load).await), ErrorKind::Overloaded);
        ledger.is_balanced("too many calls").await;
        drop((parent, one, two));
        let steps = CalleeStub::from_handle(Pipeline::handle(&*callee.gives()).field(0).field(0));
        let (probe, load) = args(&ledger);
        assert_eq!(kind(steps.takes(probe, load).await), ErrorKind::Limit);
        drop(steps);
        ledger.is_balanced("a path that is too long").await;
        // It comes and is not kept.
        assert_eq!(kind(callee.gives_bulk(2000).await), ErrorKind::Limit);
        main.ledger.is_balanced("results that pile up").await;
        tables_are_empty(&link).await;

        let mut limits = Limits::default();
        limits.imports = 3;
        let (callee, link) = open_with(transport, Duration::ZERO, limits, main.clone()).await;
        let (probe, load) = args(&ledger);
        assert!(callee.takes(probe, load).await.unwrap(), "stubs over the limit are broken ones");
        ledger.is_balanced("too many targets").await;
        tables_are_empty(&link).await;
    }

    async fn r145_connection_that_is_lost(transport: Transport) {
        for server_first in [false, true] {
            let main = Callee::default();
            let mut limits = Limits::default();
            limits.running_calls = 4;
            let (callee, link) = open_with(transport, Duration::ZERO, limits, main.clone()).await;
            let ledger = main.ledger.clone();
            let line = callee.line().await.unwrap();
            let mut calls = Vec::new();
            // Running, in a target's queue, behind a call, without an argument, and not started for want of room.
            for stub in [&callee, &callee] {
                let (probe, load) = args(&ledger);
                calls.push(stub.waits(probe, load));
            }
            for _ in 0..2 {
                let (probe, load) = args(&ledger);
                calls.push(line.waits(probe, load));
            }
            let (parent, number) = (callee.itself(true), callee.number(true));
            let (probe, load) = args(&ledger);
            calls.push(parent.takes(probe, load));
            let (probe, load) = args(&ledger);
            calls.push(callee.takes_number(&number, probe, load));
            for _ in 0..3 {
                main.has_started().await;
            }
            let (kept, unread) = (callee.gives(), callee.gives());
            let part = kept.one();
            let (probe, load) = args(&ledger);
            calls.push(callee.takes(probe, load));
            if server_first { link.cut_callee() } else { link.cut_caller() }
            for call in calls {
                assert_eq!(kind(call.await), ErrorKind::Disconnected);
            }
            drop((kept, unread));
            let (probe, load) = args(&ledger);
            assert_eq!(kind(callee.takes(probe, load).await), ErrorKind::Disconnected);
            let (probe, load) = args(&ledger);
            assert_eq!(kind(parent.takes(probe, load).await), ErrorKind::Disconnected);
            drop((parent, number, part, line));
            ledger.is_balanced("lost").await;
            nothing_is_left(&link).await;
        }
    }

    async fn r145_peer_that_shuts_down(transport: Transport) {
        let main = Callee::default();
        let (callee, link) = open(transport, main.clone()).await;
        let ledger = Ledger::default();
        let (probe, load) = args(&ledger);
        let running = callee.waits(probe, load);
        main.has_started().await;
        link.server.as_ref().unwrap().shutdown();
        let (probe, load) = args(&ledger);
        assert_eq!(kind(callee.takes(probe, load).await), ErrorKind::ShuttingDown);
        main.lets_go();
        assert!(running.await.unwrap());
        ledger.is_balanced("shutting down").await;
        nothing_is_left(&link).await;
    }
}
