//! `octopussy agent delete` and `reset-budget`.

use super::confirm::{Silence, confirm};
use crate::cli::Context;
use crate::client::{Agent, Call, Client, decode, segment};
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use reqwest::Method;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Deleted {
    cancelled: u64,
}

/// Deletes the agent, after asking.
pub(crate) async fn run(agent: &str, force: bool, yes: bool, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/agents/{}", segment(agent));
    let present: Agent = decode(&client.get(&path).await?)?;
    if !yes {
        let tasks = if force { " Its tasks that have not ended are cancelled." } else { "" };
        let what = format!("{} will be gone, with its history and what it remembers.{tasks}", present.name);
        confirm(&what, Silence::Refuses, context)?;
    }
    let path = if force { format!("{path}?force=true") } else { path };
    let value = client.send(Call::new(Method::DELETE, &path)).await?;
    context.out.document(&value);
    let Deleted { cancelled } = decode(&value)?;
    let tasks = if cancelled == 1 { "task was" } else { "tasks were" };
    let more = if cancelled == 0 { String::new() } else { format!("; {cancelled} {tasks} cancelled") };
    context.out.line(format_args!("{} {} is deleted, its name is free{more}", paint(GOOD, "✓"), present.name));
    Ok(())
}

/// Lets what the agent has spent count from zero.
pub(crate) async fn reset_budget(agent: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/agents/{}/reset-budget", segment(agent));
    let value = client.send(Call::new(Method::POST, &path).repeatable()).await?;
    let agent: Agent = decode(&value)?;
    context.out.document(&value);
    context.out.line(format_args!("{} what {} has spent counts from zero", paint(GOOD, "✓"), agent.name));
    if agent.desired == "PAUSED" {
        context.out.line(format_args!("Next: octopussy agent resume {}", agent.name));
    }
    Ok(())
}
