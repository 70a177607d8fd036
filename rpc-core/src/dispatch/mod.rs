//! Running calls on targets: method tables, the loan of a target to a method, replies.
//!
//! Generated code is a table of thin shims. Decoding, panics, errors and encoding happen here, once.

mod call;
mod release;
mod running;
mod serial;
mod shared;
mod table;

use std::any::Any;
use std::sync::Arc;

pub use call::Call;
pub(crate) use call::{Args, OwnedArgs, ReplyTo, Step, WireArgs, encode_guarded};
pub use release::Release;
pub(crate) use running::{Delivered, deliver, run_owned, run_pending};
pub use serial::Lease;
pub use shared::Shared;
pub(crate) use table::Found;
pub use table::{Method, Table};

use crate::error::Error;
use crate::fuse::Fuse;
use crate::handle::Handle;
use crate::interface::{Interface, MethodId};
use crate::invocation::Guarded;
use crate::local::Mailbox;
use crate::sink::Sink;

/// A local object that can be called.
pub(crate) trait Target: Any + Send + Sync {
    /// Its interface, for people.
    fn interface(&self) -> &'static Interface;

    /// The method of this id, which a peer has sent.
    fn find(&self, id: MethodId) -> Result<Found, Error>;

    /// The method with this place in this interface, and the id it has there.
    fn locate(&self, interface: &'static Interface, index: usize, id: MethodId) -> Result<Found, Error>;

    /// Runs or starts a call; its step says how far it came. A target that is busy asks where the reply goes, and lets the call wait.
    /// `this` is the target itself, for methods that keep it while they run.
    fn deliver(&self, this: &Arc<dyn Target>, found: Found, call: &mut Call<'_>, sink: &mut MakeSink<'_>);

    /// The calls from this process that wait for it.
    fn mailbox(&self) -> &Mailbox;

    /// The last stub on it is gone, or a method that outlived it: if nothing else holds it, its release hook runs and
    /// it is dropped, later and elsewhere. Whoever may be the last to hold a target gives it up so.
    fn retire(self: Arc<Self>);

    /// What breaks the stubs on it, if it is one that can be taken back.
    fn fuse(&self) -> Option<&Fuse> {
        None
    }

    /// Itself, if it is one that stands before another.
    fn guard(&self) -> Option<&Guarded> {
        None
    }
}

/// The target as what it is.
fn cell<C: Send + Sync + 'static>(target: &Arc<dyn Target>) -> Option<Arc<C>> {
    let target: Arc<dyn Any + Send + Sync> = Arc::<dyn Target>::clone(target);
    target.downcast().ok()
}

/// Says where the reply of a call goes that will not be ready at once. Called at most once.
pub(crate) type MakeSink<'a> = dyn FnMut() -> Sink + 'a;

/// Makes a target of a value whose methods may run side by side.
pub fn serve_shared<T: Send + Sync + 'static>(target: T, table: &'static Table<T>) -> Handle {
    Handle::local(Arc::new(shared::SharedCell::new(target, table)))
}

/// Makes a target of a value whose methods run one after another, in the order in which they were called.
pub fn serve_serial<T: Send + 'static>(target: T, table: &'static Table<T>) -> Handle {
    Handle::local(Arc::new(serial::SerialCell::new(target, table)))
}
