//! Who may do what, and what must not pass.

use crate::contract::{Port, PortId};
use crate::ids::PartyId;
use crate::message::{Message, MessageDraft, VerifyError};
use crate::problem::{Code, Problem};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What a principal is allowed as a whole; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrincipalRole {
    /// Looks.
    Viewer,
    /// Submits tasks.
    User,
    /// Creates and controls agents, handles dead letters.
    Operator,
    /// Secrets, users, the node itself.
    Admin,
}

impl PrincipalRole {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::User, Self::Operator, Self::Admin];

    /// The role as users write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::User => "USER",
            Self::Operator => "OPERATOR",
            Self::Admin => "ADMIN",
        }
    }
}

/// Somebody whose credentials have been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Their name.
    pub name: String,
    /// As which they send messages.
    pub party: PartyId,
    /// What they are allowed.
    pub role: PrincipalRole,
    /// Until when the credentials hold.
    pub expires_at: Timestamp,
    /// The id of the token that they showed.
    pub token: Arc<str>,
}

impl Principal {
    /// Who it is, for records of what was done: several may have one name, and each has tokens of its own.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("{} (token {})", self.name, self.token)
    }
}

/// Who asks for a change of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Asker {
    /// A node by itself.
    Node,
    /// Somebody whom a node has authenticated.
    Principal {
        /// Their name.
        name: String,
        /// What they are allowed.
        role: PrincipalRole,
    },
}

impl Asker {
    /// The longest name, in bytes; a longer one is cut.
    pub const MAX_NAME: usize = 64;

    /// Their name; none for a node.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Node => None,
            Self::Principal { name, .. } => Some(name),
        }
    }
}

impl From<&Principal> for Asker {
    fn from(principal: &Principal) -> Self {
        let name = &principal.name[..principal.name.floor_char_boundary(Self::MAX_NAME)];
        Self::Principal { name: name.to_owned(), role: principal.role }
    }
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// Its id, which stands in it.
    pub id: Arc<str>,
    /// The token. It is a secret.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedToken({}, until {:?})", self.id, self.expires_at)
    }
}

/// Something a principal may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Look at agents, tasks, providers, status.
    Read,
    /// Submit and cancel tasks.
    SubmitTask,
    /// Create, pause, resume, stop agents.
    ManageAgents,
    /// Replay and discard dead letters.
    ManageDeadLetters,
    /// List, set and rotate secrets.
    ManageSecrets,
    /// Make join tokens, drain and remove nodes, move shards.
    ManageCluster,
    /// Make, list and revoke the tokens of users and programs.
    ManageTokens,
}

impl Action {
    /// The least role that may do it. What is not listed here cannot be asked for.
    #[must_use]
    pub const fn requires(self) -> PrincipalRole {
        match self {
            Self::Read => PrincipalRole::Viewer,
            Self::SubmitTask => PrincipalRole::User,
            Self::ManageAgents | Self::ManageDeadLetters => PrincipalRole::Operator,
            Self::ManageSecrets | Self::ManageCluster | Self::ManageTokens => PrincipalRole::Admin,
        }
    }

    /// What somebody hears who may not do it.
    #[must_use]
    pub fn refused_to(self, principal: &Principal) -> Problem {
        let (name, role, needed) = (&principal.name, principal.role, self.requires());
        Problem::new(Code::Forbidden, format!("'{name}' has the role {role:?}, this takes {needed:?}"))
            .hint("ask an administrator for a token with that role")
    }
}

/// Credentials do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There are none.
    #[error("no token was sent")]
    Missing,
    /// They are not ours, or have been tampered with.
    #[error("the token is not valid")]
    Invalid,
    /// They were good once.
    #[error("the token has expired")]
    Expired,
    /// They would be good, and somebody has revoked them.
    #[error("the token was revoked")]
    Revoked,
}

/// What the injection scan says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanVerdict {
    /// Nothing suspicious.
    Clean,
    /// It tries to take the agent over; which rule says so.
    Injection {
        /// The rule.
        rule: &'static str,
    },
}

/// What the output guardrail says of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardrailVerdict {
    /// It may leave as it is.
    Pass,
    /// It may leave as this text: secrets and the like have been blanked.
    Redacted {
        /// What may leave.
        text: String,
        /// What was blanked, by rule.
        rules: Vec<&'static str>,
    },
}

/// Authenticates, authorizes, signs, scans.
pub trait SecurityPort: Send + Sync {
    /// The principal behind a bearer token.
    ///
    /// # Errors
    /// [`AuthError`].
    fn authenticate(&self, token: &str) -> Result<Principal, AuthError>;

    /// Whether the principal may do this; a denial is audited.
    fn authorize(&self, principal: &Principal, action: Action) -> bool;

    /// Whether credentials that were good when they were shown still are: they have neither expired nor been revoked. What goes on for
    /// long asks this all the while.
    fn is_good(&self, principal: &Principal) -> bool;

    /// A token for a user. `lifetime` is bounded to [`MAX_API_TOKEN_LIFETIME`](super::MAX_API_TOKEN_LIFETIME). `None` when none can be
    /// made: the key does not sign, or there is no randomness.
    fn issue_token(&self, name: &str, role: PrincipalRole, lifetime: Duration) -> Option<IssuedToken>;

    /// Whether the token is good and the key that signs now has signed it: one of another key ends with that.
    fn is_current(&self, token: &str) -> bool;

    /// Looks for attempts to take an agent over.
    fn scan_prompt(&self, text: &str) -> ScanVerdict;

    /// Looks for what must not leave.
    fn validate_output(&self, text: &str) -> GuardrailVerdict;

    /// Signs a draft with the present message key.
    fn sign(&self, draft: MessageDraft) -> Message;

    /// Checks a message's signature.
    ///
    /// # Errors
    /// [`VerifyError`].
    fn verify(&self, message: &Message) -> Result<(), VerifyError>;
}

impl Port for dyn SecurityPort {
    const ID: PortId = PortId::Security;
}
