//! `octopussy cluster`: the nodes that work together, and where everything is.

mod change;
pub(super) mod duration;
mod leave;
mod recover;
mod rotate_ca;
mod rotate_keys;
mod show;
mod token;

use crate::cli::Context;
use crate::failure::Failure;
use clap::Subcommand;
use std::time::Duration;

/// What to do with the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Make a token with which another machine joins: octopussy start --join TOKEN; list and withdraw those there are
    #[command(args_conflicts_with_subcommands = true)]
    Token {
        #[command(subcommand)]
        action: Option<token::TokenAction>,
        /// Let any number of machines join for this long, such as 30m, 24h or 7d [default: one machine, within an hour]
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        timed: Option<Duration>,
        /// Let guests in: machines that offer models and get no data, no vote and no secrets
        #[arg(long)]
        guest: bool,
    },
    /// List the nodes and how they are
    Members,
    /// List the shards and the nodes that hold them
    Ring,
    /// Who came, went and was sent away lately, and who asked for it
    History,
    /// How the cluster is, and what ought to be done about it
    Status,
    /// Move everything off a node, so that it can be taken down without a pause; it stays in the cluster
    Drain {
        /// Its name, its id or a unique beginning of it
        node: String,
        /// Let it take part again
        #[arg(long)]
        undo: bool,
    },
    /// Take a node out of the cluster for good, once everything is moved off it
    Leave {
        /// Its name, its id or a unique beginning of it [default: this machine's node]
        node: Option<String>,
        /// Take out a node that is down and will not come back
        #[arg(long, requires = "node")]
        force: bool,
        /// Take out a node that somebody else has in hand: as with --force, and every join token is withdrawn, and the keys that it
        /// knows and the cluster's authority are replaced as soon as it is out
        #[arg(long, requires = "node", conflicts_with = "force")]
        stolen: bool,
    },
    /// Replace the keys that sign messages and tokens; what was signed before is good for a while
    RotateKeys {
        /// Let nothing count that was signed before: messages on their way wait in vain, and programs need new tokens
        #[arg(long)]
        now: bool,
    },
    /// Replace the cluster's certificate authority, without an outage; clients outside the cluster need its new certificate within a week
    RotateCa {
        /// Trust the authority before no longer: clients that have not got the new certificate are locked out at once, and join tokens
        /// made before are void
        #[arg(long)]
        now: bool,
    },
    /// Look at once whether everything is where it belongs, and say how many shards have yet to move
    Rebalance,
    /// After a loss of too many nodes: go on with what this machine's node has. What only the lost nodes knew is lost
    Recover {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(command: ClusterCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ClusterCommand::Token { action: Some(action), .. } => token::act(action, context).await,
        ClusterCommand::Token { action: None, timed, guest } => token::run(timed, guest, context).await,
        ClusterCommand::Members => show::members(context).await,
        ClusterCommand::History => show::history(context).await,
        ClusterCommand::Ring => show::ring(context).await,
        ClusterCommand::Status => show::status(context).await,
        ClusterCommand::Drain { node, undo } => change::drain(&node, undo, context).await,
        ClusterCommand::Leave { node, force, stolen } => leave::run(node.as_deref(), force, stolen, context).await,
        ClusterCommand::RotateKeys { now } => rotate_keys::run(now, context).await,
        ClusterCommand::RotateCa { now } => rotate_ca::run(now, context).await,
        ClusterCommand::Rebalance => change::rebalance(context).await,
        ClusterCommand::Recover { yes } => recover::run(yes, context).await,
    }
}
