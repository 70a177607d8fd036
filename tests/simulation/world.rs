//! [`World`]: what all sides of a run have in common, and know of each other for the sake of the checks: calls,
//! objects, gates, and what every vat has been given. It lives in its thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::task::Waker;

use farcall::prelude::*;

use crate::items::Item;
use crate::lineages::{Lineage, Object};
use crate::loans::Loan;
use crate::payloads::Payload;
use crate::random::Random;

/// The number of a call; it travels as the first argument.
pub type CallId = u64;

/// What became of the promise of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Somebody still has it.
    Held,
    Awaited,
    Detached,
    /// It was dropped, passed on, or used by a method.
    Gone,
}

/// How a call ended that was awaited.
#[derive(Clone, Debug)]
pub struct Failure {
    pub may_have_run: bool,
    pub text: String,
}

pub struct Call {
    pub method: &'static str,
    pub lineage: usize,
    /// A gate that it goes through was revoked before it was made.
    pub refused: bool,
    /// That gate stands where it is made: it never left.
    pub refused_here: bool,
    /// It, or what it waits for, goes through gates.
    pub may_be_cut: bool,
    /// Its place among the calls of its lineage. `None`: it waits for an argument, and its place is not known.
    pub place: Option<u32>,
    /// The lineage that it has as an argument.
    pub operand: Option<usize>,
    /// Its operand is solid, see [`Lineage::solid`].
    pub with_solid: bool,
    /// The object that its result is, or those in it.
    pub results: [usize; 3],
    /// Which of them its method makes.
    pub is_new: [bool; 3],
    pub payload: Option<Payload>,
    /// What it is to return, if that is another call's number.
    pub returns: CallId,
    pub runs: u32,
    pub fate: Fate,
    pub outcome: Option<Result<(), Failure>>,
}

/// What may go wrong in a run, because it has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub cancelled: bool,
    pub cut: bool,
    pub left: bool,
    pub failed: bool,
    pub absent: bool,
    pub limited: bool,
    pub revoked: bool,
}

impl Faults {
    /// Whether anything of it has happened.
    pub fn any(&self) -> bool {
        self.revoked || self.any_other()
    }

    /// The same but for what was taken back.
    fn any_other(&self) -> bool {
        self.cancelled || self.cut || self.left || self.failed || self.absent || self.limited
    }
}

#[derive(Default)]
pub struct World {
    pub calls: Vec<Call>,
    pub lineages: Vec<Lineage>,
    /// Objects: the same one as another, or the number of the target that it is.
    pub objects: Vec<Object>,
    /// What each vat holds.
    pub bags: Vec<Vec<Item>>,
    pub faults: Faults,
    pub loans: Vec<Loan>,
    /// Methods that wait, until they are told to go on.
    pub gates: BTreeMap<CallId, Waker>,
    opened: Vec<CallId>,
    all_open: bool,
    pub mistakes: Vec<String>,
    pub trace: Option<Vec<String>>,
    targets: u32,
    pub delivered: usize,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Looks at the world. Nothing of a user's runs inside.
pub fn with<R>(look: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(look)
}

/// Leaves everything as it is, see [`leave`](crate::executor::leave).
pub fn leave() {
    std::mem::forget(WORLD.take());
}

/// Adds a line to the trace, if there is one.
pub fn trace(line: impl FnOnce() -> String) {
    with(|world| {
        if let Some(trace) = &mut world.trace {
            trace.push(line());
        }
    });
}

/// Counts a target for as long as it lives.
#[derive(Debug)]
pub struct Probe(pub u32);

impl Probe {
    pub fn new() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(with(|world| {
            world.targets += 1;
            world.targets
        }))
    }

    pub fn alive() -> usize {
        ALIVE.get()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

impl World {
    pub fn mistake(&mut self, text: String) {
        self.mistakes.push(text);
    }

    /// Enters a call that is about to be made. One that waits for an argument has no place in the order.
    pub fn call(&mut self, method: &'static str, lineage: usize, ordered: bool) -> CallId {
        let results = [self.object(), self.object(), self.object()];
        let place = ordered.then(|| {
            self.lineages[lineage].made += 1;
            self.lineages[lineage].made
        });
        let id = self.calls.len() as CallId;
        let (refused, refused_here) = self.is_revoked(lineage);
        let may_be_cut = self.lineages[lineage].through.is_any();
        self.calls.push(Call {
            method,
            lineage,
            refused,
            refused_here,
            may_be_cut,
            place,
            operand: None,
            with_solid: true,
            results,
            is_new: [false; 3],
            payload: None,
            returns: id,
            runs: 0,
            fate: Fate::Gone,
            outcome: None,
        });
        id
    }

    pub fn call_mut(&mut self, id: CallId) -> &mut Call {
        &mut self.calls[id as usize]
    }

    /// A method begins: the right one, once, in its turn.
    pub fn begin(&mut self, id: CallId, target: u32) {
        let Some(call) = self.calls.get_mut(id as usize) else {
            return self.mistake(format!("target {target} got call {id}, which nobody made"));
        };
        call.runs += 1;
        let (runs, lineage, place, refused) = (call.runs, call.lineage, call.place, call.refused);
        self.delivered += 1;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("    call {id} runs on target {target}"));
        }
        if runs > 1 {
            self.mistake(format!("call {id} ran {runs} times"));
        }
        if refused {
            self.mistake(format!("call {id} ran, and was made on what had been taken back"));
        }
        let object = self.lineages[lineage].object;
        self.reach(object, target);
        if let Some(place) = place {
            let seen = std::mem::replace(&mut self.lineages[lineage].seen, place);
            if seen >= place {
                self.mistake(format!(
                    "call {id} is number {place} of its line {lineage}, and came after {seen}"
                ));
            }
            self.comes_behind(id, lineage, place);
        }
    }

    /// An awaited call ended.
    pub fn ended(&mut self, id: CallId, outcome: Result<(), Error>) {
        let outcome = match outcome {
            Ok(()) => Ok(()),
            Err(error) => {
                if !self.is_explained(id, &error) {
                    self.mistake(format!("call {id} failed without a reason: {error:?}"));
                }
                Err(Failure { may_have_run: error.may_have_run(), text: error.to_string() })
            }
        };
        if let Some(trace) = &mut self.trace {
            trace.push(match &outcome {
                Ok(()) => format!("    call {id} has its result"),
                Err(failure) => format!("    call {id} fails: {}", failure.text),
            });
        }
        let call = self.call_mut(id);
        let refused = call.refused;
        if call.outcome.is_some() {
            self.mistake(format!("call {id} ended twice"));
        }
        if refused && outcome.is_ok() {
            self.mistake(format!("call {id} has a result, and was made on what had been taken back"));
        }
        self.call_mut(id).outcome = Some(outcome);
    }

    /// Whether a failure follows from what was done.
    fn is_explained(&self, call: CallId, error: &Error) -> bool {
        let faults = &self.faults;
        let call = &self.calls[call as usize];
        if call.refused && !faults.any_other() {
            return error.origin() == ErrorKind::Disposed && !(call.refused_here && error.may_have_run());
        }
        let explains = |kind| match kind {
            ErrorKind::Disconnected => faults.cut || faults.left,
            ErrorKind::ShuttingDown => faults.left,
            ErrorKind::Cancelled => faults.cancelled || faults.cut || faults.left,
            ErrorKind::BadPath => faults.absent,
            ErrorKind::Limit | ErrorKind::Overloaded => faults.limited,
            ErrorKind::Upstream => faults.failed,
            ErrorKind::Disposed => faults.revoked && call.may_be_cut,
            _ => false,
        };
        match error.kind() {
            ErrorKind::Upstream => explains(error.origin()),
            kind => explains(kind),
        }
    }

    /// Lets a waiting method go on.
    pub fn open(&mut self, id: CallId) -> Option<Waker> {
        self.opened.push(id);
        self.gates.remove(&id)
    }

    pub fn open_all(&mut self) -> Vec<Waker> {
        self.all_open = true;
        std::mem::take(&mut self.gates).into_values().collect()
    }

    /// Whether a waiting method may go on; else it will be woken.
    pub fn passes(&mut self, id: CallId, waker: &Waker) -> bool {
        if self.all_open || self.opened.contains(&id) {
            self.gates.remove(&id);
            return true;
        }
        self.gates.insert(id, waker.clone());
        false
    }

    pub fn put(&mut self, vat: usize, item: Item) {
        self.bags[vat].push(item);
    }

    /// Takes anything out of a bag.
    pub fn take(&mut self, vat: usize, random: &mut Random) -> Option<Item> {
        let bag = &mut self.bags[vat];
        if bag.is_empty() {
            return None;
        }
        let place = random.below(bag.len());
        Some(bag.swap_remove(place))
    }
}
