//! [`Entrypoint`]: a class of targets of which a host makes an object for each call; [`Class`] is one without its types.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use farcall_core::connection::MainObject;
use farcall_core::error::{Error, ErrorKind};
use farcall_core::interface::MethodId;
use farcall_core::invocation::{Made as MadeObject, knows, serve_anew};
use farcall_core::private::StubOf;
use farcall_core::stub::Stub;
use serde::de::DeserializeOwned;

use crate::ctx::Ctx;
use crate::env::{Env, EnvReader};
use crate::life::Hold;
use crate::props::Props;

/// A class of targets of which a host makes an object for each call. `#[entrypoint]` implements it. Rows 1 and 7.
pub trait Entrypoint: Sized + Send + 'static {
    /// The name by which bindings find it.
    const NAME: &'static str;

    /// Whether it is what a binding finds that names no entrypoint. A sole one is, in any case.
    const DEFAULT: bool;

    /// Its stub.
    type Stub: StubOf<Self>;

    /// The environment that it is made with.
    type Env: Env;

    /// What its bindings carry.
    type Props: DeserializeOwned;

    /// Makes an object for one call.
    ///
    /// # Errors
    /// What the call fails with.
    fn make(env: Arc<Self::Env>, ctx: Ctx) -> Result<Self, Error>;
}

/// What `new` takes first: an environment that all objects share.
#[diagnostic::on_unimplemented(
    message = "an entrypoint takes its environment as `Arc<Env>`, and `{Self}` is not that",
    label = "write `Arc<…>` around a struct that derives `Env`"
)]
pub trait SharedEnv {
    /// The environment.
    type Env: Env;
}

impl<E: Env> SharedEnv for Arc<E> {
    type Env = E;
}

/// What `new` returns: an object, or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`new` of an entrypoint returns `Self` or `Result<Self, E>`, and `{Self}` is neither",
    note = "in `Result<Self, E>`, `E` must be `Display`: it becomes the text of the call's error"
)]
pub trait Constructed<T> {
    /// The object, or why there is none.
    ///
    /// # Errors
    /// What the call fails with.
    fn made(self) -> Result<T, Error>;
}

pub use Constructed as Made;

impl<T: Entrypoint> Constructed<T> for T {
    fn made(self) -> Result<T, Error> {
        Ok(self)
    }
}

impl<T: Entrypoint, E: fmt::Display> Constructed<T> for Result<T, E> {
    fn made(self) -> Result<T, Error> {
        self.map_err(|error| {
            let text = format!("an object of `{}` could not be made: {error}", T::NAME);
            Error::new(ErrorKind::Unsupported, text)
        })
    }
}

/// An environment that was read, of a type that its entrypoint knows.
pub(crate) type AnyEnv = Arc<dyn Any + Send + Sync>;

/// Makes the context for one call.
pub(crate) type MakeCtx = Box<dyn Fn() -> Result<(Ctx, Arc<Hold>), Error> + Send + Sync>;

/// An entrypoint without its types.
#[derive(Clone)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) is_default: bool,
    pub(crate) id: TypeId,
    pub(crate) env: TypeId,
    pub(crate) read_env: fn(&mut EnvReader<'_>) -> Option<AnyEnv>,
    /// Whether it has a method.
    pub(crate) knows: fn(MethodId) -> Result<(), Error>,
    /// Whether a binding may carry these.
    pub(crate) takes: fn(&Props) -> Result<(), Error>,
    /// A target that makes an object for each call.
    pub(crate) open: fn(&AnyEnv, MakeCtx) -> Option<MainObject>,
}

impl Class {
    pub(crate) fn of<T: Entrypoint>() -> Self {
        Self {
            name: T::NAME,
            is_default: T::DEFAULT,
            id: TypeId::of::<T>(),
            env: TypeId::of::<T::Env>(),
            read_env: |reader| Some(Arc::new(T::Env::read(reader)?)),
            knows: knows::<T::Stub, T>,
            takes: |props| props.read::<T::Props>().map(|_| ()),
            open: open::<T>,
        }
    }
}

fn open<T: Entrypoint>(env: &AnyEnv, make_ctx: MakeCtx) -> Option<MainObject> {
    let env = Arc::clone(env).downcast::<T::Env>().ok()?;
    let handle = serve_anew::<T::Stub, T>(move || -> MadeObject<T> {
        let (ctx, hold) = make_ctx()?;
        Ok((T::make(Arc::clone(&env), ctx)?, hold))
    });
    Some(MainObject::of(handle, T::Stub::interface()))
}
