//! What farcall does, over every transport. `docs/BEHAVIOURS.md` says which test shows which behaviour.

mod calls;
mod kit;
