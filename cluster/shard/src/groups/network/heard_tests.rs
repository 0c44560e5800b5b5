//! Who is heard in a group: nodes of the group, for themselves.

use super::wire::{
    Address, AppendAnswer, AppendFrame, AppendMessage, AppendPart, FromGroup, GroupFault, SnapshotAnswer,
    SnapshotHeader, SnapshotReport, VoteAnswer, VoteFrame, decode, encode, encode_request,
};
use crate::groups::authority::Authority;
use crate::raft::{GroupId, TypeConfig};
use crate::tests::clusters::{TestCluster, cluster_record};
use crate::tests::support::{LIMIT, admin, guest_token, member, node_id};
use bytes::Bytes;
use octopussy_control::{ControlCommand, ControlState, MemberRecord, Who};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MemberRole, MeshError, MeshPort, MeshRequest, StreamKind};
use octopussy_core::time::Clock;
use octopussy_mesh::memory::Network;
use openraft::alias::VoteOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::storage::SnapshotMeta;
use openraft::vote::Vote;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::watch;

const GUEST: u8 = 8;
const STRANGER: u8 = 9;
/// A term that would depose everybody.
const TERM: u64 = u64::MAX / 2;

/// Three full members, a guest, and somebody with a certificate.
async fn cluster() -> (TestCluster, Arc<dyn MeshPort>, Arc<dyn MeshPort>) {
    let cluster = TestCluster::of(71, 1, 3).await;
    let guest: Arc<dyn MeshPort> = cluster.network.node(node_id(GUEST), 1);
    let stranger: Arc<dyn MeshPort> = cluster.network.node(node_id(STRANGER), 1);
    let sponsor = cluster.node(1);
    let now = sponsor.clock.now();
    let (added, token) = guest_token(b"guest", node_id(1), now);
    sponsor.host.propose_control_for(admin(), added).await.unwrap();
    let record = Box::new(MemberRecord { role: MemberRole::Guest, ..member(node_id(GUEST)) });
    sponsor.host.propose_control(ControlCommand::Join { member: record, token, now }).await.unwrap();
    cluster
        .until("everybody to know the guest", LIMIT, || {
            cluster.nodes.values().all(|node| node.host.control().members.contains_key(&node_id(GUEST)))
        })
        .await;
    (cluster, guest, stranger)
}

async fn ask<R: MeshRequest, A: DeserializeOwned>(
    mesh: &Arc<dyn MeshPort>,
    to: u8,
    lane: Lane,
    request: &R,
) -> Result<A, MeshError> {
    let answer = mesh.call(node_id(to), lane, encode_request(request).unwrap(), LIMIT).await?;
    Ok(decode(&answer).unwrap())
}

/// The group's replica at the first node.
fn address(cluster: &TestCluster, group: GroupId) -> Address {
    let replica = cluster.node(1).host.core().registry.get(group).unwrap().incarnation();
    Address { group, replica }
}

fn frames(to: Address, vote: VoteOf<TypeConfig>) -> [VoteFrame; 4] {
    let beat = AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
    [
        VoteFrame::Heartbeats(vec![(to, beat)]),
        VoteFrame::Vote(to, VoteRequest::new(vote, None)),
        VoteFrame::PreVote(to, VoteRequest::new(vote, None)),
        VoteFrame::Transfer(to, TransferLeaderRequest::new(vote, node_id(1), None)),
    ]
}

/// What is asked without a vote.
fn questions(to: Address) -> [VoteFrame; 2] {
    [VoteFrame::Introduce(to.group), VoteFrame::Renew(to)]
}

fn append(address: Address, vote: VoteOf<TypeConfig>) -> AppendMessage {
    let request = AppendEntriesRequest { vote, prev_log_id: None, entries: Vec::new(), leader_commit: None };
    AppendMessage::Whole(AppendFrame { address, request })
}

/// The same, in one part.
fn in_parts(address: Address, vote: VoteOf<TypeConfig>) -> AppendMessage {
    let AppendMessage::Whole(frame) = append(address, vote) else { unreachable!() };
    let bytes: Bytes = encode(&frame).unwrap();
    AppendMessage::Part(AppendPart { group: address.group, number: 1, total: bytes.len() as u64, from: 0, bytes })
}

fn unheard<T>(answer: &FromGroup<T>, group: GroupId) -> bool {
    matches!(answer, Err(fault) if *fault == GroupFault::Unheard(group))
}

/// The terms of all groups everywhere.
fn terms(cluster: &TestCluster) -> Vec<u64> {
    let groups = cluster.nodes.values().flat_map(|node| node.host.core().registry.all());
    groups.map(|group| group.raft().metrics().borrow_watched().current_term).collect()
}

/// Sends a snapshot's header and says what comes back.
async fn snapshot(
    mesh: &Arc<dyn MeshPort>,
    address: Address,
    vote: VoteOf<TypeConfig>,
) -> Result<SnapshotAnswer, MeshError> {
    let mut stream = mesh.open(node_id(1), StreamKind::Snapshot).await?;
    let meta = SnapshotMeta { last_log_id: None, last_membership: Default::default() };
    let header = encode(&SnapshotHeader { address, vote, meta, length: 0 }).unwrap();
    stream.sink.send(header).await?;
    stream.sink.finish().await?;
    let answer = stream.source.next().await?.ok_or(MeshError::Stopping)?;
    match decode(&answer).unwrap() {
        SnapshotReport::Answer(answer) => Ok(answer),
        SnapshotReport::Wanted | SnapshotReport::Working(_) => panic!("the snapshot is wanted"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_and_strangers_are_not_heard_in_any_group() {
    let (cluster, guest, stranger) = cluster().await;
    let before = terms(&cluster);
    for (mesh, number) in [(&guest, GUEST), (&stranger, STRANGER)] {
        for group in [GroupId::CONTROL, GroupId(1)] {
            let to = address(&cluster, group);
            // For itself, and as one of the group.
            for speaker in [node_id(number), node_id(2)] {
                let vote = Vote::new(TERM, speaker);
                for frame in frames(to, vote).into_iter().chain(questions(to)) {
                    let answer = ask::<_, VoteAnswer>(mesh, 1, Lane::RaftVote, &frame).await;
                    assert!(matches!(answer, Err(MeshError::Refused { .. })), "{number} in group {group}");
                }
                for message in [append(to, vote), in_parts(to, vote)] {
                    let answer = ask::<_, AppendAnswer>(mesh, 1, Lane::RaftAppend, &message).await;
                    assert!(matches!(answer, Err(MeshError::Refused { .. })), "{number} in group {group}");
                }
                let answer = snapshot(mesh, to, vote).await;
                assert!(matches!(answer, Err(MeshError::Refused { .. })), "{number} in group {group}: {answer:?}");
            }
        }
    }
    assert_eq!(terms(&cluster), before, "somebody was heard");
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_votes_and_leads_for_itself_only() {
    let (cluster, _, _) = cluster().await;
    let before = terms(&cluster);
    let mesh = Arc::clone(&cluster.node(2).host.core().mesh);
    for group in [GroupId::CONTROL, GroupId(1)] {
        let to = address(&cluster, group);
        let forged = Vote::new(TERM, node_id(3));
        for frame in frames(to, forged) {
            let refused = match ask::<_, VoteAnswer>(&mesh, 1, Lane::RaftVote, &frame).await.unwrap() {
                VoteAnswer::Heartbeats(answers) => answers.iter().all(|answer| unheard(answer, group)),
                VoteAnswer::Vote(answer) => unheard(&answer, group),
                VoteAnswer::Transfer(answer) => unheard(&answer, group),
                VoteAnswer::Introduced(_) | VoteAnswer::Clock(_) => false,
            };
            assert!(refused, "in group {group}");
        }
        for message in [append(to, forged), in_parts(to, forged)] {
            let answer = ask::<_, AppendAnswer>(&mesh, 1, Lane::RaftAppend, &message).await.unwrap();
            assert!(unheard(&answer, group), "in group {group}");
        }
        assert!(unheard(&snapshot(&mesh, to, forged).await.unwrap(), group), "in group {group}");
    }
    assert_eq!(terms(&cluster), before, "somebody was heard");
    // For itself it is: nothing is judged but who asks.
    let own: VoteOf<TypeConfig> = Vote::new(1, node_id(2));
    let [_, _, pre_vote, _] = frames(address(&cluster, GroupId(1)), own);
    let answer = ask::<_, VoteAnswer>(&mesh, 1, Lane::RaftVote, &pre_vote).await.unwrap();
    assert!(matches!(answer, VoteAnswer::Vote(Ok(_))));
    cluster.close().await;
}

/// Which nodes the control group's membership names is known before what they have agreed on is applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_unknown_is_looked_up_at_the_members() {
    let cluster = TestCluster::of(72, 1, 2).await;
    let authority = &cluster.node(1).host.core().authority;
    let named: Vec<NodeId> = vec![node_id(1), node_id(2)];
    for node in named {
        assert!(authority.who(node).may_connect(), "{node}");
    }
    assert!(!authority.who(node_id(STRANGER)).may_connect(), "whoever let this node in does not count any more");
    cluster.close().await;
}

/// What a node that was let in gets first is the beginning of the log, when those who bring it the rest were no members yet.
#[test]
fn who_let_a_node_in_brings_its_copy_forward_until_it_shows_that() {
    let (me, founder, sponsor) = (node_id(1), node_id(2), node_id(3));
    let network = Network::new(75);
    let mesh: Arc<dyn MeshPort> = network.node(me, 1);
    let known = |nodes: &[NodeId]| {
        let members = nodes.iter().map(|node| (*node, member(*node))).collect();
        Arc::new(ControlState { cluster: Some(cluster_record(1)), members, ..ControlState::default() })
    };
    let (control, copy) = watch::channel(Arc::new(ControlState::default()));
    let authority = Authority::new(copy, Arc::default(), mesh, [sponsor].into());
    let who = |node| authority.who(node);
    assert_eq!((who(founder), who(sponsor)), (Who::Stranger, Who::Joining));
    control.send_replace(known(&[founder]));
    assert_eq!((who(founder), who(sponsor)), (Who::Member, Who::Joining), "it is on its way");
    control.send_replace(known(&[founder, me]));
    assert_eq!((who(founder), who(sponsor)), (Who::Member, Who::Stranger), "it has arrived");
}
