//! Three-step runs through REST: an agent that drafts, reviews and revises with the embedded model.

use crate::load::HttpTarget;
use anyhow::Result;
use octopussy_tests::{AgentDirectory, NodeRunner};
use std::sync::Arc;

const MODEL: &str = "intelligence:\n  provider: builtin\nreasoning:\n  pattern: reflection\nbudget:\n  tokens_per_hour: 1000000000000\n  \
                     tokens_per_day: 1000000000000\n  tokens_per_month: 1000000000000\n";

/// The agent `worker-<number>`, which takes three steps for a task and may spend as much as it likes.
#[must_use]
pub fn three_step_agent(number: u64) -> AgentDirectory {
    AgentDirectory::new(&format!("worker-{number}"), MODEL)
}

/// Asks the first `agents` of them in turn, at this node, and waits for the answer.
///
/// # Errors
/// When the node has no credentials.
pub fn three_step_target(node: &NodeRunner, agents: u64) -> Result<Arc<HttpTarget>> {
    let token = node.rest()?.token().to_owned();
    Ok(Arc::new(HttpTarget {
        address: node.rest_address(),
        request: Box::new(move |number| {
            let body = format!(
                "{{\"agent\":\"worker-{}\",\"input\":\"Octopuses have three hearts. How many hearts?\"}}",
                number % agents
            );
            ("POST /api/v1/tasks?wait=30s".to_owned(), body)
        }),
        headers: format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n"),
        accept: Box::new(|status, body| status == 200 && body.windows(9).any(|nine| nine == b"SUCCEEDED")),
    }))
}
