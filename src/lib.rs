//! Typed object-capability RPC: annotate an `impl` block, call it from another process, chain calls before their
//! results exist.
//!
//! ```
//! use farcall::prelude::*;
//!
//! #[derive(Default)]
//! pub struct Counter { value: i64 }
//!
//! #[rpc_target]
//! impl Counter {
//!     pub fn increment(&mut self, amount: i64) -> i64 { self.value += amount; self.value }
//! }
//!
//! pub struct CounterService;
//!
//! #[rpc_target]
//! impl CounterService {
//!     pub async fn new_counter(&self) -> Counter { Counter::default() }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = farcall::serve("tcp://127.0.0.1:0", CounterService).await?;
//! let uri = server.uri();
//! tokio::spawn(server);
//!
//! let service: CounterServiceStub = farcall::connect(&uri).await?;
//! assert_eq!(service.new_counter().increment(2).await?, 2); // two calls, one round trip
//! # Ok(()) }
//! ```

pub use farcall_core::Bytes;
pub use farcall_core::arg::IntoArg;
pub use farcall_core::connection::{Connection, Greeting, MainObject};
pub use farcall_core::context::{self, CallContext, deadline};
pub use farcall_core::error::{CallError, Error, ErrorKind};
pub use farcall_core::fault::Fault;
pub use farcall_core::function::RpcFn;
pub use farcall_core::limits::Limits;
pub use farcall_core::promise::{CallFuture, NoPipeline, Pipeline, Promise};
pub use farcall_core::reason::Reason;
pub use farcall_core::revocable::{Revocable, RevokeOnDrop, Revoker};
pub use farcall_core::schema::SchemaBuilder;
pub use farcall_core::snapshot;
pub use farcall_core::stub::{IntoStub, Stub};
pub use farcall_core::stub_from;
#[cfg(feature = "json")]
pub use farcall_core::value::Json;
pub use farcall_core::value::{IntoValue, Plain, RpcReturn, RpcValue};
pub use farcall_core::weak::WeakStub;
pub use farcall_macros::{RpcValue, rpc_target};
pub use farcall_transport::{
    Asked, Certificate, Driver, Endpoint, Peer, Server, Uri, connect, main_stub, probe, serve, testing,
};

#[cfg(feature = "tls")]
pub use farcall_transport::Tls;

#[cfg(feature = "host")]
pub use farcall_host::{
    Caller, Constructed, Ctx, End, Entrypoint, Env, EnvField, EnvReader, Exports, Health, HealthStub, Host,
    HostStatus, NoProps, Problem, Props, Running, Secret, Service, StartError, Waited, Worker, binding,
};
#[cfg(feature = "host")]
pub use farcall_macros::{Env, entrypoint};

#[doc(hidden)]
pub mod __private {
    pub use farcall_core::private::*;
    #[cfg(feature = "host")]
    pub use farcall_host::private::*;
}

/// What most programs need: `use farcall::prelude::*;`.
pub mod prelude {
    pub use std::future::IntoFuture as _;

    pub use crate::{
        Bytes, CallError, Error, ErrorKind, Fault, IntoStub, Plain, Promise, RpcFn, RpcValue, Stub,
        rpc_target,
    };
    #[cfg(feature = "host")]
    pub use crate::{Ctx, Env, Host, Secret, Service, entrypoint};
}

/// The listings of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
