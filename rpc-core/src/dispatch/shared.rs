//! Targets whose methods may run side by side.

use std::ops::Deref;
use std::sync::Arc;

use super::release::retire;
use super::table::{Run, Table};
use super::{Call, Found, MakeSink, Step, Target, cell};
use crate::error::{Error, ErrorKind};
use crate::interface::{Interface, MethodId};
use crate::local::Mailbox;

pub(super) struct SharedCell<T: Send + 'static> {
    value: T,
    table: &'static Table<T>,
    mailbox: Mailbox,
}

impl<T: Send + 'static> SharedCell<T> {
    pub(super) fn new(value: T, table: &'static Table<T>) -> Self {
        Self { value, table, mailbox: Mailbox::default() }
    }

    /// See [`Target::retire`].
    fn give_up(self: Arc<Self>) {
        if let Some(cell) = Arc::into_inner(self) {
            retire(Box::new(cell.value), cell.table);
        }
    }
}

/// The loan of a target to one of its asynchronous methods, beside others. Where it is the last that keeps the
/// target, the target is dropped later, as ever, and not inside the method.
pub struct Shared<T: Send + 'static> {
    /// There until the loan is dropped.
    cell: Option<Arc<SharedCell<T>>>,
}

impl<T: Send> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl<T: Send> Deref for Shared<T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "only `drop` takes the cell")]
    fn deref(&self) -> &T {
        &self.cell.as_ref().expect("the target is there until the loan ends").value
    }
}

impl<T: Send + 'static> Drop for Shared<T> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            cell.give_up();
        }
    }
}

impl<T: Send + Sync + 'static> Target for SharedCell<T> {
    fn interface(&self) -> &'static Interface {
        (self.table.interface)()
    }

    #[inline]
    fn find(&self, id: MethodId) -> Result<Found, Error> {
        self.table.find(id)
    }

    fn locate(&self, interface: &'static Interface, index: usize, id: MethodId) -> Result<Found, Error> {
        self.table.locate(interface, index, id)
    }

    #[inline]
    fn deliver(&self, this: &Arc<dyn Target>, found: Found, call: &mut Call<'_>, _sink: &mut MakeSink<'_>) {
        match (self.table.method(found).map(|method| method.run), this) {
            (Some(Run::Shared(run)), _) => run(&self.value, call),
            (Some(Run::SharedAsync(run)), this) if let Some(cell) = cell(this) => {
                run(Shared { cell: Some(cell) }, call);
            }
            _ => {
                call.fail(Error::new(
                    ErrorKind::Internal,
                    "a method for a serial target in the table of another",
                ));
                call.step = Step::Done;
            }
        }
    }

    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn retire(self: Arc<Self>) {
        self.give_up();
    }
}
