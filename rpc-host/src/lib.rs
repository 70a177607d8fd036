//! Workers: entrypoints, their environments and contexts, bindings between them, and a host that runs them.
//!
//! A *worker* is what one configuration file describes: a name, variables, bindings, and the entrypoints that it exposes.
//! An *entrypoint* is a class of targets of which the host makes an object for each call. A *service* is an address that
//! can be connected again; a *binding* is one in the environment of a worker.
//!
//! # Layout
//!
//! - `entrypoint`, `worker`: what a user declares, and its form without types;
//! - `ctx`, `life`, `tasks`, `caller`, `exports`: what stands beside a call;
//! - `config`, `certificates`, `props`, `env`: what is read from files, and its errors (`problem`);
//! - `service`: bindings; `binding`: services in props;
//! - `site`: the workers of a host, and the way from a name to an object;
//! - `host`, `health`: starting, listening, draining;
//! - `private`: what macro output may name.

pub mod binding;
mod caller;
mod certificates;
mod config;
mod ctx;
mod entrypoint;
mod env;
mod exports;
mod health;
mod host;
mod life;
#[doc(hidden)]
pub mod private;
mod problem;
mod props;
mod service;
mod site;
mod tasks;
mod worker;

pub use caller::Caller;
pub use ctx::{Ctx, Waited};
pub use entrypoint::{Constructed, Entrypoint};
pub use env::{Env, EnvField, EnvReader, Secret};
pub use exports::Exports;
pub use health::{Health, HealthStub, HostStatus};
pub use host::{Host, Running};
pub use life::End;
pub use problem::{Problem, StartError};
pub use props::{NoProps, Props};
pub use service::Service;
pub use worker::Worker;

/// Where printed code finds the library inside this crate.
pub(crate) mod farcall {
    pub(crate) use farcall_core::private as __private;
}
