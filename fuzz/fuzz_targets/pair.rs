//! Two honest sessions that do random things in random order: neither accuses the other, and nothing is left.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| farcall_core::fuzzing::pair(data));
