//! After joining, every node is known everywhere.

use super::seeds::for_seeds;
use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use std::time::Duration;

fn joins(nodes: usize, loss: f64, seed: u64) -> Option<Duration> {
    let network = NetworkSettings { loss, ..NetworkSettings::default() };
    let mut sim = Simulation::new(nodes, Settings::standard(), network, seed);
    sim.start_all();
    sim.run_until(Duration::from_secs(20), Simulation::is_converged)
}

#[test]
fn ten_nodes_that_start_together_know_each_other_within_a_second() {
    for_seeds(10, |seed| {
        let took = joins(10, 0.0, seed).expect("they converge");
        assert!(took <= Duration::from_secs(1), "it took {took:?}");
    });
}

#[test]
fn ten_nodes_know_each_other_within_three_seconds_when_packets_are_lost() {
    for_seeds(10, |seed| {
        let took = joins(10, 0.05, seed).expect("they converge");
        assert!(took <= Duration::from_secs(3), "it took {took:?}");
    });
}

#[test]
fn a_hundred_nodes_know_each_other_within_three_seconds() {
    for_seeds(1, |seed| {
        let took = joins(100, 0.05, seed).expect("they converge");
        assert!(took <= Duration::from_secs(3), "it took {took:?}");
    });
}

#[test]
fn a_late_joiner_is_known_everywhere_within_a_second() {
    for_seeds(5, |seed| {
        let network = NetworkSettings { loss: 0.05, ..NetworkSettings::default() };
        let mut sim = Simulation::new(10, Settings::standard(), network, seed);
        (0..9).for_each(|index| sim.start(index, &[0]));
        sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
        sim.run_for(Duration::from_secs(60));
        sim.start(9, &[4]);
        let took = sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
        assert!(took <= Duration::from_secs(1), "it took {took:?}");
    });
}
