//! A task as people read it.

use crate::cli::Context;
use crate::client::{Step, Task};
use crate::failure::{Exit, Failure};
use crate::output::{DIM, Table, WARN, duration_ms, money, paint, printable};

/// Where the time of a run went: one line a step.
pub(crate) fn steps_table(steps: &[Step]) -> Table {
    let mut table =
        Table::new(["step", "kind", "by", "attempt", "took", "tokens", "cost"]).right(3).right(4).right(5).right(6);
    for step in steps {
        let tokens = step.usage.prompt_tokens + step.usage.completion_tokens;
        let name = if step.name.is_empty() { step.index.to_string() } else { step.name.clone() };
        table.row([
            if step.state.eq_ignore_ascii_case("failed") { format!("{name} (failed)") } else { name },
            step.kind.clone(),
            step.by.clone(),
            step.attempt.to_string(),
            duration_ms(step.duration_ms),
            if tokens == 0 { String::new() } else { tokens.to_string() },
            if step.usage.cost_micros == 0 { String::new() } else { money(step.usage.cost_micros) },
        ]);
    }
    table
}

/// Shows an ended task; a task without a result is a failure with exit code 5.
pub(crate) fn show_ended(task: &Task, verbose: bool, context: &Context) -> Result<(), Failure> {
    let out = context.out;
    if task.succeeded() {
        out.line(task.result.as_deref().unwrap_or_default().trim_end());
        if !task.redacted.is_empty() {
            out.note(paint(
                WARN,
                format_args!("Cut out of the answer by the guardrail: {}", printable(&task.redacted.join(", "))),
            ));
        }
    }
    if verbose && !task.steps.is_empty() {
        out.line("");
        out.line(steps_table(&task.steps));
        let cut_off = task.begun.saturating_sub(task.attempts);
        let cut_off =
            if cut_off == 0 { String::new() } else { format!(", cut off {cut_off} times by a move or a restart") };
        out.line(paint(
            DIM,
            format_args!("task {}, {} of {} attempts{cut_off}", task.task_id, task.attempts, task.max_attempts),
        ));
    }
    if task.succeeded() { Ok(()) } else { Err(unsuccessful(task)) }
}

/// What an end without a result means, and what can be done.
fn unsuccessful(task: &Task) -> Failure {
    let why = task.reason().map(|reason| format!(": {}", printable(&reason))).unwrap_or_default();
    let failure = Failure::new(format!("task {} ended {}{why}", task.task_id, task.state)).exit(Exit::TaskUnsuccessful);
    if task.state.eq_ignore_ascii_case("DEAD_LETTERED") {
        failure.hint(format!("octopussy task replay {0}   tries it again, `task discard {0}` removes it", task.task_id))
    } else if task.state.eq_ignore_ascii_case("FAILED") {
        failure.hint(format!("octopussy task result {} --steps   shows how far it came", task.task_id))
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_says_how_to_go_on() {
        let task = Task {
            task_id: "t1".to_owned(),
            state: "DEAD_LETTERED".to_owned(),
            dead_letter: Some(serde_json::json!("EXPIRED")),
            ..Task::default()
        };
        let failure = unsuccessful(&task);
        assert_eq!(failure.exit, Exit::TaskUnsuccessful);
        assert!(failure.message.contains("EXPIRED"));
        assert!(failure.hint.unwrap().contains("task replay t1"));
    }

    #[test]
    fn the_table_has_a_line_for_every_step() {
        let step = Step { name: "draft".to_owned(), duration_ms: 2.0, attempt: 1, ..Step::default() };
        assert_eq!(steps_table(&[step.clone(), step]).to_string().lines().count(), 3);
    }
}
