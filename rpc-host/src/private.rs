//! What macro output may name of this crate.

pub use std::sync::Arc;

pub use crate::ctx::Ctx;
pub use crate::entrypoint::{Constructed, Entrypoint, Made, SharedEnv};
pub use crate::env::{Env, EnvField, EnvReader};
pub use crate::props::NoProps;
