//! What a user may do at any time, drawn at random.

use crate::executor;
use crate::items::Item;
use crate::node::{new_function, new_node};
use crate::run::Run;
use crate::world::{CallId, Fate, trace, with};

/// An operation, by its weight. A new one is a line here and an arm in [`Run::operate`].
const OPERATIONS: [(usize, Operation); 14] = [
    (48, Operation::Call),
    (14, Operation::Wait),
    (6, Operation::Drop),
    (6, Operation::Clone),
    (4, Operation::Detach),
    (3, Operation::GiveUp),
    (9, Operation::Open),
    (3, Operation::NewTarget),
    (2, Operation::NewFunction),
    (3, Operation::Lend),
    (2, Operation::Revoke),
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
    /// Puts a gate before something that can be called.
    Lend,
    Revoke,
    /// A direction of a link delivers nothing for a while, or delivers again.
    Hold,
    /// A direction of a link takes nothing for a while, or takes again.
    Block,
    Disconnect,
}

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
            Operation::Lend => self.lend(vat),
            Operation::Revoke => self.revoke(),
            Operation::Hold => self.hold_something(),
            Operation::Block => self.block_something(),
            Operation::Disconnect => self.disconnect_something(),
        }
    }

    fn new_lineage(&self, target: u32) -> usize {
        with(|world| world.solid_lineage(target))
    }

    /// Takes something of a kind out of a bag.
    pub fn pick(&mut self, vat: usize, fits: impl Fn(&Item) -> bool) -> Option<Item> {
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

    pub fn wait(&mut self, vat: usize, item: Item) {
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

    pub fn cancels(&self, call: Option<CallId>) {
        if let Some(call) = call {
            with(|world| {
                world.faults.cancelled = true;
                world.call_mut(call).fate = Fate::Gone;
            });
        }
    }

    fn duplicate(&mut self, vat: usize, item: Item) {
        let part = self.random.below(3);
        let copy = item.duplicate(part);
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

    /// Decides what becomes of the promise of a call that was just made.
    pub fn place(&mut self, vat: usize, item: Item) {
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
