//! During a partition each side counts on itself; afterwards all know each other again.

use super::seeds::for_seeds;
use crate::Settings;
use crate::simulation::{NetworkSettings, Simulation};
use octopussy_core::ports::Reach;
use std::time::Duration;

fn cluster(nodes: usize, seed: u64) -> Simulation {
    let network = NetworkSettings { loss: 0.02, ..NetworkSettings::default() };
    let mut sim = Simulation::new(nodes, Settings::standard(), network, seed);
    sim.start_all();
    sim.run_until(Duration::from_secs(20), Simulation::is_converged).expect("they converge");
    sim
}

fn heals(sim: &mut Simulation) {
    sim.heal();
    let took = sim.run_until(Duration::from_secs(60), Simulation::is_converged).expect("they converge again");
    assert!(took <= Duration::from_secs(5), "it took {took:?}");
    sim.run_for(Duration::from_secs(30));
    assert!(sim.run_until(Duration::from_secs(2), Simulation::is_converged).is_some(), "it lasts");
}

#[test]
fn a_cluster_in_two_halves_comes_together() {
    for_seeds(5, |seed| {
        let mut sim = cluster(10, seed);
        sim.partition(&[0, 1, 2, 3, 4]);
        sim.run_for(Duration::from_secs(30));
        for (by, of) in [(0, 9), (9, 0), (4, 5), (5, 4)] {
            assert_eq!(sim.reach(by, of), Reach::Down, "{by} sees {of}");
        }
        for (by, of) in [(0, 4), (5, 9)] {
            assert_eq!(sim.reach(by, of), Reach::Alive, "{by} sees {of}");
        }
        heals(&mut sim);
    });
}

#[test]
fn who_was_alone_takes_a_new_identity_and_nobody_else() {
    for_seeds(5, |seed| {
        let mut sim = cluster(10, seed);
        sim.partition(&[6]);
        sim.run_for(Duration::from_secs(30));
        assert!(sim.is_down_everywhere(6));
        let before = sim.renewals();
        heals(&mut sim);
        let renewals = sim.renewals() - before;
        assert!((1..=2).contains(&renewals), "{renewals} identities were renewed");
    });
}

#[test]
fn two_nodes_that_lost_each_other_come_together() {
    for_seeds(10, |seed| {
        let mut sim = cluster(2, seed);
        sim.partition(&[0]);
        sim.run_for(Duration::from_secs(30));
        assert_eq!((sim.reach(0, 1), sim.reach(1, 0)), (Reach::Down, Reach::Down));
        heals(&mut sim);
    });
}

#[test]
fn a_pair_that_cannot_talk_in_one_direction_lives_through_others() {
    for_seeds(5, |seed| {
        let mut sim = cluster(5, seed);
        sim.block(1, 2);
        sim.run_for(Duration::from_secs(120));
        assert_eq!(sim.deaths(), [], "someone was declared down");
        heals(&mut sim);
    });
}

#[test]
fn a_node_that_hears_but_is_not_heard_is_down_until_it_is() {
    for_seeds(5, |seed| {
        let mut sim = cluster(5, seed);
        (0..4).for_each(|other| sim.block(4, other));
        sim.run_for(Duration::from_secs(30));
        assert!(sim.is_down_everywhere(4));
        heals(&mut sim);
    });
}

#[test]
fn a_short_interruption_is_no_death() {
    for_seeds(5, |seed| {
        let mut sim = cluster(10, seed);
        sim.partition(&[6]);
        sim.run_for(Duration::from_millis(1_000));
        sim.heal();
        sim.run_for(Duration::from_secs(10));
        assert_eq!(sim.deaths(), [], "someone was declared down");
    });
}

#[test]
fn an_interruption_that_the_connections_outlive_heals_too() {
    for_seeds(10, |seed| {
        let mut sim = cluster(4, seed);
        sim.partition(&[0, 1]);
        sim.run_for(Duration::from_millis(2_500));
        assert_ne!(sim.deaths(), [], "it is long enough to be noticed");
        heals(&mut sim);
    });
}
