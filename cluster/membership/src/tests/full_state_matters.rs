//! The harness is able to fail: without the exchange of full states and without announcing, convergence is violated.

use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use std::time::Duration;

/// More than enough for every seed with the exchange, and within it for some seed without.
const LIMIT: Duration = Duration::from_secs(20);

fn converges(settings: Settings, seed: u64) -> bool {
    let network = NetworkSettings { loss: 0.05, ..NetworkSettings::default() };
    let mut sim = Simulation::new(40, settings, network, seed);
    sim.start_all();
    sim.run_until(LIMIT, Simulation::is_converged).is_some()
}

#[test]
fn gossip_alone_does_not_converge_under_some_seed() {
    let alone = Settings { sync_on_connect: false, sync_every: None, announce_every: None, ..Settings::standard() };
    let violated = (0..5).find(|seed| !converges(alone.clone(), *seed));
    let seed = violated.expect("without full states some seed violates convergence");
    assert!(converges(Settings::standard(), seed), "with them, seed {seed} converges");
}
