#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| haproxy_jwt_fuzz::proofs::proof(input));
