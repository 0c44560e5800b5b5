#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| octopussy_agents::agent_factory::essence::fuzz::directory(bytes));
