//! What clients did and what became of it, and whether a cluster may have behaved so.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A submission that a node acknowledged.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The idempotency key it was sent with.
    pub key: String,
    /// The task id that was acknowledged.
    pub task: String,
    /// What the result must say.
    pub expected: String,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub struct History {
    acknowledged: Vec<Submitted>,
}

impl History {
    /// Notes an acknowledgement; the same submission may be acknowledged several times, by several nodes.
    pub fn acknowledge(&mut self, submitted: Submitted) {
        self.acknowledged.push(submitted);
    }

    /// How many acknowledgements there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.acknowledged.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.acknowledged.is_empty()
    }

    /// The tasks that were acknowledged, each once.
    #[must_use]
    pub fn tasks(&self) -> Vec<String> {
        let mut tasks: Vec<String> = self.acknowledged.iter().map(|submitted| submitted.task.clone()).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }

    /// Checks the history against what the nodes show in the end: `views` has one map for each node, from task id to task.
    ///
    /// # Errors
    /// Everything that is wrong, in sentences.
    pub fn check(&self, views: &[BTreeMap<String, Value>]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        let mut by_key: HashMap<&str, &Submitted> = HashMap::new();
        for submitted in &self.acknowledged {
            let first = by_key.entry(&submitted.key).or_insert(submitted);
            if first.task != submitted.task {
                wrong.push(format!("key {} made two tasks: {} and {}", submitted.key, first.task, submitted.task));
            }
        }
        for submitted in by_key.values() {
            for (node, view) in views.iter().enumerate() {
                match view.get(&submitted.task) {
                    None => wrong.push(format!("task {} was acknowledged and is gone at node {node}", submitted.task)),
                    Some(task) => check_task(node, task, &submitted.expected, &mut wrong),
                }
            }
            let mut seen = views.iter().filter_map(|view| view.get(&submitted.task));
            if let Some(first) = seen.next()
                && seen.any(|other| other != first)
            {
                wrong.push(format!("the nodes tell different things of task {}", submitted.task));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn check_task(node: usize, task: &Value, expected: &str, wrong: &mut Vec<String>) {
    let id = &task["task_id"];
    match task["state"].as_str() {
        Some("SUCCEEDED") if task["result"] == expected => {}
        Some("SUCCEEDED") => wrong.push(format!("task {id} has another task's result: {}", task["result"])),
        state => wrong.push(format!("task {id} ended as {state:?} at node {node}: {task:#}")),
    }
    let none = Vec::new();
    let steps = task["steps"].as_array().unwrap_or(&none);
    for (index, step) in steps.iter().enumerate() {
        if step["index"].as_u64() != u64::try_from(index).ok() {
            wrong.push(format!("the journal of task {id} has a gap or a repetition at step {index}"));
        }
    }
    // No two epochs' effects interleave: a journal never goes back to an earlier leadership.
    let epochs: Vec<u64> = steps.iter().filter_map(|step| step["epoch"].as_u64()).collect();
    if epochs.windows(2).any(|pair| pair[1] < pair[0]) {
        wrong.push(format!("the journal of task {id} goes back to an earlier epoch: {epochs:?}"));
    }
}
