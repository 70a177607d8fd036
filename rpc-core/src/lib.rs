//! The rules of farcall without I/O: values, sessions, connections, stubs and promises.
//!
//! Users depend on the `farcall` crate, which re-exports what they need. This crate has no runtime, no sockets and
//! no clock; a transport drives its [`Connection`](connection::Connection)s.
//!
//! # Layout
//!
//! In reading order; from `connection` on, the modules know each other:
//!
//! - `error`, `limits`, `schema`, `value`, `arg`, `interface`: what a call consists of, and the types it may have;
//! - `codec`, `outcome`, `pool`: from typed values to bytes and capabilities, and what is kept of a result;
//! - `wire`: frames;
//! - `session`: the pure rules of one connection;
//! - `connection`: a session, the one lock around it, and what waits for it;
//! - `local`, `dispatch`, `sink`, `spawn`: calls inside this process, and running methods;
//! - `invocation`: targets that are made anew for each call; `address`: references that are looked up at each call;
//! - `handle`, `promise`, `stub`, `function`, `fault`: what users hold;
//! - `private`, `stub_impls`: what macro output may name;
//! - `fuzzing`: what tests and fuzzers drive sessions with; not a part of the library.

pub mod address;
pub mod arg;
mod codec;
pub mod connection;
mod dispatch;
pub mod error;
pub mod fault;
pub mod function;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "not a part of the library")]
pub mod fuzzing;
pub mod handle;
pub mod interface;
pub mod invocation;
pub mod limits;
mod local;
mod outcome;
mod pool;
#[doc(hidden)]
pub mod private;
pub mod promise;
pub mod schema;
mod session;
mod sink;
pub mod spawn;
pub mod stub;
mod stub_impls;
pub mod value;
mod wire;

pub use bytes::Bytes;
pub use wire::Segment;
