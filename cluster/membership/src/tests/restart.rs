//! A node that has been started again supersedes its earlier life everywhere.

use super::seeds::for_seeds;
use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use std::time::Duration;

fn restarts(after: Duration, within: Duration) {
    for_seeds(5, |seed| {
        let network = NetworkSettings { loss: 0.05, ..NetworkSettings::default() };
        let mut sim = Simulation::new(10, Settings::standard(), network, seed);
        sim.start_all();
        sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
        sim.crash(5);
        sim.run_for(after);
        sim.start(5, &[0, 1]);
        let took = sim.run_until(Duration::from_secs(20), |sim| sim.is_alive_everywhere(5)).expect("it is known again");
        assert!(took <= within, "it took {took:?}");
        sim.run_for(Duration::from_secs(60));
        assert!(sim.run_until(Duration::from_secs(2), Simulation::is_converged).is_some(), "it lasts");
        assert!(sim.deaths().iter().all(|death| !death.alive), "the new life was declared down: {:?}", sim.deaths());
    });
}

#[test]
fn at_once() {
    restarts(Duration::from_millis(100), Duration::from_secs(1));
}

#[test]
fn while_it_is_suspected() {
    restarts(Duration::from_millis(1_500), Duration::from_secs(1));
}

#[test]
fn after_it_was_declared_down() {
    restarts(Duration::from_secs(30), Duration::from_secs(1));
}

#[test]
fn the_node_that_all_others_dialed_first() {
    for_seeds(5, |seed| {
        let mut sim = Simulation::new(5, Settings::standard(), NetworkSettings::default(), seed);
        sim.start_all();
        sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
        sim.crash(0);
        sim.run_for(Duration::from_secs(10));
        sim.start(0, &[]);
        let took = sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
        assert!(took <= Duration::from_secs(2), "it took {took:?}");
    });
}
