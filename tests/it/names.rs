//! Methods of every name reach the target: on the stub, and through a promise of it.

use farcall::prelude::*;

use crate::kit::{Transport, behaviours, open};

/// A target whose methods return their own names.
pub struct Names;

macro_rules! names {
    ($($name:ident: $text:literal,)*) => {
        #[allow(clippy::should_implement_trait, clippy::new_ret_no_self, clippy::wrong_self_convention)]
        #[rpc_target]
        impl Names {
            $(pub fn $name(&self) -> String { $text.to_owned() })*

            pub fn itself(&self) -> NamesStub { Names.into_stub() }
        }

        /// Calls each, and gives what does not say its own name.
        async fn mistaken(stub: &NamesStub) -> Vec<(&'static str, Result<String, Error>)> {
            let mut mistaken = Vec::new();
            $(
                for result in [stub.$name().await, stub.itself().$name().await] {
                    if result.as_deref() != Ok($text) {
                        mistaken.push(($text, result));
                    }
                }
            )*
            mistaken
        }
    };
}

names! {
    clone: "clone", drop: "drop", new: "new", deref: "deref", call: "call", r#await: "await", r#type: "type",
    poll: "poll", map: "map", eq: "eq", cmp: "cmp", to_string: "to_string", to_owned: "to_owned", as_ref: "as_ref",
    borrow: "borrow", default: "default", fmt: "fmt", hash: "hash", next: "next", boxed: "boxed", detach: "detach",
    closed: "closed", ready: "ready", same_target: "same_target", dup: "dup", close: "close", handle: "handle",
    interface: "interface", serialize: "serialize", type_id: "type_id", increment: "increment",
    fetch: "fetch", connect: "connect", then: "then", catch: "catch", finally: "finally",
    get: "get", put: "put", delete: "delete", post: "post", head: "head", options: "options",
}

behaviours! {
    async fn r186_hostile_method_names_reach_the_target(transport: Transport) {
        let (stub, _link) = open(transport, Names).await;
        assert_eq!(mistaken(&stub).await, []);
    }

    async fn r185_fetch_is_an_ordinary_method(transport: Transport) {
        let (stub, _link) = open(transport, Names).await;
        assert_eq!(stub.fetch().await.unwrap(), "fetch");
        assert_eq!(stub.itself().connect().await.unwrap(), "connect");
    }

    async fn r188_then_is_an_ordinary_method(transport: Transport) {
        let (stub, _link) = open(transport, Names).await;
        assert_eq!(stub.then().await.unwrap(), "then");
        assert_eq!(stub.itself().catch().await.unwrap(), "catch");
        assert_eq!(stub.itself().finally().await.unwrap(), "finally");
    }

    async fn r189_get_put_and_delete_are_ordinary_methods(transport: Transport) {
        let (stub, _link) = open(transport, Names).await;
        assert_eq!(stub.get().await.unwrap(), "get");
        assert_eq!(stub.itself().put().await.unwrap(), "put");
        assert_eq!(stub.itself().delete().await.unwrap(), "delete");
    }
}
