//! Stubs that are lent and taken back: what is known of the gates that a reference goes through.

use farcall::{Revocable, Revoker, Stub};

use crate::items::Item;
use crate::lineages::Lineage;
use crate::run::Run;
use crate::world::{CallId, World, trace, with};

/// A stub, or a function, that stands behind a gate until that is revoked.
pub struct Loan {
    membrane: bool,
    revoked: bool,
    revoker: Revoker,
    /// What was lent, of which one is kept to the end: behind a gate that is revoked there is nothing.
    kept: Option<Item>,
}

/// The gates that calls on a reference go through.
#[derive(Clone, Debug, Default)]
pub struct Through {
    /// Those that they surely do: once one of them is revoked, a call that is made does not run.
    loans: Vec<usize>,
    /// Those of them that stand where it is held. So do the promises of calls on it.
    here: Vec<usize>,
    /// There may be others.
    unknown: bool,
    /// It is a promise that may turn out to be what was there before the gates: passed on, it is that.
    comes_home: bool,
}

impl Through {
    /// Whether there may be any.
    pub fn is_any(&self) -> bool {
        self.unknown || !self.loans.is_empty()
    }

    fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }
}

impl World {
    /// Whether a call that is made now on this is made too late, and whether that is known where it is made.
    pub fn is_revoked(&self, lineage: usize) -> (bool, bool) {
        let Through { loans, here, .. } = &self.lineages[lineage].through;
        let any = |loans: &[usize]| loans.iter().any(|loan| self.loans[*loan].revoked);
        (any(loans), any(here))
    }

    /// References behind one more gate to what these refer to.
    fn lend(&mut self, from: usize, membrane: bool, revoker: Revoker) -> usize {
        let lineage = self.another(from);
        self.lineages[lineage].through.loans.push(self.loans.len());
        self.lineages[lineage].through.here.push(self.loans.len());
        self.loans.push(Loan { membrane, revoked: false, revoker, kept: None });
        lineage
    }

    /// References where a call has taken what it was made with. What goes through a gate may be itself again.
    pub fn passed_on(&mut self, call: CallId) -> Option<usize> {
        let call = self.call_mut(call);
        let (target, operand) = (call.lineage, call.operand?);
        let lineage = self.another(operand);
        if self.lineages[target].through.is_any() || self.lineages[lineage].through.comes_home {
            self.lineages[lineage].through = Through::unknown();
        }
        self.lineages[lineage].through.here.clear();
        Some(lineage)
    }

    /// A call waits for the result of another.
    pub fn waits_for(&mut self, call: CallId, other: CallId) {
        let cut = self.call_mut(other).may_be_cut;
        self.call_mut(call).may_be_cut |= cut;
    }

    /// References that somebody has found, who knows no more than what they refer to.
    pub fn found(&mut self, object: usize) -> usize {
        let lineage = self.lineage(object);
        self.lineages[lineage].through = Through::unknown();
        lineage
    }

    /// References to the n-th result of a call, before it is there. They stand behind the gates that stand here, and a
    /// new object behind membranes anywhere.
    pub fn promised(&mut self, call: CallId, n: usize) -> usize {
        let call = self.call_mut(call);
        let (object, target, is_new) = (call.results[n], call.lineage, call.is_new[n]);
        let unknown = call.may_be_cut || !is_new;
        let lineage = self.lineage(object);
        let Through { ref loans, ref here, comes_home, .. } = self.lineages[target].through;
        let comes_home = comes_home || !is_new;
        let stays = |loan: &usize| here.contains(loan) || self.loans[*loan].membrane && !comes_home;
        let loans = loans.iter().copied().filter(stays).collect();
        let here = here.clone();
        self.lineages[lineage].through = Through { loans, here, unknown, comes_home };
        lineage
    }

    /// References to a result, now that it is there: the same as the promise, unless that stood behind a gate. A new
    /// object then stands behind the membranes among them. Calls on it come behind those on the promise.
    pub fn given(&mut self, promised: usize) -> usize {
        let Lineage { object, solid, ref through, .. } = self.lineages[promised];
        if through.here.is_empty() {
            return promised;
        }
        let stays = |loan: &usize| !through.comes_home && self.loans[*loan].membrane;
        let loans = through.loans.iter().copied().filter(stays).collect();
        let here = through.here.iter().copied().filter(stays).collect();
        let lineage = self.lineage(object);
        self.lineages[lineage].solid = solid;
        self.lineages[lineage].through = Through { loans, here, ..Through::unknown() };
        self.lineages[lineage].behind = Some((promised, self.lineages[promised].made));
        lineage
    }
}

impl Run {
    /// Puts a gate before something.
    pub fn lend(&mut self, vat: usize) {
        if !self.flavour.lends {
            return;
        }
        let (part, membrane) = (self.random.below(3), self.random.chance(50));
        let item = self.pick(vat, Item::can_be_called).or_else(|| self.root(vat));
        let Some(item) = item else { return };
        trace(|| format!("vat {vat} lends {item}, part {part}, membrane: {membrane}"));
        let lent = match &item {
            Item::Function { function, lineage } => {
                let (function, revoker) = wrap(membrane, function.clone());
                let lineage = with(|world| world.lend(*lineage, membrane, revoker));
                Some(Item::Function { function, lineage })
            }
            other => other.call_on(part, |stub, lineage| {
                let (stub, revoker) = wrap(membrane, stub.clone());
                let lineage = with(|world| world.lend(lineage, membrane, revoker));
                Item::Stub { stub, lineage }
            }),
        };
        let kept = item.is_promise() || self.random.chance(60);
        if let Some(lent) = &lent {
            let other = if self.random.chance(30) { lent.duplicate(0) } else { None };
            with(|world| world.loans.last_mut().unwrap().kept = other);
            trace(|| format!("    as {lent}, and {} the other", if kept { "keeps" } else { "drops" }));
        }
        let left = if kept {
            with(|world| world.put(vat, item));
            None
        } else {
            Some(item)
        };
        with(|world| world.bags[vat].extend(lent));
        drop(left);
    }

    /// Drops what is kept of loans: of those that are revoked, or of the others.
    pub fn forget_loans(&self, revoked: bool) {
        let which = |loan: &&mut Loan| loan.revoked == revoked;
        let kept: Vec<_> =
            with(|world| world.loans.iter_mut().filter(which).map(|loan| loan.kept.take()).collect());
        drop(kept);
    }

    /// Takes something back.
    pub fn revoke(&mut self) {
        let random = &mut self.random;
        let revoked = with(|world| {
            let open: Vec<usize> =
                (0..world.loans.len()).filter(|loan| !world.loans[*loan].revoked).collect();
            let loan = random.one_of(&open)?;
            world.faults.revoked = true;
            world.loans[loan].revoked = true;
            Some((loan, world.loans[loan].revoker.clone()))
        });
        let Some((loan, revoker)) = revoked else { return };
        trace(|| format!("loan {loan} is revoked"));
        if !revoker.revoke_because("the loan is over") {
            with(|world| world.mistake(format!("loan {loan} had been revoked")));
        }
    }
}

fn wrap<S: Stub>(membrane: bool, stub: S) -> (S, Revoker) {
    if membrane { Revocable::membrane(stub) } else { Revocable::wrap(stub) }
}
