//! Generic values: parameters, defaults, clauses, constants, and `bound` for what the derive cannot guess.
use farcall::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(bound = "")]
pub struct Page<T: RpcValue = String>
where
    T: Clone,
{
    pub items: Vec<T>,
    pub next: Option<Box<Page<T>>>,
    pub head: T,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Pair<A, B>(pub A, pub B);

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Wrapper<T>(pub T);

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Either<A, B> {
    Left(A),
    Right { value: B },
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Grid<const N: usize> {
    pub cells: Vec<[u8; 4]>,
}

pub trait Model: Send + 'static {
    type Id: RpcValue;
}

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(bound = "M::Id: Serialize + DeserializeOwned")]
#[rpc(bound = "M: Model", pipeline = "ReferenceView")]
pub struct Reference<M: Model> {
    pub id: M::Id,
    #[serde(skip)]
    model: PhantomData<fn() -> M>,
}

pub struct User;
impl Model for User {
    type Id = u64;
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn pages(&self) -> Page<Wrapper<i64>> {
        unimplemented!()
    }
    pub fn user(&self, grid: Grid<3>) -> Reference<User> {
        let _ = grid.cells;
        Reference { id: 1, model: PhantomData }
    }
    pub fn pair(&self) -> Pair<String, Wrapper<Pair<u8, SessionStub>>> {
        unimplemented!()
    }
    pub fn either(&self) -> Either<u8, Vec<SessionStub>> {
        Either::Left(1)
    }
}

pub struct Session;

#[rpc_target]
impl Session {
    pub fn whoami(&self) -> String {
        String::new()
    }
}

async fn caller(api: ApiStub) -> Result<(), Error> {
    let head: Wrapper<i64> = api.pages().next().next().head().await?;
    let id: u64 = api.user(Grid { cells: vec![] }).id().await?;
    let who: String = api.pair()._1()._1().whoami().await?;
    drop((head, id, who));
    Ok(())
}

fn main() {
    let _ = caller;
}
