//! The four capabilities that need no ledger, started as a node starts them.

use crate::configuration::{ConfigurationCapability, ConfigurationConfig, ConfigurationNeeds, ConfigurationSection};
use crate::observability::{AuditVerifyError, essence::CHAIN_PURPOSE};
use crate::observability::{ObservabilityCapability, ObservabilityConfig, ObservabilityNeeds, verify_audit};
use crate::secrets::{SecretsCapability, SecretsConfig, SecretsNeeds, derived_key};
use crate::security::{SecurityCapability, SecurityConfig, SecurityNeeds};
use futures::StreamExt;
use octopussy_core::contract::Contract;
use octopussy_core::ids::{MessageId, TraceId};
use octopussy_core::key_set::KeySet;
use octopussy_core::message::{MessageDraft, MessageType, Payload, Priority};
use octopussy_core::ports::{
    Action, ApiTokenInfo, ApiTokensPort, Asker, AuthError, KeyKind, NewApiToken, NoApiTokens, NoMeasures,
    PrincipalRole, SecretName, SecretValue,
};
use octopussy_core::problem::{Finding, Problem};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_lifecycle::{Capability, Deadline, Provides, Requires, Running, StartContext, Wired};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

struct Machine;
impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
    }
}

/// Knows the id of one token that was revoked.
#[derive(Default)]
struct Revoked(parking_lot::Mutex<String>);

#[async_trait::async_trait]
impl ApiTokensPort for Revoked {
    fn is_revoked(&self, id: &str) -> bool {
        *self.0.lock() == id
    }
    fn list(&self) -> Vec<ApiTokenInfo> {
        NoApiTokens.list()
    }
    async fn note(&self, token: NewApiToken) -> Result<(), Problem> {
        NoApiTokens.note(token).await
    }
    async fn revoke(&self, id: &str, by: &Asker) -> Result<(), Problem> {
        NoApiTokens.revoke(id, by).await
    }
}

async fn start<C: Capability>(home: &Path, config: C::Config, ports: C::Requires) -> (C::Provides, C::Running) {
    let cx = StartContext { clock: Arc::new(Machine), home: home.to_owned(), stopping: Default::default() };
    C::start(Wired { inner: C::initialize(config).unwrap(), ports }, cx).await.unwrap()
}

/// A loader over a JSON file, which stands in for the node's.
fn file_config(path: &Path) -> ConfigurationConfig {
    let read = {
        let path = path.to_owned();
        move || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            serde_json::from_str::<Value>(&text).map_err(|error| {
                let line = u32::try_from(error.line()).ok();
                vec![Finding { file: "config.json".into(), line, message: error.to_string(), hint: None }]
            })
        }
    };
    ConfigurationConfig {
        section: ConfigurationSection { watch: true, settle_ms: 20 },
        initial: read().unwrap(),
        loader: Arc::new(read),
        paths: vec![path.to_owned()],
    }
}

#[test]
fn contracts_say_what_the_ports_say() {
    fn check<C: Capability>(contract: &Contract) {
        assert_eq!(contract.requires, C::Requires::PORTS, "{}", contract.id);
        assert_eq!(contract.provides, C::Provides::PORTS, "{}", contract.id);
    }
    check::<SecretsCapability>(SecretsCapability::CONTRACT);
    check::<ConfigurationCapability>(ConfigurationCapability::CONTRACT);
    check::<ObservabilityCapability>(ObservabilityCapability::CONTRACT);
    check::<SecurityCapability>(SecurityCapability::CONTRACT);
    check::<crate::messaging::MessagingCapability>(crate::messaging::MessagingCapability::CONTRACT);
}

#[tokio::test]
async fn keys_rotate_without_a_gap_and_denials_are_audited() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.json");
    std::fs::write(&file, r#"{"a": {"key": "Bearer ${secret:openai.api_key}"}}"#).unwrap();
    let (secrets, _) = start::<SecretsCapability>(home.path(), SecretsConfig::default(), SecretsNeeds {}).await;
    let secrets = secrets.secrets;
    let needs = ConfigurationNeeds { secrets: secrets.clone() };
    let (configuration, mut watching) = start::<ConfigurationCapability>(home.path(), file_config(&file), needs).await;
    let configuration = configuration.configuration;

    let name = SecretName::new("openai.api_key").unwrap();
    assert_eq!(configuration.get("a.key").await, None);
    secrets.set(&name, SecretValue::new(b"abc".to_vec())).await.unwrap();
    assert_eq!(configuration.get("a.key").await, Some(json!("Bearer abc")));
    assert_eq!(configuration.section("a"), json!({"key": "Bearer ${secret:openai.api_key}"}));

    let needs = ObservabilityNeeds {
        secrets: secrets.clone(),
        configuration: configuration.clone(),
        measures: Arc::new(NoMeasures),
    };
    let (observability, mut observing) =
        start::<ObservabilityCapability>(home.path(), ObservabilityConfig::default(), needs).await;
    let tokens = Arc::new(Revoked::default());
    let needs = SecurityNeeds {
        secrets: secrets.clone(),
        observability: observability.observability.clone(),
        api_tokens: tokens.clone(),
    };
    let (security, mut securing) = start::<SecurityCapability>(
        home.path(),
        SecurityConfig { redact_output: false, ..SecurityConfig::default() },
        needs,
    )
    .await;
    let security = security.security;

    let issued = security.issue_token("ada", PrincipalRole::User, Duration::from_secs(60)).unwrap();
    let token = issued.token;
    let ada = security.authenticate(&token).unwrap();
    assert!(security.authorize(&ada, Action::SubmitTask));
    assert!(!security.authorize(&ada, Action::ManageSecrets));
    assert_eq!(security.authenticate("forged"), Err(AuthError::Invalid));
    assert_eq!(ada.token, issued.id);
    *tokens.0.lock() = issued.id.to_string();
    assert_eq!(security.authenticate(&token), Err(AuthError::Revoked), "it is remembered, and good no longer");
    assert!(!security.is_good(&ada) && !security.authorize(&ada, Action::SubmitTask) && !security.is_current(&token));
    tokens.0.lock().clear();
    assert!(security.is_good(&ada) && security.is_current(&token));
    let draft = || MessageDraft {
        message_id: MessageId::from_uuid(uuid::Uuid::now_v7()),
        sender_id: ada.party,
        recipient_id: ada.party,
        message_type: MessageType::Event,
        payload: Payload::from_value(&json!({})).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(uuid::Uuid::now_v7()),
        created_at: Machine.now(),
        ttl: Duration::from_secs(60),
    };
    let before = security.sign(draft());
    // Those who decide about keys put the next one into the store beside the present one, then the other way round.
    let mut next = Vec::new();
    for kind in KeyKind::STORED {
        let name = SecretName::new(kind.secret()).unwrap();
        let first = KeySet::decode(secrets.get(&name).await.unwrap().expose()).unwrap();
        let offered = KeySet::new(**first.active(), vec![[7; 32]]);
        secrets.set(&name, SecretValue::new(offered.encode().unwrap().to_vec())).await.unwrap();
        next.push((name, KeySet::new([7; 32], vec![**first.active()])));
    }
    assert_eq!(security.sign(draft()).key_id(), before.key_id(), "an offered key signs");
    assert!(security.is_current(&token));
    for (name, keys) in next {
        secrets.set(&name, SecretValue::new(keys.encode().unwrap().to_vec())).await.unwrap();
    }
    let rotated = async {
        while security.sign(draft()).key_id() == before.key_id()
            || security.issue_token("x", PrincipalRole::Viewer, Duration::ZERO).unwrap().token.split('.').next()
                == token.split('.').next()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), rotated).await.expect("the rotated keys come into force");
    security.verify(&before).expect("the key before still verifies");
    assert!(security.authenticate(&token).is_ok() && !security.is_current(&token));
    // Then the keys before are spent.
    for kind in KeyKind::STORED {
        let alone = KeySet::alone([7; 32]).encode().unwrap();
        secrets.set(&SecretName::new(kind.secret()).unwrap(), SecretValue::new(alone.to_vec())).await.unwrap();
    }
    let ended = async {
        while security.authenticate(&token).is_ok() || security.verify(&before).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("what the keys before have signed is refused");

    let by = Deadline::after(Duration::from_secs(10));
    securing.stop(by).await.unwrap();
    observing.stop(by).await.unwrap();
    watching.stop(by).await.unwrap();
    let audit = home.path().join("audit/audit.jsonl");
    // The key is found without the node, and no other fits.
    let key = derived_key(&home.path().join("secrets"), CHAIN_PURPOSE).unwrap().unwrap();
    assert!(verify_audit(&audit, key).unwrap().records >= 3);
    let other = secrets.derived_key("something else");
    assert!(matches!(verify_audit(&audit, other), Err(AuditVerifyError::Broken { line: 1, .. })));
    let text = std::fs::read_to_string(audit).unwrap();
    assert!(text.contains("ManageSecrets") && text.contains("the token is not valid"), "{text}");
    assert!(text.contains("security.redact_output") && !text.contains("security.scan_prompts"), "{text}");
    assert!(!text.contains(&token));
}

#[tokio::test]
async fn a_bad_edit_changes_nothing_and_a_good_one_is_announced() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.json");
    std::fs::write(&file, r#"{"a": 1, "b": 1}"#).unwrap();
    let (secrets, _) = start::<SecretsCapability>(home.path(), SecretsConfig::default(), SecretsNeeds {}).await;
    let needs = ConfigurationNeeds { secrets: secrets.secrets };
    let (configuration, mut running) = start::<ConfigurationCapability>(home.path(), file_config(&file), needs).await;
    let configuration = configuration.configuration;
    let mut reloads = configuration.subscribe();
    std::fs::write(&file, "{\n oops").unwrap();
    let error = configuration.reload().await.unwrap_err();
    assert_eq!(error.findings[0].line, Some(2));
    assert_eq!(configuration.section("a"), json!(1));
    std::fs::write(&file, r#"{"a": 2, "b": 1}"#).unwrap();
    let reloaded = tokio::time::timeout(Duration::from_secs(10), reloads.next()).await.unwrap().unwrap();
    assert_eq!(reloaded.sections, ["a"]);
    assert_eq!(configuration.section("a"), json!(2));
    running.stop(Deadline::after(Duration::from_secs(5))).await.unwrap();
}
