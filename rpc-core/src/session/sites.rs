//! Where what is in the tables comes from, for sessions that were asked to record it, and what there is.

use std::collections::HashMap;
use std::panic::Location;

use super::answers::State as AnswerState;
use super::imports::State;
use super::{Parts, Session, SlotKey};
use crate::codec::Capability;
use crate::schema::Schema;
use crate::sites::{Origin, Recorder, Site};
use crate::snapshot::{Snapshot, group};
use crate::wire::WireCap;

/// What was recorded. Notes on slots that are gone are swept out now and then, so that giving a slot up costs nothing.
pub(crate) struct Sites {
    exports: HashMap<i64, Site>,
    imports: HashMap<SlotKey, Note>,
    _recorder: Recorder,
}

#[derive(Clone, Copy, Default)]
struct Note {
    interface: Option<&'static str>,
    site: Option<Site>,
}

/// An export, seen from outside the lock: its interface, or what to ask for it.
pub(crate) type Exported = (Capability, Option<Site>, u64);

impl<P: Parts> Session<P> {
    pub(crate) fn record_sites(&mut self) {
        self.sites.get_or_insert_with(|| {
            Box::new(Sites { exports: HashMap::new(), imports: HashMap::new(), _recorder: Recorder::new() })
        });
    }

    pub(crate) fn recorded_sites(&self) -> usize {
        self.sites.as_ref().map_or(0, |sites| sites.exports.len() + sites.imports.len())
    }

    fn note(&mut self, key: SlotKey, change: impl FnOnce(&mut Note)) {
        let Some(sites) = &mut self.sites else { return };
        if sites.imports.len() > 64 + 2 * self.imports.len() {
            sites.imports.retain(|key, _| self.imports.get(*key).is_some());
        }
        change(sites.imports.entry(key).or_default());
    }

    /// A call was made here.
    pub(crate) fn note_call(
        &mut self,
        key: SlotKey,
        method: Option<&'static str>,
        at: &'static Location<'static>,
    ) {
        let site = Site { origin: Origin::Called, method, at: Some(at) };
        self.note(key, |note| note.site = Some(site));
    }

    /// A stub of this interface was made of a slot.
    pub(crate) fn note_interface(&mut self, key: SlotKey, interface: &'static str) {
        self.note(key, |note| note.interface = Some(interface));
    }

    /// A capability came in a call for `method` of this side.
    pub(crate) fn note_received(&mut self, key: SlotKey, method: Option<&'static str>) {
        self.note(key, |note| {
            note.site.get_or_insert(Site { origin: Origin::Received, method, at: None });
        });
    }

    /// A capability came in the result of the call of this slot.
    pub(crate) fn note_obtained(&mut self, key: SlotKey, call: SlotKey, method: Option<&'static str>) {
        let call = self.sites.as_ref().and_then(|sites| sites.imports.get(&call)?.site);
        self.note(key, |note| {
            let at = call.and_then(|call| call.at);
            note.site.get_or_insert(Site { origin: Origin::Obtained, method, at });
        });
    }

    /// Capabilities were sent: with the call of this slot, that is being made at this place.
    pub(super) fn note_passed(
        &mut self,
        caps: &[WireCap],
        call: SlotKey,
        at: Option<&'static Location<'static>>,
    ) {
        if self.sites.is_some() {
            let method = self.imports.get(call).and_then(|import| import.schema).and_then(Schema::method);
            self.note_sent(caps, Site { origin: Origin::Passed, method, at });
        }
    }

    /// Capabilities were sent: as the result of a method of this side.
    pub(super) fn note_returned(&mut self, caps: &[WireCap], schema: Option<&'static Schema>) {
        let method = schema.and_then(Schema::method);
        self.note_sent(caps, Site { origin: Origin::Returned, method, at: None });
    }

    fn note_sent(&mut self, caps: &[WireCap], site: Site) {
        let Some(sites) = &mut self.sites else { return };
        for cap in caps {
            if let WireCap::Export(id) = cap {
                sites.exports.entry(*id).or_insert(site);
            }
        }
    }

    /// The peer has given up an export.
    pub(super) fn forget_site(&mut self, id: i64) {
        if let Some(sites) = &mut self.sites {
            sites.exports.remove(&id);
        }
    }

    /// Whether this holds for anything that waits for a call.
    pub(crate) fn any_waiter(&self, holds: impl Fn(&P::Waiter) -> bool) -> bool {
        self.imports.entries().any(|(_, import)| holds(&import.waiter))
    }

    /// What is held, but for the exports: what these are is not asked under the lock.
    pub(crate) fn snapshot(&self) -> (Snapshot, Vec<Exported>) {
        let mut snapshot = Snapshot { recorded: self.sites.is_some(), ..Snapshot::default() };
        let (mut imports, mut calls, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (key, import) in self.imports.entries() {
            let note =
                self.sites.as_ref().and_then(|sites| sites.imports.get(&key)).copied().unwrap_or_default();
            let references = u64::from(import.handles);
            let called = || {
                let method = import.schema.and_then(Schema::method);
                note.site.or_else(|| method.map(|_| Site { origin: Origin::Called, method, at: None }))
            };
            match &import.state {
                State::Capability { id: 0, .. } => snapshot.main += import.handles as usize,
                State::Capability { .. } => imports.push((note.interface, note.site, references)),
                State::Lined { .. } | State::Waiting(_) => calls.push((None, called(), references)),
                State::Value { .. } | State::Settled { .. } => results.push((None, called(), references)),
            }
        }
        (snapshot.imports, snapshot.calls, snapshot.results) = (group(imports), group(calls), group(results));
        let settled = |state: &AnswerState<P>| matches!(state, AnswerState::Settled(_));
        let (kept, under_way) = self.answers.entries().fold((0, 0), |(kept, under_way), (_, answer)| {
            if settled(&answer.state) { (kept + 1, under_way) } else { (kept, under_way + 1) }
        });
        (snapshot.kept, snapshot.serving) = (kept, under_way);
        let site = |id: i64| self.sites.as_ref().and_then(|sites| sites.exports.get(&id)).copied();
        let exports =
            self.exports.entries().map(|(id, target, introduced)| (target.clone(), site(id), introduced));
        (snapshot, exports.collect())
    }
}
