//! [`RpcFn`]: a function by reference.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::arg::{Arg, IntoArg};
use crate::codec::{deserialize_stub, serialize_stub};
use crate::dispatch::{Method, Table, serve_serial};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, Sig, generic_interface};
use crate::promise::{Pipeline, Promise};
use crate::relay::{BoundMethod, Probe, Relay, placeholder};
use crate::schema::SchemaBuilder;
use crate::stub::{Stub, call};
use crate::value::{IntoValue, RpcReturn, RpcValue};

#[cfg(test)]
mod tests;

/// The one method of a function.
const CALL: &str = "call";

/// A function by reference: who holds it can call it, wherever it is. `S` is its signature as a function pointer
/// of one up to twelve values, such as `RpcFn<fn(i64, String) -> bool>`.
///
/// As an argument for it a closure will do: `api.each(|n: i64| n + 1)`. Where a closure's body uses a parameter,
/// name its type. An async closure is passed as [`RpcFn::new_async`].
///
/// A function keeps its state and runs one call after the other. A call of an async one starts when the one before
/// it has returned its future; the futures run side by side.
pub struct RpcFn<S> {
    handle: Handle,
    /// Kept, because for a generic type it has to be looked up.
    interface: &'static Interface,
    signature: PhantomData<fn() -> S>,
}

impl<S: FnSignature> RpcFn<S> {
    /// The function that calls `function`, a closure or an `fn` of this signature.
    pub fn new<F: IntoRpcFn<S>>(function: F) -> Self {
        function.into_rpc_fn()
    }

    /// The function that is a method of a stub, taken off it: calling the one is calling the other. Row 22.
    ///
    /// It keeps the stub's target alive. What it is given and what it returns is passed on as it is, so that it can be
    /// called through at once; who holds it in another process calls by way of this one. A method that does not take and
    /// return exactly the types of the function does not compile, or, where only a trailing `Option` differs, fails
    /// each call with [`SignatureMismatch`](crate::error::ErrorKind::SignatureMismatch).
    ///
    /// ```
    /// # use farcall_core as farcall;
    /// use farcall::function::RpcFn;
    ///
    /// # async fn example() -> Result<(), farcall::error::Error> {
    /// # type CounterStub = RpcFn<fn(i64) -> i64>;
    /// # let counter: CounterStub = RpcFn::new(|n: i64| n + 1);
    /// // As for `CounterStub::increment` of a stub `counter`:
    /// let increment: RpcFn<fn(i64) -> i64> = RpcFn::bind(&counter, CounterStub::call);
    /// assert_eq!(increment.call(2).await?, 3);
    /// # Ok(()) }
    /// ```
    pub fn bind<T: Stub, M: StubMethod<T, S>>(stub: &T, method: M) -> Self {
        let (probe, given) = (Arc::new(Relay::Probe(Probe::default())), M::placeholders());
        method.call_on(&T::from_handle(Handle(Repr::Relay(Arc::clone(&probe)))), &given);
        let found = match &*probe {
            Relay::Probe(probe) => probe.method(&given),
            _ => return Self::from_handle(stub.handle().clone()),
        };
        Self::from_handle(match found {
            Ok(method) => BoundMethod::bind(stub.handle(), S::interface(), method),
            Err(error) => Handle::broken(error),
        })
    }

    /// The function that runs the future which `function` returns.
    ///
    /// An async closure that captures something cannot be called twice; write
    /// `move |n: i64| { let shared = shared.clone(); async move { … } }` instead.
    pub fn new_async<F: IntoAsyncRpcFn<S>>(function: F) -> Self {
        function.into_async_rpc_fn()
    }
}

impl<S> Clone for RpcFn<S> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), interface: self.interface, signature: PhantomData }
    }
}

impl<S> fmt::Debug for RpcFn<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RpcFn").field(&self.handle).finish()
    }
}

impl<S> Serialize for RpcFn<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serialize_stub(&self.handle, self.interface, serializer)
    }
}

impl<'de, S: FnSignature> Deserialize<'de> for RpcFn<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_stub(deserializer, S::interface).map(Self::from_handle)
    }
}

impl<S: FnSignature> Pipeline for RpcFn<S> {
    fn from_handle(handle: Handle) -> Self {
        Self { handle, interface: S::interface(), signature: PhantomData }
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn into_handle(self) -> Handle {
        self.handle
    }
}

impl<S: FnSignature> IntoValue for RpcFn<S> {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl<S: FnSignature> RpcValue for RpcFn<S> {
    type Pipeline = Self;

    fn describe(schema: &mut SchemaBuilder) {
        schema.stub(S::interface);
    }

    fn from_promise(handle: Handle) -> Result<Self, Handle> {
        Ok(Self::from_handle(handle))
    }
}

impl<S: FnSignature> Stub for RpcFn<S> {
    fn interface() -> &'static Interface {
        S::interface()
    }
}

/// The signatures that a function can have: `fn(A, …) -> R` of up to twelve [`RpcValue`]s, where `R` is an
/// [`RpcReturn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the signature of a remote function",
    note = "write it as a function pointer of up to twelve values, such as `RpcFn<fn(i64) -> String>`"
)]
pub trait FnSignature: Sized + 'static {
    #[doc(hidden)]
    fn interface() -> &'static Interface;
}

/// What can be called as a function of signature `S`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called as a remote `{S}`",
    note = "it must be `FnMut` of exactly these types, `Send` and `'static`"
)]
pub trait IntoRpcFn<S>: Sized {
    /// Moves it behind a reference.
    fn into_rpc_fn(self) -> RpcFn<S>;
}

/// What can be called as a function of signature `S` and gives a future of its result.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called as a remote async `{S}`",
    note = "it must be `FnMut` of exactly these types, and with its future `Send` and `'static`; an `async move` closure that captures something is not: write `move |…| {{ let shared = shared.clone(); async move {{ … }} }}`"
)]
pub trait IntoAsyncRpcFn<S>: Sized {
    /// Moves it behind a reference.
    fn into_async_rpc_fn(self) -> RpcFn<S>;
}

/// A method of stubs of type `T` that has the signature `S`: `CounterStub::increment` is a
/// `StubMethod<CounterStub, fn(i64) -> i64>`. See [`RpcFn::bind`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method of `{T}` with the signature `{S}`",
    note = "name the method by the type of the stub, as in `RpcFn::bind(&counter, CounterStub::increment)`; its parameters and its result must be exactly those of the function"
)]
pub trait StubMethod<T, S>: Sized {
    /// What stands for the arguments.
    #[doc(hidden)]
    fn placeholders() -> Vec<Handle>;

    /// Calls the method with these.
    #[doc(hidden)]
    fn call_on(self, stub: &T, given: &[Handle]);
}

/// The table of closures `F` of signature `S`, of which a `static` cannot speak.
struct SyncTable<F, S>(PhantomData<(F, S)>);

/// The table of closures `F` that return futures.
struct AsyncTable<F, S>(PhantomData<(F, S)>);

macro_rules! functions {
    ($($($T:ident $argument:ident),*;)*) => {$(
        impl<$($T: RpcValue,)* R: RpcReturn + 'static> FnSignature for fn($($T),*) -> R {
            fn interface() -> &'static Interface {
                generic_interface::<Self>("RpcFn", const { &[Sig::method::<($($T,)*), R>(CALL)] })
            }
        }

        impl<$($T: RpcValue,)* R: RpcReturn + 'static> RpcFn<fn($($T),*) -> R> {
            /// Calls it.
            #[track_caller]
            #[allow(clippy::too_many_arguments, reason = "as many as the function takes")]
            pub fn call(&self, $($argument: impl IntoArg<$T>),*) -> Promise<R::Value, R::Error> {
                call::<R, ($($T,)*), _>(&self.handle, self.interface, 0, ($($argument,)*))
            }
        }

        impl<$($T,)* R, F> SyncTable<F, fn($($T),*) -> R>
        where
            $($T: RpcValue,)*
            R: RpcReturn + 'static,
            F: FnMut($($T),*) -> R + Send + 'static,
        {
            const TABLE: &'static Table<F> = &Table {
                interface: <fn($($T),*) -> R as FnSignature>::interface,
                methods: &[Method::serial(|function, call| {
                    call.run(|($($argument,)*): ($($T,)*)| function($($argument),*));
                })],
                parent: None,
                on_release: &[],
            };
        }

        impl<$($T,)* R, F> IntoRpcFn<fn($($T),*) -> R> for F
        where
            $($T: RpcValue,)*
            R: RpcReturn + 'static,
            F: FnMut($($T),*) -> R + Send + 'static,
        {
            fn into_rpc_fn(self) -> RpcFn<fn($($T),*) -> R> {
                RpcFn::from_handle(serve_serial(self, SyncTable::<F, fn($($T),*) -> R>::TABLE))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<$($T,)* R, F> IntoArg<RpcFn<fn($($T),*) -> R>> for F
        where
            $($T: RpcValue,)*
            R: RpcReturn + 'static,
            F: FnMut($($T),*) -> R + Send + 'static,
        {
            fn into_arg(self) -> Arg<RpcFn<fn($($T),*) -> R>> {
                Arg::Value(self.into_rpc_fn())
            }
        }

        impl<Stub, $($T: RpcValue,)* R: RpcReturn, F> StubMethod<Stub, fn($($T),*) -> R> for F
        where
            F: FnOnce(&Stub, $(Promise<$T>),*) -> Promise<R::Value, R::Error>,
        {
            fn placeholders() -> Vec<Handle> {
                vec![$({ let _ = stringify!($argument); placeholder() }),*]
            }

            #[allow(unused_mut, unused_variables, reason = "a method without parameters")]
            fn call_on(self, stub: &Stub, given: &[Handle]) {
                let mut given = given.iter();
                let mut next = || given.next().cloned().unwrap_or_else(placeholder);
                $(let $argument = Promise::from_handle(next());)*
                drop(self(stub, $($argument),*));
            }
        }

        impl<$($T,)* R, F, Fut> AsyncTable<F, fn($($T),*) -> R>
        where
            $($T: RpcValue,)*
            R: RpcReturn + 'static,
            F: FnMut($($T),*) -> Fut + Send + 'static,
            Fut: Future<Output = R> + Send + 'static,
        {
            const TABLE: &'static Table<F> = &Table {
                interface: <fn($($T),*) -> R as FnSignature>::interface,
                // The closure is lent only until it has returned its future, so that calls start in order and
                // a pending one holds up none.
                methods: &[Method::serial(|function, call| {
                    call.start_with(|($($argument,)*): ($($T,)*)| function($($argument),*));
                })],
                parent: None,
                on_release: &[],
            };
        }

        impl<$($T,)* R, F, Fut> IntoAsyncRpcFn<fn($($T),*) -> R> for F
        where
            $($T: RpcValue,)*
            R: RpcReturn + 'static,
            F: FnMut($($T),*) -> Fut + Send + 'static,
            Fut: Future<Output = R> + Send + 'static,
        {
            fn into_async_rpc_fn(self) -> RpcFn<fn($($T),*) -> R> {
                RpcFn::from_handle(serve_serial(self, AsyncTable::<F, fn($($T),*) -> R>::TABLE))
            }
        }
    )*};
}

functions! {
    ;
    A a;
    A a, B b;
    A a, B b, C c;
    A a, B b, C c, D d;
    A a, B b, C c, D d, E e;
    A a, B b, C c, D d, E e, G g;
    A a, B b, C c, D d, E e, G g, H h;
    A a, B b, C c, D d, E e, G g, H h, I i;
    A a, B b, C c, D d, E e, G g, H h, I i, J j;
    A a, B b, C c, D d, E e, G g, H h, I i, J j, K k;
    A a, B b, C c, D d, E e, G g, H h, I i, J j, K k, L l;
    A a, B b, C c, D d, E e, G g, H h, I i, J j, K k, L l, M m;
}
