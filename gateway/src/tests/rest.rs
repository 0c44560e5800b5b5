//! REST: who may, what is refused and how, and what is answered.

use super::clock::MachineClock;
use super::stand_in::{AGENT, Node};
use super::tokens::Tokens;
use super::{config, rig, soon};
use crate::config::TlsMode;
use crate::http::ROUTES;
use crate::{BindError, Gateway, GatewayConfig, GatewayParts};
use octopussy_core::ports::NoObservability;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn every_described_route_that_is_not_open_refuses_missing_wrong_and_expired_tokens() {
    let rig = rig().await;
    let document: Value = serde_json::from_str(crate::openapi_json()).unwrap();
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let open = operation["security"] == json!([{}]);
            let url = rig.url(&path.replace("{id}", "x").replace("{model}", "x").replace("{name}", "x"));
            let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for (token, code) in [(None, "OCTO-1100"), (Some("nonsense"), "OCTO-1100"), (Some("expired"), "OCTO-1101")]
            {
                let mut request = rig.http.request(method.clone(), &url);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let response = request.send().await.unwrap();
                if open {
                    assert_eq!(response.status(), 200, "{method} {path}");
                    continue;
                }
                assert_eq!(response.status(), 401, "{method} {path} {token:?}");
                assert!(response.headers().contains_key("www-authenticate"), "{method} {path}");
                let body: Value = response.json().await.unwrap();
                if path.starts_with("/v1/") {
                    assert_eq!(body["error"]["code"], "invalid_api_key", "{path}");
                } else {
                    assert_eq!(body["code"], code, "{path}");
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "only {checked} refusals were checked");
}

#[tokio::test]
async fn every_described_path_has_a_route_label() {
    let document: Value = serde_json::from_str(crate::openapi_json()).unwrap();
    let known: Vec<String> = ROUTES.iter().map(|route| route.replace("{*", "{")).collect();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(known.contains(path), "{path} has no label in ROUTES");
    }
}

#[tokio::test]
async fn a_task_is_submitted_waited_for_and_listed() {
    let rig = rig().await;
    let body = json!({"agent": AGENT, "input": "write", "priority": "HIGH", "ttl_seconds": 60});
    let request = rig
        .post("/api/v1/tasks?wait=20s")
        .header("idempotency-key", "k1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .json(&body);
    let answered = tokio::spawn(request.send());
    let id = rig.node.first_task().await;
    rig.node.succeed(id, "written");
    let response = soon("the answer", answered).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["location"], format!("/api/v1/tasks/{id}"));
    assert_eq!(response.headers()["x-trace-id"], "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
    let task: Value = response.json().await.unwrap();
    assert_eq!(task["state"], "SUCCEEDED");
    assert_eq!(task["result"], "written");
    assert_eq!(task["created"], true);
    assert_eq!(task["usage"]["prompt_tokens"], 11);
    assert_eq!(task["steps"][0]["duration_ms"], 5);
    assert!(task["accepted_at"].as_str().unwrap().ends_with('Z'), "{}", task["accepted_at"]);
    let submitted = rig.node.submitted.lock().pop().unwrap();
    assert_eq!(submitted.idempotency_key.as_deref(), Some("k1"));
    assert_eq!(submitted.trace_id.unwrap().to_string(), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");

    let (status, accepted) = rig.json(rig.post("/api/v1/tasks").json(&json!({"input": "write"}))).await;
    assert_eq!((status, &accepted["state"]), (202, &json!("ACCEPTED")));
    let (_, page) = rig.json(rig.get("/api/v1/tasks?limit=1")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let next = page["next"].as_str().unwrap();
    let (_, rest) = rig.json(rig.get(&format!("/api/v1/tasks?limit=1&after={next}"))).await;
    assert_ne!(rest["items"][0]["task_id"], page["items"][0]["task_id"]);
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_read_or_done_is_a_problem_with_a_code() {
    let rig = rig().await;
    let json_body =
        |text: &str| rig.post("/api/v1/tasks").header("content-type", "application/json").body(text.to_owned());
    let unknown = "/api/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057";
    let cases = [
        (rig.get("/nowhere"), 404, "OCTO-1003"),
        (rig.get("/api/v1/tasks/not-a-uuid"), 400, "OCTO-1000"),
        (rig.get("/api/v1/tasks/%ff"), 400, "OCTO-1000"),
        (rig.get(unknown), 404, "OCTO-1300"),
        (rig.get("/api/v1/agents/nobody%00"), 404, "OCTO-1200"),
        (rig.get("/api/v1/tasks?limit=99999999999999999999"), 400, "OCTO-1000"),
        (rig.get("/api/v1/tasks?limit=0"), 400, "OCTO-1000"),
        (rig.get("/api/v1/tasks?state=DREAMING"), 400, "OCTO-1000"),
        (rig.get(&format!("{unknown}?wait=2h")), 400, "OCTO-1000"),
        (rig.post("/api/v1/tasks").body("input=x"), 415, "OCTO-1002"),
        (json_body("{"), 400, "OCTO-1000"),
        (json_body("{\"input\":\"x\",\"agnet\":\"y\"}"), 400, "OCTO-1000"),
        (json_body("{\"input\":\"x\",\"max_attempts\":-1}"), 400, "OCTO-1000"),
        (json_body("{\"input\":\"x\",\"agent\":\"nobody\"}"), 404, "OCTO-1200"),
        (rig.post("/api/v1/agents").json(&json!({"files": []})), 422, "OCTO-1201"),
        (rig.post(&format!("/api/v1/dlq/{}/replay", unknown.rsplit('/').next().unwrap())), 409, "OCTO-1302"),
        (rig.http.get(rig.url("/api/v1/secrets")).bearer_auth("viewer"), 403, "OCTO-1102"),
    ];
    for (index, (request, status, code)) in cases.into_iter().enumerate() {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "case {index}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "case {index}");
        let trace = response.headers()["x-trace-id"].to_str().unwrap().to_owned();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "case {index}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:octopussy:error:{code}"));
        assert_eq!(problem["trace_id"], trace);
    }
    for method in ["DELETE", "TRACE", "OPTIONS", "PATCH"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let response = rig.http.request(method.clone(), rig.url("/api/v1/tasks")).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
        let allow = response.headers()["allow"].to_str().unwrap();
        assert!(allow.contains("POST") && allow.contains("GET"), "{allow}");
    }
    let put = rig.http.put(rig.url("/api/v1/secrets/llm/key")).bearer_auth("admin").json(&json!({"value": "v"}));
    assert_eq!(put.send().await.unwrap().status(), 204, "a secret's name may have slashes");
}

#[tokio::test]
async fn an_agent_is_changed_compared_and_deleted_by_operators_alone() {
    let rig = rig().await;
    let agent = format!("/api/v1/agents/{AGENT}");
    let bundle = json!({"files": [{"path": "agent.yaml", "text": "name: scribe"}]});
    let (status, changed) = rig.json(rig.put(&agent).json(&bundle)).await;
    assert_eq!((status, &changed["version"]), (200, &json!(1)), "{changed}");
    assert!(changed["updated_at"].is_string(), "{changed}");
    let (_, diff) = rig.json(rig.get(&format!("{agent}/diff?from=2&to=5"))).await;
    let expected = json!([{"file": "agent.yaml", "key": "version", "before": "2", "after": "5"}]);
    assert_eq!(diff["changes"], expected);
    let (_, diff) = rig.json(rig.post(&format!("{agent}/diff")).json(&bundle)).await;
    let expected = json!([{"file": "agent.yaml", "key": null, "before": null, "after": "name: scribe"}]);
    assert_eq!(diff["changes"], expected);
    let (status, versions) = rig.json(rig.get(&format!("{agent}/versions"))).await;
    assert_eq!((status, &versions["items"]), (200, &json!([])));
    let (status, problem) = rig.json(rig.delete(&agent)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("OCTO-1207")));
    assert!(problem["hint"].as_str().unwrap().contains("--force"), "{problem}");
    let deleted = rig.json(rig.delete(&format!("{agent}?force=true"))).await;
    assert_eq!(deleted, (200, json!({"cancelled": 2})));
    assert_eq!(rig.json(rig.post(&format!("{agent}/reset-budget"))).await.0, 200);

    let viewer = |request: reqwest::RequestBuilder| request.bearer_auth("viewer");
    for request in [
        viewer(rig.http.put(rig.url(&agent))).json(&bundle),
        viewer(rig.http.delete(rig.url(&agent))),
        viewer(rig.http.post(rig.url(&format!("{agent}/reset-budget")))),
    ] {
        let (status, problem) = rig.json(request).await;
        assert_eq!((status, &problem["code"]), (403, &json!("OCTO-1102")));
    }
    let (status, problem) = rig.json(rig.delete("/api/v1/agents/nobody")).await;
    assert_eq!((status, &problem["code"]), (404, &json!("OCTO-1200")));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413_and_the_client_hears_it() {
    let rig = rig().await;
    let big = "x".repeat(crate::rest::TASK_BODY + 1);
    let request = rig.post("/api/v1/tasks").header("content-type", "application/json").body(big);
    let (status, problem) = rig.json(request).await;
    assert_eq!((status, &problem["code"]), (413, &json!("OCTO-1001")));
}

#[tokio::test]
async fn a_panic_costs_one_request_only() {
    let rig = rig().await;
    let task = rig.node.accept(None);
    let path = format!("/api/v1/tasks/{}", task.id);
    rig.node.panics.store(true, Ordering::SeqCst);
    let (status, problem) = rig.json(rig.get(&path)).await;
    assert_eq!((status, &problem["code"]), (500, &json!("OCTO-1900")));
    rig.node.panics.store(false, Ordering::SeqCst);
    assert_eq!(rig.json(rig.get(&path)).await.0, 200);
}

#[tokio::test]
async fn readiness_follows_the_node_and_metrics_have_a_port_of_their_own() {
    let rig = rig().await;
    assert_eq!(rig.json(rig.http.get(rig.url("/ready"))).await.0, 200);
    rig.node.down.store(true, Ordering::SeqCst);
    let (status, problem) = rig.json(rig.http.get(rig.url("/ready"))).await;
    assert_eq!((status, &problem["code"]), (503, &json!("OCTO-1502")));
    let plain = format!("http://127.0.0.1:{}", rig.at.metrics.port());
    assert_eq!(rig.json(rig.http.get(format!("{plain}/health"))).await, (200, json!({"status": "ok"})));
    let metrics = rig.http.get(format!("{plain}/metrics")).send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert_eq!(rig.http.get(format!("{plain}/api/v1/tasks")).send().await.unwrap().status(), 404);
    let renamed = rig.http.get(format!("{plain}/metrics")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(renamed.status(), 403, "a name that was made to lead here");
    assert_eq!(rig.http.get(rig.url("/metrics")).send().await.unwrap().status(), 401, "the public port asks who it is");
    assert_eq!(rig.get("/metrics").send().await.unwrap().status(), 200);
}

pub(super) fn parts(config: GatewayConfig) -> GatewayParts {
    GatewayParts {
        config,
        tls: None,
        orchestrator: Arc::new(Node::default()),
        security: Arc::new(Tokens::default()),
        observability: Arc::new(NoObservability),
        clock: Arc::new(MachineClock),
        guest: false,
    }
}

/// Deny by default: whatever is added to the interfaces later is closed at a guest, too.
#[tokio::test]
async fn a_guest_serves_its_status_and_nothing_else() {
    let config = GatewayConfig { tls: TlsMode::Off, ..config() };
    let gateway = Gateway::start(GatewayParts { guest: true, ..parts(config) }).await.unwrap();
    let http = reqwest::Client::new();
    let at = gateway.addresses();
    let status = async |port: u16, path: &str| {
        let request = http.get(format!("http://127.0.0.1:{port}{path}")).bearer_auth("admin");
        request.send().await.unwrap().status().as_u16()
    };
    for path in ["/api/v1/status", "/health", "/ready", "/metrics", "/openapi.json"] {
        assert_eq!(status(at.rest.port(), path).await, 200, "{path}");
    }
    for path in crate::http::ROUTES.iter().filter(|path| **path != "/api/v1/status" && path.starts_with("/api")) {
        assert_eq!(status(at.rest.port(), path).await, 403, "{path}");
    }
    for path in ["/v1/models", "/nothing", "/api/v1/status/", "/API/V1/STATUS", "/api/v1/../v1/secrets"] {
        assert_eq!(status(at.rest.port(), path).await, 403, "{path}");
    }
    assert_eq!(status(at.ws.port(), "/ws").await, 403);
    assert_eq!(status(at.metrics.port(), "/metrics").await, 200);
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let first = Gateway::start(parts(GatewayConfig { tls: TlsMode::Off, ..config() })).await.unwrap();
    let port = first.addresses().rest.port();
    let second = Gateway::start(parts(GatewayConfig { tls: TlsMode::Off, rest_port: port, ..config() })).await;
    let error = second.err().expect("the port is taken");
    assert!(matches!(error, BindError::InUse { port: taken, .. } if taken == port));
    let text = error.to_string();
    assert!(text.contains(&port.to_string()) && text.contains("--port-offset"), "{text}");
}

#[tokio::test]
async fn plain_text_is_refused_beyond_the_loopback_address_and_tls_without_a_certificate() {
    let open: IpAddr = "0.0.0.0".parse().unwrap();
    let error = Gateway::start(parts(GatewayConfig { tls: TlsMode::Off, bind: open, ..config() })).await.err().unwrap();
    assert!(error.to_string().contains("gateway.bind"), "{error}");
    let error = Gateway::start(parts(config())).await.err().unwrap();
    assert!(matches!(error, BindError::NoCertificate));
}
