//! How many members answer.

use octopussy_control::ControlState;
use octopussy_core::ports::{Measure, MeasureKind, Reach, ReachabilityPort};

const REACHES: [(Reach, &str); 4] =
    [(Reach::Alive, "alive"), (Reach::Suspect, "suspect"), (Reach::Down, "down"), (Reach::Unknown, "unknown")];

/// The cluster's members by whether they answer, this node included.
pub(super) fn by_reach(control: &ControlState, reach: &dyn ReachabilityPort) -> Measure {
    let seen: Vec<Reach> = control.members.keys().map(|node| reach.reach(*node)).collect();
    let count = |which: Reach| seen.iter().filter(|each| **each == which).count() as u64;
    let numbers = REACHES.map(|(which, name)| (name, count(which)));
    Measure::labelled(MeasureKind::Gauge, "members", "Members of the cluster by whether they answer", "reach", numbers)
}
