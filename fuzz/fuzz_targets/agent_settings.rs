#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| haproxy_jwt_fuzz::agent::settings::agent_settings(input));
