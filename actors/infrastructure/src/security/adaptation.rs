//! Security as a port.

use super::SecurityConfig;
use super::essence::{Guardrail, Limiter, Scanner, TokenClaims};
use super::realization::TokenAuthority;
use octopussy_core::message::{Keyring, Message, MessageDraft, VerifyError};
use octopussy_core::ports::{
    Action, AuditEvent, AuditOutcome, AuthError, GuardrailVerdict, ObservabilityPort, Principal, PrincipalRole,
    ScanVerdict, SecurityPort,
};
use octopussy_core::time::Clock;
use parking_lot::{Mutex, RwLock};
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
    clock: Arc<dyn Clock>,
}

impl SecurityHandle {
    pub(super) fn new(
        config: SecurityConfig,
        keyring: Keyring,
        tokens: TokenAuthority,
        observability: Arc<dyn ObservabilityPort>,
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
        let tokens = self.inner.tokens.read().clone();
        tokens.authenticate(token, self.inner.clock.now()).inspect_err(|error| self.audit_failure(*error))
    }

    fn authorize(&self, principal: &Principal, action: Action) -> bool {
        let expired = self.inner.clock.now() > principal.expires_at;
        let allowed = !expired && principal.role >= action.requires();
        if !allowed {
            let detail = if expired {
                "the credentials have expired".to_owned()
            } else {
                format!("needs {:?}, has {:?}", action.requires(), principal.role)
            };
            let event = AuditEvent {
                action: "security.authorize".to_owned(),
                actor: principal.name.clone(),
                subject: format!("{action:?}"),
                outcome: AuditOutcome::Denied,
                detail,
                trace_id: None,
            };
            self.audit(&self.inner.denials, event);
        }
        allowed
    }

    fn issue_token(&self, name: &str, role: PrincipalRole, lifetime: Duration) -> String {
        let config = &self.inner.config;
        let now = self.inner.clock.now();
        let token = self.inner.tokens.read().issue(&TokenClaims::new(
            &config.issuer,
            &config.audience,
            name,
            role,
            now,
            lifetime,
        ));
        self.inner.observability.audit(AuditEvent {
            action: "security.issue_token".to_owned(),
            actor: "node".to_owned(),
            subject: name.to_owned(),
            outcome: if token.is_empty() { AuditOutcome::Failed } else { AuditOutcome::Allowed },
            detail: format!("{role:?} for {} seconds", lifetime.as_secs()),
            trace_id: None,
        });
        token
    }

    fn is_current(&self, token: &str) -> bool {
        self.inner.tokens.read().is_current(token)
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
