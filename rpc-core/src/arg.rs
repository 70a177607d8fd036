//! Arguments: what a caller may pass for a parameter, and how a list of them is written and read.

mod convert;
mod decode;
mod encode;
mod list;

#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::handle::Handle;
use crate::value::RpcValue;

pub use decode::ArgDecoder;
pub use encode::ArgEncoder;
pub use list::{ArgList, ParamList};

/// Set in the number of a parameter of type `Option<T>` that was given a promise of a `T`: the settled value then
/// comes without the tag that says `Some`.
pub(crate) const PROMISE_OF_SOME: u8 = 0x80;

/// An argument for a parameter of type `T`.
#[derive(Debug)]
pub enum Arg<T> {
    /// A value.
    Value(T),
    /// A promise of it.
    Promise(Handle),
    /// Where `T` is `Option<U>`: a promise of a `U`.
    PromiseOfSome(Handle),
}

/// What a caller may pass for a parameter of type `T`: a `T`, a promise of one, a reference to either, and a few
/// things that are plainly meant as a `T`, as `&str` is for `String`, an array for `Vec`, or a closure for a function.
///
/// A promise is not waited for: the callee fills in its value, in the same round trip.
#[diagnostic::on_unimplemented(
    message = "the remote method takes `{T}`, and `{Self}` is not that",
    label = "pass a `{T}`, a `Promise<{T}>`, or a reference to either",
    note = "an argument that ends in `.into()`, `.parse()?` or `.collect()` must name its type, as in `.parse::<{T}>()?`"
)]
pub trait IntoArg<T>: Sized {
    /// The argument as a value of its own, which an in-process call moves.
    #[doc(hidden)]
    fn into_arg(self) -> Arg<T>;

    /// Writes the argument, if it can from what it refers to.
    #[doc(hidden)]
    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error>
    where
        T: RpcValue,
    {
        encoder.arg(self.into_arg())
    }
}
