//! Calls of a user: on what, of which method, and with what.

use crate::items::{Item, Operand, pass};
use crate::node::NodeStub;
use crate::payloads::Payload;
use crate::run::Run;
use crate::world::{CallId, Fate, trace, with};

#[derive(Clone, Copy, Debug)]
enum Method {
    Note,
    NoteLarge,
    EchoLarge,
    Slow,
    Add,
    Make,
    MakeLater,
    Fetch,
    Give,
    GiveLater,
    Echo,
    EchoLater,
    Keep,
    Unpack,
    TakeFunction,
    CallBack,
    Relay,
    Fail,
}

const METHODS: [(usize, Method); 18] = [
    (24, Method::Note),
    (2, Method::NoteLarge),
    (2, Method::EchoLarge),
    (4, Method::Slow),
    (4, Method::Add),
    (6, Method::Make),
    (4, Method::MakeLater),
    (5, Method::Fetch),
    (4, Method::Give),
    (4, Method::GiveLater),
    (6, Method::Echo),
    (6, Method::EchoLater),
    (10, Method::Keep),
    (3, Method::Unpack),
    (2, Method::TakeFunction),
    (5, Method::CallBack),
    (4, Method::Relay),
    (2, Method::Fail),
];

impl Run {
    /// Calls something, with something.
    pub fn call(&mut self, vat: usize) {
        let root = self.random.chance(20);
        let target = if root { None } else { self.pick(vat, Item::can_be_called) };
        let root = target.is_none();
        let Some(target) = target.or_else(|| self.root(vat)) else { return };
        if let Item::Function { function, lineage } = &target {
            let call = with(|world| world.call("function", *lineage, true));
            trace(|| format!("vat {vat} calls {target}: call {call}"));
            let promise = function.call(call);
            self.place(vat, Item::Number { promise, call });
        } else {
            let part = self.random.below(3);
            let method = self.random.weighted(&METHODS);
            let results = target.call_on(part, |stub, lineage| self.call_method(vat, stub, lineage, method));
            if let Some(Some(item)) = results {
                self.place(vat, item);
            }
        }
        if !root {
            with(|world| world.put(vat, target));
        }
    }

    fn begin(&self, vat: usize, method: Method, lineage: usize, ordered: bool) -> CallId {
        with(|world| {
            let call = world.call("", lineage, ordered);
            world.call_mut(call).method = "method";
            if let Some(trace) = &mut world.trace {
                trace.push(format!("vat {vat} calls {method:?} on line {lineage}: call {call}"));
            }
            world.call_mut(call).is_new = match method {
                Method::Make | Method::MakeLater => [true; 3],
                Method::Give | Method::GiveLater => [true, false, true],
                _ => [false; 3],
            };
            call
        })
    }

    /// Makes a call that takes nothing but numbers; those that take more are made by others.
    fn call_method(&mut self, vat: usize, stub: &NodeStub, lineage: usize, method: Method) -> Option<Item> {
        match method {
            Method::Add => return self.call_add(vat, stub, lineage),
            Method::Unpack => return self.call_unpack(vat, stub, lineage),
            Method::TakeFunction => return self.call_take_function(vat, stub, lineage),
            Method::NoteLarge | Method::EchoLarge => return self.call_large(vat, stub, lineage, method),
            Method::Give
            | Method::GiveLater
            | Method::Echo
            | Method::EchoLater
            | Method::Keep
            | Method::CallBack
            | Method::Relay => return self.call_with_stub(vat, stub, lineage, method),
            Method::Fail if !self.flavour.failing => return None,
            _ => {}
        }
        let call = self.begin(vat, method, lineage, true);
        let number = |promise| Item::Number { promise, call };
        let node = |promise| Item::Node { promise, lineage: result_lineage(call, 0), call };
        Some(match method {
            Method::Slow => number(stub.slow(call)),
            Method::Make => node(stub.make(call)),
            Method::MakeLater => node(stub.make_later(call)),
            Method::Fetch => node(stub.fetch(call)),
            Method::Fail => {
                with(|world| world.faults.failed = true);
                Item::Fallible { promise: stub.fail(call), lineage: result_lineage(call, 0), call }
            }
            _ => number(stub.note(call)),
        })
    }

    /// A call with many bytes, or with a promise of them: then it waits for it.
    fn call_large(&mut self, vat: usize, stub: &NodeStub, lineage: usize, method: Method) -> Option<Item> {
        let promised = if self.random.chance(50) {
            self.pick(vat, |item| matches!(item, Item::Payload { .. }))
        } else {
            None
        };
        let call = self.begin(vat, method, lineage, promised.is_none());
        let payload = match &promised {
            Some(Item::Payload { call: from, .. }) => with(|world| {
                world.waits_for(call, *from);
                world.call_mut(*from).payload
            }),
            _ => Some(Payload { origin: call, length: self.random.below(self.flavour.payload) }),
        }?;
        with(|world| world.call_mut(call).payload = Some(payload));
        let made = match (&promised, method) {
            (Some(Item::Payload { promise, .. }), Method::NoteLarge) => {
                Item::Number { promise: stub.note_large(call, promise), call }
            }
            (Some(Item::Payload { promise, .. }), _) => {
                Item::Payload { promise: stub.echo_large(call, promise), call }
            }
            (_, Method::NoteLarge) => Item::Number { promise: stub.note_large(call, payload.bytes()), call },
            _ => Item::Payload { promise: stub.echo_large(call, payload.bytes()), call },
        };
        with(|world| world.bags[vat].extend(promised));
        Some(made)
    }

    /// A call whose argument is a promise of a number: it waits for it.
    fn call_add(&mut self, vat: usize, stub: &NodeStub, lineage: usize) -> Option<Item> {
        let item = self.pick(vat, |item| matches!(item, Item::Number { .. }))?;
        let call = self.begin(vat, Method::Add, lineage, false);
        let Item::Number { promise: number, call: from } = item else { return None };
        with(|world| {
            let returns = world.call_mut(from).returns;
            world.call_mut(call).returns = returns;
            world.waits_for(call, from);
        });
        let promise = if self.random.chance(50) {
            let promise = stub.add(call, &number);
            with(|world| world.put(vat, Item::Number { promise: number, call: from }));
            promise
        } else {
            with(|world| world.call_mut(from).fate = Fate::Gone);
            stub.add(call, number)
        };
        Some(Item::Number { promise, call })
    }

    /// A call whose argument is a promise of a value with stubs in it.
    fn call_unpack(&mut self, vat: usize, stub: &NodeStub, lineage: usize) -> Option<Item> {
        let item = self.pick(vat, |item| matches!(item, Item::Parcel { .. }))?;
        let call = self.begin(vat, Method::Unpack, lineage, false);
        let Item::Parcel { promise: parcel, lineages, call: from } = item else { return None };
        with(|world| world.waits_for(call, from));
        let promise = stub.unpack(call, from, &parcel);
        with(|world| world.put(vat, Item::Parcel { promise: parcel, lineages, call: from }));
        Some(Item::Number { promise, call })
    }

    fn call_take_function(&mut self, vat: usize, stub: &NodeStub, lineage: usize) -> Option<Item> {
        let item = self.pick(vat, |item| matches!(item, Item::Function { .. }))?;
        let call = self.begin(vat, Method::TakeFunction, lineage, true);
        let Item::Function { function, lineage: of } = item else { return None };
        with(|world| world.call_mut(call).operand = Some(of));
        let promise = stub.take_function(call, &function);
        with(|world| world.put(vat, Item::Function { function, lineage: of }));
        Some(Item::Number { promise, call })
    }

    /// A call whose argument is a stub, or a promise of one.
    fn call_with_stub(
        &mut self,
        vat: usize,
        stub: &NodeStub,
        lineage: usize,
        method: Method,
    ) -> Option<Item> {
        let is_gift = matches!(method, Method::Give | Method::GiveLater);
        if is_gift && self.flavour.absent && self.random.chance(40) {
            let call = self.begin(vat, method, lineage, true);
            with(|world| world.faults.absent = true);
            let promise = match method {
                Method::Give => stub.give(call, None),
                _ => stub.give_later(call, None),
            };
            let lineages = [0, 1, 2].map(|n| result_lineage(call, n));
            return Some(Item::Parcel { promise, lineages, call });
        }
        let part = self.random.below(3);
        let passable = |item: &Item| item.can_be_called() && !matches!(item, Item::Function { .. });
        let item = self.pick(vat, passable).or_else(|| self.root(vat))?;
        let call = self.begin(vat, method, lineage, true);
        trace(|| format!("    with {item}, part {part}"));
        let given = if self.random.chance(30) { item.give() } else { Err(item) };
        match given {
            Ok((operand, of)) => Some(make_call(stub, call, method, operand, of)),
            Err(item) => {
                let made = item.lend(part).map(|(operand, of)| make_call(stub, call, method, operand, of));
                with(|world| world.put(vat, item));
                made
            }
        }
    }
}

fn result_lineage(call: CallId, n: usize) -> usize {
    with(|world| world.promised(call, n))
}

fn make_call(stub: &NodeStub, call: CallId, method: Method, operand: Operand<'_>, of: usize) -> Item {
    let place = match method {
        Method::Echo | Method::EchoLater => Some(0),
        Method::Give | Method::GiveLater => Some(1),
        _ => None,
    };
    with(|world| {
        let (object, solid) = (world.lineages[of].object, world.lineages[of].solid);
        let gated = world.lineages[of].through.is_any();
        world.call_mut(call).operand = Some(of);
        world.call_mut(call).with_solid = solid;
        world.call_mut(call).may_be_cut |= gated;
        if let Some(place) = place {
            world.call_mut(call).results[place] = object;
        }
    });
    let number = |promise| Item::Number { promise, call };
    let node = |promise| Item::Node { promise, lineage: result_lineage(call, 0), call };
    let parcel =
        |promise| Item::Parcel { promise, lineages: [0, 1, 2].map(|n| result_lineage(call, n)), call };
    // A stub goes for an optional parameter as itself.
    let operand = match (operand, place) {
        (Operand::StubRef(stub), Some(1)) => Operand::Stub(stub.clone()),
        (other, _) => other,
    };
    match method {
        Method::Give | Method::GiveLater => {
            let promise = match operand {
                Operand::Stub(arg) if matches!(method, Method::Give) => stub.give(call, arg),
                Operand::Stub(arg) => stub.give_later(call, arg),
                Operand::Promise(arg) if matches!(method, Method::Give) => stub.give(call, arg),
                Operand::Promise(arg) => stub.give_later(call, arg),
                Operand::PromiseRef(arg) if matches!(method, Method::Give) => stub.give(call, arg),
                Operand::PromiseRef(arg) => stub.give_later(call, arg),
                Operand::FallibleRef(arg) => stub.give_later(call, arg),
                Operand::StubRef(arg) => stub.give_later(call, arg.clone()),
            };
            parcel(promise)
        }
        Method::Echo => node(pass!(operand, |arg| stub.echo(call, arg))),
        Method::EchoLater => node(pass!(operand, |arg| stub.echo_later(call, arg))),
        Method::CallBack => number(pass!(operand, |arg| stub.call_back(call, arg))),
        Method::Relay => number(pass!(operand, |arg| stub.relay(call, arg))),
        _ => number(pass!(operand, |arg| stub.keep(call, arg))),
    }
}
