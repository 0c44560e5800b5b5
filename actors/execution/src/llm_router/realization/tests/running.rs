//! The capability from its start to its stop, with what it hears in between.

use super::*;
use crate::llm_router::{LlmRouterCapability, LlmRouterNeeds};
use octopussy_core::ids::{Epoch, ShardId};
use octopussy_core::ports::{
    Asker, ClusterPort, ClusterView, DigestsView, JoinTokenInfo, JoinTokenView, KeyKind, MemberChangeView, MemberView,
    NewJoinToken, RecoveryView, RotationView, ShardView,
};
use octopussy_core::problem::Problem;
use octopussy_lifecycle::{Capability as _, Deadline, Running as _, StartContext, Wired};
use tokio_util::sync::CancellationToken;

/// A cluster without anybody else.
struct Alone;

#[async_trait::async_trait]
impl ClusterPort for Alone {
    fn cluster(&self) -> ClusterView {
        unreachable!("the router does not ask")
    }
    fn members(&self) -> Vec<MemberView> {
        Vec::new()
    }
    fn ring(&self) -> Vec<ShardView> {
        Vec::new()
    }
    async fn create_token(&self, _: NewJoinToken) -> Result<JoinTokenView, Problem> {
        unreachable!("the router does not ask")
    }
    fn tokens(&self) -> Vec<JoinTokenInfo> {
        Vec::new()
    }
    async fn revoke_token(&self, _: &Asker, _: &str) -> Result<(), Problem> {
        unreachable!("the router does not ask")
    }
    async fn rotate_keys(&self, _: &Asker, _: &[KeyKind], _: bool) -> Result<Vec<RotationView>, Problem> {
        unreachable!("the router does not ask")
    }
    fn history(&self) -> Vec<MemberChangeView> {
        unreachable!("the router does not ask")
    }
    async fn drain(&self, _: &Asker, _: &str, _: bool) -> Result<MemberView, Problem> {
        unreachable!("the router does not ask")
    }
    async fn remove(&self, _: &Asker, _: &str, _: bool) -> Result<MemberView, Problem> {
        unreachable!("the router does not ask")
    }
    async fn remove_stolen(&self, _: &Asker, _: &str) -> Result<MemberView, Problem> {
        unreachable!("the router does not ask")
    }
    async fn digests(&self) -> Result<DigestsView, Problem> {
        unreachable!("the router does not ask")
    }
    async fn rebalance(&self) -> Result<usize, Problem> {
        unreachable!("the router does not ask")
    }
    async fn recover(&self, _: &Asker) -> Result<RecoveryView, Problem> {
        unreachable!("the router does not ask")
    }
    fn epoch_here(&self, _: ShardId) -> Option<Epoch> {
        None
    }
}

/// Within how long something has to be heard.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_running_router_hears_of_keys_and_settings_and_stops() {
    let (url, script) = serve(&[]).await;
    let section = |name: &str| {
        json!({
            "health_interval_seconds": 0,
            "providers": { name: { "url": url, "model": "m", "api_key_secret": "k" } },
        })
    };
    let fakes = Fakes::new(section("a"));
    let inner = LlmRouterCapability::initialize(serde_json::from_value(section("a")).unwrap()).unwrap();
    let ports = LlmRouterNeeds {
        mesh: octopussy_mesh::memory::Network::new(1).node(NodeId([1; 16]), 1),
        cluster: Arc::new(Alone),
        configuration: fakes.clone(),
        secrets: fakes.clone(),
        observability: Arc::new(NoObservability),
    };
    let stopping = CancellationToken::new();
    let cx = StartContext { clock: fakes.clone(), home: std::env::temp_dir(), stopping: stopping.clone() };
    let (provides, mut running) = LlmRouterCapability::start(Wired { inner, ports }, cx).await.unwrap();
    let router = provides.router;
    let asked = async |name: &str| {
        router.resolve(&of(name)).unwrap().complete(&request(LONG), &|_| ()).await.unwrap();
        script.seen.lock().last().unwrap().headers["authorization"].to_str().unwrap().to_owned()
    };
    assert_eq!(asked("a").await, "Bearer sk-one");

    // The watch subscribes in a task of its own: it is there once somebody listens.
    let heard = async |condition: &dyn Fn() -> bool| {
        let turn = async {
            while !condition() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, turn).await.expect("it is heard of in time");
    };
    heard(&|| fakes.rotated.receiver_count() > 0 && fakes.reloaded.receiver_count() > 0).await;

    *fakes.key.lock() = "sk-two".into();
    assert_eq!(asked("a").await, "Bearer sk-one", "a key is kept until its rotation is announced");
    fakes.rotated.send(SecretName::new("k").unwrap()).unwrap();
    let rotated = async { while asked("a").await != "Bearer sk-two" {} };
    tokio::time::timeout(SOON, rotated).await.expect("the new key is used in time");

    *fakes.section.lock() = section("b");
    fakes.reloaded.send(Reloaded { sections: vec!["messaging".into()] }).unwrap();
    fakes.reloaded.send(Reloaded { sections: vec!["llm_router".into()] }).unwrap();
    heard(&|| router.resolve(&of("b")).is_ok() && router.resolve(&of("a")).is_err()).await;

    stopping.cancel();
    running.stop(Deadline::after(SOON)).await.unwrap();
    heard(&|| fakes.rotated.receiver_count() == 0).await;
    running.cleanup().await;
}
