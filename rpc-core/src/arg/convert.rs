//! What may be passed for what.
//!
//! For each pair of a parameter's type and a type constructor there is at most one impl: a second one whose `Self`
//! is open would make literals, `None`, `vec![]` and closures ambiguous in every call.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Arg, ArgEncoder, IntoArg};
use crate::error::Error;
use crate::handle::Handle;
use crate::promise::Promise;
use crate::value::RpcValue;

/// A promise of a stub or function is that stub, promised: the callee need not wait for it.
fn promised<T: RpcValue>(handle: Handle) -> Arg<T> {
    match T::from_promise(handle) {
        Ok(value) => Arg::Value(value),
        Err(handle) => Arg::Promise(handle),
    }
}

fn promised_some<T: RpcValue>(handle: Handle) -> Arg<Option<T>> {
    match T::from_promise(handle) {
        Ok(value) => Arg::Value(Some(value)),
        Err(handle) => Arg::PromiseOfSome(handle),
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue> IntoArg<T> for T {
    fn into_arg(self) -> Arg<T> {
        Arg::Value(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue + Clone> IntoArg<T> for &T {
    fn into_arg(self) -> Arg<T> {
        Arg::Value(self.clone())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.value(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue, X> IntoArg<T> for Promise<T, X> {
    fn into_arg(self) -> Arg<T> {
        promised(Self::into_handle(self))
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue, X> IntoArg<T> for &Promise<T, X> {
    fn into_arg(self) -> Arg<T> {
        promised(Promise::handle(self).clone())
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue> IntoArg<Option<T>> for T {
    fn into_arg(self) -> Arg<Option<T>> {
        Arg::Value(Some(self))
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue, X> IntoArg<Option<T>> for Promise<T, X> {
    fn into_arg(self) -> Arg<Option<T>> {
        promised_some(Self::into_handle(self))
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue, X> IntoArg<Option<T>> for &Promise<T, X> {
    fn into_arg(self) -> Arg<Option<T>> {
        promised_some(Promise::handle(self).clone())
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<Option<String>> for &str {
    fn into_arg(self) -> Arg<Option<String>> {
        Arg::Value(Some(self.to_owned()))
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed(&Some(self))
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<String> for &str {
    fn into_arg(self) -> Arg<String> {
        Arg::Value(self.to_owned())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed(self)
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<String> for Cow<'_, str> {
    fn into_arg(self) -> Arg<String> {
        Arg::Value(self.into_owned())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed(&*self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue, const N: usize> IntoArg<Vec<T>> for [T; N] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg::Value(self.into())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed::<[T]>(&self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue + Clone, const N: usize> IntoArg<Vec<T>> for &[T; N] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg::Value(self.to_vec())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed::<[T]>(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: RpcValue + Clone> IntoArg<Vec<T>> for &[T] {
    fn into_arg(self) -> Arg<Vec<T>> {
        Arg::Value(self.to_vec())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed(self)
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize> IntoArg<Vec<String>> for [&str; N] {
    fn into_arg(self) -> Arg<Vec<String>> {
        Arg::Value(self.map(str::to_owned).into())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed::<[&str]>(&self)
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<Vec<String>> for &[&str] {
    fn into_arg(self) -> Arg<Vec<String>> {
        Arg::Value(self.iter().map(|text| (*text).to_owned()).collect())
    }

    fn encode(self, encoder: &mut ArgEncoder<'_>) -> Result<(), Error> {
        encoder.borrowed(self)
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<Bytes> for Vec<u8> {
    fn into_arg(self) -> Arg<Bytes> {
        Arg::Value(self.into())
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<Bytes> for &[u8] {
    fn into_arg(self) -> Arg<Bytes> {
        Arg::Value(Bytes::copy_from_slice(self))
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize> IntoArg<Bytes> for &[u8; N] {
    fn into_arg(self) -> Arg<Bytes> {
        Arg::Value(Bytes::copy_from_slice(self))
    }
}
