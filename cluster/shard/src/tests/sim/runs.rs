//! The cluster under many seeds.

use super::driver::run;
use super::planted::Planted;

/// How many seeds an ordinary test run tries.
const SEEDS: u64 = 6;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_invariant_holds_under_every_seed() {
    let seeds = match from_environment("OCTOPUSSY_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("OCTOPUSSY_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut failed = Vec::new();
    let (mut effects, mut ended) = (0, 0);
    for seed in seeds {
        match run(seed, Planted::Nothing) {
            Ok(summary) => {
                effects += summary.effects;
                ended += summary.ended;
            }
            Err(fault) => failed.push(format!("OCTOPUSSY_SIM_SEED={seed}: {fault}")),
        }
    }
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), failed.join("\n"));
    assert!(effects > 0 && ended > 0, "nothing was ever done");
}
