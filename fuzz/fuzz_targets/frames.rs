//! Any bytes as one frame: the decoder does not panic, and what it reads is read again after it was written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| farcall_core::fuzzing::frames(data));
