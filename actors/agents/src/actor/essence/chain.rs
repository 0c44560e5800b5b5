//! The inbound chain: what every message has to pass, in this order and no other.

use octopussy_core::agent::Period;
use octopussy_core::message::{KeyId, VerifyError};
use octopussy_core::ports::{BudgetVerdict, ScanVerdict};

/// The checks of the chain, each asked at most once and only when all before it have passed.
pub trait Checks {
    /// Whether the signature fits.
    ///
    /// # Errors
    /// [`VerifyError`].
    fn signature(&mut self) -> Result<(), VerifyError>;
    /// Whether the time to live has passed.
    fn is_expired(&mut self) -> bool;
    /// Whether it is a CONTROL message.
    fn is_control(&mut self) -> bool;
    /// Reads the content, for the scan.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&mut self) -> Result<(), String>;
    /// Scans the content.
    fn scan(&mut self) -> ScanVerdict;
    /// Asks for the budget.
    fn budget(&mut self) -> BudgetVerdict;
}

/// What the chain says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Work: process it.
    Process,
    /// A command: handle it at once.
    Control,
    /// 1: drop, audit.
    BadSignature(VerifyError),
    /// 1: whether it is signed cannot be told yet. A key that is not here is on its way here, or its message expires: hold it.
    UnknownKey(KeyId),
    /// 2: drop, warn.
    Expired,
    /// It is signed and in time, but not a task.
    Unreadable(String),
    /// 4: quarantine, audit.
    Quarantined {
        /// Which rule says so.
        rule: &'static str,
    },
    /// 5: pause the agent, tell the sender.
    BudgetExhausted {
        /// Which period's limit is reached.
        period: Period,
        /// What to tell.
        detail: String,
    },
}

impl Verdict {
    /// The label under which a rejection is counted; `None` for what passes.
    #[must_use]
    pub const fn rejection(&self) -> Option<&'static str> {
        match self {
            Self::Process | Self::Control | Self::UnknownKey(_) => None,
            Self::BadSignature(_) => Some("bad_signature"),
            Self::Expired => Some("expired"),
            Self::Unreadable(_) => Some("unreadable"),
            Self::Quarantined { .. } => Some("quarantined"),
            Self::BudgetExhausted { .. } => Some("budget_exhausted"),
        }
    }
}

/// Takes a message through the chain.
pub fn inbound(checks: &mut impl Checks) -> Verdict {
    match checks.signature() {
        Ok(()) => {}
        Err(VerifyError::UnknownKey(key)) => {
            return if checks.is_expired() { Verdict::Expired } else { Verdict::UnknownKey(key) };
        }
        Err(error @ VerifyError::BadSignature) => return Verdict::BadSignature(error),
    }
    if checks.is_expired() {
        return Verdict::Expired;
    }
    if checks.is_control() {
        return Verdict::Control;
    }
    if let Err(detail) = checks.read() {
        return Verdict::Unreadable(detail);
    }
    if let ScanVerdict::Injection { rule } = checks.scan() {
        return Verdict::Quarantined { rule };
    }
    if let BudgetVerdict::Exhausted { period, detail } = checks.budget() {
        return Verdict::BudgetExhausted { period, detail };
    }
    Verdict::Process
}
