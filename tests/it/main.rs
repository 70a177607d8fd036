//! What farcall does, over every transport. `docs/BEHAVIOURS.md` says which test shows which behaviour.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod calls;
mod contracts;
mod documentation;
mod functions;
mod kit;
mod pipelining;
mod round_trips;
mod visibility;
