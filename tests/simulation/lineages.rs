//! References and what they refer to: which of them have one order of calls, and which one object.

use crate::loans::Through;
use crate::world::{CallId, World};

/// References to one object whose calls are in one order: a promise, its clones, and the stub that it gives.
pub struct Lineage {
    pub object: usize,
    /// It refers to a target, and to no promise, wherever it has come through.
    pub solid: bool,
    pub through: Through,
    pub made: u32,
    /// The place of the last call that was delivered.
    pub seen: u32,
    /// The references that these came of, and how many calls had been made on them: all of these come before.
    pub behind: Option<(usize, u32)>,
    /// So many calls have to have been delivered, for one that comes behind them has been.
    barrier: u32,
}

#[derive(Clone, Copy)]
pub enum Object {
    Unknown,
    Same(usize),
    Target(u32),
}

impl World {
    pub fn object(&mut self) -> usize {
        self.objects.push(Object::Unknown);
        self.objects.len() - 1
    }

    pub fn object_of(&mut self, target: u32) -> usize {
        self.objects.push(Object::Target(target));
        self.objects.len() - 1
    }

    fn root(&self, mut object: usize) -> usize {
        while let Object::Same(other) = self.objects[object] {
            object = other;
        }
        object
    }

    /// References to a target.
    pub fn solid_lineage(&mut self, target: u32) -> usize {
        let object = self.object_of(target);
        let lineage = self.lineage(object);
        self.lineages[lineage].solid = true;
        lineage
    }

    /// References in another place to what these refer to.
    pub fn another(&mut self, from: usize) -> usize {
        let Lineage { object, solid, ref through, .. } = self.lineages[from];
        let through = through.clone();
        let lineage = self.lineage(object);
        self.lineages[lineage].solid = solid;
        self.lineages[lineage].through = through;
        lineage
    }

    /// Two objects turn out to be the same.
    pub fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        match (self.objects[a], self.objects[b]) {
            _ if a == b => {}
            (Object::Target(one), Object::Target(other)) if one != other => {
                self.mistake(format!("the targets {one} and {other} are to be the same"));
            }
            (Object::Target(_), _) => self.objects[b] = Object::Same(a),
            _ => self.objects[a] = Object::Same(b),
        }
    }

    pub fn reach(&mut self, object: usize, target: u32) {
        let root = self.root(object);
        match self.objects[root] {
            Object::Target(other) if other != target => {
                self.mistake(format!("a call for target {other} reached target {target}"));
            }
            _ => self.objects[root] = Object::Target(target),
        }
    }

    pub fn lineage(&mut self, object: usize) -> usize {
        let (made, seen, barrier) = (0, 0, 0);
        let (solid, through, behind) = (false, Through::default(), None);
        self.lineages.push(Lineage { object, solid, through, made, seen, behind, barrier });
        self.lineages.len() - 1
    }

    /// A call comes behind all that were made on the promise of what it is made on.
    pub fn comes_behind(&mut self, id: CallId, lineage: usize, place: u32) {
        let Lineage { mut behind, barrier, .. } = self.lineages[lineage];
        if place <= barrier {
            self.mistake(format!(
                "call {id}, number {place} of its line {lineage}, was overtaken: {barrier}"
            ));
        }
        while let Some((before, calls)) = behind {
            let before = &mut self.lineages[before];
            before.barrier = before.barrier.max(calls);
            behind = before.behind;
        }
    }
}
