//! Any bytes as a value with capabilities: what is read is walked along paths, written, and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    farcall_core::fuzzing::values(data);
});
