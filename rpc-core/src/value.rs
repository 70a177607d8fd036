//! What can cross an RPC boundary by copy, and how methods return it.
//!
//! [`RpcValue`] is data (with stubs at its leaves), [`IntoValue`] is what becomes data when a method returns it,
//! as a target becomes its stub, and [`RpcReturn`] is what a method may return: either of these, or a `Result`.

mod bounded;
mod bytes;
mod containers;
mod error;
mod foreign;
mod never;
mod plain;
mod scalars;
mod tuples;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{ValueDecoder, ValueEncoder};
use crate::error::{CallError, Error};
use crate::handle::Handle;
use crate::promise::{Pipeline, Promise};
use crate::schema::SchemaBuilder;

#[cfg(feature = "json")]
pub use foreign::Json;
pub use never::Never;
pub use plain::Plain;
pub use tuples::TuplePipeline;

/// What a method may return by value: data as it is, a target as its stub, and containers of either.
///
/// Printed by `#[derive(RpcValue)]` and `#[rpc_target]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross an RPC boundary",
    note = "derive `RpcValue` for it (with serde's `Serialize` and `Deserialize`), export it with `#[rpc_target]`, or wrap it in `Plain<{Self}>`"
)]
pub trait IntoValue {
    /// What travels: `Self` for data, the stub for a target.
    type Value: RpcValue;

    /// Turns targets into stubs; data stays as it is.
    fn into_value(self) -> Self::Value;
}

/// Data that travels by copy; it may hold stubs at its leaves.
///
/// Do not implement it by hand: `#[derive(RpcValue)]` makes the schema say exactly what serde writes, and a
/// schema that says something else makes values unreadable.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross an RPC boundary",
    note = "derive `RpcValue` for it (with serde's `Serialize` and `Deserialize`), or wrap it in `Plain<{Self}>`",
    note = "if it is a target (exported with `#[rpc_target]`), it travels as its stub: take `{Self}Stub`"
)]
pub trait RpcValue: Sized + Send + 'static + IntoValue<Value = Self> + Serialize + DeserializeOwned {
    /// The view that a promise of such a value gives.
    type Pipeline: Pipeline;

    /// Says what the encoding looks like.
    fn describe(schema: &mut SchemaBuilder);

    #[doc(hidden)]
    fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
        encoder.serde(self)
    }

    #[doc(hidden)]
    fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
        decoder.serde()
    }

    /// Whether this is `None`, which is left off the wire where it is the last argument.
    #[doc(hidden)]
    fn is_absent(&self) -> bool {
        false
    }

    /// What an argument is that was left off the wire, if it may be.
    #[doc(hidden)]
    fn absent() -> Option<Self> {
        None
    }

    /// The value that stands for a promise of it: only stubs and functions can.
    #[doc(hidden)]
    fn from_promise(handle: Handle) -> Result<Self, Handle> {
        Err(handle)
    }
}

/// What a remote method may return: an [`IntoValue`], a `Result` of one and of an error that travels, or the [`Promise`]
/// of another call, whose outcome is then passed on.
///
/// Recognised by trait and not by name, so that aliases of `Result` work.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a remote method",
    note = "derive `RpcValue` for it (with serde's `Serialize` and `Deserialize`), export it with `#[rpc_target]`, or wrap it in `Plain<…>`",
    note = "in `Result<T, E>`, `E` must be an `RpcValue` and a `std::error::Error`; `farcall::Fault` takes any error, also those of `anyhow`"
)]
pub trait RpcReturn: Sized {
    /// What the caller gets.
    type Value: RpcValue;
    /// The method's own error; [`Never`] where it has none.
    type User: RpcValue;
    /// What the caller's promise fails with.
    type Error: CallFailure<User = Self::User>;

    /// The outcome as values that travel.
    #[doc(hidden)]
    fn into_returned(self) -> Returned<Self::Value, Self::User>;

    /// The method's own error in words, for calls that fail because this one did.
    #[doc(hidden)]
    fn user_message(user: &Self::User) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: IntoValue> RpcReturn for T {
    type Value = T::Value;
    type User = Never;
    type Error = Error;

    fn into_returned(self) -> Returned<T::Value, Never> {
        Returned::Result(Ok(self.into_value()))
    }

    fn user_message(user: &Never) -> String {
        match *user {}
    }
}

impl<T: IntoValue, E: RpcValue + std::error::Error> RpcReturn for Result<T, E> {
    type Value = T::Value;
    type User = E;
    type Error = CallError<E>;

    fn into_returned(self) -> Returned<T::Value, E> {
        Returned::Result(self.map(IntoValue::into_value))
    }

    fn user_message(user: &E) -> String {
        user.to_string()
    }
}

/// A method that returns the promise of another call ends with what comes of that: its result, or its failure, is
/// passed on as it is. Nothing is decoded on the way (row 121).
impl<T: RpcValue, X: CallFailure> RpcReturn for Promise<T, X> {
    type Value = T;
    type User = X::User;
    type Error = X;

    fn into_returned(self) -> Returned<T, X::User> {
        Returned::Promise(Self::into_handle(self))
    }

    fn user_message(_: &X::User) -> String {
        // Of a failure that is passed on, the words are those that came with it.
        String::new()
    }
}

/// What a method returned.
#[doc(hidden)]
#[derive(Debug)]
pub enum Returned<V, U> {
    /// A value or the method's own error.
    Result(Result<V, U>),
    /// The promise of another call, whose outcome is that of the method.
    Promise(Handle),
}

/// What a promise can fail with: [`Error`], or [`CallError`] of the method's own error.
pub trait CallFailure: From<Error> + Send + 'static {
    /// The method's own error.
    type User: RpcValue;

    /// The failure of a call whose method returned this error.
    #[doc(hidden)]
    fn from_user(user: Self::User) -> Self;

    /// The method's own error as `Ok`, a failure of the call as `Err`.
    #[doc(hidden)]
    fn inshare_parts(self) -> Result<Self::User, Error>;
}

impl CallFailure for Error {
    type User = Never;

    fn from_user(user: Never) -> Self {
        match user {}
    }

    fn inshare_parts(self) -> Result<Never, Error> {
        Err(self)
    }
}

impl<E: RpcValue> CallFailure for CallError<E> {
    type User = E;

    fn from_user(user: E) -> Self {
        Self::User(user)
    }

    fn inshare_parts(self) -> Result<E, Error> {
        match self {
            Self::User(user) => Ok(user),
            Self::Rpc(error) => Err(error),
        }
    }
}
