//! Calls that are passed on by a side between, which decodes none of them.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use farcall::{Limits, Promise};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::{Link, Transport, behaviours, open, open_with};

/// Stubs inside a value.
#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Shelf {
    pub label: String,
    pub deep: Deep,
}

/// Stubs deeper inside a value.
#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Deep {
    pub number: u64,
    pub thing: Option<ThingStub>,
}

/// A target that says its number.
#[derive(Debug, Default)]
pub struct Thing {
    number: u64,
    kept: Mutex<Vec<ThingStub>>,
    come: Arc<Notify>,
}

impl Thing {
    fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }
}

#[rpc_target]
impl Thing {
    pub fn number(&self) -> u64 {
        self.number
    }

    pub fn other(&self) -> Self {
        Self::new(self.number + 1)
    }

    pub fn shelf(&self) -> Shelf {
        let thing = Self::new(self.number + 10).into_stub();
        Shelf { label: "a shelf".to_owned(), deep: Deep { number: 1, thing: Some(thing) } }
    }

    pub fn echo(&self, thing: ThingStub) -> ThingStub {
        thing
    }

    pub fn keep(&self, thing: ThingStub) {
        self.kept.lock().unwrap().push(thing);
        self.come.notify_one();
    }

    pub fn all(&self) -> Vec<ThingStub> {
        self.kept.lock().unwrap().clone()
    }

    /// The first that was or will be kept.
    pub async fn first(&self) -> ThingStub {
        loop {
            if let Some(thing) = self.kept.lock().unwrap().first().cloned() {
                return thing;
            }
            self.come.notified().await;
        }
    }

    pub async fn ask(&self, thing: ThingStub) -> Result<u64, Fault> {
        thing.number().await.map_err(Fault::new)
    }

    /// Asks for something inside something, without waiting between.
    pub async fn ask_for_more(&self, thing: ThingStub) -> Result<u64, Fault> {
        thing.other().shelf().deep().thing().number().await.map_err(Fault::new)
    }
}

/// A caller, a side between, and a target behind that.
async fn gateway(transport: Transport) -> (ThingStub, [Link; 2]) {
    let (behind, inner) = open(transport, Thing::new(100)).await;
    let (stub, outer) = open::<ThingStub>(transport, behind).await;
    (stub, [outer, inner])
}

behaviours! {
    async fn calls_find_their_way_into_values_that_are_passed_on(transport: Transport) {
        let (stub, _links) = gateway(transport).await;
        assert_eq!(stub.shelf().deep().thing().number().await.unwrap(), 110);
        assert_eq!(stub.other().shelf().deep().thing().number().await.unwrap(), 111);
        assert_eq!(stub.shelf().deep().thing().shelf().deep().thing().number().await.unwrap(), 120);
        let shelf = stub.other().other().shelf().await.unwrap();
        assert_eq!(shelf.deep.thing.unwrap().other().shelf().deep().thing().number().await.unwrap(), 123);
        assert_eq!(shelf.label, "a shelf");
    }

    async fn callbacks_find_their_way_into_values_that_are_passed_on(transport: Transport) {
        let (stub, _links) = gateway(transport).await;
        let mine: ThingStub = Thing::new(1).into_stub();
        assert_eq!(stub.ask_for_more(&mine).await.unwrap(), 12);
        assert_eq!(stub.ask_for_more(mine.other()).await.unwrap(), 13);
        assert_eq!(stub.echo(&mine).other().shelf().deep().thing().number().await.unwrap(), 12);
    }

    async fn call_passed_on_to_a_promise_that_came_home_arrives(transport: Transport) {
        let (one, _one) = open(transport, Thing::new(1)).await;
        let (other, _other) = open(transport, Thing::new(2)).await;
        let mine: ThingStub = Thing::new(3).into_stub();
        let promise = one.echo(&mine);
        let promised: ThingStub = (*promise).clone();
        let home = promise.await.unwrap();
        // The other side calls what was a promise on the first link, and is a target of this side.
        assert_eq!(other.ask(&promised).await.unwrap(), 3);
        assert_eq!(other.ask(&home).await.unwrap(), 3);
        assert_eq!(other.ask_for_more(promised).await.unwrap(), 14);
    }

    async fn promise_that_turns_out_to_be_itself_fails(transport: Transport) {
        let (stub, _link) = open(transport, Thing::new(1)).await;
        let first = stub.first();
        let early = first.number();
        stub.keep(&first).await.unwrap();
        assert!(early.await.is_err());
        assert!(first.number().await.is_err());
        drop(first);
        // Nothing else minds.
        assert_eq!(stub.number().await.unwrap(), 1);
    }
}

behaviours! { wire
    async fn result_with_too_many_stubs_of_its_caller_is_a_limit(transport: Transport) {
        let mut limits = Limits::default();
        limits.caps_per_message = 2;
        let (stub, _link) = open_with(transport, std::time::Duration::ZERO, limits, Thing::new(1)).await;
        for number in 0..3 {
            let mine: ThingStub = Thing::new(number).into_stub();
            stub.keep(mine).await.unwrap();
        }
        let error = stub.all().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert_eq!(stub.number().await.unwrap(), 1);
    }

    async fn link_closes_after_the_result_that_kept_it_was_taken(transport: Transport) {
        let (stub, link) = open(transport, Thing::new(1)).await;
        let call = stub.number();
        drop(stub);
        assert_eq!(call.await.unwrap(), 1);
        for side in [link.client.as_ref().unwrap(), link.server.as_ref().unwrap()] {
            assert_eq!(side.closed().await.kind(), ErrorKind::Disconnected);
        }
    }

    async fn link_closes_after_the_last_call_was_detached(transport: Transport) {
        let (stub, link) = open(transport, Thing::new(1)).await;
        Promise::detach(stub.number());
        drop(stub);
        for side in [link.client.as_ref().unwrap(), link.server.as_ref().unwrap()] {
            assert_eq!(side.closed().await.kind(), ErrorKind::Disconnected);
        }
    }
}
