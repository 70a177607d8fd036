//! The rules of farcall without I/O: values, sessions, connections, stubs and promises.
//!
//! Users depend on the `farcall` crate, which re-exports what they need. This crate has no runtime and no sockets, and
//! of clocks only that of deadlines; a transport drives its [`Connection`](connection::Connection)s.
//!
//! # Layout
//!
//! In reading order; from `connection` on, the modules know each other:
//!
//! - `error`, `limits`, `schema`, `value`, `arg`, `interface`: what a call consists of, and the types it may have;
//! - `codec`, `outcome`, `naming`, `pool`: from typed values to bytes and capabilities, and what is kept of a result;
//! - `context`: what a call carries beside its arguments, and deadlines;
//! - `wire`: frames;
//! - `session`: the pure rules of one connection;
//! - `connection`: a session, the one lock around it, and what waits for it;
//! - `local`, `dispatch`, `sink`, `spawn`, `waiting`: calls inside this process, and running methods;
//! - `reason`, `bell`, `weak`, `fuse`: why and when a stub breaks, and who waits for it;
//! - `sites`, `snapshot`: what is held over a connection, and where it comes from;
//! - `relay`: references that stand before others; `address`: references that are looked up at each call;
//! - `invocation`: targets that are made anew for each call;
//! - `handle`, `promise`, `stub`, `function`, `revocable`, `later`, `fault`: what users hold;
//! - `private`, `stub_impls`: what macro output may name;
//! - `fuzzing`: what tests and fuzzers drive sessions with; not a part of the library.

pub mod address;
pub mod arg;
mod bell;
mod codec;
#[cfg(all(test, shuttle))]
mod concurrency;
pub mod connection;
pub mod context;
mod dispatch;
pub mod error;
pub mod fault;
pub mod function;
mod fuse;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "not a part of the library")]
pub mod fuzzing;
pub mod handle;
pub mod interface;
pub mod invocation;
mod later;
pub mod limits;
mod local;
mod naming;
mod outcome;
mod pool;
#[doc(hidden)]
pub mod private;
pub mod promise;
pub mod reason;
mod relay;
pub mod revocable;
pub mod schema;
mod session;
mod sink;
mod sites;
pub mod snapshot;
pub mod spawn;
pub mod stub;
mod stub_impls;
mod sync;
pub mod value;
mod waiting;
pub mod weak;
mod wire;

pub use bytes::Bytes;
pub use later::stub_from;
pub use wire::{Describer, Segment};
