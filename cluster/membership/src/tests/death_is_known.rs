//! A node that has died is known to be down everywhere, soon.

use super::seeds::for_seeds;
use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use octopussy_core::ports::Reach;
use std::time::Duration;

fn cluster(nodes: usize, loss: f64, seed: u64) -> Simulation {
    let network = NetworkSettings { loss, ..NetworkSettings::default() };
    let mut sim = Simulation::new(nodes, Settings::standard(), network, seed);
    sim.start_all();
    sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
    sim.run_for(Duration::from_secs(3));
    sim
}

/// How long it takes under seeds from 0, in order of length.
fn times(nodes: usize, loss: f64, seeds: u64) -> Vec<Duration> {
    let times = parking_lot::Mutex::new(Vec::new());
    for_seeds(seeds, |seed| {
        let mut sim = cluster(nodes, loss, seed);
        sim.crash(nodes - 1);
        let took = sim.run_until(Duration::from_secs(20), |sim| sim.is_down_everywhere(nodes - 1));
        let took = took.expect("it is noticed");
        // Whom gossip has missed notices the end of the connection after three seconds, and then waits for a sign of life.
        let settings = Settings::standard();
        let bound =
            NetworkSettings::default().idle_timeout + settings.suspicion_among(nodes) + Duration::from_millis(50);
        assert!(took <= bound, "it took {took:?}");
        times.lock().push(took);
    });
    let mut times = times.into_inner();
    times.sort();
    times
}

#[test]
fn the_death_of_one_of_ten_is_known_within_three_seconds() {
    let times = times(10, 0.0, 20);
    assert!(times[times.len() * 9 / 10] <= Duration::from_secs(3), "{times:?}");
}

#[test]
fn the_death_of_one_of_ten_is_known_within_three_seconds_when_packets_are_lost() {
    let times = times(10, 0.05, 20);
    assert!(times[times.len() * 9 / 10] <= Duration::from_secs(3), "{times:?}");
}

#[test]
fn the_death_of_one_of_a_hundred_is_known_within_five_seconds() {
    times(100, 0.05, 1);
}

#[test]
fn in_a_cluster_of_two_the_survivor_notices() {
    for_seeds(10, |seed| {
        let mut sim = cluster(2, 0.0, seed);
        sim.crash(0);
        let took = sim.run_until(Duration::from_secs(20), |sim| sim.reach(1, 0) == Reach::Down).expect("it is noticed");
        assert!(took <= Duration::from_secs(3), "it took {took:?}");
    });
}

#[test]
fn a_node_that_leaves_is_known_to_be_gone_within_a_second() {
    for_seeds(10, |seed| {
        let mut sim = cluster(10, 0.05, seed);
        sim.leave(3);
        let took = sim.run_until(Duration::from_secs(20), |sim| sim.is_down_everywhere(3)).expect("it is noticed");
        assert!(took <= Duration::from_secs(1), "it took {took:?}");
        sim.run_for(Duration::from_secs(60));
        assert!(sim.is_down_everywhere(3), "it stays gone");
    });
}

#[test]
fn nobody_else_dies_of_it() {
    for_seeds(5, |seed| {
        let mut sim = cluster(10, 0.05, seed);
        sim.crash(1);
        sim.crash(2);
        sim.run_for(Duration::from_secs(60));
        assert!(sim.is_down_everywhere(1) && sim.is_down_everywhere(2));
        assert!(sim.deaths().iter().all(|death| !death.alive), "{:?}", sim.deaths());
    });
}
