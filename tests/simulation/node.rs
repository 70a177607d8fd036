//! The targets of a run. Their methods say that they run, and put what they are given into the bag of their vat.

use std::future::poll_fn;
use std::task::Poll;

use farcall::prelude::*;
use farcall::{Pipeline, Promise};
use serde::{Deserialize, Serialize};

use crate::items::Item;
use crate::payloads::name;
use crate::world::{CallId, Fate, Probe, with};

/// Stubs inside a value.
#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Parcel {
    pub number: u64,
    pub first: NodeStub,
    pub second: Option<NodeStub>,
    pub inner: Inner,
}

/// Stubs deeper inside a value.
#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Inner {
    pub name: String,
    pub node: NodeStub,
}

pub type Callback = RpcFn<fn(u64) -> u64>;

/// What is known of a target: where it lives.
#[derive(Debug)]
pub struct Own {
    vat: usize,
    probe: Probe,
}

impl Own {
    fn begin(&self, call: CallId) {
        with(|world| world.begin(call, self.probe.0));
    }

    /// A new object, which is the n-th result of the call.
    fn make(&self, call: CallId, n: usize) -> NodeStub {
        let (stub, target) = new_node(self.vat, call.is_multiple_of(3));
        with(|world| {
            let made = world.object_of(target);
            let object = world.call_mut(call).results[n];
            world.unite(object, made);
        });
        stub
    }

    fn parcel(&self, call: CallId, second: Option<NodeStub>) -> Parcel {
        let inner = Inner { name: name(call), node: self.make(call, 2) };
        Parcel { number: call, first: self.make(call, 0), second, inner }
    }

    /// Keeps a stub that came as the operand of a call.
    fn keep(&self, call: CallId, stub: NodeStub) {
        with(|world| {
            let Some(lineage) = world.passed_on(call) else { return };
            world.put(self.vat, Item::Stub { stub, lineage });
        });
    }

    fn keep_parcel(&self, from: CallId, parcel: Parcel) {
        with(|world| {
            let [first, second, inner] = world.call_mut(from).results;
            let stubs =
                [(Some(parcel.first), first), (parcel.second, second), (Some(parcel.inner.node), inner)];
            for (stub, object) in stubs {
                if let Some(stub) = stub {
                    let lineage = world.found(object);
                    world.put(self.vat, Item::Stub { stub, lineage });
                }
            }
        });
    }

    fn keep_function(&self, call: CallId, function: Callback) {
        with(|world| {
            let Some(lineage) = world.passed_on(call) else { return };
            world.put(self.vat, Item::Function { function, lineage });
        });
    }

    /// Some stub that this vat holds, or a new one. No promise: it might turn out to wait for this very call.
    fn fetch(&self, call: CallId) -> NodeStub {
        let found = with(|world| {
            let solid =
                |item: &&Item| matches!(item, Item::Stub { lineage, .. } if world.lineages[*lineage].solid);
            let bag = &world.bags[self.vat];
            let (stub, lineage) = bag.iter().skip(call as usize % 5).find(solid)?.share()?;
            let (object, result) = (world.lineages[lineage].object, world.call_mut(call).results[0]);
            world.unite(object, result);
            Some(stub)
        });
        found.unwrap_or_else(|| self.make(call, 0))
    }

    /// Calls back, and keeps the promise.
    fn call_back(&self, call: CallId, stub: &NodeStub) {
        let inner = begin_inner(call);
        let promise = stub.note(inner);
        with(|world| {
            world.call_mut(inner).fate = Fate::Held;
            world.put(self.vat, Item::Number { promise, call: inner });
        });
    }
}

/// A call made by the method of another, on its operand.
fn begin_inner(outer: CallId) -> CallId {
    with(|world| {
        let lineage = world.passed_on(outer).unwrap_or_default();
        world.call("note", lineage, true)
    })
}

/// Waits until the call is let go on.
async fn gate(call: CallId) {
    struct Gate(CallId);
    impl Drop for Gate {
        fn drop(&mut self) {
            drop(with(|world| world.gates.remove(&self.0)));
        }
    }
    let _gate = Gate(call);
    poll_fn(|cx| if with(|world| world.passes(call, cx.waker())) { Poll::Ready(()) } else { Poll::Pending })
        .await;
}

/// The methods of targets of both kinds; the stubs of both have the same methods.
macro_rules! node {
    ($(#[$meta:meta])* $Name:ident, $this:ident, [$($receiver:tt)+], relay { $($relay:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $Name(Own);

        #[rpc_target]
        impl $Name {
            pub fn note($($receiver)+, call: u64) -> u64 {
                $this.0.begin(call);
                call
            }

            pub fn note_large($($receiver)+, call: u64, payload: Bytes) -> u64 {
                $this.0.begin(call);
                with(|world| world.check_payload(call, &payload));
                call
            }

            pub fn echo_large($($receiver)+, call: u64, payload: Bytes) -> Bytes {
                $this.0.begin(call);
                with(|world| world.check_payload(call, &payload));
                payload
            }

            pub async fn slow($($receiver)+, call: u64) -> u64 {
                $this.0.begin(call);
                gate(call).await;
                call
            }

            pub fn add($($receiver)+, call: u64, number: u64) -> u64 {
                $this.0.begin(call);
                number
            }

            pub fn make($($receiver)+, call: u64) -> NodeStub {
                $this.0.begin(call);
                $this.0.make(call, 0)
            }

            pub async fn make_later($($receiver)+, call: u64) -> NodeStub {
                $this.0.begin(call);
                gate(call).await;
                $this.0.make(call, 0)
            }

            pub fn fetch($($receiver)+, call: u64) -> NodeStub {
                $this.0.begin(call);
                $this.0.fetch(call)
            }

            pub fn give($($receiver)+, call: u64, stub: Option<NodeStub>) -> Parcel {
                $this.0.begin(call);
                $this.0.parcel(call, stub)
            }

            pub async fn give_later($($receiver)+, call: u64, stub: Option<NodeStub>) -> Parcel {
                $this.0.begin(call);
                gate(call).await;
                $this.0.parcel(call, stub)
            }

            pub fn echo($($receiver)+, call: u64, stub: NodeStub) -> NodeStub {
                $this.0.begin(call);
                stub
            }

            pub async fn echo_later($($receiver)+, call: u64, stub: NodeStub) -> NodeStub {
                $this.0.begin(call);
                gate(call).await;
                stub
            }

            pub fn keep($($receiver)+, call: u64, stub: NodeStub) -> u64 {
                $this.0.begin(call);
                $this.0.keep(call, stub);
                call
            }

            pub fn unpack($($receiver)+, call: u64, from: u64, parcel: Parcel) -> u64 {
                $this.0.begin(call);
                $this.0.keep_parcel(from, parcel);
                call
            }

            pub fn take_function($($receiver)+, call: u64, function: Callback) -> u64 {
                $this.0.begin(call);
                $this.0.keep_function(call, function);
                call
            }

            pub fn call_back($($receiver)+, call: u64, stub: NodeStub) -> u64 {
                $this.0.begin(call);
                $this.0.call_back(call, &stub);
                call
            }

            pub async fn relay($($receiver)+, call: u64, stub: NodeStub) -> u64 {
                $this.0.begin(call);
                $($relay)*
                (&$this.0, call, stub).await;
                call
            }

            pub fn fail($($receiver)+, call: u64) -> Result<NodeStub, Fault> {
                $this.0.begin(call);
                Err(Fault::new("it fails"))
            }
        }
    };
}

node! {
    /// A target whose methods may run side by side.
    Node, self, [&self], relay { relay }
}
node! {
    /// A target that runs one call at a time.
    SerialNode, self, [&mut self], relay { call_back }
}

/// Calls back and waits for the result.
async fn relay(_own: &Own, call: CallId, stub: NodeStub) {
    let inner = begin_inner(call);
    let outcome = stub.note(inner).await;
    with(|world| world.ended(inner, outcome.map(drop)));
}

/// Calls back. A serial target does not wait: what it calls may be itself.
async fn call_back(own: &Own, call: CallId, stub: NodeStub) {
    own.call_back(call, &stub);
}

/// A new target of a vat, and its number.
pub fn new_node(vat: usize, serial: bool) -> (NodeStub, u32) {
    let own = Own { vat, probe: Probe::new() };
    let target = own.probe.0;
    let stub = if serial {
        let stub: SerialNodeStub = SerialNode(own).into_stub();
        NodeStub::from_handle(stub.into_handle())
    } else {
        Node(own).into_stub()
    };
    (stub, target)
}

/// A new function, and its number.
pub fn new_function() -> (Callback, u32) {
    let probe = Probe::new();
    let target = probe.0;
    let function = RpcFn::new(move |call: u64| {
        with(|world| world.begin(call, probe.0));
        call
    });
    (function, target)
}

/// What the results of calls are.
pub type Fallible = Promise<NodeStub, CallError<Fault>>;
