#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jose_fuzz::properties::header(input));
