//! Plain calls: arguments, results, concurrency, and the frames they cost.

use farcall::prelude::*;

use crate::kit::{Transport, behaviours, open};

pub struct Arithmetic;

#[rpc_target]
impl Arithmetic {
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    pub fn adder(&self, a: i64) -> RpcFn<fn(i64) -> i64> {
        RpcFn::new(move |b: i64| a + b)
    }

    pub async fn later(&self, n: i64) -> i64 {
        tokio::task::yield_now().await;
        n
    }
}

behaviours! {
    async fn r12_synchronous_and_asynchronous_methods_are_called_alike(transport: Transport) {
        let (stub, _link) = open(transport, Arithmetic).await;
        assert_eq!(stub.add(1, 2).await.unwrap(), 3);
        assert_eq!(stub.later(7).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn an_awaited_call_costs_one_frame_each_way() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (stub, link) = open(transport, Arithmetic).await;
        assert_eq!(stub.add(1, 2).await.unwrap(), 3);
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        assert_eq!(stub.add(3, 4).await.unwrap(), 7);
        let cost = counters.since(before);
        assert_eq!((cost.frames_out, cost.frames_in, cost.round_trips), (1, 1, 1), "{transport:?}");
    }
}

#[tokio::test]
async fn main_object_can_be_asked_for_twice_and_given_up_alone() {
    let (first, link) = open(Transport::Duplex, Arithmetic).await;
    let client = link.client.as_ref().unwrap();
    let second: ArithmeticStub = farcall::main_stub(client);
    assert!(first.same_target(&second));
    let adder = second.adder(1).await.unwrap();
    drop((first, second));
    // The main object is nothing that is released: the session goes on for the function.
    assert_eq!(adder.call(2).await.unwrap(), 3);
    assert_eq!(adder.call(3).await.unwrap(), 4);
    assert_eq!(client.ended(), None);
}
