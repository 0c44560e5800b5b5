//! Shards that are deleted here and come back, and digests of what they hold.

use super::support::*;
use crate::raft::GroupId;
use crate::raft::machine::StateHost;
use crate::raft::machine::shared::Garbage;
use octopussy_core::agent::Desired;
use octopussy_core::ids::AgentId;
use octopussy_core::task::Command;
use octopussy_ledger::Cold;
use openraft::storage::RaftStateMachine;

/// A reader may hold on to the state of a shard that is deleted meanwhile.
#[tokio::test]
async fn what_is_read_of_a_deleted_shard_is_not_taken_for_its_next_life() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let group = Group::led(&host, "alice").await;
    host.flush().await.unwrap();
    let (shard, id) = (group.shard, AgentId::from_name("alice"));
    let old = host.shared.cell(shard).unwrap();
    // Deleted, as far as that goes before the store has to be waited for.
    let slot = old.state.read().slot;
    host.shared.garbage.lock().push(Garbage { slot, whole: true });
    host.shared.shards.write().remove(&shard);
    {
        let state = old.state.read();
        let read = state.view(&host.shared.store, &host.shared.agents).agent(id).unwrap().unwrap();
        assert_eq!(read.desired, Desired::Active);
    }
    let mut again = Group::new(&host, shard);
    let mut other = agent("alice");
    other.desired = Desired::Paused;
    again.propose(vec![activate(shard, ME), Command::CreateAgent { agent: Box::new(other) }]).await;
    host.flush().await.unwrap();
    assert_eq!(host.agent(id).unwrap().unwrap().desired, Desired::Paused, "of the life before");
}

#[tokio::test]
async fn replicas_of_the_same_entries_have_the_same_digest_and_others_have_not() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, other) = (open(seldom(dirs[0].path())).await, open(config(dirs[1].path())).await);
    let mut group = Group::led(&one, "alice").await;
    let agent = AgentId::from_name("alice");
    group.run(agent).await;
    one.flush().await.unwrap();
    group.run(agent).await;
    group.accept(agent).await;
    // The other gets the first part as a snapshot, into another slot than the first has.
    let (meta, file) = transfer(&mut group.machine, &other, GroupId::of(group.shard)).await;
    let mut machine = other.shard(group.shard);
    machine.install_snapshot(&meta, file).await.unwrap();
    group.catch_up(&other).await;
    let id = GroupId::of(group.shard);
    let digest = async |host: &StateHost, id| {
        host.flush().await.unwrap();
        host.digest(id).unwrap().unwrap()
    };
    let (left, right) = (digest(&one, id).await, digest(&other, id).await);
    assert_eq!(left, right);
    group.propose(vec![Command::SetDesired { agent, desired: Desired::Paused, now: now() }]).await;
    let later = digest(&one, id).await;
    assert!(later.applied > left.applied && later.digest != left.digest);
    assert_eq!(digest(&one, GroupId::CONTROL).await, digest(&other, GroupId::CONTROL).await);
    assert_eq!(one.digest(GroupId(900)).unwrap(), None);
}
