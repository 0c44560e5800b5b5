//! Where agents and tasks are routed. The numbers in here are on disk everywhere: when one changes, data is lost.

use super::{AgentId, ShardCount, ShardId, TaskId};
use proptest::prelude::*;
use uuid::Uuid;

fn counts() -> impl Strategy<Value = ShardCount> {
    (1..=ShardCount::MAX).prop_map(|count| ShardCount::new(count).unwrap())
}

proptest! {
    #[test]
    fn a_task_is_routed_to_its_agents_shard(agent: u128, fresh: u128, shards in counts()) {
        let agent = AgentId::from_uuid(Uuid::from_u128(agent));
        let fresh = Uuid::from_u128(fresh);
        let task = TaskId::for_agent(agent, fresh);
        prop_assert_eq!(shards.shard_of_task(task), shards.shard_of(agent));
        prop_assert!(shards.shard_of(agent).0 < shards.get());
        prop_assert_eq!(&task.as_bytes()[..12], &fresh.as_bytes()[..12]);
    }

    #[test]
    fn ids_read_as_they_are_written(id: u128) {
        let id = AgentId::from_uuid(Uuid::from_u128(id));
        prop_assert_eq!(id.to_string().parse::<AgentId>().unwrap(), id);
    }
}

#[test]
fn a_name_always_leads_to_the_same_id_and_shard() {
    let agent = AgentId::from_name("octopus");
    assert_eq!(agent.to_string(), "3dba5cee-26c2-8fc9-a071-fee806d0b0fc");
    assert_eq!(ShardCount::DEFAULT.shard_of(agent), ShardId(3));
    assert_ne!(agent, AgentId::from_name("Octopus"));
}

#[test]
fn shards_are_even() {
    let mut held = [0u32; 16];
    for number in 0..16_000 {
        let agent = AgentId::from_name(&format!("agent-{number}"));
        held[usize::from(ShardCount::DEFAULT.shard_of(agent).0)] += 1;
    }
    assert!(held.iter().all(|count| (850..1150).contains(count)), "{held:?}");
}

#[test]
fn a_shard_count_has_bounds() {
    assert_eq!(ShardCount::new(0), None);
    assert_eq!(ShardCount::new(ShardCount::MAX + 1), None);
    assert_eq!(ShardCount::new(3).map(|count| count.all().collect()), Some(vec![ShardId(0), ShardId(1), ShardId(2)]));
}

#[test]
fn text_that_is_no_id_says_what_was_expected() {
    let error = "nonsense".parse::<TaskId>().unwrap_err();
    assert!(error.to_string().starts_with("'nonsense' is not a valid task id: expected a UUID"), "{error}");
}
