//! The crash: the node is killed while tasks are in the middle of their steps, started again, and held to its promises.

use super::evidence::{Evidence, compare};
use super::node::DemoNode;
use crate::cli::Context;
use crate::client::{Call, Client, ClientError, Page, Step, Task, decode, segment};
use crate::commands::task::wait_for_end;
use crate::failure::Failure;
use crate::output::{BOLD, DIM, GOOD, Table, duration_ms, paint};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many tasks the first round submits; each further round, needed only when the kill came too late, doubles it.
const FIRST_ROUND: usize = 32;
/// How many rounds there are at most.
const ROUNDS: usize = 6;
/// How many submissions are under way at once.
const AT_ONCE: usize = 16;
/// How often it is looked whether a task is in the middle.
const LOOK: Duration = Duration::from_millis(1);
/// How many running tasks are looked at each time.
const LOOK_AT: usize = 8;
/// How long a task may take to end after the crash.
const END_WITHIN: Duration = Duration::from_secs(15);

const QUESTIONS: [&str; 4] = [
    "How do Paxos and Raft elect a leader, and what do they do when it fails?",
    "What must reach the disk before a write is acknowledged, and how is that measured?",
    "Which replicated systems followed Viewstamped Replication, and what did each of them add?",
    "Why does a majority matter, and what does a cluster of two nodes gain?",
];

/// What the crash showed.
pub(super) struct Crash {
    /// How many tasks there were in all rounds.
    pub(super) tasks: usize,
    evidence: Evidence,
    again: usize,
    restart_ms: f64,
}

impl Crash {
    /// The crash as `--json` tells it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "tasks": self.tasks, "resumed": self.evidence.resumed.len(), "steps": self.evidence.steps,
            "steps_kept": self.evidence.kept_steps, "steps_repeated": 0, "tasks_lost": 0,
            "submissions_repeated": self.again, "restart_ms": self.restart_ms,
        })
    }
}

/// What one round's submissions came to.
#[derive(Default)]
struct Round {
    /// The accepted tasks: key and id.
    accepted: Vec<(String, String)>,
    /// The keys whose submission the crash cut off.
    cut_off: Vec<String>,
    /// The finished steps that were seen before the crash.
    seen: BTreeMap<String, Vec<Step>>,
}

/// Runs rounds until a kill has hit tasks in the middle.
pub(super) async fn run(node: &mut DemoNode, context: &Context) -> Result<Crash, Failure> {
    let out = context.out;
    out.line("");
    out.line(paint(BOLD, "Now the power goes out in the middle of the work."));
    let mut tasks = 0;
    for round in 0..ROUNDS {
        let size = FIRST_ROUND << round;
        let spinner = out.spinner(format!("{size} tasks for the analyst, each of several steps"));
        let pid = node.pid();
        let begun = submit_until_in_the_middle(node, round, size).await;
        spinner.finish_and_clear();
        let mut found = begun?;
        let accepted = found.accepted.len();
        node.restart().await?;
        let again = submit_again(node.client(), &mut found).await?;
        let ended = wait_for_all(node.client(), &found).await?;
        let ids: Vec<String> = found.accepted.iter().map(|(_, id)| id.clone()).collect();
        let evidence = compare(&ids, &found.seen, &ended).map_err(|wrong| {
            Failure::new(format!("the crash did harm:\n  {}", wrong.join("\n  ")))
                .hint("keep the evidence with `octopussy demo --keep`, and report it")
        })?;
        tasks += evidence.tasks;
        if evidence.resumed.is_empty() {
            continue;
        }
        let crash = Crash { tasks, evidence, again, restart_ms: node.took_ms };
        show(&crash, accepted, pid, context);
        return Ok(crash);
    }
    Err(Failure::new(format!("in {ROUNDS} rounds no kill hit a task in the middle: nothing was shown"))
        .hint("this machine finishes tasks faster than they can be watched; nothing was lost either"))
}

/// The body of a task of the round.
fn body(index: usize) -> Value {
    json!({"agent": "analyst", "input": QUESTIONS[index % QUESTIONS.len()]})
}

fn index_of(key: &str) -> usize {
    key.rsplit('-').next().and_then(|index| index.parse().ok()).unwrap_or_default()
}

async fn submit(client: &Client, key: String) -> (String, Result<Task, ClientError>) {
    let body = body(index_of(&key));
    let call = Call::new(Method::POST, "/api/v1/tasks").body(&body).idempotency_key(&key);
    let result = client.send(call).await.and_then(|value| decode(&value));
    (key, result)
}

/// Submits tasks while watching; kills the node the moment a task has finished a step and not its work.
async fn submit_until_in_the_middle(node: &mut DemoNode, round: usize, size: usize) -> Result<Round, Failure> {
    let client = node.client().clone();
    let run = uuid::Uuid::now_v7();
    let keys = (0..size).map(|index| format!("demo-{run}-{round}-{index}"));
    let mut submissions = futures::stream::iter(keys.map(|key| submit(&client, key))).buffer_unordered(AT_ONCE);
    let mut round = Round::default();
    let mut killed = false;
    let mut all_in = false;
    loop {
        tokio::select! {
            next = submissions.next(), if !all_in => match next {
                Some((key, Ok(task))) => round.accepted.push((key, task.task_id)),
                Some((key, Err(error))) if killed && error.is_transient() => round.cut_off.push(key),
                Some((_, Err(error))) => return Err(error.into()),
                None if killed => return Ok(round),
                None => all_in = true,
            },
            looked = look(&client, &mut round.seen), if !killed => {
                let in_the_middle = looked?;
                if in_the_middle || (all_in && round.accepted.len() == size && nothing_runs(&client).await?) {
                    node.kill()?;
                    killed = true;
                    if all_in {
                        return Ok(round);
                    }
                }
            }
        }
    }
}

/// Looks at running tasks and notes their finished steps; whether one of them is in the middle of its work.
async fn look(client: &Client, seen: &mut BTreeMap<String, Vec<Step>>) -> Result<bool, ClientError> {
    tokio::time::sleep(LOOK).await;
    let path = format!("/api/v1/tasks?state=RUNNING&limit={LOOK_AT}");
    let running: Page<Task> = decode(&client.get(&path).await?)?;
    let mut in_the_middle = false;
    for task in running.items {
        let task: Task = decode(&client.get(&format!("/api/v1/tasks/{}", segment(&task.task_id))).await?)?;
        in_the_middle |= !task.is_ended() && !task.steps.is_empty();
        if !task.steps.is_empty() {
            seen.insert(task.task_id, task.steps);
        }
        if in_the_middle {
            break;
        }
    }
    Ok(in_the_middle)
}

async fn nothing_runs(client: &Client) -> Result<bool, ClientError> {
    for state in ["ACCEPTED", "RUNNING"] {
        let page: Page<Value> = decode(&client.get(&format!("/api/v1/tasks?state={state}&limit=1")).await?)?;
        if !page.items.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends what the crash cut off once more with the same keys, and one accepted task too: its key must lead to the same task.
async fn submit_again(client: &Client, round: &mut Round) -> Result<usize, Failure> {
    let again = std::mem::take(&mut round.cut_off);
    let count = again.len();
    for key in again {
        let (key, task) = submit(client, key).await;
        round.accepted.push((key, task?.task_id));
    }
    if let Some((key, id)) = round.accepted.first().cloned() {
        let (_, task) = submit(client, key).await;
        let second = task?.task_id;
        if second != id {
            return Err(Failure::new(format!("the same submission made two tasks: {id} and {second}")));
        }
    }
    Ok(count)
}

async fn wait_for_all(client: &Client, round: &Round) -> Result<BTreeMap<String, Task>, Failure> {
    let ids = round.accepted.iter().map(|(_, id)| id.clone());
    let waits = ids.map(|id| async move {
        match wait_for_end(client, &id, END_WITHIN).await {
            Ok((_, task)) => Ok(Some((id, task))),
            // A task that is gone is for the comparison to tell.
            Err(failure) if failure.code.as_deref() == Some("OCTO-1300") => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let ended: Vec<_> = futures::stream::iter(waits).buffer_unordered(AT_ONCE).collect().await;
    ended.into_iter().filter_map(Result::transpose).collect()
}

fn show(crash: &Crash, accepted: usize, pid: u32, context: &Context) {
    let out = context.out;
    let evidence = &crash.evidence;
    let tick = || paint(GOOD, "✓");
    out.line(format_args!(
        "  {accepted} tasks were accepted, then kill -9 {pid}; {} were in the middle of their steps",
        evidence.resumed.len()
    ));
    out.line(format_args!("{} the node is ready again after {}", tick(), duration_ms(crash.restart_ms)));
    if crash.again > 0 {
        out.line(format_args!(
            "{} {} submissions were cut off and sent again with their keys: none made a second task",
            tick(),
            crash.again
        ));
    }
    out.line(format_args!(
        "{} all {} tasks ended with their results; {} finished steps were kept, 0 repeated",
        tick(),
        evidence.tasks,
        evidence.kept_steps
    ));
    if let Some(task) = evidence.resumed.iter().max_by_key(|task| super::evidence::kept(task)) {
        out.line("");
        out.line(format_args!("Where the time went in one of them {}", paint(DIM, format_args!("({})", task.task_id))));
        out.line(journal(task));
    }
}

/// The task's steps, and on which side of the crash each was done.
fn journal(task: &Task) -> Table {
    let last = task.steps.iter().map(|step| step.epoch).max();
    let mut table = Table::new(["step", "kind", "by", "attempt", "done", "took"]).right(3).right(5);
    for step in &task.steps {
        let side = if Some(step.epoch) == last { "after the restart" } else { "before the crash" };
        table.row([
            step.name.clone(),
            step.kind.clone(),
            step.by.clone(),
            step.attempt.to_string(),
            side.to_owned(),
            duration_ms(step.duration_ms),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_submission_says_the_same() {
        let key = "demo-0190-2-7";
        assert_eq!(body(index_of(key)), body(7));
        assert_ne!(body(6), body(7));
    }
}
