//! `octopussy agent stop`, `pause` and `resume`.

use super::confirm::{Silence, confirm};
use crate::cli::Context;
use crate::client::{Agent, Call, Client, decode, segment};
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use reqwest::Method;

/// What an agent is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Control {
    /// Take no work ever again.
    Stop,
    /// Take no work for now.
    Pause,
    /// Take work again.
    Resume,
}

impl Control {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Stop => ("stop", "is stopped for good"),
            Self::Pause => ("pause", "is paused"),
            Self::Resume => ("resume", "works again"),
        }
    }
}

/// Stops the agent for good, after asking where somebody can be asked.
pub(crate) async fn stop(agent: &str, yes: bool, context: &Context) -> Result<(), Failure> {
    if !yes {
        let what = "A stopped agent never works again, and its waiting tasks become dead letters. `agent pause` can be undone.";
        confirm(what, Silence::Agrees, context)?;
    }
    run(agent, Control::Stop, context).await
}

/// Tells the agent.
pub(crate) async fn run(agent: &str, control: Control, context: &Context) -> Result<(), Failure> {
    let (verb, done) = control.words();
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/agents/{}/{verb}", segment(agent));
    let value = client.send(Call::new(Method::POST, &path).repeatable()).await?;
    let agent: Agent = decode(&value)?;
    context.out.document(&value);
    context.out.line(format_args!("{} {} {done}", paint(GOOD, "✓"), agent.name));
    Ok(())
}
