//! [`Snapshot`]: what is held over a connection, for whoever looks for a leak.

use std::collections::BTreeMap;
use std::fmt;

pub use crate::sites::{Origin, Site};

/// What both sides hold over one connection at one moment: see
/// [`Connection::snapshot`](crate::connection::Connection::snapshot). Row 159.
///
/// Printed, it is a list with one line for each kind of thing and each place that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Targets and functions of this side that the peer holds; its main object is not among them.
    pub exports: Vec<Held>,
    /// Targets and functions of the peer that this side holds; the peer's main object is not among them.
    pub imports: Vec<Held>,
    /// Calls of this side that have not been answered. [`Held::interface`] is `None`.
    pub calls: Vec<Held>,
    /// Answers whose promise is still held: awaited by nobody, or kept for what was built on it.
    pub results: Vec<Held>,
    /// Stubs and promises of this side on the peer's main object.
    pub main: usize,
    /// Calls of the peer that have not ended.
    pub serving: usize,
    /// Answers that are kept because the peer still holds their promises.
    pub kept: usize,
    /// Whether places were recorded.
    pub recorded: bool,
}

/// Things of one kind that come from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// The target's interface: the name of its type or contract, `RpcFn` for a function. Of what the peer hosts it is
    /// known only where places are recorded.
    pub interface: Option<&'static str>,
    /// Where they come from, as far as that was recorded. Of what was sent several times, the first time.
    pub site: Option<Site>,
    /// How many there are.
    pub count: usize,
    /// How many references there are to them: for exports, how often they were sent; for the others, the handles of this
    /// side.
    pub references: u64,
}

impl Snapshot {
    /// Whether nothing is held but main objects, and no call is under way.
    pub fn is_clean(&self) -> bool {
        let lists = [&self.exports, &self.imports, &self.calls, &self.results];
        lists.iter().all(|list| list.is_empty()) && self.serving == 0 && self.kept == 0
    }
}

/// Adds up what is alike, the most numerous first.
pub(crate) fn group(found: impl IntoIterator<Item = (Option<&'static str>, Option<Site>, u64)>) -> Vec<Held> {
    let mut groups = BTreeMap::new();
    for (interface, site, references) in found {
        let sums: &mut (usize, u64) = groups.entry((interface, site)).or_default();
        *sums = (sums.0 + 1, sums.1 + references);
    }
    let held = |((interface, site), (count, references))| Held { interface, site, count, references };
    let mut list: Vec<Held> = groups.into_iter().map(held).collect();
    list.sort_by_key(|held| std::cmp::Reverse(held.count));
    list
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing is held");
        }
        let lists = [
            ("exported, held by the peer", &self.exports),
            ("imported, held by this side", &self.imports),
            ("calls without an answer", &self.calls),
            ("results whose promise is held", &self.results),
        ];
        for (title, list) in lists {
            if list.is_empty() {
                continue;
            }
            writeln!(f, "{title}: {}", list.iter().map(|held| held.count).sum::<usize>())?;
            for held in list {
                writeln!(f, "  {held}")?;
            }
        }
        if self.serving + self.kept > 0 {
            writeln!(f, "calls of the peer: {} under way, {} answers kept", self.serving, self.kept)?;
        }
        if !self.recorded {
            writeln!(f, "(places are recorded with `Endpoint::record_sites`)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ×", self.count)?;
        if let Some(interface) = self.interface {
            write!(f, " {interface}")?;
        }
        if self.references != self.count as u64 {
            write!(f, " ({} references)", self.references)?;
        }
        match &self.site {
            Some(site) => write!(f, " {site}"),
            None => f.write_str(" from a place that was not recorded"),
        }
    }
}
