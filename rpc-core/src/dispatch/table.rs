//! The table that a macro prints for a target, and finding a method in it.

use super::{Call, Lease, Release, Shared};
use crate::error::Error;
use crate::interface::{Interface, MethodId, MethodInfo};

/// How one method of a target is run: a shim that names the method and its parameters, and nothing else.
#[derive(Debug)]
pub struct Method<T: Send + 'static> {
    pub(crate) run: Run<T>,
    pub(crate) spawned: bool,
}

pub(crate) enum Run<T: Send + 'static> {
    Shared(fn(&T, &mut Call<'_>)),
    SharedAsync(fn(Shared<T>, &mut Call<'_>)),
    Serial(fn(&mut T, &mut Call<'_>)),
    SerialAsync(fn(Lease<T>, &mut Call<'_>)),
}

impl<T: Send> std::fmt::Debug for Run<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Shared",
            Self::SharedAsync(_) => "SharedAsync",
            Self::Serial(_) => "Serial",
            Self::SerialAsync(_) => "SerialAsync",
        })
    }
}

impl<T: Send> Clone for Run<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send> Copy for Run<T> {}

impl<T: Send> Method<T> {
    /// A synchronous method that may run beside others.
    pub const fn shared(run: fn(&T, &mut Call<'_>)) -> Self {
        Self { run: Run::Shared(run), spawned: false }
    }

    /// An asynchronous method that may run beside others.
    pub const fn shared_async(run: fn(Shared<T>, &mut Call<'_>)) -> Self {
        Self { run: Run::SharedAsync(run), spawned: false }
    }

    /// A synchronous method of a target whose methods run one after another.
    pub const fn serial(run: fn(&mut T, &mut Call<'_>)) -> Self {
        Self { run: Run::Serial(run), spawned: false }
    }

    /// An asynchronous method of a target whose methods run one after another.
    pub const fn serial_async(run: fn(Lease<T>, &mut Call<'_>)) -> Self {
        Self { run: Run::SerialAsync(run), spawned: false }
    }

    /// The method is slow: it never runs inside the connection's own task.
    #[must_use]
    pub const fn spawned(self) -> Self {
        Self { run: self.run, spawned: true }
    }
}

/// The methods of one interface for one type of target, and those of the contract that it extends.
#[derive(Debug)]
pub struct Table<T: Send + 'static> {
    /// The interface.
    pub interface: fn() -> &'static Interface,
    /// Its methods, in the order of the interface.
    pub methods: &'static [Method<T>],
    /// The table of the contract that this one extends.
    pub parent: Option<&'static Self>,
    /// What runs when the last stub is gone: one, or none.
    pub on_release: &'static [Release<T>],
}

/// A method that was found: the how-many-eth table on the way up, its place there, and how many of its
/// parameters the caller sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) level: usize,
    pub(crate) index: usize,
    pub(crate) present: usize,
    pub(crate) info: &'static MethodInfo,
    /// Whether the method is one that never runs inside the connection's own task.
    pub(crate) spawned: bool,
}

impl<T: Send> Table<T> {
    fn levels(&'static self) -> impl Iterator<Item = (usize, &'static Self)> {
        std::iter::successors(Some(self), |table| table.parent).enumerate()
    }

    fn found(&self, level: usize, index: usize, present: usize, info: &'static MethodInfo) -> Found {
        let spawned = self.methods.get(index).is_some_and(|method| method.spawned);
        Found { level, index, present, info, spawned }
    }

    #[inline]
    pub(crate) fn find(&'static self, id: MethodId) -> Result<Found, Error> {
        let interface = (self.interface)();
        if let Some((index, present, info)) = interface.lookup(id) {
            return Ok(self.found(0, index, present, info));
        }
        self.find_above(id)
    }

    #[cold]
    fn find_above(&'static self, id: MethodId) -> Result<Found, Error> {
        let mut first = None;
        for (level, table) in self.levels() {
            let interface = (table.interface)();
            match interface.find(id) {
                Ok((index, present)) => {
                    if let Some(info) = interface.method(index) {
                        return Ok(table.found(level, index, present, info));
                    }
                }
                // The most telling refusal is the one by a table that knows the name.
                Err(error) => match first {
                    Some(_) if error.kind() == crate::error::ErrorKind::UnknownMethod => {}
                    _ => first = Some(error),
                },
            }
        }
        Err(first.unwrap_or_else(|| {
            Error::new(crate::error::ErrorKind::UnknownMethod, "the target has no methods")
        }))
    }

    pub(crate) fn locate(
        &'static self,
        wanted: &'static Interface,
        index: usize,
        id: MethodId,
    ) -> Result<Found, Error> {
        for (level, table) in self.levels() {
            let interface = (table.interface)();
            if std::ptr::eq(interface, wanted)
                && let Some(info) = interface.method(index)
            {
                return Ok(table.found(level, index, info.params_count(), info));
            }
        }
        self.find(id)
    }

    /// The release hooks, those of the contract that this one extends last.
    pub(crate) fn hooks(&'static self) -> impl Iterator<Item = &'static Release<T>> {
        self.levels().flat_map(|(_, table)| table.on_release)
    }

    /// The method that was found in this table or above.
    #[inline]
    pub(crate) fn method(&'static self, found: Found) -> Option<&'static Method<T>> {
        if found.level == 0 {
            return self.methods.get(found.index);
        }
        self.levels().find(|(level, _)| *level == found.level)?.1.methods.get(found.index)
    }
}
