//! What farcall does, over every transport. `docs/BEHAVIOURS.md` says which test shows which behaviour.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::needless_pass_by_value, reason = "what a target is given is its own")]

mod acceptance;
mod backpressure;
mod bad_input;
mod bytes_payload;
mod callbacks;
mod calls;
mod cancellation;
mod carriers;
mod concurrency;
mod contracts;
mod disposal;
mod documentation;
mod echo_wire;
mod embargo;
mod errors;
mod failures;
mod functions;
mod in_process;
mod kit;
mod lifetimes;
mod limits;
mod names;
mod ordering;
mod pieces;
mod pipelining;
mod properties;
mod raw;
mod releases;
mod round_trips;
mod rows;
mod security;
mod shutdown;
mod signatures;
mod stalled;
mod tail_calls;
mod third_party;
mod threads;
mod transports;
mod values;
mod versions;
mod visibility;
