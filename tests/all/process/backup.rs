//! Backups of running nodes, and what is made of them.

use octopussy_tests::{
    AgentDirectory, CliOutput, ClusterRunner, Gate, ModelStub, NodeOptions, NodeRunner, PATIENCE, Reply, RestClient,
    eventually,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn back_up(node: &NodeRunner, file: &Path) {
    let taken = node.cli(&["backup", &file.display().to_string()]).await.unwrap();
    assert!(taken.status.success(), "{}", taken.text());
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "others can read the keys in it");
}

async fn restore(node: &NodeRunner, files: &[&Path], home: &Path, more: &[&str]) -> CliOutput {
    let mut words = vec!["restore".to_owned(), "--home".to_owned(), home.display().to_string()];
    words.extend(files.iter().map(|file| file.display().to_string()));
    words.extend(more.iter().map(|&word| word.to_owned()));
    node.cli(&words.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap()
}

fn refused(output: &CliOutput, why: &str) {
    assert!(!output.status.success(), "it was done: {}", output.text());
    assert!(output.text().contains(why), "it does not say '{why}': {}", output.text());
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Says "Fine." at once, and to what is slow only when the gate is open.
async fn stub(gate: &Gate) -> ModelStub {
    let gate = gate.clone();
    ModelStub::scripted(move |call| {
        let text = "Fine.".to_owned();
        if call.last_turn().contains("slow") { Reply::Behind(gate.clone(), text) } else { Reply::Text(text) }
    })
    .await
    .unwrap()
}

/// What a home of a restored cluster has to have: agents with their documents, tasks with their ends, secrets.
async fn goes_on(second: &NodeRunner, stub: &ModelStub, ended: &[String], unended: &[String]) {
    for task in ended {
        assert_eq!(second.ended(task).await.unwrap()["result"], "Fine.");
    }
    for task in unended {
        let task = second.ended(task).await.unwrap();
        assert_eq!((&task["state"], &task["result"]), (&json!("SUCCEEDED"), &json!("Fine.")), "{task:#}");
    }
    let task = second.submit("librarian", "What is the motto of the house?").await.unwrap();
    assert_eq!(second.ended(&task).await.unwrap()["state"], "SUCCEEDED");
    let asked = stub.recorded().last().unwrap().body.to_string();
    assert!(asked.contains("patient octopus"), "it knows nothing of its document: {asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_made_of_a_backup_has_the_tasks_agents_documents_and_secrets_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (Gate::default(), Gate::default());
    let (first_stub, second_stub) = (stub(&before).await, stub(&after).await);
    let mut node = NodeRunner::start(NodeOptions::new().provider(&first_stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("clerk", "").stateful()).await.unwrap();
    let librarian = AgentDirectory::on_stub("librarian", "").file("memory.md", "- document: docs/motto.md\n");
    let motto = "# Motto\n\nThe motto of the house is: the patient octopus wins.\n";
    node.create_agent(&librarian.file("docs/motto.md", motto)).await.unwrap();
    let put =
        node.rest().unwrap().request(Method::PUT, "/api/v1/secrets/openai.api_key").json(&json!({"value": "sk-mine"}));
    assert_eq!(node.rest().unwrap().send(put).await.unwrap().status, 204);
    let mut ended = Vec::new();
    for number in 0..3 {
        let task = node.submit("clerk", &format!("number {number}")).await.unwrap();
        assert_eq!(node.ended(&task).await.unwrap()["state"], "SUCCEEDED");
        ended.push(task);
    }
    // One runs, and one waits for it.
    let unended = [node.submit("clerk", "be slow").await.unwrap(), node.submit("clerk", "wait").await.unwrap()];
    node.task_when(&unended[0], "the task runs", |task| task["state"] == "RUNNING").await;
    let file = folder.path().join("node.octopussy");
    back_up(&node, &file).await;
    assert_eq!(names(&node.home().join("data/snapshots")), Vec::<String>::new(), "images were left at the node");

    let home = folder.path().join("restored");
    damaged_backups_make_nothing(&node, &file, &home).await;
    let restored = restore(&node, &[&file], &home, &[]).await;
    assert!(restored.status.success(), "{}", restored.text());
    refused(&restore(&node, &[&file], &home, &[]).await, "not empty");

    // Both run: they are two clusters.
    let mut second = NodeRunner::prepare(NodeOptions::new().provider(&second_stub).home(&home)).await.unwrap();
    second.launch().await.unwrap();
    after.open();
    goes_on(&second, &second_stub, &ended, &unended).await;
    let listed = second.cli(&["secret", "list"]).await.unwrap();
    assert!(listed.stdout.contains("openai.api_key"), "{}", listed.text());
    second.restart_after_kill9().await.unwrap();
    goes_on(&second, &second_stub, &ended, &unended).await;
    // What each of them does from now on is its own.
    let task = second.submit("clerk", "one more").await.unwrap();
    assert_eq!(second.ended(&task).await.unwrap()["state"], "SUCCEEDED");
    assert_eq!(node.rest().unwrap().get(&format!("/api/v1/tasks/{task}")).await.unwrap().status, 404);
    before.open();
    assert_eq!(node.ended(&unended[1]).await.unwrap()["state"], "SUCCEEDED");
    assert!(node.sigterm().await.unwrap().success());
    assert!(second.sigterm().await.unwrap().success());
}

/// What is cut off or altered is told by its name, and nothing is made of it.
async fn damaged_backups_make_nothing(node: &NodeRunner, file: &Path, home: &Path) {
    let folder = home.parent().unwrap();
    let bytes = std::fs::read(file).unwrap();
    let damaged = folder.join("damaged.octopussy");
    let before = [names(folder), vec!["damaged.octopussy".to_owned()]].concat();
    let mut flipped = bytes.clone();
    let middle = bytes.len() / 2;
    flipped[middle] ^= 1;
    for (content, why) in [(flipped, "is damaged"), (bytes[..middle].to_vec(), "cut off"), (Vec::new(), "cut off")] {
        std::fs::write(&damaged, content).unwrap();
        refused(&restore(node, &[&damaged], home, &[]).await, why);
        refused(&restore(node, &[&damaged], home, &["--as-new-replica"]).await, why);
        let mut now = names(folder);
        now.sort();
        let mut expected = before.clone();
        expected.sort();
        assert_eq!(now, expected, "something was left behind");
    }
    std::fs::remove_file(&damaged).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_refused_with_the_reason_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let there = folder.path().join("there");
    std::fs::write(&there, "mine").unwrap();
    refused(&node.cli(&["backup", &there.display().to_string()]).await.unwrap(), "is there already");
    assert_eq!(std::fs::read(&there).unwrap(), b"mine");
    let nowhere = folder.path().join("nowhere/x").display().to_string();
    refused(&node.cli(&["backup", &nowhere]).await.unwrap(), "cannot write into");

    // Somebody who has connected and reads nothing: others are told, and the node stops all the same. The connection of
    // the command before may still be served when this one comes; then it is told as well, and has to come again.
    let second = folder.path().join("second");
    let silent = eventually("the one who reads nothing is served", || async {
        let silent = std::os::unix::net::UnixStream::connect(node.home().join("run/backup.sock")).unwrap();
        let output = node.cli(&["backup", &second.display().to_string()]).await.unwrap();
        if output.status.success() {
            std::fs::remove_file(&second).unwrap();
            return None;
        }
        refused(&output, "somebody else is taking a backup");
        Some(silent)
    })
    .await;
    let asked = std::time::Instant::now();
    assert!(node.sigterm().await.unwrap().success());
    assert!(asked.elapsed() < PATIENCE, "it waited for somebody who reads nothing");
    drop(silent);
    let output = node.cli(&["backup", &folder.path().join("third").display().to_string()]).await.unwrap();
    refused(&output, "no node runs with this home");
    assert_eq!(output.status.code(), Some(3), "{}", output.text());
    assert_eq!(names(folder.path()), ["there"], "something was left behind");
}

/// Two nodes, each of which holds shards that the other does not.
async fn apart(options: &NodeOptions) -> ClusterRunner {
    let section = "cluster:\n  timings: fast\n  shards: 8\n  replication: 1\n";
    let options = options.clone().config(section);
    let mut cluster = ClusterRunner { nodes: vec![NodeRunner::start(options.clone()).await.unwrap()] };
    let token = cluster.token().await.unwrap();
    cluster.nodes.push(NodeRunner::start(options.join(&token, &["--name", "node-2"])).await.unwrap());
    eventually("the shards are at both nodes", || async {
        let ring = cluster.nodes[0].rest().ok()?.get("/api/v1/cluster/ring").await.ok()?;
        let shards = ring.body["items"].as_array()?.clone();
        let at = |shard: &Value| shard["voters"][0].as_str().map(str::to_owned);
        let holders: std::collections::BTreeSet<_> = shards.iter().map(at).collect();
        let rest = |shard: &Value| {
            shard["leader"] == shard["voters"][0]
                && shard["voters"].as_array().map(Vec::len) == Some(1)
                && shard["learners"].as_array().is_none_or(Vec::is_empty)
                && shard["moving_to"].as_array().is_none_or(Vec::is_empty)
        };
        (holders.len() == 2 && shards.iter().all(rest)).then_some(())
    })
    .await;
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_cluster_comes_back_from_the_backups_of_its_nodes_and_no_node_of_it_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let mut cluster = apart(&options).await;
    let mut tasks = Vec::new();
    for number in 0..6 {
        // Of different names, so that they are in shards of both nodes.
        let name = format!("clerk-{number}");
        cluster.create_agent(&AgentDirectory::on_stub(&name, "")).await.unwrap();
        tasks.push(cluster.submit(0, &name, "go", &name).await);
    }
    for task in &tasks {
        assert_eq!(cluster.ended(0, task).await["state"], "SUCCEEDED");
    }
    let files = [folder.path().join("node-1"), folder.path().join("node-2")];
    for (node, file) in cluster.nodes.iter().zip(&files) {
        back_up(node, file).await;
    }
    let home = folder.path().join("restored");
    for file in &files {
        refused(&restore(&cluster.nodes[0], &[file], &home, &[]).await, "shard");
        assert!(!home.exists(), "something was made of half a cluster");
    }
    let restored = restore(&cluster.nodes[0], &[&files[0], &files[1]], &home, &[]).await;
    assert!(restored.status.success(), "{}", restored.text());
    let mut second = NodeRunner::prepare(options.clone().home(&home)).await.unwrap();
    second.launch().await.unwrap();
    for task in &tasks {
        assert_eq!(second.ended(task).await.unwrap()["result"], "Fine.");
    }

    // A token of the new cluster lets no home of the old one in, and the credentials of the old one do not count.
    let token = second.cli(&["cluster", "token", "--json"]).await.unwrap().json();
    let token = token["token"].as_str().unwrap().to_owned();
    let old = cluster.nodes[1].home().to_owned();
    assert!(cluster.nodes[1].sigterm().await.unwrap().success());
    let joining = cluster.nodes[1].cli(&["start", "--join", &token]).await.unwrap();
    refused(&joining, "belongs to");
    let members = second.rest().unwrap().get("/api/v1/cluster/members").await.unwrap().expect_status(200);
    assert_eq!(members["items"].as_array().unwrap().len(), 1, "{members:#}");
    let clusters = [&second, &cluster.nodes[0]].map(|node| node.rest().unwrap());
    let mut seen = Vec::new();
    for rest in &clusters {
        seen.push(rest.get("/api/v1/cluster").await.unwrap().expect_status(200)["id"].clone());
    }
    assert!(seen[0].is_string() && seen[0] != seen[1], "{seen:?}");
    // Nor does a client of the old cluster take a node of the new one for its own.
    let credentials = old.join("credentials.json");
    let told: Value = serde_json::from_slice(&std::fs::read(&credentials).unwrap()).unwrap();
    let url = json!(format!("https://{}", second.rest_address()));
    let strange = tempfile::tempdir_in(folder.path()).unwrap();
    let text = json!({"url": url, "token": told["token"], "ca": told["ca"]}).to_string();
    std::fs::write(strange.path().join("credentials.json"), text).unwrap();
    let stranger = RestClient::from_home(strange.path()).unwrap();
    assert!(stranger.get("/api/v1/agents").await.is_err(), "the old authority vouches for the new cluster");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_home_is_lost_comes_back_as_a_new_replica() {
    let folder = tempfile::tempdir().unwrap();
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let task = cluster.submit(0, "clerk", "before", "before").await;
    assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    let file = folder.path().join("node-3.octopussy");
    back_up(&cluster.nodes[2], &file).await;
    let lost = cluster.id_of(2).await.unwrap();
    drop(cluster.nodes.remove(2));
    let left = cluster.nodes[0].cli(&["cluster", "leave", &lost, "--force"]).await.unwrap();
    assert!(left.status.success(), "{}", left.text());
    eventually("it is out, and its name is free", || async {
        let members = cluster.nodes[0].rest().ok()?.get("/api/v1/cluster/members").await.ok()?;
        (members.body["items"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let home = folder.path().join("again");
    let restored = restore(&cluster.nodes[0], &[&file], &home, &["--as-new-replica"]).await;
    assert!(restored.status.success() && restored.text().contains("node-3"), "{}", restored.text());
    assert_eq!(names(&home), ["cluster", "config.yaml"], "it must not know the keys of the one before");
    let settings = std::fs::read_to_string(home.join("config.yaml")).unwrap();
    assert!(settings.contains(&stub.url()), "{settings}");
    // A start without the token founds nothing.
    let options = NodeOptions::new().home(&home);
    let founding = NodeRunner::prepare(options.clone().join("", &[])).await.unwrap();
    let alone = founding.cli(&["start", "--home", &home.display().to_string()]).await.unwrap();
    refused(&alone, "was to join a cluster");
    drop(founding);
    let token = cluster.token().await.unwrap();
    cluster.nodes.push(NodeRunner::start(options.join(&token, &["--name", "node-3"])).await.unwrap());
    cluster.settled().await;
    assert_ne!(
        cluster.id_of(2).await.unwrap(),
        lost,
        "it goes on under an id that has acknowledged more than it knows"
    );
    assert_eq!(cluster.ended(2, &task).await["state"], "SUCCEEDED");
    let more = cluster.submit(2, "clerk", "after", "after").await;
    assert_eq!(cluster.ended(1, &more).await["state"], "SUCCEEDED");
}
