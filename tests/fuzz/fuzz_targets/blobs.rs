#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| octopussy_blobs::fuzz::frames(bytes));
