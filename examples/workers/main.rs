//! What workers can do, one listing a file. In each, one worker calls another by a binding of its configuration.
//!
//! ```console
//! cargo run --features host --example workers             # all of them
//! cargo run --features host --example workers -- greet    # one
//! ```
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::needless_pass_by_value,
    reason = "an example; what a method gets, it owns"
)]

pub mod company;
pub mod counter_as_a_function;
pub mod counter_as_an_object;
pub mod five_functions;
pub mod function_with_properties;
pub mod greet;
pub mod line;
pub mod named_entrypoint;
pub mod round_trips;
pub mod signup;
pub mod visibility;

use std::pin::Pin;

/// What a listing gives, or why it does not.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub type Running = Pin<Box<dyn Future<Output = Outcome<Vec<String>>>>>;

/// A listing: its name, and what runs it.
pub type Listing = (&'static str, fn() -> Running);

/// All of them.
pub const LISTINGS: [Listing; 10] = [
    ("greet", || Box::pin(greet::run())),
    ("signup", || Box::pin(signup::run())),
    ("counter_as_a_function", || Box::pin(counter_as_a_function::run())),
    ("counter_as_an_object", || Box::pin(counter_as_an_object::run())),
    ("company", || Box::pin(company::run())),
    ("visibility", || Box::pin(visibility::run())),
    ("function_with_properties", || Box::pin(function_with_properties::run())),
    ("named_entrypoint", || Box::pin(named_entrypoint::run())),
    ("five_functions", || Box::pin(five_functions::run())),
    ("round_trips", || Box::pin(round_trips::run())),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let wanted = std::env::args().nth(1);
    for (name, run) in LISTINGS {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            println!("{name}");
            for line in run().await? {
                println!("  {line}");
            }
        }
    }
    Ok(())
}
