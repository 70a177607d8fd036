//! What every printed stub has in common, so that the macros need not print it.

use crate::dispatch::Table;
use crate::stub::Stub;

/// A stub that can stand before a `T`. Printed by `#[rpc_target]`: for a type, or, beside a contract, for everything
/// that implements it.
pub trait StubOf<T: Send + 'static>: Stub {
    /// The methods of a `T`.
    const TABLE: &'static Table<T>;

    /// Moves a target behind the stub.
    fn serve(target: T) -> Self;
}

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
                    $crate::private::deserialize_stub(deserializer),
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
                schema.cap();
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
pub fn debug_stub(name: &str, handle: &crate::handle::Handle, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    f.debug_tuple(name).field(handle).finish()
}
