//! From an earlier build to this one, node by node, with both in one cluster in between.
//!
//! `OCTOPUSSY_PREVIOUS_BIN` names the earlier build's binary; `.ci/build-baseline` makes one.

use super::load::Load;
use octopussy_tests::{
    AgentDirectory, ClusterRunner, Gate, ModelStub, NodeOptions, RecordedCall, Reply, binary, eventually,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the input of the task says that is under way during the whole upgrade.
const LONG: &str = "This one takes long.";
const REFLECTION: &str = "reasoning:\n  pattern: reflection\n";

/// The two builds, and what each calls itself.
struct Builds {
    previous: PathBuf,
    previous_version: String,
    this: PathBuf,
    this_version: String,
}

impl Builds {
    /// `None`, with a word to whoever runs the tests, when there is nothing to upgrade from.
    fn find() -> Option<Self> {
        let Some(previous) = std::env::var_os("OCTOPUSSY_PREVIOUS_BIN").map(PathBuf::from) else {
            println!("skipped: OCTOPUSSY_PREVIOUS_BIN names no binary of an earlier commit");
            return None;
        };
        let this = binary().unwrap();
        let (previous_version, this_version) = (version(&previous), version(&this));
        println!("from {previous_version} to {this_version}");
        assert_ne!(previous_version, this_version, "two builds that cannot be told apart");
        Some(Self { previous, previous_version, this, this_version })
    }
}

fn version(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output().unwrap();
    assert!(output.status.success(), "{} --version ends with {}", binary.display(), output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().strip_prefix("octopussy ").unwrap_or_else(|| panic!("an unknown program: {text}")).to_owned()
}

/// Waits until every node sees every member alive, each with the version of the node at its place.
async fn all_see(cluster: &ClusterRunner, versions: &[&str]) {
    let mut expected = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        expected.push((cluster.id_of(index).await.unwrap(), (*version).to_owned()));
    }
    expected.sort();
    eventually(&format!("every node sees the versions {versions:?}"), || async {
        for node in &cluster.nodes {
            let answer = node.rest().ok()?.get("/api/v1/cluster/members").await.ok()?;
            let text = |member: &Value, field: &str| member.pointer(field).and_then(Value::as_str).map(str::to_owned);
            let mut seen = Vec::new();
            for member in answer.body["items"].as_array()? {
                if member["reach"] != "alive" {
                    return None;
                }
                seen.push((text(member, "/id")?, text(member, "/facts/version")?));
            }
            seen.sort();
            if seen != expected {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// An agent is made at one node and answers at another.
async fn works(cluster: &ClusterRunner, name: &str, made_at: usize, asked_at: usize) {
    cluster.nodes[made_at].create_agent(&AgentDirectory::on_stub(name, "")).await.unwrap();
    let task = cluster.submit(asked_at, name, "hello", &format!("works-{name}")).await;
    for node in 0..cluster.nodes.len() {
        let ended = cluster.ended(node, &task).await;
        assert_eq!((&ended["state"], &ended["result"]), (&json!("SUCCEEDED"), &json!("Re: hello")), "{ended:#}");
    }
}

fn is_long(call: &RecordedCall) -> bool {
    call.body["messages"].to_string().contains(LONG)
}

/// The first call of the long task is answered at once, the others when the gate opens.
async fn model(gate: &Gate) -> ModelStub {
    let (gate, begun) = (gate.clone(), std::sync::atomic::AtomicBool::new(false));
    ModelStub::scripted(move |call| {
        if !is_long(call) {
            Reply::Text(format!("Re: {}", call.last_turn().trim()))
        } else if begun.swap(true, std::sync::atomic::Ordering::SeqCst) {
            Reply::Behind(gate.clone(), "It took long.".to_owned())
        } else {
            Reply::Text("It begins.".to_owned())
        }
    })
    .await
    .unwrap()
}

/// Stops every node in turn and starts it with this build; both builds are one cluster in between, and work in it.
async fn upgrade(cluster: &mut ClusterRunner, builds: &Builds) {
    let size = cluster.nodes.len();
    let mut versions = vec![builds.previous_version.as_str(); size];
    all_see(cluster, &versions).await;
    for index in 0..size {
        let status = cluster.nodes[index].sigterm().await.unwrap();
        assert!(status.success(), "a graceful stop ends with {status}");
        cluster.nodes[index].set_binary(&builds.this);
        cluster.nodes[index].launch().await.unwrap();
        cluster.settled().await;
        versions[index] = &builds.this_version;
        all_see(cluster, &versions).await;
        let next = (index + 1) % size;
        works(cluster, &format!("made-during-{index}-at-the-next"), next, index).await;
        works(cluster, &format!("made-during-{index}-at-the-upgraded"), index, next).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_upgraded_node_by_node() {
    let Some(builds) = Builds::find() else { return };
    let gate = Gate::default();
    let stub = model(&gate).await;
    let options = NodeOptions::new().provider(&stub).binary(&builds.previous);
    // With the timings that are shipped: what is looked for is what the builds say to each other, not how quickly.
    let mut cluster = ClusterRunner::start_with(3, &options, "").await.unwrap();
    let agents: Vec<String> = (0..4).map(|index| format!("agent-{index}")).collect();
    for agent in agents.iter().map(String::as_str).chain(["sleeper"]) {
        cluster.create_agent(&AgentDirectory::on_stub(agent, "")).await.unwrap();
    }
    cluster.create_agent(&AgentDirectory::on_stub("thinker", REFLECTION)).await.unwrap();

    // One task waits in a mailbox, one is in the middle of its run, before the first node is upgraded.
    let rest = cluster.nodes[0].rest().unwrap();
    assert!(rest.post("/api/v1/agents/sleeper/pause", &json!({})).await.unwrap().status < 300);
    let waiting = cluster.submit(0, "sleeper", "hello", "waiting").await;
    let long = cluster.submit(1, "thinker", LONG, "long").await;
    eventually("the second call of the long task is in flight", || async {
        (stub.recorded().iter().filter(|call| is_long(call)).count() == 2).then_some(())
    })
    .await;

    let (load, clients) = (Load::default(), cluster.nodes.iter().map(|node| node.rest().unwrap()).collect::<Vec<_>>());
    let roll = async {
        upgrade(&mut cluster, &builds).await;
        load.end();
    };
    futures::join!(load.run(&clients, &agents), roll);

    let rest = cluster.nodes[0].rest().unwrap();
    let before = rest.get(&format!("/api/v1/tasks/{waiting}")).await.unwrap().expect_status(200);
    assert_eq!(before["state"], "ACCEPTED", "a paused agent has worked: {before:#}");
    assert!(rest.post("/api/v1/agents/sleeper/resume", &json!({})).await.unwrap().status < 300);
    gate.open();
    for node in 0..3 {
        let ended = cluster.ended(node, &waiting).await;
        assert_eq!((&ended["state"], &ended["result"]), (&json!("SUCCEEDED"), &json!("Re: hello")), "{ended:#}");
        let ended = cluster.ended(node, &long).await;
        assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
        let steps = ended["steps"].as_array().unwrap();
        assert_eq!(steps.iter().filter(|step| step["kind"] == "model").count(), 3, "{ended:#}");
        let listed = cluster.nodes[node].rest().unwrap().get("/api/v1/agents").await.unwrap().expect_status(200);
        // Six from before, and two from each stage.
        assert_eq!(listed["items"].as_array().map_or(0, Vec::len), 12, "{listed:#}");
    }
    let calls: Vec<String> =
        stub.recorded().iter().filter(|call| is_long(call)).map(|call| call.body["messages"].to_string()).collect();
    let repeated = calls.iter().filter(|call| **call == calls[0]).count();
    assert_eq!(repeated, 1, "a call that an earlier build had finished was made again");
    load.check(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_this_build_joins_a_cluster_of_the_previous() {
    let Some(builds) = Builds::find() else { return };
    let stub = ModelStub::scripted(|call| Reply::Text(format!("Re: {}", call.last_turn().trim()))).await.unwrap();
    let previous = NodeOptions::new().provider(&stub).binary(&builds.previous);
    let mut cluster = ClusterRunner::start(2, &previous).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("elder", "")).await.unwrap();
    let task = cluster.submit(0, "elder", "hello", "before").await;
    let before = cluster.ended(0, &task).await;
    cluster.join(&NodeOptions::new().provider(&stub).binary(&builds.this)).await.unwrap();
    cluster.settled().await;
    all_see(&cluster, &[&builds.previous_version, &builds.previous_version, &builds.this_version]).await;
    assert_eq!(cluster.ended(2, &task).await, before, "the node that joined tells another story");
    // One of the older two is no longer needed: what it had, the newer one has too.
    cluster.nodes[0].kill9().unwrap();
    let after = cluster.submit(2, "elder", "hello", "after").await;
    for node in [1, 2] {
        assert_eq!(cluster.ended(node, &after).await["state"], "SUCCEEDED");
        assert_eq!(cluster.ended(node, &task).await, before);
    }
}
