//! Nobody who lives is declared down because packets are lost, and nobody takes a new identity without a reason.

use super::seeds::for_seeds;
use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use std::time::Duration;

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn lossy(nodes: usize, settings: Settings, time: Duration, seed: u64) {
    let network = NetworkSettings { loss: 0.05, ..NetworkSettings::default() };
    let mut sim = Simulation::new(nodes, settings, network, seed);
    sim.start_all();
    sim.run_for(time);
    assert!(sim.is_converged() || sim.run_until(Duration::from_secs(2), Simulation::is_converged).is_some());
    assert_eq!(sim.deaths(), [], "someone was declared down");
    assert_eq!(sim.renewals(), 0, "someone believed to be down");
}

#[test]
fn ten_nodes_lose_five_percent() {
    for_seeds(3, |seed| lossy(10, Settings::standard(), TEN_MINUTES, seed));
}

#[test]
fn ten_nodes_with_fast_settings_lose_five_percent() {
    for_seeds(2, |seed| lossy(10, Settings::fast(), TEN_MINUTES / 2, seed));
}

#[test]
fn two_nodes_lose_five_percent() {
    for_seeds(10, |seed| lossy(2, Settings::standard(), TEN_MINUTES, seed));
}

#[test]
fn three_nodes_lose_five_percent() {
    for_seeds(5, |seed| lossy(3, Settings::standard(), TEN_MINUTES, seed));
}

#[test]
fn a_hundred_nodes_lose_five_percent() {
    for_seeds(1, |seed| lossy(100, Settings::standard(), Duration::from_secs(15), seed));
}

#[test]
fn nodes_of_a_slow_network_with_its_settings_lose_five_percent() {
    for_seeds(3, |seed| {
        let network = NetworkSettings {
            latency_min: Duration::from_millis(30),
            latency_max: Duration::from_millis(250),
            loss: 0.05,
            idle_timeout: Duration::from_secs(10),
        };
        let mut sim = Simulation::new(10, Settings::wan(), network, seed);
        sim.start_all();
        sim.run_for(Duration::from_secs(600));
        assert_eq!(sim.deaths(), [], "someone was declared down");
    });
}
