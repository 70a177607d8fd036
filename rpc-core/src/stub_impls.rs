//! What every printed stub has in common, so that the macros need not print it.

use crate::arg::IntoArg;
use crate::dispatch::Table;
use crate::promise::Promise;
use crate::stub::Stub;
use crate::value::{RpcReturn, RpcValue};

/// A stub that can stand before a `T`. Printed by `#[rpc_target]`: for a type, or, beside a contract, for everything
/// that implements it.
pub trait StubOf<T: Send + 'static>: Stub {
    /// The methods of a `T`.
    const TABLE: &'static Table<T>;

    /// Moves a target behind the stub.
    fn serve(target: T) -> Self;
}

/// A type of values as printed code names it: the type itself.
///
/// Printed code names the types of a method in several places, each of which asks that they travel. Said in this way,
/// rustc finds one that does not before it looks at what asks, and so reports it once and not for each place.
pub type Value<T> = <T as IsValue>::Type;

/// What a method returns as printed code names it: the type itself, see [`Value`].
pub type Return<R> = <R as IsReturn>::Type;

/// What a stub gives for a method that returns `R`.
pub type Promised<R> = Promise<<Return<R> as RpcReturn>::Value, <Return<R> as RpcReturn>::Error>;

/// See [`Value`].
pub trait IsValue {
    /// The type itself.
    type Type: RpcValue;
}

impl<T: RpcValue> IsValue for T {
    type Type = T;
}

/// See [`Return`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a remote method",
    note = "derive `RpcValue` for it (with serde's `Serialize` and `Deserialize`), export it with `#[rpc_target]`, or wrap it in `Plain<…>`",
    note = "in `Result<T, E>`, `E` must be an `RpcValue` and a `std::error::Error`; `farcall::Fault` takes any error, also those of `anyhow`"
)]
pub trait IsReturn {
    /// The type itself.
    type Type: RpcReturn;
}

#[diagnostic::do_not_recommend]
impl<R: RpcReturn> IsReturn for R {
    type Type = R;
}

/// What a stub's method takes for a parameter of type `T`: whatever is [`IntoArg<T>`].
///
/// It has one impl, of which rustc does not speak. Of `IntoArg` it would list the impls that `#[rpc_target]` prints,
/// two for each target, under every argument of a wrong type.
#[diagnostic::on_unimplemented(
    message = "the remote method takes `{T}`, and `{Self}` is not that",
    label = "pass a `{T}`, a `Promise<{T}>`, or a reference to either",
    note = "an argument that ends in `.into()`, `.parse()?` or `.collect()` must name its type, as in `.parse::<{T}>()?`"
)]
pub trait Argument<T>: IntoArg<T> {}

#[diagnostic::do_not_recommend]
impl<T, A: IntoArg<T>> Argument<T> for A {}

/// The traits of a stub that follow from its `Pipeline` and its `Stub`.
///
/// Input: `impl_stub!("PageStub", [T: RpcValue] PageStub<T> [where T: Sync]);`
#[doc(hidden)]
#[macro_export]
macro_rules! impl_stub {
    ($name:literal, [$($params:tt)*] $Stub:ty [$($clause:tt)*]) => {
        #[automatically_derived]
        impl<$($params)*> $crate::private::Debug for $Stub $($clause)* {
            fn fmt(&self, f: &mut $crate::private::Formatter<'_>) -> $crate::private::FmtResult {
                $crate::private::debug_stub($name, $crate::private::Pipeline::handle(self), f)
            }
        }

        #[automatically_derived]
        impl<$($params)*> $crate::private::serde::Serialize for $Stub $($clause)* {
            fn serialize<__S: $crate::private::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> $crate::private::Result<__S::Ok, __S::Error> {
                let interface = <Self as $crate::private::Stub>::interface();
                $crate::private::serialize_stub($crate::private::Pipeline::handle(self), interface, serializer)
            }
        }

        #[automatically_derived]
        impl<'de, $($params)*> $crate::private::serde::Deserialize<'de> for $Stub $($clause)* {
            fn deserialize<__D: $crate::private::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> $crate::private::Result<Self, __D::Error> {
                $crate::private::Result::map(
                    $crate::private::deserialize_stub(
                        deserializer,
                        <Self as $crate::private::Stub>::interface,
                    ),
                    $crate::private::Pipeline::from_handle,
                )
            }
        }

        #[automatically_derived]
        impl<$($params)*> $crate::private::IntoValue for $Stub $($clause)* {
            type Value = Self;

            fn into_value(self) -> Self {
                self
            }
        }

        #[automatically_derived]
        impl<$($params)*> $crate::private::RpcValue for $Stub $($clause)* {
            type Pipeline = Self;

            fn describe(schema: &mut $crate::private::SchemaBuilder) {
                schema.stub(<Self as $crate::private::Stub>::interface);
            }

            fn from_promise(
                handle: $crate::private::Handle,
            ) -> $crate::private::Result<Self, $crate::private::Handle> {
                $crate::private::Result::Ok($crate::private::Pipeline::from_handle(handle))
            }
        }
    };
}

/// `CounterStub(…)`, whatever the handle says of itself.
#[doc(hidden)]
pub fn debug_stub(
    name: &str,
    handle: &crate::handle::Handle,
    f: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    f.debug_tuple(name).field(handle).finish()
}
