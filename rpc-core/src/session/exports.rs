//! [`Exports`]: what the peer may call of us, by negative id.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::greeting::Named;
use super::{Event, Parts, Place, Session, event::Retired, ids::IdHasher};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::wire::{MAX_CAPS, WireCap};

/// The table of exports. A target has one id as long as the peer holds it, and a count of how often the id was
/// sent, so that a release that crosses another introduction does no harm (R1e).
#[derive(Default)]
pub(crate) struct Exports {
    main: Option<Capability>,
    /// Where the main object is looked up by the name that the peer wants.
    pub(super) named: Named,
    // Both keys are this side's own: no peer chooses them.
    by_id: HashMap<i64, Export, BuildHasherDefault<IdHasher>>,
    by_identity: HashMap<usize, i64, BuildHasherDefault<IdHasher>>,
    last: i64,
}

struct Export {
    target: Capability,
    introduced: u64,
}

impl Exports {
    pub(crate) fn new(main: Option<Capability>) -> Self {
        Self { main, ..Self::default() }
    }

    /// Exports whose main object is known when the peer has said what it wants.
    pub(crate) fn by_name() -> Self {
        Self { named: Named::Unasked, ..Self::default() }
    }

    /// Sets the main object. What was not needed comes back.
    pub(super) fn set_main(&mut self, main: Capability) -> Option<Capability> {
        self.main.replace(main)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// What the peer means by this id, which is 0 or negative. `None`: it was never given or is gone.
    #[inline]
    pub(crate) fn get(&self, id: i64) -> Option<&Capability> {
        if id == 0 { self.main.as_ref() } else { self.by_id.get(&id).map(|export| &export.target) }
    }

    fn introduce(&mut self, target: &Capability, identity: Option<usize>) -> i64 {
        if let Some(id) = identity.and_then(|identity| self.by_identity.get(&identity))
            && let Some(export) = self.by_id.get_mut(id)
        {
            export.introduced += 1;
            return *id;
        }
        self.last -= 1;
        if let Some(identity) = identity {
            self.by_identity.insert(identity, self.last);
        }
        self.by_id.insert(self.last, Export { target: target.clone(), introduced: 1 });
        self.last
    }

    /// The peer gives up `count` introductions of `id`. The target comes back when none are left.
    fn release(&mut self, session: u64, id: i64, count: u64) -> Result<Option<Capability>, String> {
        let Some(export) = self.by_id.get_mut(&id) else {
            return Err(format!("it released the export {id}, which it does not hold"));
        };
        if count > export.introduced {
            return Err(format!(
                "it released the export {id} {count} times; it holds {} introductions",
                export.introduced
            ));
        }
        export.introduced -= count;
        if export.introduced > 0 {
            return Ok(None);
        }
        let export = self.by_id.remove(&id);
        Ok(export.map(|export| {
            if let Place::Elsewhere(Some(identity)) = export.target.handle.place(session)
                && self.by_identity.get(&identity) == Some(&id)
            {
                self.by_identity.remove(&identity);
            }
            export.target
        }))
    }

    /// Every target with its id and how often it was sent.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (i64, &Capability, u64)> {
        self.by_id.iter().map(|(id, export)| (*id, &export.target, export.introduced))
    }

    /// Everything, in the order in which it was introduced, and the main object last.
    pub(crate) fn drain(&mut self) -> Vec<Capability> {
        self.by_identity.clear();
        let main = self.main.take();
        let mut exports: Vec<_> = std::mem::take(&mut self.by_id).into_iter().collect();
        exports.sort_unstable_by_key(|(id, _)| -id);
        exports.into_iter().map(|(_, export)| export.target).chain(main).collect()
    }

    /// The ids that the peer holds, and how often each was introduced.
    #[cfg(feature = "introspection")]
    pub(super) fn introductions(&self) -> Vec<(i64, u64)> {
        self.by_id.iter().map(|(id, export)| (*id, export.introduced)).collect()
    }
}

impl<P: Parts> Session<P> {
    /// How many more targets may be exported.
    #[inline]
    pub(crate) fn check_export_room(&self, more: usize) -> Result<(), Error> {
        let actual = self.exports.len() + more;
        if more > 0 && actual > self.limits.exports {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "the peer would hold {actual} targets; the limit `exports` is {}",
                    self.limits.exports
                ),
            ));
        }
        let limit = self.limits.caps_per_message.min(MAX_CAPS);
        if more > limit {
            let text = format!("a message has {more} capabilities; the limit `caps_per_message` is {limit}");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        Ok(())
    }

    /// What to write for a capability, introducing it if it is hosted here.
    pub(crate) fn describe(&mut self, target: &Capability) -> WireCap {
        match target.handle.place(self.id) {
            Place::Here(key, path) => match self.reference(key, &path) {
                Some(cap) => cap,
                None => WireCap::Export(self.exports.introduce(target, None)),
            },
            Place::Elsewhere(identity) => WireCap::Export(self.exports.introduce(target, identity)),
        }
    }

    /// The peer released an export.
    pub(crate) fn handle_release(&mut self, id: i64, count: u64) -> Result<(), String> {
        if id >= 0 {
            return Err(format!("it released the id {id}, which is no export"));
        }
        if let Some(target) = self.exports.release(self.id, id, count)? {
            self.forget_site(id);
            self.events.push(Event::Retired(Retired::Target(target)));
        }
        Ok(())
    }
}
