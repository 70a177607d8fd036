//! Functions: closures and targets that are called, as results, as arguments and as parts of values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use farcall::Pipeline;
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open, until};

type Number = RpcFn<fn(i64) -> i64>;
type Fallible = RpcFn<fn(i64) -> Result<i64, Error>>;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Tools {
    pub name: String,
    pub size: u32,
    pub add: Number,
    pub double: Number,
    pub door: DoorStub,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Five {
    pub functions: (Number, Number, Number, Number),
    pub last: Option<Number>,
}

pub struct Door(&'static str);

#[rpc_target]
impl Door {
    pub fn name(&self) -> String {
        self.0.to_owned()
    }

    pub fn a(&self) {}

    pub fn b(&self) {}

    pub fn c(&self) {}

    pub fn d(&self) {}
}

/// Makes functions and takes them.
#[derive(Default)]
pub struct Workshop {
    calls_of_wrapper: Arc<AtomicU32>,
    number: Arc<AtomicU32>,
    captured: Arc<()>,
}

#[rpc_target]
impl Workshop {
    pub fn sum(&self) -> Number {
        let mut sum = 0;
        RpcFn::new(move |n: i64| {
            sum += n;
            sum
        })
    }

    pub async fn thrice(&self, f: Number) -> Result<Vec<i64>, Error> {
        Ok(vec![f.call(1).await?, f.call(2).await?, f.call(3).await?])
    }

    /// A function that makes of a function one that calls it twice.
    pub fn doubler(&self) -> RpcFn<fn(Number) -> Fallible> {
        let calls = Arc::clone(&self.calls_of_wrapper);
        RpcFn::new(move |f: Number| {
            let calls = Arc::clone(&calls);
            RpcFn::new_async(move |n: i64| {
                calls.fetch_add(1, SeqCst);
                let f = f.clone();
                async move { f.call(f.call(n)).await }
            })
        })
    }

    pub fn five(&self) -> Five {
        let add = |m: i64| RpcFn::new(move |n: i64| n + m);
        Five { functions: (add(1), add(2), add(3), add(4)), last: Some(add(5)) }
    }

    pub fn door(&self) -> Door {
        Door("main")
    }

    pub fn tools(&self) -> Tools {
        Tools {
            name: "hammer".to_owned(),
            size: self.number.load(SeqCst),
            add: RpcFn::new(|n: i64| n + 1),
            double: RpcFn::new(|n: i64| n * 2),
            door: Door("side").into_stub(),
        }
    }

    pub fn set_number(&self, number: u32) {
        self.number.store(number, SeqCst);
    }

    pub fn capturing(&self) -> Number {
        let captured = Arc::clone(&self.captured);
        RpcFn::new(move |n: i64| {
            let _ = &captured;
            n
        })
    }

    pub fn number(&self) -> i64 {
        7
    }

    pub fn gauge(&self) -> Gauge {
        Gauge { unit: 3 }
    }

    pub fn never(&self) -> RpcFn<fn() -> i64> {
        RpcFn::new_async(std::future::pending::<i64>)
    }
}

/// A function with a property and a method.
pub struct Gauge {
    unit: i64,
}

#[rpc_target]
impl Gauge {
    #[rpc(call)]
    pub fn measure(&self, n: i64) -> i64 {
        self.unit * n
    }

    #[rpc(get)]
    pub fn unit(&self) -> i64 {
        self.unit
    }

    pub fn describe(&self) -> String {
        format!("units of {}", self.unit)
    }
}

behaviours! {
    async fn r56_returned_function_keeps_its_state(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        let sum = stub.sum().await.unwrap();
        let other = stub.sum().await.unwrap();
        assert_eq!(sum.call(2).await.unwrap(), 2);
        assert_eq!(sum.clone().call(1).await.unwrap(), 3, "a clone is the same function");
        assert_eq!(sum.call(-5).await.unwrap(), -2);
        assert_eq!(other.call(1).await.unwrap(), 1, "each call makes a function of its own");
    }

    async fn r57_closure_argument_is_called_back(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        let calls = Arc::new(AtomicU32::new(0));
        let mut sum = 0;
        let count = Arc::clone(&calls);
        let results = stub.thrice(move |n: i64| {
            count.fetch_add(1, SeqCst);
            sum += n;
            sum
        });
        assert_eq!(results.await.unwrap(), [1, 3, 6]);
        assert_eq!(calls.load(SeqCst), 3);
    }

    async fn r57_async_function_argument_is_called_back(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        let calls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&calls);
        let square = RpcFn::new_async(move |n: i64| {
            let count = Arc::clone(&count);
            async move {
                tokio::task::yield_now().await;
                count.fetch_add(1, SeqCst);
                n * n
            }
        });
        assert_eq!(stub.thrice(square).await.unwrap(), [1, 4, 9]);
        assert_eq!(calls.load(SeqCst), 3);
    }

    async fn r58_functions_take_and_return_functions(transport: Transport) {
        let workshop = Workshop::default();
        let callee_calls = Arc::clone(&workshop.calls_of_wrapper);
        let (stub, _link) = open(transport, workshop).await;
        let doubler = stub.doubler().await.unwrap();
        let caller_calls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&caller_calls);
        let add_ten_twice = doubler.call(move |n: i64| {
            count.fetch_add(1, SeqCst);
            n + 10
        });
        let add_ten_twice = add_ten_twice.await.unwrap();
        assert_eq!(add_ten_twice.call(1).await.unwrap(), 21);
        assert_eq!((caller_calls.load(SeqCst), callee_calls.load(SeqCst)), (2, 1));
        // The wrapped function may itself be one that came from there.
        let twice_twice = doubler.call(stub.sum()).await.unwrap();
        assert_eq!(twice_twice.call(3).await.unwrap(), 6, "3, and then 3 more");
    }

    async fn r60_plain_fields_are_copies(transport: Transport) {
        let (stub, link) = open(transport, Workshop::default()).await;
        stub.set_number(4).await.unwrap();
        let tools = stub.tools().await.unwrap();
        stub.set_number(5).await.unwrap();
        assert_eq!(stub.tools().await.unwrap().size, 5);
        // Nothing can be asked for any more.
        link.cut();
        assert_eq!((tools.name.as_str(), tools.size), ("hammer", 4));
    }

    async fn r61_value_holds_data_and_functions(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        stub.set_number(9).await.unwrap();
        let tools = stub.tools().await.unwrap();
        assert_eq!((tools.name.as_str(), tools.size), ("hammer", 9));
        assert_eq!(tools.add.call(20).await.unwrap(), 21);
        assert_eq!(tools.double.call(20).await.unwrap(), 40);
        assert_eq!(tools.door.name().await.unwrap(), "side");
    }

    async fn r62_function_has_properties(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        let gauge = stub.gauge().await.unwrap();
        assert_eq!(gauge.call(5).await.unwrap(), 15);
        assert_eq!(gauge.unit().await.unwrap(), 3);
        assert_eq!(gauge.describe().await.unwrap(), "units of 3");
        // It is taken where a function of its signature is due.
        assert_eq!(stub.thrice(&gauge).await.unwrap(), [3, 6, 9]);
        assert_eq!(stub.thrice(Gauge { unit: 2 }).await.unwrap(), [2, 4, 6]);
    }

    async fn r64_call_on_a_plain_value_fails_alone(transport: Transport) {
        let (stub, _link) = open(transport, Workshop::default()).await;
        let number = stub.number();
        // What no program can write by means of the types.
        let as_function = Number::from_handle(Pipeline::handle(&*number).clone());
        let error = as_function.call(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadPath, "{error}");
        assert!(error.message().contains("the result is a number"), "{error}");
        assert!(!error.may_have_run());
        assert_eq!(number.await.unwrap(), 7);
        assert_eq!(stub.door().name().await.unwrap(), "main");
    }

    async fn r66_captures_drop_after_the_last_function(transport: Transport) {
        let workshop = Workshop::default();
        let captured = Arc::downgrade(&workshop.captured);
        let (stub, _link) = open(transport, workshop).await;
        let function = stub.capturing().await.unwrap();
        let clone = function.clone();
        drop(function);
        assert_eq!(clone.call(1).await.unwrap(), 1);
        stub.number().await.unwrap();
        assert_eq!(captured.strong_count(), 2, "the target has one, the function another");
        drop(clone);
        until(|| captured.strong_count() == 1).await;
    }
}

#[tokio::test]
async fn r63_promised_function_is_called_at_once() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (stub, link) = open(transport, Workshop::default()).await;
        stub.number().await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        assert_eq!(stub.sum().call(2).await.unwrap(), 2);
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
        let before = counters.read();
        assert_eq!(stub.gauge().call(2).await.unwrap(), 6);
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
        let before = counters.read();
        assert_eq!(stub.tools().double().call(4).await.unwrap(), 8);
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
    }
}

behaviours! { wire
    async fn r59_each_function_is_one_capability(transport: Transport) {
        let (stub, link) = open(transport, Workshop::default()).await;
        stub.number().await.unwrap();
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        let held = || (client.table_sizes().1, server.table_sizes().0);
        // The main object is no entry at its owner.
        until(|| held() == (1, 0)).await;
        let five = stub.five().await.unwrap();
        until(|| held() == (1 + 5, 5)).await;
        drop(five);
        until(|| held() == (1, 0)).await;
        let door = stub.door().await.unwrap();
        until(|| held() == (1 + 1, 1)).await;
        drop(door);
        until(|| held() == (1, 0)).await;
    }

    async fn r68_function_whose_home_is_gone_fails(transport: Transport) {
        let (stub, link) = open(transport, Workshop::default()).await;
        let (sum, never) = (stub.sum().await.unwrap(), stub.never().await.unwrap());
        assert_eq!(sum.call(1).await.unwrap(), 1);
        let in_flight = never.call();
        // Whatever was sent before an answered call has been delivered.
        stub.number().await.unwrap();
        link.cut();
        let error = in_flight.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true), "{error}");
        let error = sum.call(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false), "{error}");
    }
}
