//! The secrets of a guest: its interfaces serve its status and nothing else, so that the command line opens its store itself, while the
//! node is stopped.

use crate::cli::Context;
use crate::cluster::ClusterHome;
use crate::failure::Failure;
use octopussy_core::ports::{MemberRole, SecretError, SecretName, SecretValue, SecretsPort};
use octopussy_infrastructure::secrets::SecretsHandle;

/// Whether this home's node is a guest of its cluster.
pub(super) fn is_guests(context: &Context) -> Result<bool, Failure> {
    let member = ClusterHome::of(context.home.path()).membership().map_err(|error| Failure::new(error.to_string()))?;
    Ok(member.is_some_and(|member| member.role == MemberRole::Guest))
}

/// Sets a secret of the guest's own, or removes it when there is no value.
pub(super) async fn change(context: &Context, name: &str, value: Option<String>) -> Result<(), Failure> {
    let name = SecretName::new(name).map_err(failure)?;
    if name.is_generated() {
        return Err(Failure::new(format!("'{name}' is a key that the node makes itself")));
    }
    let directory = context.home.path().join("secrets");
    let opened = tokio::task::spawn_blocking(move || SecretsHandle::open(&directory)).await;
    let store = opened.unwrap_or_else(|error| Err(SecretError::Io(std::io::Error::other(error)))).map_err(failure)?;
    let changed = match value {
        Some(value) => store.set(&name, SecretValue::new(value.into_bytes())).await,
        None => store.delete(&name).await,
    };
    store.close();
    changed.map_err(failure)
}

fn failure(error: SecretError) -> Failure {
    Failure::new(error.to_string()).hint("a guest's own secrets are set while its node is stopped: octopussy stop")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterMembership;
    use crate::home::Home;
    use crate::output::Output;

    #[tokio::test]
    async fn a_guests_own_secrets_are_set_while_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(folder.path().to_owned())).unwrap();
        let context = Context { home, home_is_named: true, port_offset: None, out: Output::new(true) };
        assert!(!is_guests(&context).unwrap());
        let member = ClusterMembership {
            cluster: "c1".to_owned(),
            name: "den".to_owned(),
            role: MemberRole::Guest,
            founder: false,
            capacity: None,
            zone: None,
            settled: true,
            removed: false,
        };
        ClusterHome::of(folder.path()).set_membership(&member).unwrap();
        assert!(is_guests(&context).unwrap());
        change(&context, "openai.api_key", Some("sk-1".to_owned())).await.unwrap();
        let store = SecretsHandle::open(&folder.path().join("secrets")).unwrap();
        let name = SecretName::new("openai.api_key").unwrap();
        assert_eq!(store.get(&name).await.unwrap().expose_str(), Some("sk-1"));
        let running = change(&context, "openai.api_key", None).await.unwrap_err();
        assert!(running.hint.unwrap().contains("octopussy stop"));
        store.close();
        drop(store);
        change(&context, "openai.api_key", None).await.unwrap();
        assert!(change(&context, "jwt.signing_key", Some("a".to_owned())).await.is_err());
    }
}
