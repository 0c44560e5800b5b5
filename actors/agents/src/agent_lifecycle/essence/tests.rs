//! The registry: states, health, bounds.

use super::Registry;
use octopussy_core::agent::{AgentEvent, AgentState};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::AgentHealth;
use octopussy_core::time::Timestamp;
use std::time::Duration;

const AT: Timestamp = Timestamp::from_millis(1_000_000);

fn later(seconds: u64) -> Timestamp {
    AT.plus(Duration::from_secs(seconds))
}

fn registry(bound: usize) -> Registry {
    Registry::new(bound, Duration::from_secs(60))
}

#[test]
fn silence_beyond_the_bound_is_ill_health() {
    let (mut agents, id) = (registry(10), AgentId::from_name("a"));
    assert!(agents.register(id, AT));
    let health = |agents: &Registry, at| agents.status(id, at).map(|status| status.health);
    assert_eq!(health(&agents, later(60)), Some(AgentHealth::Healthy));
    assert_eq!(health(&agents, later(61)), Some(AgentHealth::Unhealthy));
    agents.heartbeat(id, None, later(61));
    assert_eq!(health(&agents, later(120)), Some(AgentHealth::Healthy));
    agents.deregister(id);
    assert_eq!(agents.status(id, later(120)), None);
}

#[test]
fn illegal_transitions_change_nothing() {
    let (mut agents, id) = (registry(10), AgentId::from_name("a"));
    agents.register(id, AT);
    assert!(agents.transition(id, AgentEvent::Begin, later(1)).is_err());
    assert_eq!(agents.status(id, later(1)).map(|status| (status.state, status.since)), Some((AgentState::Created, AT)));
    assert_eq!(agents.transition(id, AgentEvent::Ready, later(2)), Ok(AgentState::Idle));
    assert_eq!(agents.status(id, later(2)).map(|status| status.since), Some(later(2)));
    assert!(agents.transition(AgentId::from_name("b"), AgentEvent::Begin, AT).is_err(), "unknown agents are CREATED");
}

#[test]
fn announcements_follow_an_activation_from_its_beginning_to_its_end() {
    let (mut agents, id) = (registry(10), AgentId::from_name("a"));
    agents.announced(id, AgentState::Paused, AT);
    assert_eq!(agents.status(id, AT), None, "the state of an agent that is not active here");
    agents.announced(id, AgentState::Created, AT);
    agents.announced(id, AgentState::Processing, later(1));
    assert_eq!(agents.status(id, AT).map(|status| status.state), Some(AgentState::Processing));
    agents.announced(id, AgentState::Stopped, later(2));
    assert!(agents.list(later(2)).is_empty());
    agents.heartbeat(id, Some(AgentState::Idle), later(3));
    assert_eq!(agents.list(later(3)).len(), 1, "a heartbeat takes up an agent whose beginning was missed");
}

#[test]
fn lost_news_is_made_good() {
    let mut agents = registry(10);
    let (heard, gone) = (AgentId::from_name("heard"), AgentId::from_name("gone"));
    agents.register(heard, AT);
    agents.register(gone, AT);
    agents.forget_lost(later(100));
    assert_eq!(agents.list(later(100)).len(), 2, "silence alone removes nobody");
    agents.doubt();
    agents.heartbeat(heard, None, later(50));
    agents.forget_lost(later(61));
    assert_eq!(agents.list(later(61)).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [heard]);
}

#[test]
fn the_registry_is_bounded() {
    let mut agents = registry(1);
    assert!(agents.register(AgentId::from_name("a"), AT));
    assert!(!agents.register(AgentId::from_name("b"), AT));
    assert!(agents.register(AgentId::from_name("a"), AT), "one that is there may change");
    assert_eq!(agents.list(AT).len(), 1);
}
