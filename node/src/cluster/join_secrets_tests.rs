//! What two members of one cluster do with their secrets.

use super::*;
use crate::cluster::secrets_sync::SecretsSync;
use tokio_util::sync::CancellationToken;

/// Two nodes, one control group: whatever is set, replaced or removed at one comes to be so at the other.
#[tokio::test(start_paused = true)]
async fn secrets_are_the_same_at_every_node() {
    let founder = Founder::new();
    let stopping = CancellationToken::new();
    let mut stores = Vec::new();
    let mut homes = Vec::new();
    for number in 1..=2u8 {
        let home = tempfile::tempdir().unwrap();
        let token = founder.token(TokenUse::Single, number).await;
        founder.let_in(&home, &token, &wish()).await.unwrap();
        let node = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap().node_id;
        let store = stored(&home);
        let sync = SecretsSync {
            node,
            home: ClusterHome::of(home.path()),
            key: founder.key.clone(),
            group: founder.group.clone(),
            secrets: Arc::new(store.clone()),
            clock: founder.clock.clone(),
        };
        tokio::spawn(sync.run(stopping.clone()));
        stores.push(store);
        homes.push(home);
    }
    let name = SecretName::new("openai.api_key").unwrap();
    let value = |text: &str| SecretValue::new(text.as_bytes().to_vec());
    stores[0].set(&name, value("one")).await.unwrap();
    becomes(&stores[1], &name, Some("one")).await;
    founder.clock.0.fetch_add(1_000, Ordering::SeqCst);
    stores[1].set(&name, value("two")).await.unwrap();
    becomes(&stores[0], &name, Some("two")).await;
    stores[0].delete(&name).await.unwrap();
    becomes(&stores[1], &name, None).await;
    // The keys that nodes make have a way of their own: whatever one store has is no change of the cluster's.
    let signing = SecretName::new(KeyKind::Message.secret()).unwrap();
    stores[0].set(&signing, SecretValue::new(vec![1; 32])).await.unwrap();
    // Then nothing moves any more.
    let version = founder.group.control().version;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(founder.group.control().version, version);
    assert_ne!(stores[1].get(&signing).await.unwrap().expose(), [1; 32]);
    assert!(!founder.group.control().secrets.contains_key(signing.as_str()));
    stopping.cancel();
}

async fn becomes(store: &SecretsHandle, name: &SecretName, text: Option<&str>) {
    eventually(|| async {
        match (store.get(name).await, text) {
            (Ok(value), Some(text)) => value.expose_str() == Some(text),
            (Err(_), None) => true,
            (Ok(_), None) | (Err(_), Some(_)) => false,
        }
    })
    .await;
}

/// Virtual minutes for what has to happen in virtual seconds.
async fn eventually<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "it did not come to be so");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
