//! `octopussy task cancel`, `replay` and `discard`.

use crate::cli::Context;
use crate::client::{Call, Client, segment};
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use reqwest::Method;
use serde_json::json;

/// Ends a task.
pub(crate) async fn cancel(task: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/tasks/{}/cancel", segment(task));
    let value = client.send(Call::new(Method::POST, &path).repeatable()).await?;
    context.out.document(&value);
    context.out.line(format_args!("{} {task} is told to end", paint(GOOD, "✓")));
    Ok(())
}

/// Tries a task again.
pub(crate) async fn replay(task: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/dlq/{}/replay", segment(task));
    let value = client.send(Call::new(Method::POST, &path)).await?;
    let id = value["task_id"].as_str().unwrap_or(task);
    context.out.line(format_args!("{} {id} waits for its agent again", paint(GOOD, "✓")));
    context.out.line(format_args!("Next: octopussy task result {id} --wait"));
    context.out.document(&value);
    Ok(())
}

/// Removes a task.
pub(crate) async fn discard(task: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/dlq/{}", segment(task));
    client.send(Call::new(Method::DELETE, &path)).await?;
    context.out.line(format_args!("{} {task} is discarded", paint(GOOD, "✓")));
    context.out.document(&json!({"task_id": task, "discarded": true}));
    Ok(())
}
