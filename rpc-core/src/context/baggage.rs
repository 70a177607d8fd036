//! [`Baggage`]: texts that travel with a call and the calls made for it.

use crate::error::{Error, ErrorKind};

/// The most that travels with a call beside its arguments, in bytes as they are sent.
pub const METADATA_BYTES: usize = 8 * 1024;

/// What is left of that for baggage: the rest has a bounded length.
const BAGGAGE_BYTES: usize = METADATA_BYTES - 1024;
/// The most that an entry takes beside its texts, in bytes.
const ENTRY_HEAD: usize = 8;

/// Texts by their keys, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Baggage(Vec<(Box<str>, Box<str>)>);

impl Baggage {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| **other == *key).map(|(_, value)| &**value)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| ENTRY_HEAD + key.len() + value.len()).sum()
    }

    pub(super) fn put(&mut self, key: &str, value: &str) -> Result<(), Error> {
        self.0.retain(|(other, _)| **other != *key);
        let bytes = self.bytes() + ENTRY_HEAD + key.len() + value.len();
        if bytes > BAGGAGE_BYTES {
            let text = format!("the baggage of a call takes {bytes} bytes; the limit is {BAGGAGE_BYTES}");
            return Err(Error::new(ErrorKind::Limit, text).did_not_run());
        }
        self.0.push((key.into(), value.into()));
        Ok(())
    }

    /// Adds what came from a peer. Of two with the same key the first counts.
    pub(super) fn take(&mut self, key: &str, value: &str) {
        if self.get(key).is_none() {
            self.0.push((key.into(), value.into()));
        }
    }
}
