//! A request's trace is told on every node that works for it.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, Reply, eventually};
use reqwest::Method;
use serde_json::json;

const TRACE: &str = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Lines of a log that tell `what` in the trace.
fn told(log: &str, what: &str) -> usize {
    log.lines().filter(|line| line.contains(what) && line.contains(TRACE)).count()
}

/// The model server stands at the second node, the agent lives on the first, and the request comes in at the second: there and
/// back, both nodes tell of it under the caller's trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callers_trace_is_told_where_a_request_is_forwarded_to_and_where_a_model_is_lent() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new()
        .config("observability:\n  log:\n    level: debug,octopussy_mesh=info\n    format: compact\n");
    let mut cluster = ClusterRunner::start(1, &options).await.unwrap();
    cluster.join(&options.provider(&stub)).await.unwrap();
    cluster.settled().await;
    let mut number = 0;
    let agent = eventually("an agent lives on the first node", || {
        number += 1;
        let (name, cluster) = (format!("clerk-{number}"), &cluster);
        async move { (cluster.host_of(0, &name).await.ok()? == 0).then_some(name) }
    })
    .await;
    cluster.nodes[1].create_agent(&AgentDirectory::on_stub(&agent, "")).await.unwrap();

    let rest = cluster.nodes[1].rest().unwrap();
    let body = json!({"agent": agent, "input": "How are you?"});
    let task = eventually("the first node knows what the second lends, and the task succeeds", || async {
        let request = rest.request(Method::POST, "/api/v1/tasks?wait=20s").json(&body);
        let answer = rest.send(request.header("traceparent", TRACEPARENT)).await.ok()?;
        (answer.status == 200 && answer.body["state"] == "SUCCEEDED").then_some(answer.body)
    })
    .await;
    assert_eq!(task["trace_id"], TRACE, "{task:#}");

    let (host, lender) = (cluster.nodes[0].log(), cluster.nodes[1].log());
    assert!(told(&host, "a task that another node forwards") > 0, "the leader does not tell of the request:\n{host}");
    assert!(told(&lender, "another node asks a model") > 0, "the lending node does not tell of the call:\n{lender}");
    let headers = stub.recorded().pop().unwrap().headers;
    let heard = headers.get("traceparent").map(String::as_str).unwrap_or_default();
    assert!(heard.contains(&TRACE.replace('-', "")), "the model server is told of {heard:?}");
    assert_eq!(told(&host, "another node asks a model"), 0, "the wrong node lends");
}
