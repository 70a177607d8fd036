//! A target by value travels as its stub, also in containers.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

pub struct Foo;
pub struct Bar;

#[rpc_target]
impl Foo {
    pub fn name(&self) -> String {
        String::new()
    }
}

#[rpc_target]
impl Bar {
    pub fn size(&mut self) -> u64 {
        0
    }
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("no")]
pub struct No;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Both {
    pub foo: FooStub,
    pub bars: Vec<BarStub>,
}

pub struct Factory;

#[rpc_target]
impl Factory {
    pub fn one(&self) -> Foo {
        Foo
    }
    pub async fn many(&self) -> Vec<Foo> {
        vec![Foo]
    }
    pub fn two(&self) -> (Foo, Option<Bar>) {
        (Foo, Some(Bar))
    }
    pub fn named(&self) -> HashMap<String, Foo> {
        HashMap::new()
    }
    pub fn sorted(&self) -> BTreeMap<u8, Bar> {
        BTreeMap::new()
    }
    pub async fn perhaps(&self) -> Result<Option<Foo>, No> {
        Err(No)
    }
    pub fn both(&self) -> Both {
        Both { foo: Foo.into_stub(), bars: vec![Bar.into_stub()] }
    }
}

async fn caller(factory: FactoryStub) -> Result<(), Error> {
    let name: String = factory.one().name().await?;
    let many: Vec<FooStub> = factory.many().await?;
    let two: (FooStub, Option<BarStub>) = factory.two().await?;
    let named: HashMap<String, FooStub> = factory.named().await?;
    let sorted: BTreeMap<u8, BarStub> = factory.sorted().await?;
    let perhaps: Result<Option<FooStub>, CallError<No>> = factory.perhaps().await;
    let piped: String = factory.perhaps().name().await?;
    let both: String = factory.both().foo().name().await?;
    drop((name, many, two, named, sorted, perhaps, piped, both));
    Ok(())
}

fn main() {
    let _ = caller;
}
