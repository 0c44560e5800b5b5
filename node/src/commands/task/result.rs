//! `octopussy task result`, and waiting for a task's end.

use super::show::{show_ended, steps_table};
use crate::cli::Context;
use crate::client::{Call, Client, ClientError, Task, decode, segment, with_retries};
use crate::failure::{Exit, Failure};
use clap::Args;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long one request waits; the node allows up to a minute.
const LONG_POLL: Duration = Duration::from_secs(30);
/// How long the node may be gone while one waits: a restart fits many times.
const AWAY: Duration = Duration::from_secs(30);

/// Which task, and whether to wait for it.
#[derive(Debug, Args)]
pub(crate) struct ResultArgs {
    /// The task's id
    task: String,
    /// Wait until the task has ended
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
    timeout: u64,
    /// Show the steps and where the time went
    #[arg(long)]
    steps: bool,
}

/// Shows the task's result.
pub(crate) async fn run(args: ResultArgs, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let (value, task) = if args.wait {
        let spinner = context.out.spinner("waiting for the task");
        let waited = wait_for_end(&client, &args.task, Duration::from_secs(args.timeout)).await;
        spinner.finish_and_clear();
        waited?
    } else {
        let value = client.get(&format!("/api/v1/tasks/{}", segment(&args.task))).await?;
        let task: Task = decode(&value)?;
        (value, task)
    };
    context.out.document(&value);
    if task.is_ended() {
        return show_ended(&task, args.steps, context);
    }
    context.out.line(format_args!("{} is {} ({} steps done)", task.task_id, task.state, task.steps.len()));
    if args.steps && !task.steps.is_empty() {
        context.out.line(steps_table(&task.steps));
    }
    Ok(())
}

/// Waits until the task has ended, also across a restart of the node.
pub(crate) async fn wait_for_end(client: &Client, task: &str, within: Duration) -> Result<(Value, Task), Failure> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.min(LONG_POLL);
        let path = format!("/api/v1/tasks/{}?wait={}s", segment(task), wait.as_secs().max(1));
        let value: Value = with_retries::<_, _, _>(left.min(AWAY), || async {
            client.send(Call::new(Method::GET, &path).wait(wait)).await
        })
        .await
        .map_err(|error: ClientError| Failure::from(error))?;
        let seen: Task = decode(&value)?;
        if seen.is_ended() {
            return Ok((value, seen));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("task {task} is still {} after {} s", seen.state, within.as_secs()))
                .exit(Exit::Failed)
                .hint(format!("it goes on: octopussy task result {task} --wait")));
        }
    }
}
