//! The invariants find faults: each is planted, and each is found.

use super::driver::run;
use super::planted::Planted;

/// How many seeds are tried at most.
const SEEDS: u64 = 40;

fn found(planted: Planted, expected: &str) {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        match run(seed, planted) {
            Err(fault) if fault.contains(expected) => return,
            Err(fault) => others.push(fault),
            Ok(_) => {}
        }
    }
    panic!("{planted:?} was not found as '{expected}': {others:?}");
}

#[test]
fn disks_that_lie_about_fsync_are_found() {
    found(Planted::NoFsync, "lost");
}

#[test]
fn acknowledgements_before_a_quorum_are_found() {
    found(Planted::EarlyAcknowledgement, "an acknowledged task is lost");
}

#[test]
fn requests_without_keys_are_found() {
    found(Planted::NoKeys, "a request was accepted twice");
}

#[test]
fn hosts_that_do_not_fall_silent_are_found() {
    found(Planted::Deaf, "epochs interleave");
}

#[test]
fn steps_that_are_repeated_are_found() {
    found(Planted::NoJournal, "a finished step is repeated");
}

#[test]
fn leases_that_last_too_long_are_found() {
    found(Planted::SlowClock, "two hosts speak");
}

#[test]
fn leaders_that_believe_their_own_clocks_are_found() {
    found(Planted::OwnClocks, "expired before its time");
}

#[test]
fn old_copies_that_are_taken_for_what_was_there_are_found() {
    found(Planted::OldHome, "an acknowledged task is lost");
}

#[test]
fn replicas_that_differ_where_nobody_looks_are_found() {
    found(Planted::LostRows, "have made different states of the same entries");
}

#[test]
fn clocks_that_stand_still_are_found() {
    found(Planted::Suspended, "two hosts speak");
}
