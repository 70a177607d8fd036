//! [`Revocable`]: stubs that can be taken back.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::relay::Gate;
use crate::stub::Stub;

/// Makes stubs that can be taken back.
///
/// What it gives is a stub like any other: it is called, cloned, passed on and called through, over any number of
/// connections, and its calls go to what it was made of in the same order. Once the [`Revoker`] has revoked it, every
/// call fails at once with [`ErrorKind::Disposed`] and does not run; those under way are cancelled where they run and
/// fail with the same reason, as do promises that were not awaited yet; and what the stub was made of is let go.
///
/// ```
/// # use farcall_core as farcall;
/// use farcall::function::RpcFn;
/// use farcall::revocable::Revocable;
///
/// # async fn example() -> Result<(), farcall::error::Error> {
/// let double: RpcFn<fn(i64) -> i64> = RpcFn::new(|n: i64| 2 * n);
/// let (lent, revoker) = Revocable::wrap(double);
/// assert_eq!(lent.call(4).await?, 8);
/// revoker.revoke();
/// assert!(lent.call(4).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub enum Revocable {}

impl Revocable {
    /// A stub that forwards to `stub` until it is revoked.
    ///
    /// It alone is revoked, with all of its clones, the promises of its calls, and the calls and stubs that were made
    /// through such a promise before it was awaited. Stubs that came out of an awaited result are not: see
    /// [`membrane`](Self::membrane).
    pub fn wrap<S: Stub>(stub: S) -> (S, Revoker) {
        Self::behind(Gate::new(false), stub)
    }

    /// A stub that forwards to `stub` until it is revoked, and with it everything that was obtained through it: stubs
    /// and functions in results, and those passed in arguments, at any depth of a value and through any of these in
    /// turn, in both directions.
    ///
    /// A stub that comes back through the membrane is itself again: who passed it in and gets it back may compare it by
    /// [`same_target`](Stub::same_target), and calls it without a detour.
    pub fn membrane<S: Stub>(stub: S) -> (S, Revoker) {
        Self::behind(Gate::new(true), stub)
    }

    fn behind<S: Stub>(gate: Arc<Gate>, stub: S) -> (S, Revoker) {
        let handle = gate.wrap(stub.into_handle(), S::interface());
        (S::from_handle(handle), Revoker { gate })
    }
}

/// Takes back what [`Revocable`] gave, for good.
///
/// Dropping it revokes nothing: the stub then works for as long as what it was made of does, and cannot be taken back
/// any more. For a loan that ends with a scope there is [`revoke_on_drop`](Self::revoke_on_drop).
#[derive(Clone)]
pub struct Revoker {
    gate: Arc<Gate>,
}

impl Revoker {
    /// Takes it back. Calls fail with [`ErrorKind::Disposed`]. Tells whether this did it: the first reason stays.
    pub fn revoke(&self) -> bool {
        self.gate.revoke(Error::new(ErrorKind::Disposed, "the stub was revoked"))
    }

    /// Takes it back for a reason that its holders are told.
    pub fn revoke_because(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        let reason: Cow<'static, str> = reason.into();
        self.gate.revoke(Error::new(ErrorKind::Disposed, format!("the stub was revoked: {reason}")))
    }

    /// Whether it was taken back, and what calls fail with then.
    pub fn reason(&self) -> Option<Error> {
        self.gate.reason().cloned()
    }

    /// Takes it back when the guard is dropped.
    #[must_use = "dropping the guard revokes the stub at once"]
    pub fn revoke_on_drop(self) -> RevokeOnDrop {
        RevokeOnDrop(self)
    }
}

impl fmt::Debug for Revoker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoker").field("reason", &self.gate.reason()).finish()
    }
}

/// Revokes a stub when it is dropped: see [`Revoker::revoke_on_drop`].
#[derive(Debug)]
pub struct RevokeOnDrop(Revoker);

impl RevokeOnDrop {
    /// Takes the stub back now, for a reason.
    pub fn revoke_because(self, reason: impl Into<Cow<'static, str>>) {
        self.0.revoke_because(reason);
    }
}

impl Drop for RevokeOnDrop {
    fn drop(&mut self) {
        self.0.revoke();
    }
}
