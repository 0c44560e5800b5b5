//! `octopussy agent create`: from a directory to an agent.

use super::read_bundle;
use crate::cli::Context;
use crate::client::{Agent, Call, Client, decode};
use crate::failure::Failure;
use crate::output::{GOOD, bytes, paint};
use reqwest::Method;
use std::path::Path;

/// Creates the agent and says what it is.
pub(crate) async fn run(directory: &Path, context: &Context) -> Result<(), Failure> {
    let bundle = read_bundle(directory)?;
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let body = serde_json::to_value(&bundle).map_err(|error| Failure::new(error.to_string()))?;
    let value = client.send(Call::new(Method::POST, "/api/v1/agents").body(&body)).await?;
    let agent: Agent = decode(&value)?;
    let out = context.out;
    out.document(&value);
    out.line(format_args!("{} {} is created ({})", paint(GOOD, "✓"), agent.name, agent.agent_id));
    for document in &agent.documents {
        out.line(format_args!("  knows {} ({})", document.name, bytes(document.bytes)));
    }
    out.line(format_args!("Next: octopussy task submit {} \"…\" --wait", agent.name));
    Ok(())
}
