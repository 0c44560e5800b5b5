#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| octopussy_gateway::fuzz::completion(bytes));
