//! `octopussy stop`: ask the node to end, and wait until it has.

use crate::cli::Context;
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use crate::process::{NodeFile, terminate};
use clap::Args;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether the node still runs.
const POLL: Duration = Duration::from_millis(50);

/// How to stop.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// How long to wait for the node to finish, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Stops the node; fine when none runs.
pub(crate) async fn run(args: StopArgs, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    let Some(node) = NodeFile::of_running(&context.home) else {
        out.line(format_args!("No node runs in {}.", context.home.path().display()));
        out.document(&json!({"stopped": false, "was_running": false}));
        return Ok(());
    };
    terminate(node.pid)
        .map_err(|error| Failure::new(format!("the node (process {}) cannot be told to stop: {error}", node.pid)))?;
    let spinner = out.spinner("stopping: finishing what is under way");
    let begun = Instant::now();
    while node.is_running() {
        if begun.elapsed() > Duration::from_secs(args.timeout) {
            spinner.finish_and_clear();
            return Err(Failure::new(format!("the node (process {}) still runs after {} s", node.pid, args.timeout))
                .hint(format!(
                    "wait longer with --timeout, or end it with `kill -9 {}`: no accepted task is lost",
                    node.pid
                )));
        }
        tokio::time::sleep(POLL).await;
    }
    spinner.finish_and_clear();
    out.line(format_args!("{} the node has stopped ({:.1} s)", paint(GOOD, "✓"), begun.elapsed().as_secs_f64()));
    out.document(&json!({"stopped": true, "was_running": true, "pid": node.pid}));
    Ok(())
}
