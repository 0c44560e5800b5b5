//! The crash: the node that hosts an agent is killed while tasks are in the middle of their steps; the others take them over
//! and are held to its promises.

use super::cluster::DemoCluster;
use super::evidence::{Evidence, compare};
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
use tokio::time::Instant;

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

/// Whose tasks are interrupted.
const AGENT: &str = "analyst";

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
    recovered_ms: f64,
}

impl Crash {
    /// The crash as `--json` tells it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "tasks": self.tasks, "resumed": self.evidence.resumed.len(), "steps": self.evidence.steps,
            "steps_kept": self.evidence.kept_steps, "steps_repeated": 0, "tasks_lost": 0,
            "submissions_repeated": self.again, "recovered_ms": self.recovered_ms,
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
pub(super) async fn run(cluster: &mut DemoCluster, context: &Context) -> Result<Crash, Failure> {
    let out = context.out;
    out.line("");
    out.line(paint(BOLD, "Now a node loses its power in the middle of the work."));
    let mut tasks = 0;
    for round in 0..ROUNDS {
        let size = FIRST_ROUND << round;
        let victim = cluster.host_of(0, AGENT).await?;
        let witness = cluster.client(victim + 1).clone();
        let spinner = out.spinner(format!("{size} tasks for the analyst, each of several steps"));
        let pid = cluster.pid(victim);
        let begun = submit_until_in_the_middle(cluster, victim, round, size).await;
        let killed = Instant::now();
        spinner.finish_and_clear();
        let mut found = begun?;
        let accepted = found.accepted.len();
        let recovered_ms = first_progress(&witness, &found, killed).await?;
        let again = submit_again(&witness, &mut found).await?;
        let ended = wait_for_all(&witness, &found).await?;
        let ids: Vec<String> = found.accepted.iter().map(|(_, id)| id.clone()).collect();
        let evidence = compare(&ids, &found.seen, &ended).map_err(|wrong| {
            Failure::new(format!("the crash did harm:\n  {}", wrong.join("\n  ")))
                .hint("keep the evidence with `octopussy demo --keep`, and report it")
        })?;
        tasks += evidence.tasks;
        if evidence.resumed.is_empty() {
            cluster.revive(victim).await?;
            continue;
        }
        let crash = Crash { tasks, evidence, again, recovered_ms };
        let heir = cluster.host_of(victim + 1, AGENT).await?;
        show(&crash, &Scene { accepted, pid, victim, heir }, context);
        cluster.revive(victim).await?;
        same_story(cluster.client(victim), &ended).await?;
        out.line(format_args!(
            "{} node-{} is back, has caught up, and tells the same of every task",
            paint(GOOD, "✓"),
            victim + 1
        ));
        return Ok(crash);
    }
    Err(Failure::new(format!("in {ROUNDS} rounds no kill hit a task in the middle: nothing was shown"))
        .hint("this machine finishes tasks faster than they can be watched; nothing was lost either"))
}

/// Waits until a task that had not ended when the node was killed has gone on elsewhere; how long after the kill that was.
async fn first_progress(client: &Client, round: &Round, killed: Instant) -> Result<f64, Failure> {
    loop {
        // Tasks that had ended before the kill say nothing of what came after it.
        let mut open = false;
        for id in round.seen.keys() {
            let Ok(value) = client.get(&format!("/api/v1/tasks/{}", segment(id))).await else {
                open = true;
                continue;
            };
            let task: Task = decode(&value)?;
            if super::evidence::kept(&task) > 0 {
                return Ok(killed.elapsed().as_secs_f64() * 1_000.0);
            }
            open |= !task.succeeded();
        }
        if !open || killed.elapsed() > END_WITHIN {
            return Ok(killed.elapsed().as_secs_f64() * 1_000.0);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The node that was dead tells the same of every task as those that were not.
async fn same_story(client: &Client, ended: &BTreeMap<String, Task>) -> Result<(), Failure> {
    for (id, told) in ended {
        let task: Task = decode(&client.get(&format!("/api/v1/tasks/{}", segment(id))).await?)?;
        if task.state != told.state || task.result != told.result || task.steps != told.steps {
            return Err(Failure::new(format!("the node that came back tells another story of task {id}")));
        }
    }
    Ok(())
}

/// The body of a task of the round.
fn body(index: usize) -> Value {
    json!({"agent": AGENT, "input": QUESTIONS[index % QUESTIONS.len()]})
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

/// Submits tasks at another node while watching; kills the agent's host the moment a task has finished a step and not its
/// work.
async fn submit_until_in_the_middle(
    cluster: &mut DemoCluster,
    victim: usize,
    round: usize,
    size: usize,
) -> Result<Round, Failure> {
    let client = cluster.client(victim + 1).clone();
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
                    cluster.kill(victim)?;
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

/// Who was there when the node was killed.
struct Scene {
    accepted: usize,
    pid: u32,
    victim: usize,
    heir: usize,
}

fn show(crash: &Crash, scene: &Scene, context: &Context) {
    let out = context.out;
    let Scene { accepted, pid, victim, heir } = scene;
    let (victim, heir) = (victim + 1, heir + 1);
    let evidence = &crash.evidence;
    let tick = || paint(GOOD, "✓");
    out.line(format_args!(
        "  {accepted} tasks were accepted, then kill -9 {pid}, which was node-{victim}; {} were in the middle of their steps",
        evidence.resumed.len()
    ));
    out.line(format_args!(
        "{} node-{heir} took them over: the first went on {} after the kill",
        tick(),
        duration_ms(crash.recovered_ms)
    ));
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
        out.line(journal(task, victim, heir));
        out.line("");
    }
}

/// The task's steps, and on which node each was done.
fn journal(task: &Task, victim: usize, heir: usize) -> Table {
    let last = task.steps.iter().map(|step| step.epoch).max();
    let mut table = Table::new(["step", "kind", "by", "attempt", "done", "took"]).right(3).right(5);
    for step in &task.steps {
        let by_heir = Some(step.epoch) == last;
        let side = if by_heir { format!("on node-{heir}") } else { format!("on node-{victim}, before it died") };
        table.row([
            step.name.clone(),
            step.kind.clone(),
            step.by.clone(),
            step.attempt.to_string(),
            side,
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
