//! What a crash must not have done: lose a task, lose a step, or do a finished step again. Pure, so that it can be shown to
//! notice.

use crate::client::{Step, Task};
use std::collections::BTreeMap;

/// What the comparison found when nothing was wrong.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// How many tasks were looked at.
    pub(super) tasks: usize,
    /// How many steps their journals have.
    pub(super) steps: usize,
    /// The tasks that were begun before the crash and ended after it.
    pub(super) resumed: Vec<Task>,
    /// How many finished steps those had kept.
    pub(super) kept_steps: usize,
}

/// Compares the steps that were seen before the crash with the tasks as they ended.
///
/// # Errors
/// Everything that is wrong, in sentences.
pub(super) fn compare(
    accepted: &[String],
    seen: &BTreeMap<String, Vec<Step>>,
    ended: &BTreeMap<String, Task>,
) -> Result<Evidence, Vec<String>> {
    let mut wrong = Vec::new();
    let mut evidence = Evidence::default();
    for id in accepted {
        let Some(task) = ended.get(id) else {
            wrong.push(format!("task {id} was accepted and is gone"));
            continue;
        };
        if !task.succeeded() {
            let why = task.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
            wrong.push(format!("task {id} ended {}{why}", task.state));
        }
        if task.steps.iter().enumerate().any(|(index, step)| usize::try_from(step.index) != Ok(index)) {
            wrong.push(format!("the journal of task {id} has gaps or repetitions"));
        }
        for before in seen.get(id).into_iter().flatten() {
            match task.steps.iter().find(|after| after.index == before.index) {
                Some(after) if after == before => {}
                Some(after) => wrong.push(format!(
                    "step {} ({}) of task {id} was done again: attempt {} at {}, then attempt {} at {}",
                    before.index, before.name, before.attempt, before.started_at, after.attempt, after.started_at
                )),
                None => wrong.push(format!("step {} ({}) of task {id} is gone", before.index, before.name)),
            }
        }
        let kept = kept(task);
        if kept > 0 {
            evidence.kept_steps += kept;
            evidence.resumed.push(task.clone());
        }
        evidence.tasks += 1;
        evidence.steps += task.steps.len();
    }
    if wrong.is_empty() { Ok(evidence) } else { Err(wrong) }
}

/// How many steps the task had finished before its last leadership; 0 when all were done under one.
pub(super) fn kept(task: &Task) -> usize {
    let last = task.steps.iter().map(|step| step.epoch).max();
    task.steps.iter().filter(|step| Some(step.epoch) != last).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(index: u32, attempt: u32, epoch: u64) -> Step {
        Step {
            index,
            attempt,
            epoch,
            name: format!("part-{index}"),
            started_at: format!("t{index}{attempt}"),
            ..Step::default()
        }
    }

    fn task(steps: Vec<Step>) -> Task {
        Task { task_id: "a".to_owned(), state: "SUCCEEDED".to_owned(), steps, ..Task::default() }
    }

    fn check(seen: Vec<Step>, after: Option<Task>) -> Result<Evidence, Vec<String>> {
        let ended = after.map(|task| ("a".to_owned(), task)).into_iter().collect();
        compare(&["a".to_owned()], &BTreeMap::from([("a".to_owned(), seen)]), &ended)
    }

    #[test]
    fn a_task_that_went_on_where_it_was_is_evidence() {
        let evidence = check(vec![step(0, 1, 1)], Some(task(vec![step(0, 1, 1), step(1, 2, 5)]))).unwrap();
        assert_eq!((evidence.tasks, evidence.steps, evidence.kept_steps, evidence.resumed.len()), (1, 2, 1, 1));
    }

    #[test]
    fn a_task_of_one_leadership_is_fine_and_no_evidence() {
        let evidence = check(vec![], Some(task(vec![step(0, 1, 1), step(1, 1, 1)]))).unwrap();
        assert!(evidence.resumed.is_empty());
    }

    #[test]
    fn losses_and_repetitions_are_noticed() {
        assert!(check(vec![], None).unwrap_err()[0].contains("gone"));
        let again = check(vec![step(0, 1, 1)], Some(task(vec![step(0, 2, 5)]))).unwrap_err();
        assert!(again[0].contains("done again"), "{again:?}");
        let lost = check(vec![step(0, 1, 1)], Some(task(vec![]))).unwrap_err();
        assert!(lost[0].contains("is gone"), "{lost:?}");
        let gap = check(vec![], Some(task(vec![step(1, 1, 1)]))).unwrap_err();
        assert!(gap[0].contains("gaps"), "{gap:?}");
        let failed = Task { state: "DEAD_LETTERED".to_owned(), ..task(vec![]) };
        assert!(check(vec![], Some(failed)).unwrap_err()[0].contains("DEAD_LETTERED"));
    }
}
