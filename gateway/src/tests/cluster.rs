//! The cluster's routes: who may, what is asked of the node, what is answered.

use super::rig;
use octopussy_core::ports::{
    ClusterView, MemberDesired, MemberRole, MemberView, NodeFactsView, Principal, PrincipalRole, Reach, ShardView,
};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The cluster behind the stand-in: writes down what it is asked to do.
#[derive(Default)]
pub(super) struct Cluster {
    asked: Mutex<Vec<String>>,
}

impl Cluster {
    pub(super) fn ask(&self, principal: &Principal, what: String) -> Result<(), Problem> {
        if principal.role < PrincipalRole::Admin {
            return Err(Problem::new(Code::Forbidden, "for administrators"));
        }
        if what.contains("nobody") {
            return Err(Problem::new(Code::UnknownNode, "there is no node 'nobody'"));
        }
        self.asked.lock().push(what);
        Ok(())
    }

    pub(super) fn view(&self, _: &Principal) -> Result<ClusterView, Problem> {
        Ok(ClusterView {
            id: "c1".to_owned(),
            node: "n1".to_owned(),
            shards: 16,
            led: 15,
            members: 2,
            table_version: 7,
            moves: 1,
            warnings: vec!["two nodes cannot outvote a loss".to_owned()],
        })
    }

    pub(super) fn member(&self, desired: MemberDesired) -> MemberView {
        MemberView {
            id: "01ab".to_owned(),
            name: "attic".to_owned(),
            this: true,
            role: MemberRole::Guest,
            desired,
            reach: Reach::Alive,
            latency_ms: Some(0.5),
            addresses: vec!["10.0.0.1:47210".to_owned()],
            capacity: 4,
            zone: None,
            votes: false,
            leads: 3,
            replicas: 8,
            joined_at: Timestamp::from_millis(1_700_000_000_000),
            facts: Some(NodeFactsView { api: "https://10.0.0.1:47211".to_owned(), ..NodeFactsView::default() }),
        }
    }

    pub(super) fn ring(&self) -> Vec<ShardView> {
        vec![ShardView {
            shard: 0,
            leader: Some("attic".to_owned()),
            voters: vec!["attic".to_owned()],
            learners: vec!["cellar".to_owned()],
            moving_to: Vec::new(),
        }]
    }
}

#[tokio::test]
async fn the_cluster_is_shown_to_whoever_may_look() {
    let rig = rig().await;
    for path in ["", "/members", "/ring", "/history"] {
        let request = rig.http.get(rig.url(&format!("/api/v1/cluster{path}"))).bearer_auth("viewer");
        let (status, body) = rig.json(request).await;
        assert_eq!(status, 200, "{path}: {body}");
        match path {
            "" => assert_eq!((&body["led"], &body["table_version"]), (&json!(15), &json!(7))),
            "/members" => {
                let member = &body["items"][0];
                assert_eq!(member["role"], "guest");
                assert_eq!(member["reach"], "alive");
                assert_eq!(member["zone"], Value::Null);
                assert_eq!(member["joined_at"], "2023-11-14T22:13:20.000Z");
                assert_eq!(member["facts"]["api"], "https://10.0.0.1:47211");
            }
            "/history" => {
                let change = &body["items"][0];
                assert_eq!((&change["event"], &change["by"]), (&json!("leaving"), &json!("ada")));
                assert_eq!((&change["by_role"], &change["at_node"]), (&json!("ADMIN"), &json!("cellar")));
            }
            _ => assert_eq!(body["items"][0]["learners"], json!(["cellar"])),
        }
    }
    let (_, status) = rig.json(rig.get("/api/v1/status")).await;
    assert_eq!(status["warnings"], json!(["two nodes cannot outvote a loss"]));
}

#[tokio::test]
async fn administrators_make_list_and_revoke_tokens_and_nobody_else_does() {
    let rig = rig().await;
    let cases = [
        ("POST", "", Some(json!({"role": "USER"})), 201, Some("api token user USER 7776000")),
        (
            "POST",
            "",
            Some(json!({"role": "VIEWER", "name": "wall", "valid_for_seconds": 60})),
            201,
            Some("api token wall VIEWER 60"),
        ),
        ("POST", "", Some(json!({"role": "user"})), 400, None),
        ("POST", "", Some(json!({})), 400, None),
        ("GET", "", None, 200, Some("api tokens")),
        ("DELETE", "/00aa", None, 204, Some("revoke api token 00aa")),
    ];
    for (method, path, body, status, asked) in cases {
        let send = async |token: &str| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = rig.http.request(method, rig.url(&format!("/api/v1/tokens{path}"))).bearer_auth(token);
            rig.json(if let Some(body) = &body { request.json(body) } else { request }).await
        };
        let (refused, problem) = send("viewer").await;
        assert_eq!(refused, 403, "{method} {path}: {problem}");
        assert_eq!(rig.node.cluster.asked.lock().len(), 0, "{method} {path} was carried out for a viewer");
        let (answered, answer) = send("admin").await;
        assert_eq!(answered, status, "{method} {path}: {answer}");
        assert_eq!(rig.node.cluster.asked.lock().pop().as_deref(), asked, "{method} {path}");
        match (method, status) {
            ("POST", 201) => {
                assert_eq!((&answer["id"], &answer["token"]), (&json!("00aa"), &json!("header.claims.signature")))
            }
            ("GET", _) => {
                let token = &answer["items"][0];
                assert_eq!((&token["role"], &token["revoked_by"]), (&json!("USER"), &json!("ada")));
                assert_eq!(token["token"], Value::Null, "the secret is shown again");
            }
            _ => {}
        }
    }
    let request = rig.http.get(rig.url("/api/v1/status")).bearer_auth("revoked");
    let (status, problem) = rig.json(request).await;
    assert_eq!((status, &problem["code"]), (401, &json!("OCTO-1103")));
}

#[tokio::test]
async fn administrators_change_the_cluster_and_nobody_else_does() {
    let rig = rig().await;
    let cases = [
        ("POST", "/tokens", Some(json!({"uses": "timed", "valid_for_seconds": 60})), 201, Some("token Full Timed 60")),
        ("POST", "/tokens", Some(json!({})), 201, Some("token Full Single 3600")),
        ("POST", "/tokens", Some(json!({"role": "guest"})), 201, Some("token Guest Single 3600")),
        ("POST", "/tokens", Some(json!({"role": "founder"})), 400, None),
        ("GET", "/tokens", None, 200, Some("tokens")),
        ("DELETE", "/tokens/7f", None, 204, Some("revoke 7f")),
        ("DELETE", "/tokens/nobody", None, 404, None),
        ("POST", "/members/attic/drain", None, 200, Some("drain attic true")),
        ("POST", "/members/attic/resume", None, 200, Some("drain attic false")),
        ("DELETE", "/members/attic", None, 200, Some("remove attic false")),
        ("DELETE", "/members/attic?force=true", None, 200, Some("remove attic true")),
        ("DELETE", "/members/attic?stolen=true", None, 200, Some("remove stolen attic")),
        ("POST", "/rebalance", None, 200, Some("rebalance")),
        ("POST", "/recover", None, 200, Some("recover")),
        ("GET", "/digests", None, 200, Some("digests")),
        ("POST", "/rotate-keys", None, 202, Some("rotate keys false")),
        ("POST", "/rotate-keys?now=true", None, 202, Some("rotate keys true")),
        ("POST", "/rotate-ca", None, 202, Some("rotate ca false")),
        ("POST", "/rotate-ca?now=true", None, 202, Some("rotate ca true")),
        ("POST", "/rotate-ca?now=perhaps", None, 400, None),
        ("POST", "/members/nobody/drain", None, 404, None),
        ("POST", "/tokens", Some(json!({"uses": "forever"})), 400, None),
        ("DELETE", "/members/attic?force=perhaps", None, 400, None),
    ];
    for (method, path, body, status, asked) in cases {
        let send = async |token: &str| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = rig.http.request(method, rig.url(&format!("/api/v1/cluster{path}"))).bearer_auth(token);
            rig.json(if let Some(body) = &body { request.json(body) } else { request }).await
        };
        let (refused, problem) = send("viewer").await;
        assert!(refused == 403 || refused == status && asked.is_none(), "{path}: {problem}");
        assert_eq!(rig.node.cluster.asked.lock().len(), 0, "{path} was carried out for a viewer");
        let (answered, answer) = send("admin").await;
        assert_eq!(answered, status, "{path}: {answer}");
        assert_eq!(rig.node.cluster.asked.lock().pop().as_deref(), asked, "{path}");
        match path {
            "/recover" => assert_eq!(answer, json!({"shards": [2, 5], "control_group": true, "lost": ["attic"]})),
            "/tokens" if method == "GET" => {
                assert_eq!(answer["items"][0]["role"], "guest");
                assert_eq!(answer["items"][0]["token"], Value::Null, "the secret is shown again");
            }
            "/rebalance" => assert_eq!(answer["moves"], 3),
            "/digests" => {
                assert_eq!((&answer["groups"][0]["shard"], &answer["groups"][0]["agree"]), (&json!(4), &json!(true)));
                assert_eq!(answer["groups"][0]["replicas"][0]["applied"], 9);
                assert_eq!(answer["silent"], json!(["cellar: it is not connected"]));
            }
            "/members/attic/drain" => assert_eq!(answer["desired"], "draining"),
            "/members/nobody/drain" => assert_eq!(answer["code"], "OCTO-1800"),
            _ => {}
        }
    }
}
