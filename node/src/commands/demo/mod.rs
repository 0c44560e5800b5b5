//! `octopussy demo`: a cluster of three nodes, agents with documents, questions, a node killed in the middle of its work, and
//! the proof that nothing was lost or done twice. No network, no keys.

mod agents;
mod cluster;
mod crash;
mod evidence;
mod node;
mod questions;

use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::output::{BOLD, DIM, GOOD, duration_ms, paint};
use clap::Args;
use cluster::DemoCluster;
use serde_json::json;
use std::path::PathBuf;
use tokio::time::Instant;

/// What to leave behind.
#[derive(Debug, Args)]
#[command(
    after_help = "With --home DIR the nodes live in DIR (which must be empty or absent) and stay there afterwards."
)]
pub(crate) struct DemoArgs {
    /// Keep the nodes' home directories afterwards
    #[arg(long)]
    keep: bool,
}

/// Runs the demonstration; a failure when anything at all went wrong.
pub(crate) async fn run(args: DemoArgs, context: &Context) -> Result<(), Failure> {
    tokio::select! {
        result = demonstrate(&args, context) => result,
        // The nodes run in sessions of their own and would not hear Ctrl-C; dropping them ends them.
        _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted; the demonstration's nodes are ended")),
    }
}

async fn demonstrate(args: &DemoArgs, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    let begun = Instant::now();
    let place = Place::choose(args, context)?;
    out.line(paint(BOLD, "Octopussy, a demonstration: three nodes, four agents, no network, no keys"));
    out.line("");

    let spinner = out.spinner("three nodes are forming a cluster");
    let cluster = DemoCluster::start(place.home().path(), context).await;
    spinner.finish_and_clear();
    let mut cluster = cluster?;
    cluster.show(context).await?;
    let created = agents::create_all(cluster.client(0), context).await?;
    let answers = questions::ask_all(&cluster, context).await?;
    let crash = crash::run(&mut cluster, context).await?;
    cluster.stop().await?;

    out.line("");
    let total = duration_ms(begun.elapsed().as_secs_f64() * 1_000.0);
    let tasks = answers.len() + crash.tasks;
    out.line(format_args!(
        "{} {tasks} tasks accepted, {tasks} succeeded, none lost, no finished step repeated. {}",
        paint(GOOD, "✓"),
        paint(DIM, format_args!("({total})"))
    ));
    out.document(&json!({
        "succeeded": true, "agents": created, "tasks": tasks, "answers": answers, "crash": crash.to_json(),
        "seconds": begun.elapsed().as_secs_f64(), "home": place.kept(),
    }));
    match place.kept() {
        Some(home) => {
            let first = home.join("node-1");
            out.line(format_args!(
                "The nodes' homes are in {}. Next: octopussy --home {} start",
                home.display(),
                first.display()
            ));
        }
        None => out.line("Next: octopussy start, then octopussy agent create DIR with a directory of your own."),
    }
    Ok(())
}

/// Where the demonstration's nodes live.
enum Place {
    /// In a directory that goes away with it.
    Temporary(Home, #[expect(dead_code, reason = "held for its Drop, which removes the directory")] tempfile::TempDir),
    /// In a directory that stays.
    Kept(Home),
}

impl Place {
    fn choose(args: &DemoArgs, context: &Context) -> Result<Self, Failure> {
        if context.home_is_named {
            // The demonstration kills one of its nodes; it must never be somebody's own.
            let home = context.home.clone();
            if std::fs::read_dir(home.path()).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(Failure::new(format!("{} is not empty", home.path().display()))
                    .exit(Exit::Usage)
                    .hint("the demonstration kills a node: give it a directory of its own, or leave --home out"));
            }
            return Ok(Self::Kept(home));
        }
        let directory = tempfile::Builder::new()
            .prefix("octopussy-demo-")
            .tempdir()
            .map_err(|error| Failure::io("cannot create a directory in", &std::env::temp_dir(), &error))?;
        if args.keep {
            return Ok(Self::Kept(Home::locate(Some(directory.keep()))?));
        }
        Ok(Self::Temporary(Home::locate(Some(directory.path().to_owned()))?, directory))
    }

    const fn home(&self) -> &Home {
        match self {
            Self::Temporary(home, _) | Self::Kept(home) => home,
        }
    }

    fn kept(&self) -> Option<PathBuf> {
        match self {
            Self::Temporary(..) => None,
            Self::Kept(home) => Some(home.path().to_owned()),
        }
    }
}
