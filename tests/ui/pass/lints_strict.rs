//! What is printed gives no warnings under lints that users have on.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations, unused_qualifications)]
#![deny(elided_lifetimes_in_paths, single_use_lifetimes, private_interfaces, private_bounds, dead_code)]
#![deny(non_snake_case, non_camel_case_types, unused_results, unnameable_types, let_underscore_drop)]

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug)]
struct Private;

#[rpc_target]
#[allow(unreachable_pub)]
impl Private {
    pub fn from_str(&self, text: &str) -> bool {
        text.is_empty()
    }
    pub fn len(&self) -> usize {
        0
    }
    #[deprecated]
    pub async fn new(&self) -> Self {
        Private
    }
    #[cfg(any())]
    pub fn never(&self) -> NotThere {}
}

/// A value.
#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Public {
    /// A field.
    pub next: Option<Box<Public>>,
    hidden: u8,
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
struct Inner {
    pub name: String,
}

/// A contract.
#[rpc_target]
pub trait Contract {
    /// A method.
    fn method(&mut self, inner: u8) -> u8;
    /// Another.
    async fn other(&mut self) -> Public;
}

#[rpc_target(secondary)]
impl Contract for Private {
    fn method(&mut self, inner: u8) -> u8 {
        inner
    }
    async fn other(&mut self) -> Public {
        Public { next: None, hidden: 0 }
    }
}

/// Uses all of it.
fn main() {
    let value = Inner { name: String::new() };
    drop((Private, value, Public { next: None, hidden: 1 }.hidden));
}
