//! The grammar of the command line, and the one place that turns a result into an exit code.

use crate::commands::{
    self, agent, audit, backup, cluster, completions, demo, install, provider, restore, secret, start, status, stop,
    task, token,
};
use crate::failure::Failure;
use crate::home::Home;
use crate::output::Output;
use crate::version::VERSION;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Exit codes:
  0  it worked
  1  it failed
  2  the command line is wrong
  3  the node is not reachable
  4  the node refused: credentials or permissions
  5  the task ended, and not with a result
  6  the node's identity is in use elsewhere, or its home is an old one

Begin with:
  octopussy demo                         see it work: no network, no keys
  octopussy start                        a node of your own
  octopussy agent create DIR             an agent from its directory
  octopussy task submit AGENT \"…\" --wait  ask it something";

/// Host AI agents: durable tasks, supervised agents, one binary.
#[derive(Debug, Parser)]
#[command(name = "octopussy", version = VERSION, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where the node keeps its data [default: ~/.octopussy]
    #[arg(long, global = true, env = "OCTOPUSSY_HOME", value_name = "DIR", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Moves every port by N, so that several nodes fit on one machine
    #[arg(long, global = true, env = "OCTOPUSSY_PORT_OFFSET", value_name = "N", hide_env_values = true)]
    port_offset: Option<u16>,
    /// Print JSON: one document on stdout, errors as one document on stderr
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prepare the home directory: configuration, certificates, first credentials
    Install(install::InstallArgs),
    /// Start the node (and install first, when that has not been done)
    Start(start::StartArgs),
    /// Stop the node; running tasks go on at the next start
    Stop(stop::StopArgs),
    /// How the node is
    Status(status::StatusArgs),
    /// Create, look at and control agents
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Submit tasks and read their results
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// The nodes that work together: let others in, look at them, move work off them
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Take a backup of the node that runs with this home, into one file
    Backup(backup::BackupArgs),
    /// Make a new home (--home) of backups
    Restore(restore::RestoreArgs),
    /// Keep keys and passwords, encrypted, out of every file
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// Make, list and revoke the tokens with which users and programs speak to the cluster
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// The log of what was allowed, denied and changed on this node
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The models that can be asked
    #[command(subcommand)]
    Provider(provider::ProviderCommand),
    /// See it work: agents, documents, a crash in the middle. No network, no keys
    Demo(demo::DemoArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// What a command works with.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The node's home directory.
    pub(crate) home: Home,
    /// Whether the home directory was named on the command line, not by the environment or by default.
    pub(crate) home_is_named: bool,
    /// The port offset, when one was given.
    pub(crate) port_offset: Option<u16>,
    /// Where output goes.
    pub(crate) out: Output,
}

/// Parses, runs, reports.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.global.json);
    match run(cli, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli, out: Output) -> Result<(), Failure> {
    let home_is_named =
        cli.global.home.is_some() && cli.global.home != std::env::var_os("OCTOPUSSY_HOME").map(PathBuf::from);
    let context =
        Context { home: Home::locate(cli.global.home)?, home_is_named, port_offset: cli.global.port_offset, out };
    // A node works on every core; a command waits for one answer at a time.
    let is_node = matches!(&cli.command, Command::Start(args) if args.foreground);
    let runtime = if is_node {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build()
    }
    .map_err(|error| Failure::new(format!("the runtime cannot start: {error}")))?;
    runtime.block_on(Box::pin(dispatch(cli.command, context)))
}

async fn dispatch(command: Command, context: Context) -> Result<(), Failure> {
    match command {
        Command::Install(args) => install::run(args, &context).await,
        Command::Start(args) => start::run(args, &context).await,
        Command::Stop(args) => stop::run(args, &context).await,
        Command::Status(args) => status::run(args, &context).await,
        Command::Agent(command) => commands::agent::run(command, &context).await,
        Command::Task(command) => commands::task::run(command, &context).await,
        Command::Cluster(command) => cluster::run(command, &context).await,
        Command::Backup(args) => backup::run(args, &context).await,
        Command::Restore(args) => restore::run(args, &context).await,
        Command::Secret(command) => secret::run(command, &context).await,
        Command::Token(command) => token::run(command, &context).await,
        Command::Audit(command) => audit::run(command, &context).await,
        Command::Provider(command) => provider::run(command, &context).await,
        Command::Demo(args) => demo::run(args, &context).await,
        Command::Completions(args) => completions::run(args),
    }
}

/// The grammar, for completion scripts.
pub(crate) fn grammar() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_may_follow_the_command() {
        let cli =
            Cli::try_parse_from(["octopussy", "status", "--json", "--home", "/tmp/x", "--port-offset", "7"]).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.port_offset, Some(7));
        assert_eq!(cli.global.home.as_deref(), Some(std::path::Path::new("/tmp/x")));
    }

    #[test]
    fn a_secret_value_is_never_an_argument() {
        let error = Cli::try_parse_from(["octopussy", "secret", "set", "openai.api_key", "sk-123"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_task_takes_its_text_from_exactly_one_place() {
        let both = ["octopussy", "task", "submit", "librarian", "text", "--input-file", "x"];
        assert_eq!(Cli::try_parse_from(both).unwrap_err().exit_code(), 2);
        Cli::try_parse_from(["octopussy", "task", "submit", "librarian", "text", "--wait"]).unwrap();
    }
}
