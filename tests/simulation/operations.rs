//! What a user may do at any time, drawn at random.

use farcall::Bytes;

use crate::executor;
use crate::items::{Item, Operand, pass};
use crate::node::{NodeStub, new_function, new_node};
use crate::run::Run;
use crate::world::{CallId, Fate, trace, with};

/// An operation, by its weight. A new one is a line here and an arm in [`Run::operate`].
const OPERATIONS: [(usize, Operation); 12] = [
    (48, Operation::Call),
    (14, Operation::Wait),
    (6, Operation::Drop),
    (6, Operation::Clone),
    (4, Operation::Detach),
    (3, Operation::GiveUp),
    (9, Operation::Open),
    (3, Operation::NewTarget),
    (2, Operation::NewFunction),
    (3, Operation::Hold),
    (1, Operation::Block),
    (1, Operation::Disconnect),
];

#[derive(Clone, Copy, Debug)]
enum Operation {
    Call,
    Wait,
    Drop,
    Clone,
    Detach,
    /// Stops waiting: the future of a promise is dropped.
    GiveUp,
    /// Lets a waiting method go on.
    Open,
    NewTarget,
    NewFunction,
    /// A direction of a link delivers nothing for a while, or delivers again.
    Hold,
    /// A direction of a link takes nothing for a while, or takes again.
    Block,
    Disconnect,
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Note,
    NoteLarge,
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

const METHODS: [(usize, Method); 17] = [
    (24, Method::Note),
    (2, Method::NoteLarge),
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
    /// Does one random thing.
    pub fn operate(&mut self) {
        let vat = self.random.below(self.vats());
        let operation = self.random.weighted(&OPERATIONS);
        match operation {
            Operation::Call => self.call(vat),
            Operation::Wait => {
                if let Some(item) = self.pick(vat, Item::is_promise) {
                    self.wait(vat, item);
                }
            }
            Operation::Drop => self.drop_something(vat),
            Operation::Clone => {
                if let Some(item) = self.pick(vat, |_| true) {
                    self.duplicate(vat, item);
                }
            }
            Operation::Detach => {
                if let Some(item) = self.pick(vat, Item::is_promise) {
                    trace(|| format!("vat {vat} detaches {item}"));
                    item.detach();
                }
            }
            Operation::GiveUp => self.give_up(),
            Operation::Open => self.open(),
            Operation::NewTarget => {
                let serial = self.random.chance(40);
                let (stub, target) = new_node(vat, serial);
                let lineage = self.new_lineage(target);
                trace(|| format!("vat {vat} makes target {target} (line {lineage})"));
                with(|world| world.put(vat, Item::Stub { stub, lineage }));
            }
            Operation::NewFunction => {
                let (function, target) = new_function();
                let lineage = self.new_lineage(target);
                trace(|| format!("vat {vat} makes function {target} (line {lineage})"));
                with(|world| world.put(vat, Item::Function { function, lineage }));
            }
            Operation::Hold => self.hold_something(),
            Operation::Block => self.block_something(),
            Operation::Disconnect => self.disconnect_something(),
        }
    }

    fn new_lineage(&self, target: u32) -> usize {
        with(|world| world.solid_lineage(target))
    }

    /// Takes something of a kind out of a bag.
    fn pick(&mut self, vat: usize, fits: impl Fn(&Item) -> bool) -> Option<Item> {
        let random = &mut self.random;
        with(|world| {
            let bag = &mut world.bags[vat];
            if bag.is_empty() {
                return None;
            }
            let first = random.below(bag.len());
            let place = (0..bag.len()).map(|n| (first + n) % bag.len()).find(|place| fits(&bag[*place]))?;
            Some(bag.swap_remove(place))
        })
    }

    fn wait(&mut self, vat: usize, item: Item) {
        let Some(call) = item.call() else { return };
        trace(|| format!("vat {vat} awaits {item}"));
        let task = executor::spawn(format!("await of call {call}"), Box::pin(item.wait(vat)));
        self.waits.push((task, call));
    }

    fn drop_something(&mut self, vat: usize) {
        // Dropping a promise cancels its call.
        let calm = self.flavour.calm;
        let Some(item) = self.pick(vat, |item| !calm || !item.is_promise()) else { return };
        trace(|| format!("vat {vat} drops {item}"));
        self.cancels(item.call());
        drop(item);
    }

    fn cancels(&self, call: Option<CallId>) {
        if let Some(call) = call {
            with(|world| {
                world.faults.cancelled = true;
                world.call_mut(call).fate = Fate::Gone;
            });
        }
    }

    fn duplicate(&mut self, vat: usize, item: Item) {
        let part = self.random.below(3);
        let copy = match &item {
            Item::Function { function, lineage } => {
                Some(Item::Function { function: function.clone(), lineage: *lineage })
            }
            other => other.call_on(part, |stub, lineage| Item::Stub { stub: stub.clone(), lineage }),
        };
        trace(|| format!("vat {vat} clones {item}, part {part}"));
        with(|world| {
            world.put(vat, item);
            world.bags[vat].extend(copy);
        });
    }

    fn give_up(&mut self) {
        if self.flavour.calm || self.waits.is_empty() {
            return;
        }
        let place = self.random.below(self.waits.len());
        let (task, call) = self.waits.swap_remove(place);
        if executor::abort(task) {
            trace(|| format!("the wait for call {call} is given up"));
            self.cancels(Some(call));
        }
    }

    fn open(&mut self) {
        let random = &mut self.random;
        let opened = with(|world| {
            let waiting: Vec<CallId> = world.gates.keys().copied().collect();
            let call = random.one_of(&waiting)?;
            Some((call, world.open(call)))
        });
        if let Some((call, waker)) = opened {
            trace(|| format!("call {call} may go on"));
            waker.into_iter().for_each(std::task::Waker::wake);
        }
    }

    /// Calls something, with something.
    fn call(&mut self, vat: usize) {
        let root = self.random.chance(20);
        let target = if root { None } else { self.pick(vat, |item| !matches!(item, Item::Number { .. })) };
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
            call
        })
    }

    /// Makes a call that takes nothing but numbers; those that take more are made by others.
    fn call_method(&mut self, vat: usize, stub: &NodeStub, lineage: usize, method: Method) -> Option<Item> {
        match method {
            Method::Add => return self.call_add(vat, stub, lineage),
            Method::Unpack => return self.call_unpack(vat, stub, lineage),
            Method::TakeFunction => return self.call_take_function(vat, stub, lineage),
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
            Method::NoteLarge => {
                let payload = vec![7; self.random.below(self.flavour.payload)];
                number(stub.note_large(call, Bytes::from(payload)))
            }
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

    /// A call whose argument is a promise of a number: it waits for it.
    fn call_add(&mut self, vat: usize, stub: &NodeStub, lineage: usize) -> Option<Item> {
        let item = self.pick(vat, |item| matches!(item, Item::Number { .. }))?;
        let call = self.begin(vat, Method::Add, lineage, false);
        let Item::Number { promise: number, call: from } = item else { return None };
        with(|world| {
            let returns = world.call_mut(from).returns;
            world.call_mut(call).returns = returns;
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
        let passable = |item: &Item| !matches!(item, Item::Number { .. } | Item::Function { .. });
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

    /// Decides what becomes of the promise of a call that was just made.
    fn place(&mut self, vat: usize, item: Item) {
        if let Some(call) = item.call() {
            with(|world| world.call_mut(call).fate = Fate::Held);
        }
        match self.random.below(100) {
            0..15 => self.wait(vat, item),
            15..22 => {
                trace(|| format!("vat {vat} detaches {item}"));
                item.detach();
            }
            22..26 if !self.flavour.calm => {
                trace(|| format!("vat {vat} drops {item}"));
                self.cancels(item.call());
                drop(item);
            }
            _ => with(|world| world.put(vat, item)),
        }
    }
}

fn result_lineage(call: CallId, n: usize) -> usize {
    with(|world| {
        let object = world.call_mut(call).results[n];
        world.lineage(object)
    })
}

fn make_call(stub: &NodeStub, call: CallId, method: Method, operand: Operand<'_>, of: usize) -> Item {
    let place = match method {
        Method::Echo | Method::EchoLater => Some(0),
        Method::Give | Method::GiveLater => Some(1),
        _ => None,
    };
    with(|world| {
        let (object, solid) = (world.lineages[of].object, world.lineages[of].solid);
        world.call_mut(call).operand = Some(of);
        world.call_mut(call).with_solid = solid;
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
