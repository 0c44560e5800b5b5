//! `octopussy task`: submit tasks, follow them, read their results.

mod dead_letters;
mod list;
mod result;
mod show;
mod stream;
mod submit;

pub(crate) use result::wait_for_end;
pub(crate) use show::steps_table;

use crate::cli::Context;
use crate::failure::Failure;
use clap::Subcommand;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Give an agent a task
    Submit(submit::SubmitArgs),
    /// A task's result and its steps
    Result(result::ResultArgs),
    /// List tasks, newest first
    List(list::ListArgs),
    /// End a task before it is done
    Cancel {
        /// Its id
        task: String,
    },
    /// Try a task from the dead-letter queue again
    Replay {
        /// Its id
        task: String,
    },
    /// Remove a task from the dead-letter queue for good
    Discard {
        /// Its id
        task: String,
    },
}

/// Runs the command.
pub(crate) async fn run(command: TaskCommand, context: &Context) -> Result<(), Failure> {
    match command {
        TaskCommand::Submit(args) => submit::run(args, context).await,
        TaskCommand::Result(args) => result::run(args, context).await,
        TaskCommand::List(args) => list::run(args, context).await,
        TaskCommand::Cancel { task } => dead_letters::cancel(&task, context).await,
        TaskCommand::Replay { task } => dead_letters::replay(&task, context).await,
        TaskCommand::Discard { task } => dead_letters::discard(&task, context).await,
    }
}
