//! `octopussy agent`: agents and their directories.

mod bundle;
mod confirm;
mod control;
mod create;
mod delete;
mod list;
mod update;
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
        /// If there is an agent of this name, give it another version instead
        #[arg(long)]
        replace: bool,
    },
    /// Give an agent another version, from its directory; running tasks end on the old one
    Update {
        /// The directory; the name in its agent.yaml says which agent
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Show what a directory would change in an agent, or what its last version changed
    Diff {
        /// Its name or id
        agent: String,
        /// The directory to compare with
        #[arg(value_name = "DIR", conflicts_with_all = ["from", "to"])]
        directory: Option<PathBuf>,
        /// From this version [default: the one before --to]
        #[arg(long, value_name = "V")]
        from: Option<u32>,
        /// To this version [default: the present one]
        #[arg(long, value_name = "V")]
        to: Option<u32>,
    },
    /// List the last versions of an agent: when they came, and who brought them
    History {
        /// Its name or id
        agent: String,
    },
    /// List the agents
    List {
        /// Show only agents with this tag
        #[arg(long)]
        tag: Option<String>,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Go on after this agent, as `next` of the page before says
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show everything about an agent
    Info {
        /// Its name or id
        agent: String,
    },
    /// Stop an agent for good: it never works again, and what waits for it goes to the dead-letter queue.
    /// `agent pause` is the one that can be undone, `agent delete` the one that frees the name
    Stop {
        /// Its name or id
        agent: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Delete an agent with its history and what it remembers; its name is free then, its ended tasks can still be read
    Delete {
        /// Its name or id
        agent: String,
        /// Cancel its tasks that have not ended; without this they keep it from being deleted
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Let what an agent has spent of its budget count from zero
    ResetBudget {
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
        AgentCommand::Create { directory, replace } => create::run(&directory, replace, context).await,
        AgentCommand::Update { directory } => update::run(&directory, context).await,
        AgentCommand::Diff { agent, directory, from, to } => {
            update::diff(&agent, directory.as_deref(), (from, to), context).await
        }
        AgentCommand::History { agent } => update::history(&agent, context).await,
        AgentCommand::List { tag, limit, after } => list::list(tag.as_deref(), limit, after, context).await,
        AgentCommand::Info { agent } => list::info(&agent, context).await,
        AgentCommand::Stop { agent, yes } => control::stop(&agent, yes, context).await,
        AgentCommand::Delete { agent, force, yes } => delete::run(&agent, force, yes, context).await,
        AgentCommand::ResetBudget { agent } => delete::reset_budget(&agent, context).await,
        AgentCommand::Pause { agent } => control::run(&agent, control::Control::Pause, context).await,
        AgentCommand::Resume { agent } => control::run(&agent, control::Control::Resume, context).await,
        AgentCommand::Validate { directory } => validate::run(&directory, context),
        AgentCommand::Schema => validate::schema(context),
    }
}
