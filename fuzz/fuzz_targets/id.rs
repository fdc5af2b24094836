#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| redstream_core::fuzzing::id(bytes));
