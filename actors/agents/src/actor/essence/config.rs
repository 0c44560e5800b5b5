//! The section `actor` of the configuration.

use serde::Deserialize;
use std::time::Duration;

/// How agents run on this node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActorConfig {
    /// How many runs may be under way on this node at once; more wait. 1 to 65536.
    pub max_concurrent_runs: usize,
    /// How many tasks one stateless agent works on at once. 1 to 1024.
    pub one_shot_parallelism: usize,
    /// How long a stateless agent stays active without work, in milliseconds: long enough to keep a busy one warm.
    pub one_shot_idle_ms: u64,
    /// How long a stateful agent stays active without work, in milliseconds.
    pub stateful_idle_ms: u64,
    /// How often an active agent's runtime says that it is alive, in milliseconds. Below half of the 60 s after which an
    /// agent counts as unhealthy.
    pub heartbeat_ms: u64,
    /// The wait before a task is tried a second time, in milliseconds; doubled for each further attempt.
    pub retry_base_ms: u64,
    /// The longest wait before a task is tried again, in milliseconds.
    pub retry_max_ms: u64,
    /// How many bytes of documents are kept in memory for all agents together.
    pub document_cache_bytes: usize,
    /// How many message ids the replay window of live messages remembers.
    pub replay_window: usize,
}

impl Default for ActorConfig {
    fn default() -> Self {
        Self {
            max_concurrent_runs: 256,
            one_shot_parallelism: 8,
            one_shot_idle_ms: 3_000,
            stateful_idle_ms: 60_000,
            heartbeat_ms: 30_000,
            retry_base_ms: 250,
            retry_max_ms: 10_000,
            document_cache_bytes: 64 * 1024 * 1024,
            replay_window: 65_536,
        }
    }
}

impl ActorConfig {
    /// What does not fit, in words; empty when everything does.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |fits: bool, key: &str, expected: &str| {
            if !fits {
                found.push(format!("actor.{key} must be {expected}"));
            }
        };
        check((1..=65_536).contains(&self.max_concurrent_runs), "max_concurrent_runs", "between 1 and 65536");
        check((1..=1_024).contains(&self.one_shot_parallelism), "one_shot_parallelism", "between 1 and 1024");
        check((1..=30_000).contains(&self.heartbeat_ms), "heartbeat_ms", "between 1 and 30000");
        check(self.retry_base_ms <= self.retry_max_ms, "retry_base_ms", "at most actor.retry_max_ms");
        check(self.replay_window >= 1_024, "replay_window", "at least 1024");
        found
    }

    /// The idle time after which an agent is put to sleep.
    #[must_use]
    pub const fn idle(&self, one_shot: bool) -> Duration {
        Duration::from_millis(if one_shot { self.one_shot_idle_ms } else { self.stateful_idle_ms })
    }
}
