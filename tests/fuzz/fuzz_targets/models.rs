#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| octopussy_execution::llm_router::fuzz::frames(bytes));
