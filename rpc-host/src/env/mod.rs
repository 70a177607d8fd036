//! Environments: structs whose fields are variables and bindings, read from a configuration.

mod field;
mod override_value;
mod reader;
mod secret;

pub use field::EnvField;
pub use reader::EnvReader;
pub(crate) use reader::Source;
pub use secret::Secret;

/// The variables and bindings of a worker. `#[derive(Env)]` implements it. Row 10.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no environment",
    note = "write `#[derive(Env)]` on the struct that has the variables and bindings as its fields"
)]
pub trait Env: Sized + Send + Sync + 'static {
    /// Reads it. What is missing or wrong goes to the reader's list; then there is none.
    fn read(reader: &mut EnvReader<'_>) -> Option<Self>;
}

/// The environment of an entrypoint that needs none.
impl Env for () {
    fn read(_: &mut EnvReader<'_>) -> Option<Self> {
        Some(())
    }
}
