//! Following a task while it works: the tokens as they come, and the steps as they end.

use crate::cli::Context;
use crate::client::{Backoff, Client, ClientError, EventStream, ServerEvent, Step, Task, decode, segment};
use crate::failure::Failure;
use crate::output::{DIM, duration_ms, paint, printable};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long the node may be gone while one watches.
const AWAY: Duration = Duration::from_secs(30);

/// What has been shown so far.
#[derive(Debug, Default)]
struct Progress {
    last_id: Option<String>,
    /// The step whose tokens were shown last, and whether the line is still open.
    speaking: Option<u64>,
    open_line: bool,
    steps: u32,
    /// What was shown of the step that speaks.
    spoken: String,
}

/// Follows the task to its end, across breaks of the connection and restarts of the node.
pub(crate) async fn follow(client: &Client, task: &str, within: Duration, context: &Context) -> Result<Task, Failure> {
    let path = format!("/api/v1/tasks/{}/events", segment(task));
    let deadline = Instant::now() + within;
    let mut progress = Progress::default();
    let mut backoff = Backoff::lasting(AWAY);
    loop {
        let step = async {
            let mut events = client.events(&path, progress.last_id.as_deref()).await?;
            read(&mut events, &mut progress, &mut backoff, context).await
        };
        match tokio::time::timeout_at(deadline, step).await {
            Ok(Ok(Some(task))) => return Ok(task),
            Ok(Ok(None)) => {}
            Ok(Err(error)) if error.is_transient() => {
                if !backoff.pause().await {
                    return Err(error.into());
                }
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                return Err(Failure::new(format!("task {task} has not ended after {} s", within.as_secs()))
                    .hint(format!("it goes on: octopussy task result {task} --wait")));
            }
        }
    }
}

/// Reads one connection's events; the task when it has ended.
async fn read(
    events: &mut EventStream,
    progress: &mut Progress,
    backoff: &mut Backoff,
    context: &Context,
) -> Result<Option<Task>, ClientError> {
    while let Some(event) = events.next().await? {
        *backoff = Backoff::lasting(AWAY);
        if let Some(task) = show(&event, progress, context)? {
            return Ok(Some(task));
        }
    }
    if !backoff.pause().await {
        let reason = "it closes the stream of events again and again".to_owned();
        return Err(ClientError::BadAnswer(reason));
    }
    Ok(None)
}

/// Shows one event; gives the task when it has ended.
fn show(event: &ServerEvent, progress: &mut Progress, context: &Context) -> Result<Option<Task>, ClientError> {
    if event.id.is_some() {
        progress.last_id.clone_from(&event.id);
    }
    let data: Value = serde_json::from_str(&event.data)
        .map_err(|error| ClientError::BadAnswer(format!("event {}: {error}", event.event)))?;
    context.out.event(&json!({"event": event.event, "id": event.id, "data": data}));
    match event.event.as_str() {
        "token" => token(&data, progress, context),
        "step" => step(&decode(data.get("step").filter(|step| step.is_object()).unwrap_or(&data))?, progress, context),
        "state" | "ended" => {
            let body = data.get("task").filter(|task| task.is_object()).unwrap_or(&data);
            // Only the whole of a task has steps; a mere change of its state may name the end before the result is there.
            if body.get("steps").is_none() {
                return Ok(None);
            }
            let task: Task = decode(body)?;
            for one in &task.steps {
                step(one, progress, context);
            }
            if task.is_ended() {
                finish(&task, progress, context);
                return Ok(Some(task));
            }
        }
        "budget" => context.out.note(format_args!("The agent's budget is spent: {}", printable(&data.to_string()))),
        _ => {}
    }
    Ok(None)
}

fn token(data: &Value, progress: &mut Progress, context: &Context) {
    let text = data["text"].as_str().unwrap_or_default();
    let speaker = data["step"].as_u64().unwrap_or(u64::from(progress.steps));
    if progress.speaking != Some(speaker) {
        close_line(progress, context);
        progress.spoken.clear();
        progress.speaking = Some(speaker);
    }
    progress.spoken.push_str(text);
    progress.open_line = true;
    context.out.part(text);
}

fn step(step: &Step, progress: &mut Progress, context: &Context) {
    if step.index < progress.steps {
        return;
    }
    progress.steps = step.index + 1;
    close_line(progress, context);
    let name = if step.name.is_empty() { &step.kind } else { &step.name };
    context.out.note(paint(DIM, format_args!("· {} ({})", printable(name), duration_ms(step.duration_ms))));
}

/// The answer is shown whole unless the tokens of the last step were exactly it.
fn finish(task: &Task, progress: &mut Progress, context: &Context) {
    close_line(progress, context);
    if let Some(result) = task.result.as_deref().filter(|result| result.trim() != progress.spoken.trim()) {
        context.out.line(result.trim_end());
    }
}

fn close_line(progress: &mut Progress, context: &Context) {
    if std::mem::take(&mut progress.open_line) {
        context.out.line("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::output::Output;

    fn context() -> Context {
        Context {
            home: Home::locate(Some("/nowhere".into())).unwrap(),
            home_is_named: false,
            port_offset: None,
            out: Output::new(true),
        }
    }

    fn event(kind: &str, data: Value) -> ServerEvent {
        ServerEvent { id: Some("1-1".to_owned()), event: kind.to_owned(), data: data.to_string() }
    }

    #[test]
    fn the_end_is_found_in_the_first_state_and_in_ended() {
        for kind in ["state", "ended"] {
            let mut progress = Progress::default();
            let data = json!({"task_id":"t","state":"SUCCEEDED","result":"hello","steps":[]});
            let task = show(&event(kind, data), &mut progress, &context()).unwrap().unwrap();
            assert_eq!(task.result.as_deref(), Some("hello"));
            assert_eq!(progress.last_id.as_deref(), Some("1-1"));
        }
    }

    #[test]
    fn a_change_of_state_without_the_task_is_not_an_end() {
        let mut progress = Progress::default();
        assert!(
            show(&event("state", json!({"task_id":"t","agent_id":"a","state":"SUCCEEDED"})), &mut progress, &context())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn steps_are_counted_once_however_often_they_are_told() {
        let mut progress = Progress::default();
        for _ in 0..2 {
            show(&event("step", json!({"index":0,"kind":"model","name":"draft"})), &mut progress, &context()).unwrap();
        }
        assert_eq!(progress.steps, 1);
        show(&event("token", json!({"step":1,"text":"a"})), &mut progress, &context()).unwrap();
        show(&event("token", json!({"step":1,"text":"b"})), &mut progress, &context()).unwrap();
        assert_eq!(progress.spoken, "ab");
    }
}
