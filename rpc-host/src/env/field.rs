//! [`EnvField`]: what may be a field of an environment.

use farcall_core::stub::Stub;
use serde::de::DeserializeOwned;

use super::{Env, EnvReader};
use crate::service::Service;

/// What may be a field of an environment: a variable of any type that serde can read, a [`Service`], an `Option` of
/// either, or a group of them that derives `Env`.
///
/// The parameter says which of these it is. Rustc finds it: each type is one of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of an environment",
    label = "a variable has a type with serde's `Deserialize`, a binding is `Service<…Stub>`, a group of them derives `Env`"
)]
pub trait EnvField<Kind>: Sized {
    /// Reads the field of this name.
    fn read_field(reader: &mut EnvReader<'_>, name: &'static str) -> Option<Self>;
}

/// A variable.
#[derive(Debug)]
pub enum Variable {}

/// A binding.
#[derive(Debug)]
pub enum Bound {}

/// A binding that may be missing.
#[derive(Debug)]
pub enum PerhapsBound {}

/// A group of fields.
#[derive(Debug)]
pub enum Group {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> EnvField<Variable> for T {
    fn read_field(reader: &mut EnvReader<'_>, name: &'static str) -> Option<Self> {
        reader.variable(name)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Stub> EnvField<Bound> for Service<S> {
    fn read_field(reader: &mut EnvReader<'_>, name: &'static str) -> Option<Self> {
        match reader.binding(name)? {
            Some(service) => Some(service),
            None => {
                reader.missing_binding(name);
                None
            }
        }
    }
}

#[diagnostic::do_not_recommend]
impl<S: Stub> EnvField<PerhapsBound> for Option<Service<S>> {
    fn read_field(reader: &mut EnvReader<'_>, name: &'static str) -> Option<Self> {
        reader.binding(name)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Env> EnvField<Group> for E {
    fn read_field(reader: &mut EnvReader<'_>, name: &'static str) -> Option<Self> {
        reader.group(name)
    }
}
