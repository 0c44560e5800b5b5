//! Security as a port.

use super::SecurityConfig;
use super::essence::{Guardrail, Limiter, Scanner, TokenClaims};
use super::realization::TokenAuthority;
use octopussy_core::message::{Keyring, Message, MessageDraft, VerifyError};
use octopussy_core::ports::{
    Action, ApiTokensPort, AuditEvent, AuditOutcome, AuthError, GuardrailVerdict, IssuedToken, ObservabilityPort,
    Principal, PrincipalRole, ScanVerdict, SecurityPort,
};
use octopussy_core::time::Clock;
use parking_lot::{Mutex, RwLock};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use std::time::Duration;

/// How many failures a second get a record of their own; the next record says how many did not.
const AUDITED_PER_SECOND: u32 = 20;

/// The handle on security. Cloning is cheap.
#[derive(Clone)]
pub struct SecurityHandle {
    inner: Arc<Inner>,
}

struct Inner {
    config: SecurityConfig,
    keyring: RwLock<Arc<Keyring>>,
    tokens: RwLock<Arc<TokenAuthority>>,
    scanner: Scanner,
    guardrail: Guardrail,
    failures: Mutex<Limiter>,
    denials: Mutex<Limiter>,
    observability: Arc<dyn ObservabilityPort>,
    /// Which tokens were revoked.
    api_tokens: Arc<dyn ApiTokensPort>,
    random: SystemRandom,
    clock: Arc<dyn Clock>,
}

impl SecurityHandle {
    pub(super) fn new(
        config: SecurityConfig,
        keyring: Keyring,
        tokens: TokenAuthority,
        (observability, api_tokens): (Arc<dyn ObservabilityPort>, Arc<dyn ApiTokensPort>),
        clock: Arc<dyn Clock>,
    ) -> Self {
        let inner = Inner {
            config,
            keyring: RwLock::new(Arc::new(keyring)),
            tokens: RwLock::new(Arc::new(tokens)),
            scanner: Scanner::new(),
            guardrail: Guardrail::new(),
            failures: Mutex::new(Limiter::new(AUDITED_PER_SECOND)),
            denials: Mutex::new(Limiter::new(AUDITED_PER_SECOND)),
            observability,
            api_tokens,
            random: SystemRandom::new(),
            clock,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Puts another message keyring in force.
    pub(super) fn set_keyring(&self, keyring: Keyring) {
        *self.inner.keyring.write() = Arc::new(keyring);
    }

    /// Puts other token keys in force; what was remembered of verified tokens goes with the old ones.
    pub(super) fn set_tokens(&self, tokens: TokenAuthority) {
        *self.inner.tokens.write() = Arc::new(tokens);
    }

    pub(super) fn config(&self) -> &SecurityConfig {
        &self.inner.config
    }

    fn audit(&self, limiter: &Mutex<Limiter>, mut event: AuditEvent) {
        if let Some(held_back) = limiter.lock().admit(self.inner.clock.now()) {
            if held_back > 0 {
                event.detail = format!("{} ({held_back} more like it were not recorded)", event.detail);
            }
            self.inner.observability.audit(event);
        }
    }

    fn principal(&self, token: &str) -> Result<Principal, AuthError> {
        let tokens = self.inner.tokens.read().clone();
        let principal = tokens.authenticate(token, self.inner.clock.now())?;
        if self.inner.api_tokens.is_revoked(&principal.token) { Err(AuthError::Revoked) } else { Ok(principal) }
    }

    /// Why credentials that were good are not good any more.
    fn ended(&self, principal: &Principal) -> Option<AuthError> {
        if self.inner.clock.now() > principal.expires_at {
            return Some(AuthError::Expired);
        }
        self.inner.api_tokens.is_revoked(&principal.token).then_some(AuthError::Revoked)
    }

    fn audit_failure(&self, error: AuthError) {
        let event = AuditEvent {
            action: "security.authenticate".to_owned(),
            actor: "unknown".to_owned(),
            subject: "token".to_owned(),
            outcome: AuditOutcome::Denied,
            detail: error.to_string(),
            trace_id: None,
        };
        self.audit(&self.inner.failures, event);
    }
}

impl SecurityPort for SecurityHandle {
    fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        self.principal(token).inspect_err(|error| self.audit_failure(*error))
    }

    fn authorize(&self, principal: &Principal, action: Action) -> bool {
        let ended = self.ended(principal);
        let allowed = ended.is_none() && principal.role >= action.requires();
        if !allowed {
            let detail = ended.map_or_else(
                || format!("needs {:?}, has {:?}", action.requires(), principal.role),
                |error| error.to_string(),
            );
            let event = AuditEvent {
                action: "security.authorize".to_owned(),
                actor: principal.actor(),
                subject: format!("{action:?}"),
                outcome: AuditOutcome::Denied,
                detail,
                trace_id: None,
            };
            self.audit(&self.inner.denials, event);
        }
        allowed
    }

    fn is_good(&self, principal: &Principal) -> bool {
        self.ended(principal).is_none()
    }

    fn issue_token(&self, name: &str, role: PrincipalRole, lifetime: Duration) -> Option<IssuedToken> {
        let config = &self.inner.config;
        let now = self.inner.clock.now();
        let mut id = [0; 8];
        let claims = self
            .inner
            .random
            .fill(&mut id)
            .ok()
            .map(|()| TokenClaims::new((&config.issuer, &config.audience), id, name, role, now, lifetime));
        let token = claims.and_then(|claims| {
            let token = self.inner.tokens.read().issue(&claims)?;
            let expires_at = claims.expires_at();
            Some(IssuedToken { id: claims.jti.into(), token, expires_at })
        });
        self.inner.observability.audit(AuditEvent {
            action: "security.issue_token".to_owned(),
            actor: "node".to_owned(),
            subject: token.as_ref().map_or_else(|| name.to_owned(), |token| format!("{name} (token {})", token.id)),
            outcome: if token.is_none() { AuditOutcome::Failed } else { AuditOutcome::Allowed },
            detail: format!("{role:?} for {} seconds", lifetime.as_secs()),
            trace_id: None,
        });
        token
    }

    fn is_current(&self, token: &str) -> bool {
        self.inner.tokens.read().is_current(token) && self.principal(token).is_ok()
    }

    fn scan_prompt(&self, text: &str) -> ScanVerdict {
        if !self.inner.config.scan_prompts {
            return ScanVerdict::Clean;
        }
        self.inner.scanner.scan(text).rule.map_or(ScanVerdict::Clean, |rule| ScanVerdict::Injection { rule })
    }

    fn validate_output(&self, text: &str) -> GuardrailVerdict {
        if self.inner.config.redact_output { self.inner.guardrail.validate(text) } else { GuardrailVerdict::Pass }
    }

    fn sign(&self, draft: MessageDraft) -> Message {
        let keyring = self.inner.keyring.read().clone();
        keyring.sign(draft)
    }

    fn verify(&self, message: &Message) -> Result<(), VerifyError> {
        let keyring = self.inner.keyring.read().clone();
        keyring.verify(message)
    }
}
