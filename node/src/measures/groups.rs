//! Names for what the groups count.

use octopussy_core::ports::Measure;
use octopussy_core::ports::MeasureKind::{self, Counter, Gauge};
use octopussy_shard::GroupMetrics;

/// What the groups have counted, measure by measure.
pub(super) fn measures(groups: &GroupMetrics) -> Vec<Measure> {
    let single = |(kind, name, help, number): (MeasureKind, _, _, _)| Measure::single(kind, name, help, number);
    let mut measures: Vec<Measure> = [
        (Gauge, "groups", "Raft groups that have a replica here", groups.groups),
        (Gauge, "groups_led", "Raft groups that this node leads", groups.led),
        (Counter, "group_elections", "Terms that have begun in groups that have a replica here", groups.elections),
        (Counter, "group_leader_changes", "Times another node than before came to lead a group", groups.leader_changes),
        (Counter, "group_leaderships", "Times this node began to lead a group", groups.leaderships),
        (Counter, "group_restarts", "Times a group that had ended by itself was started again", groups.restarts),
        (
            Counter,
            "group_lost_replicas",
            "Replicas of other nodes found to have lost what they had, and installed anew",
            groups.lost_replicas,
        ),
        (
            Counter,
            "group_lost_here",
            "Replicas of this node found at their start to have lost a part of what they had",
            groups.lost_here,
        ),
        (Gauge, "groups_stuck", "Raft groups that this node leads and in which nothing is committed", groups.stuck),
        (Counter, "group_stalls", "Times nothing was committed for long in a group that this node led", groups.stalls),
        (Counter, "group_applied_entries", "Committed entries applied here", groups.applied_entries),
        (Counter, "log_appended_bytes", "Bytes of entries made durable in the log", groups.appended_bytes),
        (Counter, "log_syncs", "Times the log was synced", groups.log_syncs),
        (Gauge, "log_size_bytes", "Bytes that the log takes on the disk", groups.log_bytes),
        (Gauge, "state_size_bytes", "Bytes that the state takes on the disk", groups.state_bytes),
        (Gauge, "unended_tasks_bytes", "Bytes that unended tasks take in memory, roughly", groups.unended_bytes),
        (Gauge, "waiting_tasks_bytes", "Bytes of text of waiting tasks on the disk", groups.waiting_bytes),
        (
            Counter,
            "dead_letters_dropped",
            "Dead letters forgotten because they were too many or too old",
            groups.dead_dropped,
        ),
    ]
    .map(single)
    .into();
    let step_downs = groups.step_downs.iter().map(|(why, count)| (why.name(), *count));
    let help = "Times this node ceased to lead a group";
    measures.push(Measure::labelled(Counter, "group_step_downs", help, "reason", step_downs));
    measures
}
