//! Tasks submitted one after the other by a client that knows every node, for as long as something else goes on.

use octopussy_tests::{ClusterRunner, History, RestClient, Submitted};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Fewer acknowledged tasks than this are no load.
const ENOUGH: usize = 20;

/// What the client has sent, and whether it is to end.
#[derive(Debug, Default)]
pub(super) struct Load {
    history: Mutex<History>,
    done: AtomicBool,
}

impl Load {
    /// Submits to `agents` in turn until [`Load::end`] is called. A node that cannot take a task now is not waited for: whichever
    /// answers.
    pub(super) async fn run(&self, clients: &[RestClient], agents: &[String]) {
        for number in 0_usize.. {
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            let (input, key) = (format!("number {number}"), format!("load-{number}"));
            let body = json!({"agent": agents[number % agents.len()], "input": input});
            for attempt in 0_usize.. {
                let rest = &clients[(number + attempt) % clients.len()];
                let request =
                    rest.request(reqwest::Method::POST, "/api/v1/tasks").json(&body).header("idempotency-key", &key);
                if let Ok(answer) = rest.send(request).await
                    && matches!(answer.status, 200 | 202)
                {
                    let task = answer.body["task_id"].as_str().unwrap().to_owned();
                    let submitted = Submitted { key, task, expected: format!("Re: {input}") };
                    self.history.lock().unwrap().acknowledge(submitted);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// No more is submitted.
    pub(super) fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// Everything that was acknowledged has ended well, and every node tells the same of it.
    pub(super) async fn check(self, cluster: &ClusterRunner) {
        let history = self.history.into_inner().unwrap();
        assert!(history.len() > ENOUGH, "hardly any load: {}", history.len());
        let mut views: Vec<BTreeMap<String, Value>> = Vec::new();
        for node in 0..cluster.nodes.len() {
            let mut view = BTreeMap::new();
            for task in history.tasks() {
                view.insert(task.clone(), cluster.ended(node, &task).await);
            }
            views.push(view);
        }
        history.check(&views).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    }
}
