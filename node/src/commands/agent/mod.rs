//! `octopussy agent`: agents and their directories.

mod bundle;
mod control;
mod create;
mod list;
mod validate;

pub(crate) use bundle::read_bundle;

use crate::cli::Context;
use crate::failure::Failure;
use clap::Subcommand;
use std::path::PathBuf;

/// What to do with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Create an agent from its directory
    Create {
        /// The directory with agent.yaml, persona.md, goal.md, permissions.md and, if there is one, memory.md
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// List the agents
    List {
        /// Show only agents with this tag
        #[arg(long)]
        tag: Option<String>,
    },
    /// Show everything about an agent
    Info {
        /// Its name or id
        agent: String,
    },
    /// Stop an agent for good; what waits for it goes to the dead-letter queue
    Stop {
        /// Its name or id
        agent: String,
    },
    /// Let an agent take no more work; what waits for it stays
    Pause {
        /// Its name or id
        agent: String,
    },
    /// Let a paused agent work again
    Resume {
        /// Its name or id
        agent: String,
    },
    /// Check an agent's directory, without a node; every finding at once
    Validate {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Print the JSON Schema of agent.yaml, for editors
    Schema,
}

/// Runs the command.
pub(crate) async fn run(command: AgentCommand, context: &Context) -> Result<(), Failure> {
    match command {
        AgentCommand::Create { directory } => create::run(&directory, context).await,
        AgentCommand::List { tag } => list::list(tag.as_deref(), context).await,
        AgentCommand::Info { agent } => list::info(&agent, context).await,
        AgentCommand::Stop { agent } => control::run(&agent, control::Control::Stop, context).await,
        AgentCommand::Pause { agent } => control::run(&agent, control::Control::Pause, context).await,
        AgentCommand::Resume { agent } => control::run(&agent, control::Control::Resume, context).await,
        AgentCommand::Validate { directory } => validate::run(&directory, context),
        AgentCommand::Schema => validate::schema(context),
    }
}
