//! Every invariant is tried under several seeds.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs `test` under `usual` seeds, or as many as `OCTOPUSSY_SIM_SEEDS` says; prints the seed that fails.
pub(super) fn for_seeds(usual: u64, test: impl Fn(u64)) {
    let seeds = std::env::var("OCTOPUSSY_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    for seed in 0..seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("the simulation fails with seed {seed}");
            resume_unwind(panic);
        }
    }
}
