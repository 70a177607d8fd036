//! [`Item`]: what a vat can hold of a target or of a call.

use farcall::prelude::*;
use farcall::{Bytes, Promise};

use crate::node::{Callback, Fallible, NodeStub, Parcel};
use crate::payloads::name;
use crate::world::{CallId, Fate, with};

/// One thing in the bag of a vat. A promise knows its call; what can be called knows its lineage.
pub enum Item {
    Stub { stub: NodeStub, lineage: usize },
    Node { promise: Promise<NodeStub>, lineage: usize, call: CallId },
    Fallible { promise: Fallible, lineage: usize, call: CallId },
    Parcel { promise: Promise<Parcel>, lineages: [usize; 3], call: CallId },
    Number { promise: Promise<u64>, call: CallId },
    Payload { promise: Promise<Bytes>, call: CallId },
    Function { function: Callback, lineage: usize },
}

/// A stub on its way into a call, in one of the forms that a parameter takes.
pub enum Operand<'a> {
    Stub(NodeStub),
    StubRef(&'a NodeStub),
    Promise(Promise<NodeStub>),
    PromiseRef(&'a Promise<NodeStub>),
    FallibleRef(&'a Fallible),
}

/// Makes a call with an operand, whatever its form.
macro_rules! pass {
    ($operand:expr, |$arg:ident| $call:expr) => {
        match $operand {
            Operand::Stub($arg) => $call,
            Operand::StubRef($arg) => $call,
            Operand::Promise($arg) => $call,
            Operand::PromiseRef($arg) => $call,
            Operand::FallibleRef($arg) => $call,
        }
    };
}
pub(crate) use pass;

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stub { lineage, .. } => write!(f, "stub (line {lineage})"),
            Self::Node { lineage, call, .. } => write!(f, "promise {call} (line {lineage})"),
            Self::Fallible { lineage, call, .. } => write!(f, "promise {call} (line {lineage})"),
            Self::Parcel { lineages, call, .. } => write!(f, "promise {call} (lines {lineages:?})"),
            Self::Number { call, .. } | Self::Payload { call, .. } => write!(f, "promise {call}"),
            Self::Function { lineage, .. } => write!(f, "function (line {lineage})"),
        }
    }
}

impl Item {
    pub fn is_promise(&self) -> bool {
        self.call().is_some()
    }

    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Node { call, .. }
            | Self::Fallible { call, .. }
            | Self::Parcel { call, .. }
            | Self::Number { call, .. }
            | Self::Payload { call, .. } => Some(*call),
            Self::Stub { .. } | Self::Function { .. } => None,
        }
    }

    /// Whether it is a stub, a function, or has stubs in it.
    pub fn can_be_called(&self) -> bool {
        !matches!(self, Self::Number { .. } | Self::Payload { .. })
    }

    /// Another stub on the same object, in the same line.
    pub fn share(&self) -> Option<(NodeStub, usize)> {
        self.call_on(0, |stub, lineage| (stub.clone(), lineage))
    }

    /// Another of it, or of a part of it, that can be called.
    pub fn duplicate(&self, part: usize) -> Option<Self> {
        match self {
            Self::Function { function, lineage } => {
                Some(Self::Function { function: function.clone(), lineage: *lineage })
            }
            other => other.call_on(part, |stub, lineage| Self::Stub { stub: stub.clone(), lineage }),
        }
    }

    /// Does something with what can be called as a target. A parcel has three of them.
    pub fn call_on<R>(&self, part: usize, call: impl FnOnce(&NodeStub, usize) -> R) -> Option<R> {
        Some(match self {
            Self::Stub { stub, lineage } => call(stub, *lineage),
            Self::Node { promise, lineage, .. } => call(promise, *lineage),
            Self::Fallible { promise, lineage, .. } => call(promise, *lineage),
            Self::Parcel { promise, lineages, .. } => match part {
                0 => call(&promise.first(), lineages[0]),
                1 => call(&promise.second(), lineages[1]),
                _ => call(&promise.inner().node(), lineages[2]),
            },
            Self::Number { .. } | Self::Payload { .. } | Self::Function { .. } => return None,
        })
    }

    /// Lends itself to a call, with the lineage it is of.
    pub fn lend(&self, part: usize) -> Option<(Operand<'_>, usize)> {
        Some(match self {
            Self::Stub { stub, lineage } => (Operand::StubRef(stub), *lineage),
            Self::Node { promise, lineage, .. } => (Operand::PromiseRef(promise), *lineage),
            Self::Fallible { promise, lineage, .. } => (Operand::FallibleRef(promise), *lineage),
            Self::Parcel { promise, lineages, .. } => match part {
                0 => (Operand::Promise(promise.first()), lineages[0]),
                1 => (Operand::Stub((*promise.second()).clone()), lineages[1]),
                _ => (Operand::Promise(promise.inner().node()), lineages[2]),
            },
            Self::Number { .. } | Self::Payload { .. } | Self::Function { .. } => return None,
        })
    }

    /// Moves into a call, with the lineage it is of.
    pub fn give(self) -> Result<(Operand<'static>, usize), Self> {
        match self {
            Self::Stub { stub, lineage } => Ok((Operand::Stub(stub), lineage)),
            Self::Node { promise, lineage, call } => {
                with(|world| world.call_mut(call).fate = Fate::Gone);
                Ok((Operand::Promise(promise), lineage))
            }
            other => Err(other),
        }
    }

    /// Lets the call run although nobody waits for it.
    pub fn detach(self) {
        if let Some(call) = self.call() {
            with(|world| world.call_mut(call).fate = Fate::Detached);
        }
        match self {
            Self::Node { promise, .. } => Promise::detach(promise),
            Self::Fallible { promise, .. } => Promise::detach(promise),
            Self::Parcel { promise, .. } => Promise::detach(promise),
            Self::Number { promise, .. } => Promise::detach(promise),
            Self::Payload { promise, .. } => Promise::detach(promise),
            Self::Stub { .. } | Self::Function { .. } => {}
        }
    }

    /// Waits for the result of a promise; stubs in it are put into the bag.
    pub async fn wait(self, vat: usize) {
        if let Some(call) = self.call() {
            with(|world| world.call_mut(call).fate = Fate::Awaited);
        }
        match self {
            Self::Node { promise, lineage, call } => match promise.await {
                Ok(stub) => with(|world| {
                    world.lineages[lineage].solid = world.call_mut(call).with_solid;
                    let lineage = world.given(lineage);
                    world.put(vat, Self::Stub { stub, lineage });
                    world.ended(call, Ok(()));
                }),
                Err(error) => with(|world| world.ended(call, Err(error))),
            },
            Self::Fallible { promise, call, .. } => match promise.await {
                Err(CallError::Rpc(error)) => with(|world| world.ended(call, Err(error))),
                Err(CallError::User(_)) => with(|world| world.ended(call, Ok(()))),
                Ok(_) => with(|world| world.mistake(format!("call {call} did not fail"))),
            },
            Self::Parcel { promise, lineages, call } => match promise.await {
                Ok(parcel) => with(|world| world.unpack(vat, call, lineages, parcel)),
                Err(error) => with(|world| world.ended(call, Err(error))),
            },
            Self::Payload { promise, call } => match promise.await {
                Ok(bytes) => with(|world| {
                    world.check_payload(call, &bytes);
                    world.ended(call, Ok(()));
                }),
                Err(error) => with(|world| world.ended(call, Err(error))),
            },
            Self::Number { promise, call } => match promise.await {
                Ok(number) => with(|world| {
                    if number != world.call_mut(call).returns {
                        world.mistake(format!("call {call} gave {number}"));
                    }
                    world.ended(call, Ok(()));
                }),
                Err(error) => with(|world| world.ended(call, Err(error))),
            },
            Self::Stub { .. } | Self::Function { .. } => {}
        }
    }
}

impl crate::world::World {
    /// A parcel has come as a result.
    fn unpack(&mut self, vat: usize, call: CallId, lineages: [usize; 3], parcel: Parcel) {
        if parcel.number != call || parcel.inner.name != name(call) {
            self.mistake(format!("call {call} gave {parcel:?}"));
        }
        self.lineages[lineages[0]].solid = true;
        self.lineages[lineages[2]].solid = true;
        self.lineages[lineages[1]].solid = self.call_mut(call).with_solid;
        let lineages = lineages.map(|lineage| self.given(lineage));
        self.put(vat, Item::Stub { stub: parcel.first, lineage: lineages[0] });
        self.put(vat, Item::Stub { stub: parcel.inner.node, lineage: lineages[2] });
        if let Some(stub) = parcel.second {
            self.put(vat, Item::Stub { stub, lineage: lineages[1] });
        }
        self.ended(call, Ok(()));
    }
}
