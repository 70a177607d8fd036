//! Entrypoints: an object for each call, and nothing of it within reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use farcall::prelude::*;
use farcall::{Caller, End, Peer};
use tokio::sync::Notify;

use super::{UNKNOWN_METHOD, UNSUPPORTED, call, host};
use crate::kit::raw::{Call, Got, SEND, Stage, disguised, method};
use crate::kit::{Transport, behaviours, until};

#[derive(Env)]
pub struct Env {
    token: String,
    #[env(name = "start_with")]
    start: u32,
}

/// What a test shares with the objects that it has made.
#[derive(Default)]
pub struct Watched {
    made: AtomicUsize,
    alive: AtomicUsize,
    go: Notify,
}

/// Found by the token, because each test has a worker of its own.
static WATCHED: std::sync::Mutex<Vec<(String, Arc<Watched>)>> = std::sync::Mutex::new(Vec::new());

fn watched(token: &str) -> Arc<Watched> {
    let mut all = WATCHED.lock().unwrap();
    if let Some((_, watched)) = all.iter().find(|(of, _)| of == token) {
        return Arc::clone(watched);
    }
    all.push((token.to_owned(), Arc::default()));
    Arc::clone(&all.last().unwrap().1)
}

pub struct Teller {
    env: Arc<Env>,
    ctx: Ctx,
    said: u32,
    watched: Arc<Watched>,
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.watched.alive.fetch_sub(1, SeqCst);
    }
}

#[entrypoint]
impl Teller {
    fn new(env: Arc<Env>, ctx: Ctx) -> Self {
        let watched = watched(&env.token);
        watched.made.fetch_add(1, SeqCst);
        watched.alive.fetch_add(1, SeqCst);
        Self { said: env.start, env, ctx, watched }
    }

    pub fn next(&mut self) -> u32 {
        self.said += 1;
        self.said
    }

    pub async fn wait(&mut self) -> u32 {
        let watched = Arc::clone(&self.watched);
        watched.go.notified().await;
        self.said += 1;
        self.said
    }

    pub fn caller(&self) -> String {
        format!("{:?}", self.ctx.caller())
    }

    pub fn token_length(&self) -> usize {
        self.env.token.len()
    }

    pub fn part(&self) -> Part {
        Part
    }

    fn secret(&self) -> String {
        self.env.token.clone()
    }
}

pub struct Part;

#[rpc_target]
impl Part {
    pub fn fetch(&self) -> i64 {
        7
    }

    pub fn scheduled(&self) -> i64 {
        8
    }
}

/// One whose making can fail.
pub struct Guarded;

#[entrypoint]
impl Guarded {
    fn new(_env: Arc<Closed>, _ctx: Ctx) -> Result<Self, String> {
        match _env.closed.as_str() {
            "panic" => panic!("as the test wants it"),
            "" => Ok(Self),
            reason => Err(reason.to_owned()),
        }
    }

    pub fn enter(&self) -> bool {
        true
    }
}

#[derive(Env)]
pub struct Closed {
    closed: String,
}

// A contract, as it might stand in a crate of its own.

#[rpc_target]
pub trait Adder {
    async fn add(&self, a: i64, b: i64) -> i64;
}

pub struct Plain;

#[entrypoint(name = "Adder")]
impl Adder for Plain {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

pub struct Offset {
    env: Arc<OffsetEnv>,
}

#[derive(Env)]
pub struct OffsetEnv {
    offset: Option<i64>,
}

impl Offset {
    fn new(env: Arc<OffsetEnv>, _ctx: Ctx) -> Self {
        Self { env }
    }
}

#[entrypoint(env = OffsetEnv, default)]
impl Adder for Offset {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b + self.env.offset.unwrap_or(100)
    }
}

fn token(transport: Transport, of: &str) -> String {
    format!("{of}-{transport:?}-{:?}", std::thread::current().id())
}

async fn teller(
    transport: Transport,
    of: &str,
) -> (farcall::Running, TellerStub, super::Caller, Arc<Watched>) {
    let token = token(transport, of);
    let host = host::<Teller>(transport, &format!("[vars]\nTOKEN = \"{token}\"\nSTART_WITH = 10")).await;
    let (stub, caller) = call::<TellerStub>(transport, &host, "service").await;
    (host, stub, caller, watched(&token))
}

behaviours! {
    async fn r1_methods_of_an_entrypoint_are_called_through_its_service(transport: Transport) {
        let (_host, teller, _caller, _) = teller(transport, "r1").await;
        assert_eq!(teller.next().await.unwrap(), 11);
    }

    async fn r7_every_call_meets_an_object_of_its_own(transport: Transport) {
        let (_host, teller, _caller, watched) = teller(transport, "r7").await;
        assert_eq!(teller.next().await.unwrap(), 11);
        assert_eq!(teller.next().await.unwrap(), 11);
        until(|| watched.alive.load(SeqCst) == 0).await;
        // Two at a time: neither waits for the other, although each takes its object for itself.
        let (first, second) = (teller.wait(), teller.wait());
        let both = tokio::spawn(async move { (first.await.unwrap(), second.await.unwrap()) });
        until(|| watched.alive.load(SeqCst) == 2).await;
        // They were made, and begin to wait at any time now.
        until(|| {
            watched.go.notify_waiters();
            both.is_finished()
        })
        .await;
        assert_eq!(both.await.unwrap(), (11, 11));
        assert_eq!(watched.made.load(SeqCst), 4);
        until(|| watched.alive.load(SeqCst) == 0).await;
    }

    async fn r7_object_of_a_call_that_is_given_up_is_dropped(transport: Transport) {
        let (_host, teller, _caller, watched) = teller(transport, "r7-drop").await;
        let waiting = tokio::spawn(teller.wait().into_future());
        until(|| watched.alive.load(SeqCst) == 1).await;
        waiting.abort();
        until(|| watched.alive.load(SeqCst) == 0).await;
    }

    async fn r8_new_gets_env_and_ctx_and_may_fail(transport: Transport) {
        let open = host::<Guarded>(transport, "vars = { closed = \"\" }").await;
        let (guarded, _caller) = call::<GuardedStub>(transport, &open, "service").await;
        assert!(guarded.enter().await.unwrap());

        let shut = host::<Guarded>(transport, "vars = { closed = \"under repair\" }").await;
        let (guarded, _caller) = call::<GuardedStub>(transport, &shut, "service").await;
        let error = guarded.enter().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.message(), "an object of `Guarded` could not be made: under repair");
        assert!(!error.may_have_run());
    }

    async fn r8_panic_in_new_fails_that_call_alone(transport: Transport) {
        let host = host::<Guarded>(transport, "vars = { closed = \"panic\" }").await;
        let (guarded, _caller) = call::<GuardedStub>(transport, &host, "service").await;
        for _ in 0..2 {
            let error = guarded.enter().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked);
            assert!(!error.may_have_run());
        }
    }

    async fn r5_one_default_and_named_entrypoints_of_contracts(transport: Transport) {
        let host = host::<(Plain, Offset)>(transport, "").await;
        let (default, _caller) = call::<AdderStub>(transport, &host, "service").await;
        assert_eq!(default.add(1, 2).await.unwrap(), 103);
        let (named, _caller) = call::<AdderStub>(transport, &host, "service/Adder").await;
        assert_eq!(named.add(1, 2).await.unwrap(), 3);
        let (same, _caller) = call::<AdderStub>(transport, &host, "service/Offset").await;
        assert_eq!(same.add(1, 2).await.unwrap(), 103);
    }

    async fn r6_unknown_names_are_refused_in_words(transport: Transport) {
        let host = host::<(Plain, Teller)>(transport, "vars = { TOKEN = \"\", START_WITH = 0 }").await;
        let unknown = [
            ("elsewhere", "there is no service `elsewhere` in this host", "; it has: `service`"),
            ("service/Admin", "the service `service` has no entrypoint `Admin`", "; it has: `Adder`, `Teller`"),
            ("service", "the service `service` has no default entrypoint", "; it has: `Adder`, `Teller`"),
        ];
        for (name, text, has) in unknown {
            // Who comes from outside is not told what else there is.
            let text = if transport.has_wire() { text.to_owned() } else { format!("{text}{has}") };
            let (adder, _caller) = call::<AdderStub>(transport, &host, name).await;
            let error = adder.add(1, 2).await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unsupported, &text[..]));
            assert!(!error.may_have_run());
        }
        let (adder, _caller) = call::<AdderStub>(transport, &host, "service/Adder").await;
        assert_eq!(adder.add(1, 2).await.unwrap(), 3);
    }

    async fn caller_is_who_the_transport_says(transport: Transport) {
        let (_host, teller, _caller, _) = teller(transport, "caller").await;
        let caller = teller.caller().await.unwrap();
        match transport {
            Transport::InProcess => assert_eq!(caller, format!("{:?}", Caller::Worker(String::new()))),
            Transport::Duplex => assert_eq!(caller, format!("{:?}", Caller::Peer(Peer::Unknown))),
            Transport::Tcp => assert!(caller.starts_with("Peer(Tcp(127.0.0.1:"), "{caller}"),
            Transport::Unix => {
                let pid = std::process::id();
                assert!(caller.starts_with("Peer(Unix { uid: "), "{caller}");
                assert!(caller.ends_with(&format!("pid: Some({pid}) }})")), "{caller}");
            }
        }
    }

    async fn r187_event_names_are_free_on_what_an_entrypoint_returns(transport: Transport) {
        let (_host, teller, _caller, _) = teller(transport, "r185").await;
        assert_eq!(teller.part().fetch().await.unwrap(), 7);
        assert_eq!(teller.part().scheduled().await.unwrap(), 8);
    }
}

behaviours! { wire
    async fn r11_env_and_ctx_cannot_be_reached_at_any_depth(transport: Transport) {
        let token = token(transport, "r11");
        let host = host::<Teller>(transport, &format!("[vars]\nTOKEN = \"{token}\"\nSTART_WITH = 1")).await;
        let stage = Stage::of(transport, host.endpoint());
        let mut raw = stage.raw_wanting("service", "").await;
        let (next, length) = (method::<TellerStub>("next"), method::<TellerStub>("token_length"));
        for name in ["env", "ctx", "new", "token", "secret", "said", "make", "fetch", "connect", "alarm"] {
            for like in [next, length] {
                raw.refused(&Call::of(disguised(name, like), &[]), UNKNOWN_METHOD).await;
            }
        }
        // Nor through what a call gave: a part of an object, at some depth.
        let part = Call { flags: SEND, method: method::<TellerStub>("part"), ..Call::default() };
        let got = raw.call(&part).await;
        let Got::Answer { id, caps, .. } = got else { panic!("{got:?}") };
        let [(0, export)] = caps[..] else { panic!("{caps:?}") };
        for name in ["env", "ctx", "secret", "token_length"] {
            let on_export = Call::of(disguised(name, next), &[]).on(export, &[]);
            raw.refused(&on_export, UNKNOWN_METHOD).await;
        }
        for path in [&[0][..], &[1, 0][..], &[0, 0, 0][..]] {
            // The part is a stub and no value: it has no fields.
            let text = raw.refused(&Call::of(next, &[]).on(id, path), 7).await;
            assert!(!text.contains(&token), "{text}");
        }
        // And object 0 has none either: that breaks the protocol.
        let mut other = stage.raw_wanting("service", "").await;
        other.aborted(&Call::of(next, &[]).on(0, &[0]).frame()).await;
    }

    async fn r6_peer_that_asks_for_an_unknown_service_is_refused_and_harms_nobody(transport: Transport) {
        let (host, teller, _caller, _) = teller(transport, "r6-raw").await;
        let stage = Stage::of(transport, host.endpoint());
        let mut raw = stage.raw_wanting("nothing/Here", "").await;
        let text = raw.refused(&Call::of(method::<TellerStub>("next"), &[]), UNSUPPORTED).await;
        assert_eq!(text, "there is no service `nothing` in this host");
        // The one service of a host needs no name.
        let mut raw = stage.raw_wanting("", "").await;
        assert_eq!(crate::kit::raw::body(raw.call(&Call::of(method::<TellerStub>("next"), &[])).await), [11]);
        assert_eq!(teller.next().await.unwrap(), 11);
    }
}

#[tokio::test]
async fn r9_entrypoint_is_made_by_hand_in_a_unit_test() {
    let env = Arc::new(Env { token: "by hand".to_owned(), start: 4 });
    let mut teller = Teller::new(Arc::clone(&env), Ctx::for_test());
    assert_eq!(teller.next(), 5);
    assert_eq!(teller.next(), 6);
    assert_eq!(teller.secret(), "by hand");
    assert_eq!(teller.ctx.caller(), &Caller::Test);

    // The context ends with the object that has it.
    let cancelled = teller.ctx.cancelled();
    drop(teller);
    assert_eq!(cancelled.await, End::Done);
}
