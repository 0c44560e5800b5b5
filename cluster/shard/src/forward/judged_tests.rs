//! What other nodes may ask of a leader.

use super::super::wire::{ControlRequest, Request, encode_request};
use crate::tests::clusters::TestCluster;
use crate::tests::support::{LIMIT, admin, agent, guest_token, join_token, member, node_id};
use bytes::Bytes;
use octopussy_control::{ControlCommand, ControlRefusal, MemberEvent, MemberRecord, VersionRange};
use octopussy_core::ids::{Epoch, ShardId, TaskId};
use octopussy_core::ports::{Asker, Lane, MemberDesired, MemberRole, MeshError, MeshPort, PrincipalRole};
use octopussy_core::task::Command;
use octopussy_core::time::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;

const GUEST: u8 = 8;
const SHARD: ShardId = ShardId(0);

async fn refused(mesh: &Arc<dyn MeshPort>, lane: Lane, request: Bytes) -> bool {
    let answer = mesh.call(node_id(1), lane, request, LIMIT).await;
    matches!(answer, Err(MeshError::Refused { .. }))
}

/// Who may ask for the command, wherever they are.
fn asker_of(command: &ControlCommand) -> Asker {
    if command.may_be_asked_by(&Asker::Node) { Asker::Node } else { admin() }
}

fn commands(now: Timestamp) -> Vec<Command> {
    let task = TaskId::for_agent(agent("a").id, *agent("a").id.as_uuid());
    vec![
        Command::Activate { shard: SHARD, node: node_id(2), now, max_age: Duration::MAX, boot: 1, gone: false },
        Command::Begin { task, epoch: Epoch(1), version: 1, now },
        Command::Tick { shard: SHARD, now },
        Command::Forget { shard: SHARD, before: Timestamp::from_millis(u64::MAX) },
        Command::ForgetDead { shard: SHARD, before: Timestamp::from_millis(u64::MAX), keep: 0 },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_leader_proposes_is_taken_from_nobody_else_and_a_guest_asks_for_nothing() {
    let cluster = TestCluster::of(73, 1, 2).await;
    let sponsor = cluster.node(1);
    let now = sponsor.clock.now();
    let (added, token) = guest_token(b"guest", node_id(1), now);
    sponsor.host.propose_control_for(admin(), added).await.unwrap();
    let record = Box::new(MemberRecord { role: MemberRole::Guest, ..member(node_id(GUEST)) });
    sponsor.host.propose_control(ControlCommand::Join { member: record, token, now }).await.unwrap();
    let guest: Arc<dyn MeshPort> = cluster.network.node(node_id(GUEST), 1);
    let stranger: Arc<dyn MeshPort> = cluster.network.node(node_id(9), 1);
    let member = Arc::clone(&cluster.node(2).host.core().mesh);

    for command in commands(now) {
        let request = encode_request(&Request::Propose(SHARD, command.clone())).unwrap();
        for mesh in [&member, &guest, &stranger] {
            assert!(refused(mesh, Lane::Forward, request.clone()).await, "{command:?}");
        }
        // Nor under another name.
        let renamed = [&[octopussy_core::ports::RequestKind::TaskCommand.code()][..], &request[1..]].concat();
        assert!(refused(&member, Lane::Forward, renamed.into()).await, "{command:?}");
    }
    let create = Command::CreateAgent { agent: Box::new(agent("b")) };
    for request in [Request::Propose(SHARD, create), Request::DeadLetters(vec![SHARD])] {
        let request = encode_request(&request).unwrap();
        assert!(!refused(&member, Lane::Forward, request.clone()).await);
        assert!(refused(&guest, Lane::Forward, request.clone()).await);
        assert!(refused(&stranger, Lane::Forward, request).await);
    }
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_changes_the_cluster_only_as_far_as_it_may() {
    let cluster = TestCluster::of(74, 1, 2).await;
    let sponsor = cluster.node(1);
    let now = sponsor.clock.now();
    let (added, token) = guest_token(b"guest", node_id(1), now);
    sponsor.host.propose_control_for(admin(), added).await.unwrap();
    let record = Box::new(MemberRecord { role: MemberRole::Guest, ..member(node_id(GUEST)) });
    sponsor.host.propose_control(ControlCommand::Join { member: record, token, now }).await.unwrap();
    let guest: Arc<dyn MeshPort> = cluster.network.node(node_id(GUEST), 1);
    let full = Arc::clone(&cluster.node(2).host.core().mesh);

    let report = |node: u8| ControlCommand::Report {
        node: node_id(node),
        addresses: Vec::new(),
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        now,
    };
    let version = || sponsor.host.control().version;
    let ask = |command: &ControlCommand| {
        encode_request(&ControlRequest::Propose(asker_of(command), command.clone())).unwrap()
    };
    let before = version();
    for command in [
        join_token(b"another", node_id(1), now).0,
        ControlCommand::RemoveSecret { name: "a".to_owned(), now },
        ControlCommand::SetDesired {
            node: node_id(2),
            desired: MemberDesired::Leaving,
            now,
            by: octopussy_control::AskedBy::UNTOLD,
        },
        ControlCommand::Recover {
            node: node_id(GUEST),
            shards: vec![SHARD],
            now,
            by: octopussy_control::AskedBy::UNTOLD,
        },
        report(1),
    ] {
        assert!(refused(&guest, Lane::Control, ask(&command)).await, "{command:?}");
    }
    for command in [
        report(1),
        join_token(b"of another", node_id(1), now).0,
        ControlCommand::Recover { node: node_id(1), shards: vec![SHARD], now, by: octopussy_control::AskedBy::UNTOLD },
        ControlCommand::Tick { now: Timestamp::from_millis(u64::MAX) },
        ControlCommand::Remove { node: node_id(GUEST), now },
    ] {
        assert!(refused(&full, Lane::Control, ask(&command)).await, "{command:?}");
    }
    assert_eq!(version(), before, "something was carried out");
    assert!(!refused(&guest, Lane::Control, ask(&report(GUEST))).await);
    assert!(!refused(&full, Lane::Control, ask(&join_token(b"another", node_id(2), now).0)).await);
    cluster.until("both to be carried out", LIMIT, || version() >= before + 2).await;
    cluster.close().await;
}

/// A member brings what people ask for with who they are. What they may not have done is not done, whoever brings it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_looks_at_who_asks_and_remembers_it() {
    let cluster = TestCluster::of(75, 1, 2).await;
    let (leader, other) = (cluster.node(1), cluster.node(2));
    let now = leader.clock.now();
    let version = || leader.host.control().version;
    let drain = || ControlCommand::SetDesired {
        node: node_id(2),
        desired: MemberDesired::Draining,
        now,
        by: octopussy_control::AskedBy { node: node_id(1), asker: admin() },
    };
    let operator = Asker::Principal { name: "olga".to_owned(), role: PrincipalRole::Operator };
    let before = version();
    for asker in [operator, Asker::Node] {
        for node in [leader, other] {
            let refused = node.host.propose_control_for(asker.clone(), drain()).await;
            assert!(
                matches!(refused, Err(crate::ControlError::Refused(ControlRefusal::NotAllowed(_)))),
                "{asker:?}: {refused:?}"
            );
        }
        // Nor when a node does not look for itself.
        let request = encode_request(&ControlRequest::Propose(asker, drain())).unwrap();
        let answer = other.host.core().mesh.call(node_id(1), Lane::Control, request, LIMIT).await.unwrap();
        let answer: super::super::wire::ControlAnswer = super::super::wire::decode(&answer).unwrap();
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(version(), before, "something was carried out");
    let token = join_token(b"by itself", node_id(2), now).0;
    assert!(other.host.propose_control(token).await.is_err(), "a node lets others in by itself");

    other.host.propose_control_for(admin(), drain()).await.unwrap();
    let last = leader.host.control().history.back().cloned().unwrap();
    assert_eq!((last.node, last.name.as_str()), (node_id(2), "node-2"));
    assert_eq!(last.event, MemberEvent::Desired(MemberDesired::Draining));
    let by = last.by.unwrap();
    assert_eq!((by.node, by.asker), (node_id(2), admin()), "the node that brought it says who brought it");
    cluster.close().await;
}
