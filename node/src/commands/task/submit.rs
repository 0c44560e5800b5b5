//! `octopussy task submit`.

use super::result::wait_for_end;
use super::show::show_ended;
use super::stream;
use crate::cli::Context;
use crate::client::{Call, Client, Task, decode, with_retries};
use crate::failure::{Exit, Failure};
use crate::output::{DIM, GOOD, paint};
use crate::process::NodeFile;
use clap::{Args, ValueEnum};
use octopussy_core::plain_text;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a submission is repeated while the node does not answer; its key makes that harmless.
const SUBMIT_RETRIES: Duration = Duration::from_secs(20);
/// How much text a task may have; the node's own limit.
const MAX_INPUT: u64 = 256 * 1024;
/// How much all documents of a task may have together; the node's own limit.
const MAX_DOCUMENTS: u64 = 8 * 1024 * 1024;

/// A task.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  octopussy task submit librarian \"How long does an SD card last?\" --wait
  octopussy task submit analyst --input-file question.txt --document report.md --stream
  git diff | octopussy task submit editor - --wait")]
pub(crate) struct SubmitArgs {
    /// The agent's name or id; `auto` lets the node choose
    agent: String,
    /// What it is to do; `-` reads it from standard input
    #[arg(required_unless_present = "input_file", conflicts_with = "input_file")]
    text: Option<String>,
    /// Read what it is to do from this file
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    /// A text file that goes with the task; may be given several times
    #[arg(long = "document", value_name = "FILE")]
    documents: Vec<PathBuf>,
    /// Something the answer has to observe; may be given several times
    #[arg(long = "constraint", value_name = "TEXT")]
    constraints: Vec<String>,
    /// Wait for the answer
    #[arg(long)]
    wait: bool,
    /// Show the answer while it is made
    #[arg(long)]
    stream: bool,
    /// Show the steps and where the time went, after waiting
    #[arg(long)]
    steps: bool,
    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Which of an agent's tasks come first
    #[arg(long, value_enum)]
    priority: Option<Priority>,
    /// After how many seconds an unfinished task is given up on
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    ttl: Option<u64>,
    /// How often the task may be begun
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// Names this submission: the same key never makes a second task [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// How urgent a task is.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Priority {
    Critical,
    High,
    Normal,
    Low,
}

impl Priority {
    const fn name(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Normal => "NORMAL",
            Self::Low => "LOW",
        }
    }
}

/// Submits the task, and follows it when that was asked for.
pub(crate) async fn run(args: SubmitArgs, context: &Context) -> Result<(), Failure> {
    let body = body(&args)?;
    let key = args.idempotency_key.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    // A node that does not run will not come back by itself; one that runs may be restarting, and another one may take over.
    let may_come = client.knows_others() || NodeFile::of_running(&context.home).is_some();
    let patience = if may_come { SUBMIT_RETRIES } else { Duration::from_millis(500) };
    let value = with_retries(patience, || async {
        client.send(Call::new(Method::POST, "/api/v1/tasks").body(&body).idempotency_key(&key)).await
    })
    .await?;
    let task: Task = decode(&value)?;
    let within = Duration::from_secs(args.timeout);
    if args.stream {
        let task = stream::follow(&client, &task.task_id, within, context).await?;
        return show_streamed(&task, &args, context);
    }
    if args.wait {
        let spinner = context.out.spinner(format!("{} works", args.agent));
        let ended = wait_for_end(&client, &task.task_id, within).await;
        spinner.finish_and_clear();
        let (value, task) = ended?;
        context.out.document(&value);
        return show_ended(&task, args.steps, context);
    }
    context.out.document(&value);
    let verb = if value["created"] == Value::Bool(false) { "was accepted before" } else { "is accepted" };
    context.out.line(format_args!("{} {} {verb}", paint(GOOD, "✓"), task.task_id));
    context.out.line(format_args!("Next: octopussy task result {} --wait", task.task_id));
    Ok(())
}

/// After a stream the answer is on the screen already.
fn show_streamed(task: &Task, args: &SubmitArgs, context: &Context) -> Result<(), Failure> {
    if !task.succeeded() {
        return show_ended(task, args.steps, context);
    }
    if args.steps {
        context.out.line("");
        context.out.line(super::steps_table(&task.steps));
    }
    context.out.note(paint(DIM, format_args!("task {}", task.task_id)));
    Ok(())
}

fn body(args: &SubmitArgs) -> Result<Value, Failure> {
    let input = input(args)?;
    if input.trim().is_empty() {
        return Err(Failure::new("the task has no text").exit(Exit::Usage).hint("say what the agent is to do"));
    }
    let mut body = json!({ "input": input });
    body["agent"] = if args.agent == "auto" { Value::Null } else { json!(args.agent) };
    if !args.constraints.is_empty() {
        body["constraints"] = json!(args.constraints);
    }
    if !args.documents.is_empty() {
        body["documents"] = documents(&args.documents)?;
    }
    if let Some(priority) = args.priority {
        body["priority"] = json!(priority.name());
    }
    if let Some(ttl) = args.ttl {
        body["ttl_seconds"] = json!(ttl);
    }
    if let Some(attempts) = args.max_attempts {
        body["max_attempts"] = json!(attempts);
    }
    Ok(body)
}

fn input(args: &SubmitArgs) -> Result<String, Failure> {
    match (&args.text, &args.input_file) {
        (_, Some(path)) => read_text(path, MAX_INPUT),
        (Some(text), None) if text == "-" => read(std::io::stdin().lock(), Path::new("standard input"), MAX_INPUT),
        (Some(text), None) => Ok(text.clone()),
        (None, None) => Ok(String::new()),
    }
}

fn documents(paths: &[PathBuf]) -> Result<Value, Failure> {
    let mut left = MAX_DOCUMENTS;
    let mut documents = Vec::new();
    for path in paths {
        let text = read_text(path, left)?;
        left -= text.len() as u64;
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        documents.push(json!({"name": name, "text": text}));
    }
    Ok(Value::Array(documents))
}

fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    let file = std::fs::File::open(path).map_err(|error| Failure::io("cannot read", path, &error))?;
    read(file, path, limit)
}

fn read(source: impl Read, path: &Path, limit: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Failure::io("cannot read", path, &error))?;
    if bytes.len() as u64 > limit {
        let limit = crate::output::bytes(limit);
        return Err(Failure::new(format!("{} is over the limit: {limit} are left", path.display()))
            .hint("a task's text may have 256 KiB, its documents 8 MiB together; long texts belong into --document"));
    }
    plain_text::from_file(bytes).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display())).hint("convert it to Markdown or plain text in UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_over_the_limit_is_refused_before_it_is_sent() {
        assert!(read(std::io::repeat(b'a'), Path::new("x"), 10).unwrap_err().message.contains("over the limit"));
        assert_eq!(read(&b"0123456789"[..], Path::new("x"), 10).unwrap(), "0123456789");
        assert_eq!(read(&b"\xef\xbb\xbfx"[..], Path::new("x"), 10).unwrap(), "x");
        assert!(read(&b"\xff\xfex\0"[..], Path::new("x"), 10).unwrap_err().message.contains("save it as UTF-8"));
    }

    #[test]
    fn documents_share_one_limit() {
        let directory = tempfile::tempdir().unwrap();
        let one = directory.path().join("one.md");
        std::fs::write(&one, vec![b'a'; 5 * 1024 * 1024]).unwrap();
        assert!(documents(std::slice::from_ref(&one)).is_ok());
        assert!(documents(&[one.clone(), one]).is_err());
    }
}
