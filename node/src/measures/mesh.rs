//! Names for what the mesh counts.

use octopussy_core::ports::Measure;
use octopussy_core::ports::MeasureKind::{Counter, Gauge};
use octopussy_mesh::{LaneMetrics, MeshMetrics, OtherMetrics, Refusal};

type LaneCount = fn(&LaneMetrics) -> u64;
type OtherCount = fn(&OtherMetrics) -> u64;

/// The counters that every lane has, with what each counts.
const LANE: [(&str, &str, LaneCount); 12] = [
    ("mesh_calls", "Requests to other nodes, those that were never sent included", |lane| lane.calls),
    ("mesh_served_calls", "Requests of other nodes, those that were refused included", |lane| lane.served),
    ("mesh_sent_frames", "Requests and answers written", |lane| lane.sent_frames),
    ("mesh_received_frames", "Requests and answers read", |lane| lane.received_frames),
    ("mesh_sent_bytes", "Bytes of requests and answers written", |lane| lane.sent_bytes),
    ("mesh_received_bytes", "Bytes of requests and answers read", |lane| lane.received_bytes),
    ("mesh_congested_calls", "Requests that were not sent because too many wait for the same node", |lane| {
        lane.congested
    }),
    ("mesh_refused_calls", "Requests that another node refused", |lane| lane.refused),
    ("mesh_declined_calls", "Requests of other nodes that this node refused", |lane| lane.refusals),
    ("mesh_timed_out_calls", "Requests without an answer in time", |lane| lane.timeouts),
    ("mesh_lost_calls", "Requests whose connection was lost", |lane| lane.lost),
    ("mesh_unconnected_calls", "Requests to nodes that were not connected", |lane| lane.not_connected),
];

/// The counters of what is carried outside of the lanes, and of connections.
const OTHER: [(&str, &str, OtherCount); 17] = [
    ("mesh_connections", "Connections established", |other| other.connected),
    ("mesh_closed_connections", "Connections closed or lost", |other| other.closed),
    ("mesh_dials", "Attempts to connect, one for each address that was tried", |other| other.dials),
    ("mesh_failed_dials", "Attempts to connect that failed", |other| other.dials_failed),
    ("mesh_redials", "Rounds of dialing after a connection was lost or could not be made", |other| other.redials),
    ("mesh_failed_handshakes", "Handshakes of others that failed", |other| other.handshakes_failed),
    ("mesh_sent_datagrams", "Datagrams sent", |other| other.datagrams_sent),
    ("mesh_received_datagrams", "Datagrams received", |other| other.datagrams_received),
    ("mesh_dropped_datagrams", "Datagrams dropped: too long, or above a node's rate", |other| other.datagrams_dropped),
    ("mesh_sent_gossip_messages", "One-way messages sent", |other| other.gossip_sent),
    ("mesh_received_gossip_messages", "One-way messages received", |other| other.gossip_received),
    ("mesh_dropped_gossip_messages", "One-way messages dropped", |other| other.gossip_dropped),
    ("mesh_opened_streams", "Streams opened by this node", |other| other.streams_opened),
    ("mesh_accepted_streams", "Streams opened by other nodes", |other| other.streams_accepted),
    ("mesh_refused_streams", "Streams of other nodes that were refused", |other| other.streams_refused),
    ("mesh_joins", "Requests to join that were answered", |other| other.joins_served),
    ("mesh_refused_joins", "Requests to join that were turned away unread", |other| other.joins_refused),
];

/// What the mesh has counted, measure by measure.
pub(super) fn measures(mesh: &MeshMetrics) -> Vec<Measure> {
    let lane = |(name, help, count): (&'static str, &'static str, LaneCount)| {
        let lanes = mesh.lanes.iter().map(|(lane, metrics)| (lane.name(), count(metrics)));
        Measure::labelled(Counter, name, help, "lane", lanes)
    };
    let mut measures: Vec<Measure> = LANE.into_iter().map(lane).collect();
    let in_flight = mesh.in_flight.iter().map(|(lane, count)| (lane.name(), *count));
    let help = "Requests that wait for an answer or for their turn";
    measures.push(Measure::labelled(Gauge, "mesh_calls_in_flight", help, "lane", in_flight));
    measures.push(Measure::single(Gauge, "mesh_peers", "Nodes that are connected", mesh.peers));
    measures
        .extend(OTHER.into_iter().map(|(name, help, count)| Measure::single(Counter, name, help, count(&mesh.other))));
    let reasons =
        |counts: &[(Refusal, u64)]| counts.iter().map(|(why, count)| (why.name(), *count)).collect::<Vec<_>>();
    measures.push(Measure::labelled(
        Counter,
        "mesh_refused_connections",
        "Connections with other nodes that this node refused",
        "reason",
        reasons(&mesh.refused),
    ));
    measures.push(Measure::labelled(
        Counter,
        "mesh_connections_refused_by_peers",
        "Connections with this node that another refused",
        "reason",
        reasons(&mesh.refused_by_peers),
    ));
    measures
}
