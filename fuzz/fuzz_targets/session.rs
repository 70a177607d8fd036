//! A session and a peer that sends what it likes: no panic, the books stay right, and nothing is left at the end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| farcall_core::fuzzing::session(data));
