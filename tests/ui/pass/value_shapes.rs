//! Tuples, newtypes, units and enums; a private newtype hides what it holds.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Unit;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Empty {}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Nothing();

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Id(pub u64);

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Sealed(SessionStub);

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Open(pub SessionStub);

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Triple(pub u8, String, pub SessionStub);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub enum Never {}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Shape {
    Point,
    Circle(f64),
    Line(Id, Unit),
    Named { name: String, at: Option<Box<Shape>> },
    Call(RpcFn<fn(Shape) -> Shape>),
}

pub struct Session;

#[rpc_target]
impl Session {
    pub fn whoami(&self) -> String {
        String::new()
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn open(&self) -> Open {
        Open(Session.into_stub())
    }
    pub fn triple(&self) -> Triple {
        Triple(1, String::new(), Session.into_stub())
    }
    pub fn echo(&self, shape: Shape, id: Id, unit: Unit, empty: Empty, nothing: Nothing, sealed: Option<Sealed>) -> Shape {
        let _ = (id, unit, empty, nothing, sealed.map(|sealed| sealed.0));
        shape
    }
}

async fn caller(api: ApiStub) -> Result<(), Error> {
    let who: String = api.open().whoami().await?;
    let who_else: String = api.triple()._2().whoami().await?;
    let first: u8 = api.triple()._0().await?;
    let shape: Shape = api.echo(Shape::Point, Id(1), Unit, Empty {}, Nothing(), None).await?;
    drop((who, who_else, first, shape));
    Ok(())
}

fn main() {
    let _ = caller;
}
