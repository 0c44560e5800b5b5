//! The invariants find faults: each is planted, and each is found.

use super::driver::run;
use super::world::Planted;

fn found(planted: Planted, expected: &str) {
    let faults: Vec<_> = (0..40).filter_map(|seed| run(seed, planted).err()).collect();
    assert!(
        faults.iter().any(|fault| fault.contains(expected)),
        "{planted:?} was not found as '{expected}': {faults:?}"
    );
}

#[test]
fn votes_before_catching_up_are_found() {
    found(Planted::NoCatchUp, "gets a vote before it has caught up");
}

#[test]
fn replacing_a_node_that_is_merely_away_is_found() {
    found(Planted::NoGrace, "which is only away");
}

#[test]
fn a_second_change_of_members_is_found() {
    found(Planted::BlindToChanges, "a second change of members while one is under way");
}

#[test]
fn deleting_without_regard_to_replaced_targets_is_found() {
    found(Planted::FormerIgnored, "deletes a replica that has a vote");
}

#[test]
fn too_many_moves_are_found() {
    found(Planted::NoLimit, "shards move at once");
}
