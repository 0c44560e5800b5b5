//! What clients do with secrets. Those that somebody has set are set anew and removed; the keys that nodes make for themselves are
//! replaced by other keys, and nobody sets or removes them.

use super::adaptation::Orchestrator;
use super::problems::secret_problem;
use octopussy_core::ports::{Action, KeyKind, Principal, RotationView, SecretError, SecretName, SecretValue};
use octopussy_core::problem::{Code, Problem};

impl Orchestrator {
    /// The names of all secrets.
    pub(super) async fn listed_secrets(&self, principal: &Principal) -> Result<Vec<String>, Problem> {
        self.allow(principal, Action::ManageSecrets)?;
        let names = self.ports().secrets.list().await.map_err(secret_problem)?;
        Ok(names.into_iter().map(|name| name.as_str().to_owned()).collect())
    }

    /// Sets a secret.
    pub(super) async fn put_secret(&self, principal: &Principal, name: &str, value: String) -> Result<(), Problem> {
        self.allow(principal, Action::ManageSecrets)?;
        let value = SecretValue::new(value.into_bytes());
        let name = SecretName::new(name).map_err(secret_problem)?;
        self.announce(principal, "secret.set", name.as_str()).await?;
        let set = match generated(&name) {
            Some(problem) => Err(problem),
            None => self.ports().secrets.set(&name, value).await.map_err(secret_problem),
        };
        self.audit(principal, "secret.set", name.to_string(), &set);
        set
    }

    /// Removes a secret.
    pub(super) async fn remove_secret(&self, principal: &Principal, name: &str) -> Result<(), Problem> {
        self.allow(principal, Action::ManageSecrets)?;
        let name = SecretName::new(name).map_err(secret_problem)?;
        self.announce(principal, "secret.delete", name.as_str()).await?;
        let removed = match generated(&name) {
            Some(problem) => Err(problem),
            None => self.ports().secrets.delete(&name).await.map_err(secret_problem),
        };
        self.audit(principal, "secret.delete", name.to_string(), &removed);
        removed
    }

    /// Begins to replace the keys in one secret.
    pub(super) async fn rotate_one(&self, principal: &Principal, name: &str) -> Result<RotationView, Problem> {
        self.allow(principal, Action::ManageSecrets)?;
        let name = SecretName::new(name).map_err(secret_problem)?;
        self.announce(principal, "secret.rotate", name.as_str()).await?;
        let rotated = match KeyKind::of_secret(name.as_str()) {
            Some(kind) => self
                .begin(principal, &[kind], false)
                .await
                .and_then(|begun| begun.into_iter().next().ok_or_else(nothing)),
            None => Err(self.not_generated(&name).await),
        };
        self.audit(principal, "secret.rotate", name.to_string(), &rotated);
        rotated
    }

    /// Begins to replace the keys that sign messages and tokens.
    pub(super) async fn rotate_all(&self, principal: &Principal, now: bool) -> Result<Vec<RotationView>, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        let action = if now { "cluster.rotate_keys_now" } else { "cluster.rotate_keys" };
        self.announce(principal, action, "").await?;
        let rotated = self.begin(principal, &KeyKind::STORED, now).await;
        self.audit(principal, action, String::new(), &rotated);
        rotated
    }

    /// Begins to replace the cluster's authority.
    pub(super) async fn rotate_ca(&self, principal: &Principal, now: bool) -> Result<RotationView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        let action = if now { "cluster.rotate_ca_now" } else { "cluster.rotate_ca" };
        self.announce(principal, action, "").await?;
        let rotated = self.begin(principal, &[KeyKind::Authority], now).await;
        let rotated = rotated.and_then(|begun| begun.into_iter().next().ok_or_else(nothing));
        let about = rotated.as_ref().map_or_else(|_| String::new(), |rotation| rotation.key.clone());
        self.audit(principal, action, about, &rotated);
        rotated
    }

    async fn begin(&self, principal: &Principal, kinds: &[KeyKind], now: bool) -> Result<Vec<RotationView>, Problem> {
        self.ports().cluster.rotate_keys(&principal.into(), kinds, now).await
    }

    /// Why a secret that no node has made is not rotated: there would be nothing but random bytes in its place.
    async fn not_generated(&self, name: &SecretName) -> Problem {
        match self.ports().secrets.get(name).await {
            Ok(_) => Problem::new(
                Code::SecretConflict,
                format!("'{name}' was set by a user, and only its owner has another value"),
            )
            .hint(format!("`octopussy secret set {name}` replaces it")),
            Err(error @ SecretError::Unknown(_)) => secret_problem(error).hint(format!(
                "only keys that nodes make are rotated: {}",
                KeyKind::STORED.map(KeyKind::secret).join(", ")
            )),
            Err(error) => secret_problem(error),
        }
    }
}

fn generated(name: &SecretName) -> Option<Problem> {
    name.is_generated().then(|| {
        Problem::new(Code::SecretConflict, format!("'{name}' is a key that the nodes make themselves"))
            .hint("`octopussy secret rotate NAME` replaces it by a new one")
    })
}

fn nothing() -> Problem {
    Problem::new(Code::Internal, "no key was replaced")
}
