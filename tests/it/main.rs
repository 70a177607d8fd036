//! What farcall does, over every transport. `docs/BEHAVIOURS.md` says which test shows which behaviour.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::needless_pass_by_value, reason = "what a target is given is its own")]

mod acceptance;
mod bad_input;
mod bytes_payload;
mod callbacks;
mod calls;
mod carriers;
mod concurrency;
mod contracts;
mod disposal;
mod documentation;
mod errors;
mod failures;
mod functions;
mod kit;
mod limits;
mod names;
mod pipelining;
mod properties;
mod raw;
mod round_trips;
mod security;
mod signatures;
mod threads;
mod values;
mod versions;
mod visibility;
