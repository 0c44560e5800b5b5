//! The first hour with the program: install, start, create an agent from a directory, ask it, read the answer.

use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner, Reply};
use std::path::{Path, PathBuf};

fn shipped_agents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/agents");
    let mut agents: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("config/agents can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("agent.yaml").exists())
        .collect();
    agents.sort();
    assert!(!agents.is_empty(), "no agents are shipped in {}", folder.display());
    agents
}

#[tokio::test]
async fn every_shipped_agent_answers_from_the_command_line_and_remembers_after_a_crash() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let mut answers = Vec::new();
    for directory in shipped_agents() {
        let directory = directory.to_str().unwrap();
        let agent = node.cli(&["agent", "create", directory, "--json"]).await.unwrap().json();
        let name = agent["name"].as_str().expect("the agent has a name").to_owned();
        let input = "Octopussy keeps tasks in a ledger. What does Octopussy keep in a ledger?";
        let task = node.cli(&["task", "submit", &name, input, "--wait", "--json"]).await.unwrap().json();
        assert_eq!(task["state"], "SUCCEEDED", "{name}: {task:#}");
        assert!(task["result"].as_str().is_some_and(|text| !text.is_empty()), "{name} answered nothing: {task:#}");
        answers.push((task["task_id"].as_str().unwrap().to_owned(), task["result"].clone()));
    }
    node.restart_after_kill9().await.unwrap();
    for (task, answer) in answers {
        let result = node.cli(&["task", "result", &task, "--json"]).await.unwrap().json();
        assert_eq!(result["result"], answer, "the answer changed over a crash");
        assert_eq!(result["state"], "SUCCEEDED");
    }
    let agents = node.cli(&["agent", "list", "--json"]).await.unwrap().json();
    let listed = agents["items"].as_array().map_or(0, Vec::len);
    assert_eq!(listed, shipped_agents().len(), "{agents:#}");
    let status = node.cli(&["status", "--json"]).await.unwrap().json();
    assert_eq!(status["ready"], true, "{status:#}");
}

#[tokio::test]
async fn validate_shows_every_finding_with_its_file_and_line() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    AgentDirectory::new(
        "broken",
        "intelligence:\n  temperatur: 0.5\nreasoning:\n  pattern: reflexion\nbudget:\n  tokens_per_hour: many\n",
    )
    .without("goal.md")
    .write(folder.path())
    .unwrap();
    let output = node.cli(&["agent", "validate", folder.path().to_str().unwrap()]).await.unwrap();
    assert!(!output.status.success(), "a broken directory passed: {}", output.text());
    let text = output.text();
    for expected in
        ["agent.yaml:5", "temperatur", "temperature", "agent.yaml:7", "reflexion", "agent.yaml:9", "goal.md"]
    {
        assert!(text.contains(expected), "'{expected}' is not among the findings:\n{text}");
    }
    let created = node.cli(&["agent", "create", folder.path().to_str().unwrap()]).await.unwrap();
    assert!(!created.status.success() && created.text().contains("agent.yaml:5"), "{}", created.text());
    let good = tempfile::tempdir().unwrap();
    AgentDirectory::new("fine", "").write(good.path()).unwrap();
    let output = node.cli(&["agent", "validate", good.path().to_str().unwrap()]).await.unwrap();
    assert!(output.status.success(), "{}", output.text());
}

#[tokio::test]
async fn a_task_that_fails_makes_the_command_fail() {
    let stub = ModelStub::scripted(|_| Reply::Status(400)).await.unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("refused", "")).await.unwrap();
    let output = node.cli(&["task", "submit", "refused", "hello", "--wait"]).await.unwrap();
    assert_eq!(output.status.code(), Some(5), "the exit code of a task without a result: {}", output.text());
    assert!(output.text().contains("stub"), "the provider is not named: {}", output.text());
    let unknown = node.cli(&["task", "submit", "nobody", "hello", "--wait"]).await.unwrap();
    assert!(!unknown.status.success() && unknown.text().contains("OCTO-1200"), "{}", unknown.text());
}

#[tokio::test]
async fn start_without_foreground_runs_in_the_background_until_stop() {
    let node = NodeRunner::prepare(NodeOptions::new()).await.unwrap();
    let offset = node.port_offset().to_string();
    let started = node.cli(&["start", "--port-offset", &offset]).await.unwrap();
    assert!(started.status.success(), "{}", started.text());
    let running = node.cli(&["status", "--json"]).await.unwrap().json();
    assert_eq!(running["ready"], true, "{running:#}");
    let again = node.cli(&["start", "--port-offset", &offset]).await.unwrap();
    assert!(again.text().contains("runs already"), "a second start says nothing of the first: {}", again.text());
    let stopped = node.cli(&["stop"]).await.unwrap();
    assert!(stopped.status.success(), "{}", stopped.text());
    let gone = node.cli(&["status"]).await.unwrap();
    assert_eq!(gone.status.code(), Some(3), "the exit code of an unreachable node: {}", gone.text());
}
