//! What workers can do, one listing a file. In each, one worker calls another by a binding of its configuration.
//!
//! ```console
//! cargo run --features host --example workers             # all of them
//! cargo run --features host --example workers -- greet    # one
//! ```
#![allow(missing_docs, unreachable_pub, reason = "an example")]
#![allow(clippy::needless_pass_by_value, reason = "what a target is given is its own")]
#![allow(clippy::type_complexity, reason = "a list")]

mod company;
mod counter_as_a_function;
mod counter_as_an_object;
mod five_functions;
mod function_with_properties;
mod greet;
mod line;
mod named_entrypoint;
mod round_trips;
mod signup;
mod visibility;

use std::pin::Pin;

/// What a listing prints, or why it does not.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

type Running = Pin<Box<dyn Future<Output = Outcome<Vec<String>>>>>;

/// Each listing: its name, and what runs it.
pub const LISTINGS: [(&str, fn() -> Running); 10] = [
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
