//! Props, and bindings of a worker to its own entrypoints.

use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{call, host, socket};
use crate::kit::raw::{Call, Stage, method};
use crate::kit::{Transport, behaviours, in_time};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    user: String,
    #[serde(default)]
    level: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Room {
    number: i64,
}

impl Default for Room {
    fn default() -> Self {
        Self { number: 7 }
    }
}

pub struct Scoped {
    ctx: Ctx,
}

#[entrypoint(props = Scope)]
impl Scoped {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub fn who(&self) -> String {
        let scope: Scope = self.ctx.props().unwrap();
        format!("{} {}", scope.user, scope.level)
    }
}

pub struct Rooms {
    ctx: Ctx,
}

#[entrypoint(default, props = Room)]
impl Rooms {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub fn number(&self) -> i64 {
        self.ctx.props::<Room>().unwrap().number
    }

    /// A binding to another entrypoint of this worker, made for this user.
    pub fn scoped(&self, user: String) -> ScopedStub {
        let scoped = self.ctx.exports().service::<Scoped>().unwrap();
        ScopedStub::clone(&scoped.with_props(&Scope { user, level: 3 }).unwrap())
    }

    pub async fn ask_itself(&self) -> Vec<i64> {
        let own = self.ctx.exports().service::<Self>().unwrap();
        let other = own.with_props(&Room { number: 12 }).unwrap();
        vec![own.number().await.unwrap(), other.number().await.unwrap()]
    }
}

#[derive(Env)]
pub struct Env {
    scoped: Service<ScopedStub>,
}

pub struct Asker {
    env: Arc<Env>,
}

#[entrypoint]
impl Asker {
    fn new(env: Arc<Env>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn ask(&self) -> Result<String, Error> {
        self.env.scoped.who().await
    }
}

behaviours! {
    async fn r248_without_props_a_callee_gets_the_default_of_its_type(transport: Transport) {
        let host = host::<(Rooms, Scoped)>(transport, "").await;
        let (rooms, _caller) = call::<RoomsStub>(transport, &host, "service").await;
        assert_eq!(rooms.number().await.unwrap(), 7);
        // And where there is no default, none is let in.
        let (scoped, _caller) = call::<ScopedStub>(transport, &host, "service/Scoped").await;
        let error = scoped.who().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.message().contains("missing field `user`"), "{error}");
    }

    async fn r249_exports_are_bindings_to_own_entrypoints(transport: Transport) {
        let host = host::<(Rooms, Scoped)>(transport, "").await;
        let (rooms, _caller) = call::<RoomsStub>(transport, &host, "service").await;
        assert_eq!(rooms.ask_itself().await.unwrap(), [7, 12]);
    }

    async fn r250_export_with_props_is_passed_to_others(transport: Transport) {
        let host = host::<(Rooms, Scoped)>(transport, "").await;
        let (rooms, _caller) = call::<RoomsStub>(transport, &host, "service").await;
        let (ann, bob) = (rooms.scoped("ann").await.unwrap(), rooms.scoped("bob"));
        assert_eq!(ann.who().await.unwrap(), "ann 3");
        assert_eq!(bob.who().await.unwrap(), "bob 3");
    }
}

const B: (&str, &str) = ("b.toml", "name = \"b\"");

#[tokio::test]
async fn r247_props_of_a_binding_reach_the_callee() {
    let a = "name = \"a\"\nservices = [{ binding = \"scoped\", service = \"b\", props = { user = \"ann\", level = 2 } }]";
    let host = Host::from_texts([("a.toml", a), B]).unwrap().environment([]);
    let host = host.worker_of::<Asker>("a").worker_of::<Scoped>("b").start().await.unwrap();
    assert_eq!(host.service::<AskerStub>("a").ask().await.unwrap(), "ann 2");
}

#[tokio::test]
async fn r248_props_that_do_not_fit_are_an_error_at_the_start() {
    for props in ["{ level = 2 }", "{ user = 5 }", "{}"] {
        let services = format!("services = [{{ binding = \"scoped\", service = \"b\", props = {props} }}]");
        let a = format!("name = \"a\"\n{services}");
        let host = Host::from_texts([("a.toml", a.as_str()), B]).unwrap().environment([]);
        let error = host.worker_of::<Asker>("a").worker_of::<Scoped>("b").start().await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("a.toml: services.scoped: the entrypoint `Scoped` of the service `b`: "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn r247_props_cross_where_those_who_connect_are_trusted() {
    in_time(async {
        for (trusted, expected) in [(true, Ok("ann 2")), (false, Err(ErrorKind::Unsupported))] {
            let address = format!("unix:{}", socket().display());
            let b = format!("name = \"b\"\nlisten = [{{ address = \"{address}\", trust_props = {trusted} }}]");
            let b = Host::from_texts([("b.toml", b.as_str())]).unwrap().environment([]);
            let b = b.worker::<Scoped>().start().await.unwrap();
            let a = format!(
                "name = \"a\"\nservices = [{{ binding = \"scoped\", service = \"b\", address = \"{address}\", props = {{ user = \"ann\", level = 2 }} }}]"
            );
            let a = Host::from_texts([("a.toml", a.as_str())]).unwrap().environment([]);
            let a = a.worker::<Asker>().start().await.unwrap();
            let asked = a.service::<AskerStub>("a").ask().await;
            match expected {
                Ok(text) => assert_eq!(asked.unwrap(), text),
                Err(kind) => {
                    let error = asked.unwrap_err();
                    let error = error.user().unwrap();
                    assert_eq!(error.kind(), kind);
                    assert!(error.message().contains("trust_props"), "{error}");
                }
            }
            drop(b);
        }
    })
    .await;
}

behaviours! { wire
    async fn r247_peer_cannot_set_props(transport: Transport) {
        let host = host::<(Rooms, Scoped)>(transport, "").await;
        let stage = Stage::of(transport, host.endpoint());
        let who = Call::of(method::<ScopedStub>("who"), &[]);
        for props in ["{\"user\":\"root\"}", "nonsense", "[]"] {
            let mut raw = stage.raw_wanting("service/Scoped", props).await;
            let text = raw.refused(&who, crate::workers::UNSUPPORTED).await;
            assert!(text.contains("takes no props"), "{text}");
        }
    }
}

/// What a binding may hold beside data: another binding.
#[derive(Serialize, Deserialize)]
pub struct Desk {
    user: String,
    #[serde(with = "farcall::binding")]
    rooms: Service<RoomsStub>,
}

pub struct Guide {
    ctx: Ctx,
}

#[entrypoint(props = Desk)]
impl Guide {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub async fn room(&self) -> Result<String, Error> {
        let desk: Desk = self.ctx.props()?;
        Ok(format!("{} in {}", desk.user, desk.rooms.number().await?))
    }
}

pub struct Lobby {
    ctx: Ctx,
}

#[entrypoint]
impl Lobby {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    /// A guide to a room of this number.
    pub fn guide(&self, user: String, number: i64) -> GuideStub {
        let exports = self.ctx.exports();
        let rooms = exports.service::<Rooms>().unwrap().with_props(&Room { number }).unwrap();
        let guide = exports.service::<Guide>().unwrap();
        GuideStub::clone(&guide.with_props(&Desk { user, rooms }).unwrap())
    }
}

behaviours! {
    async fn r251_props_hold_bindings(transport: Transport) {
        let host = host::<(Lobby, Guide, Rooms)>(transport, "").await;
        let (lobby, _caller) = call::<LobbyStub>(transport, &host, "service/Lobby").await;
        let (ann, bob) = (lobby.guide("ann", 3).await.unwrap(), lobby.guide("bob", 4));
        assert_eq!(ann.room().await.unwrap(), "ann in 3");
        assert_eq!(bob.room().await.unwrap(), "bob in 4");
    }
}

behaviours! { wire
    async fn r251_peer_cannot_put_bindings_into_props(transport: Transport) {
        if !matches!(transport, Transport::Tcp | Transport::Unix) {
            return;
        }
        let address = match transport {
            Transport::Tcp => "tcp://127.0.0.1:0".to_owned(),
            _ => format!("unix:{}", socket().display()),
        };
        let listen = format!("listen = [{{ address = \"{address}\", trust_props = true }}]");
        let b = format!("name = \"b\"\n{listen}");
        let b = Host::from_texts([("b.toml", b.as_str())]).unwrap().environment([]);
        let b = b.worker::<(Guide, Rooms)>().start().await.unwrap();
        // Also of those whom it trusts, none reaches what it was not given.
        for rooms in ["{\"service\":\"b\",\"entrypoint\":\"Rooms\"}", "{\"$service\":0}"] {
            let wanted = farcall::Greeting {
                name: "b/Guide".to_owned(),
                props: format!("{{\"user\":\"ann\",\"rooms\":{rooms}}}"),
            };
            let connection = farcall::Endpoint::new().want(wanted).connect(&b.addresses()[0]).await.unwrap();
            let guide: GuideStub = farcall::main_stub(&connection);
            let error = guide.room().await.unwrap_err();
            assert!(matches!(error, CallError::Rpc(ref error) if error.kind() == ErrorKind::BadArguments), "{error}");
        }
    }
}

#[derive(Env)]
pub struct GuideEnv {
    guide: Service<GuideStub>,
}

pub struct Visitor {
    env: Arc<GuideEnv>,
}

#[entrypoint]
impl Visitor {
    fn new(env: Arc<GuideEnv>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn room(&self) -> String {
        self.env.guide.room().await.unwrap()
    }
}

async fn visitor(rooms: &str, listen: &str) -> Result<farcall::Running, farcall::StartError> {
    let binding = format!(
        "{{ binding = \"guide\", service = \"b\", entrypoint = \"Guide\", props = {{ user = \"ann\", rooms = {rooms} }} }}"
    );
    let a = format!("name = \"a\"\nservices = [{binding}]");
    let b = format!("name = \"b\"\nlisten = [{listen}]");
    let host = Host::from_texts([("a.toml", a.as_str()), ("b.toml", b.as_str())]).unwrap().environment([]);
    host.worker_of::<Visitor>("a").worker_of::<(Guide, Rooms)>("b").start().await
}

#[tokio::test]
async fn r251_bindings_in_the_props_of_a_file() {
    in_time(async {
        let socket = socket();
        let far =
            format!("{{ service = \"b\", entrypoint = \"Rooms\", address = \"unix:{}\" }}", socket.display());
        for rooms in ["{ service = \"b\", entrypoint = \"Rooms\" }", far.as_str()] {
            let host = visitor(rooms, &format!("\"unix:{}\"", socket.display())).await.unwrap();
            let visitor = host.service::<VisitorStub>("a");
            for _ in 0..2 {
                assert_eq!(visitor.room().await.unwrap(), "ann in 7");
            }
            host.shutdown().await;
        }
        let with_props = "{ service = \"b\", entrypoint = \"Rooms\", props = { number = 9 } }";
        let host = visitor(with_props, "").await.unwrap();
        assert_eq!(host.service::<VisitorStub>("a").room().await.unwrap(), "ann in 9");
        for (rooms, expected) in [
            ("{ service = \"c\" }", "there is no service `c` in this host"),
            ("{ service = \"b\", entrypoint = \"Guide\" }", "is not what the field's stub calls: `number`"),
            ("{ service = \"b\", entrypoint = \"Rooms\", props = { number = \"many\" } }", "invalid type"),
            ("{ service = \"b\", address = \"somewhere\" }", "`somewhere` is no address"),
            ("5", "invalid type"),
        ] {
            let said = visitor(rooms, "").await.unwrap_err().to_string();
            assert!(said.contains("a.toml: services.guide: ") && said.contains(expected), "{said}");
        }
    })
    .await;
}

#[test]
fn r251_services_are_written_only_into_props_that_stay() {
    let rooms: Service<RoomsStub> = Service::at("b", ["tcp://127.0.0.1:1"]);
    let desk = Desk { user: "ann".to_owned(), rooms };
    let far: Service<GuideStub> = Service::at("b", ["tcp://127.0.0.1:1"]);
    let error = far.with_props(&desk).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // A context made by hand may have them as well.
    let ctx = Ctx::for_test_with_props(&desk).unwrap();
    let read: Desk = ctx.props().unwrap();
    assert!(read.rooms.same_target(&desk.rooms) && read.user == "ann");
}

#[test]
fn props_of_a_context_made_by_hand() {
    let scope = Scope { user: "ann".to_owned(), level: 1 };
    let ctx = Ctx::for_test_with_props(&scope).unwrap();
    assert_eq!(ctx.props::<Scope>().unwrap(), scope);
    assert!(ctx.exports().service::<Scoped>().is_err());
    assert!(Ctx::for_test_with_props(&5).is_err());
}
