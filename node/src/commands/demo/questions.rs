//! The questions of the demonstration, and how their answers are shown.

use super::cluster::DemoCluster;
use crate::cli::Context;
use crate::client::{Call, Task, decode};
use crate::commands::task::wait_for_end;
use crate::failure::{Exit, Failure};
use crate::output::{BOLD, DIM, duration_ms, paint};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How many characters of a line are shown.
const WIDTH: usize = 96;

/// Who is asked what.
const QUESTIONS: [(&str, &str); 4] = [
    ("librarian", "How much power does a cluster of four Raspberry Pi boards draw?"),
    ("analyst", "What does Raft do differently from Paxos, and why does a log need fsync?"),
    ("editor", "What happens to running tasks when the node is stopped?"),
    ("companion", "Which timezone does the house use?"),
];

/// Asks everything, each question at another node, and waits for the answer at the next one; shows every answer.
pub(super) async fn ask_all(cluster: &DemoCluster, context: &Context) -> Result<Vec<Value>, Failure> {
    let mut answers = Vec::new();
    for (asked, (agent, question)) in QUESTIONS.into_iter().enumerate() {
        let (client, answering) = (cluster.client(asked), cluster.client(asked + 1));
        let begun = Instant::now();
        let body = json!({"agent": agent, "input": question});
        let key = uuid::Uuid::now_v7().to_string();
        let call = Call::new(Method::POST, "/api/v1/tasks").body(&body).idempotency_key(&key);
        let accepted: Task = decode(&client.send(call).await?)?;
        let (_, task) = wait_for_end(answering, &accepted.task_id, ANSWER_WITHIN).await?;
        let took = begun.elapsed().as_secs_f64() * 1_000.0;
        show(agent, question, &task, took, context);
        let answer = match &task.result {
            Some(answer) if task.succeeded() && !answer.trim().is_empty() => answer.clone(),
            _ => {
                let why = task.reason().unwrap_or_else(|| format!("it ended {}", task.state));
                return Err(Failure::new(format!("{agent} did not answer: {why}")).exit(Exit::TaskUnsuccessful));
            }
        };
        answers.push(json!({"agent": agent, "question": question, "answer": answer, "milliseconds": took}));
    }
    Ok(answers)
}

fn show(agent: &str, question: &str, task: &Task, took: f64, context: &Context) {
    let out = context.out;
    out.line("");
    out.line(format_args!("{} {}", paint(BOLD, format_args!("{agent}:")), question));
    for line in task.result.as_deref().unwrap_or_default().trim().lines() {
        for piece in wrap(line, WIDTH) {
            out.line(format_args!("  {piece}"));
        }
    }
    let steps: Vec<String> =
        task.steps.iter().map(|step| format!("{} {}", step.name, duration_ms(step.duration_ms))).collect();
    out.line(paint(DIM, format_args!("  {} · {} in all", steps.join(" · "), duration_ms(took))));
}

/// The line in pieces of at most `width` characters, cut between words.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split_whitespace() {
        let current = pieces.last().map_or(0, |piece| piece.chars().count());
        if current > 0 && current + 1 + word.chars().count() > width {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            if !piece.is_empty() {
                piece.push(' ');
            }
            piece.push_str(word);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_words_and_lose_none() {
        let text = "one two three four five";
        let pieces = wrap(text, 9);
        assert!(pieces.iter().all(|piece| piece.chars().count() <= 9), "{pieces:?}");
        assert_eq!(pieces.join(" "), text);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn questions_go_to_agents_there_are() {
        for (agent, _) in QUESTIONS {
            assert!(super::super::agents::SAMPLES.iter().any(|sample| sample.name == agent), "{agent}");
        }
    }
}
