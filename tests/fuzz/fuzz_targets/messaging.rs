#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| octopussy_infrastructure::messaging::fuzz::frames(bytes));
