//! Slots with generations, and the way from a wire id to a slot.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A place in a [`Slab`], valid as long as what was put there has not been removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotKey {
    index: u32,
    generation: u32,
}

impl SlotKey {
    /// A key that finds nothing.
    pub(crate) const NOWHERE: Self = Self { index: u32::MAX, generation: u32::MAX };
}

/// A table whose entries keep their place. A key of an entry that is gone finds nothing, also when the place is
/// used again.
#[derive(Debug)]
pub(crate) struct Slab<V> {
    entries: Vec<(u32, Option<V>)>,
    free: Vec<u32>,
}

impl<V> Slab<V> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: V) -> SlotKey {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.1 = Some(value);
            return SlotKey { index, generation: entry.0 };
        }
        let index = self.entries.len() as u32;
        self.entries.push((0, Some(value)));
        SlotKey { index, generation: 0 }
    }

    #[inline]
    pub(crate) fn get(&self, key: SlotKey) -> Option<&V> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.0 == key.generation { entry.1.as_ref() } else { None }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: SlotKey) -> Option<&mut V> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.0 == key.generation { entry.1.as_mut() } else { None }
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: SlotKey) -> Option<V> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.0 != key.generation {
            return None;
        }
        let value = entry.1.take()?;
        entry.0 = entry.0.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// Whether anything was ever put in.
    pub(crate) fn was_used(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Takes what is wanted of an entry, if it is there, and removes the rest.
    #[inline]
    pub(crate) fn take_from<R>(&mut self, key: SlotKey, take: impl FnOnce(&mut V) -> Option<R>) -> Option<R> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.0 != key.generation {
            return None;
        }
        let taken = take(entry.1.as_mut()?)?;
        entry.1 = None;
        entry.0 = entry.0.wrapping_add(1);
        self.free.push(key.index);
        Some(taken)
    }

    pub(crate) fn drain(&mut self) -> Vec<V> {
        self.free.clear();
        std::mem::take(&mut self.entries).into_iter().filter_map(|(_, value)| value).collect()
    }

    /// Every entry with its key.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (SlotKey, &V)> {
        self.entries.iter().enumerate().filter_map(|(index, (generation, value))| {
            Some((SlotKey { index: index as u32, generation: *generation }, value.as_ref()?))
        })
    }

    #[cfg(any(test, fuzzing, feature = "introspection"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().filter_map(|(_, value)| value.as_ref())
    }

    pub(crate) fn keys(&self) -> Vec<SlotKey> {
        let full = |(index, entry): (usize, &(u32, Option<V>))| {
            entry.1.as_ref().map(|_| SlotKey { index: index as u32, generation: entry.0 })
        };
        self.entries.iter().enumerate().filter_map(full).collect()
    }
}

const RING: usize = 4096;

/// From ids that are given in ascending order to keys. The last 4,096 sit in a ring, whatever lives longer in a
/// hash map (R1d).
#[derive(Debug, Default)]
pub(crate) struct IdMap {
    ring: Vec<(i64, SlotKey)>,
    older: HashMap<i64, SlotKey, BuildHasherDefault<IdHasher>>,
}

impl IdMap {
    #[inline]
    pub(crate) fn insert(&mut self, id: i64, key: SlotKey) {
        let place = id as usize % RING;
        if place >= self.ring.len() {
            // The ring grows with use: an idle connection does not pay for it.
            let size = (place + 1).next_power_of_two().clamp(16, RING);
            self.ring.resize(size, (0, SlotKey::NOWHERE));
        }
        let (older, kept) = std::mem::replace(&mut self.ring[place], (id, key));
        if kept != SlotKey::NOWHERE {
            self.older.insert(older, kept);
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: i64) -> Option<SlotKey> {
        match self.ring.get(id as usize % RING) {
            Some((found, key)) if *found == id && *key != SlotKey::NOWHERE => Some(*key),
            _ if self.older.is_empty() => None,
            _ => self.older.get(&id).copied(),
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: i64) {
        match self.ring.get_mut(id as usize % RING) {
            Some(entry) if entry.0 == id => entry.1 = SlotKey::NOWHERE,
            _ => {
                self.older.remove(&id);
            }
        }
    }
}

/// Ids are given one after another by this side, so a multiplication spreads them and cannot be attacked.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    #[inline]
    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_removed_entry_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert("a");
        assert_eq!(slab.remove(first), Some("a"));
        let second = slab.insert("b");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get(second), Some(&"b"));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn an_id_that_outlives_the_ring_is_still_found() {
        let mut slab = Slab::new();
        let mut map = IdMap::default();
        let old = slab.insert(0);
        map.insert(1, old);
        for id in 2..=10_000 {
            let key = slab.insert(id);
            map.insert(id, key);
            if id > 2 {
                map.remove(id - 1);
            }
        }
        assert_eq!(map.get(1), Some(old));
        assert_eq!(map.get(9_000), None);
        map.remove(1);
        assert_eq!(map.get(1), None);
    }
}
