//! Everything that macro output may name, and nothing else.

pub use core::clone::Clone;
pub use core::fmt::{Debug, Formatter, Result as FmtResult};
pub use core::future::Future;
pub use core::marker::{PhantomData, Send, Sized, Sync};
pub use core::ops::Deref;
pub use core::option::Option;
pub use core::result::Result;
pub use serde;
pub use std::borrow::{Borrow, ToOwned};
pub use std::boxed::Box;
pub use std::string::String;
pub use std::sync::LazyLock;
pub use std::vec::Vec;

pub use crate::arg::{Arg, ArgList, IntoArg, ParamList};
pub use crate::codec::{deserialize_stub, serialize_stub};
pub use crate::dispatch::{Call, Lease, Method, Release, Shared, Table, serve_serial, serve_shared};
pub use crate::error::{CallError, Error};
pub use crate::function::RpcFn;
pub use crate::handle::Handle;
pub use crate::impl_stub;
pub use crate::interface::{Interface, Sig, generic_interface};
pub use crate::promise::{NoPipeline, Pipeline, Promise, field};
pub use crate::schema::SchemaBuilder;
pub use crate::stub::{IntoStub, Stub, call};
pub use crate::stub_impls::{Argument, Promised, Return, StubOf, Value, debug_stub};
pub use crate::value::{IntoValue, RpcReturn, RpcValue};
