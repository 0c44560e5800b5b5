//! Errors that a person or a program outside meets: a stable code, what happened, and the way out.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The stable part of an outward error. The number is documented in `docs/errors.md`; the HTTP status follows from it.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $status:literal, $title:literal;)*) => {
        /// A stable error code, printed as `OCTO-1203`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, for documentation and its test.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number behind `OCTO-`.
            #[must_use]
            pub const fn number(self) -> u16 { match self { $(Self::$name => $number,)* } }

            /// The HTTP status that carries it.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// A short, fixed summary.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// The request's body, path or query does not parse.
    BadRequest = 1000, 400, "The request could not be read";
    /// The body is larger than the limit.
    PayloadTooLarge = 1001, 413, "The payload is over the limit";
    /// The body's media type is not one this path takes.
    UnsupportedMediaType = 1002, 415, "The media type is not supported here";
    /// No such path or method.
    NotFound = 1003, 404, "There is nothing at this path";
    /// The path exists, the method does not.
    MethodNotAllowed = 1004, 405, "The method is not allowed here";
    /// The request parses but means something impossible.
    Unprocessable = 1005, 422, "The request is not acceptable";
    /// No credentials, or ones that do not verify.
    Unauthenticated = 1100, 401, "Credentials are missing or not valid";
    /// The token was valid once.
    TokenExpired = 1101, 401, "The token has expired";
    /// The credentials do not allow this.
    Forbidden = 1102, 403, "Not allowed";
    /// The token was valid, and was revoked.
    TokenRevoked = 1103, 401, "The token was revoked";
    /// The cluster knows no such token.
    UnknownApiToken = 1104, 404, "No such token";
    /// The agent is not known.
    UnknownAgent = 1200, 404, "No such agent";
    /// The agent's directory does not validate.
    InvalidAgent = 1201, 422, "The agent directory has errors";
    /// An agent of that name exists.
    AgentExists = 1202, 409, "An agent of this name exists already";
    /// The agent's mailbox is full.
    MailboxFull = 1203, 429, "The agent's mailbox is full";
    /// The agent has been stopped.
    AgentStopped = 1204, 409, "The agent is stopped";
    /// The state machine has no such transition.
    InvalidTransition = 1205, 409, "The agent cannot do that in its present state";
    /// Somebody else changed the agent first.
    AgentChanged = 1206, 409, "The agent has been changed meanwhile";
    /// The agent has tasks that have not ended.
    AgentBusy = 1207, 409, "The agent has tasks that have not ended";
    /// The task is not known.
    UnknownTask = 1300, 404, "No such task";
    /// The same idempotency key came with another request.
    IdempotencyConflict = 1301, 409, "The idempotency key was used for another request";
    /// The task is not in the dead-letter queue.
    NotDeadLettered = 1302, 409, "The task is not in the dead-letter queue";
    /// The task has ended.
    TaskEnded = 1303, 409, "The task has already ended";
    /// No model provider could answer.
    NoProvider = 1400, 503, "No model provider can answer";
    /// The store cannot be written.
    StoreUnavailable = 1500, 503, "The store cannot accept writes";
    /// The disk is full.
    DiskFull = 1501, 507, "The disk is full";
    /// The node is starting or stopping.
    NotReady = 1502, 503, "The node is not ready";
    /// Too much at once.
    Overloaded = 1503, 429, "Too many requests at once";
    /// The node holds as much unended work as it may.
    NodeFull = 1505, 429, "The node holds as much unended work as it may";
    /// What has to be in the audit log first cannot be put there.
    AuditUnavailable = 1506, 503, "The audit log cannot be written";
    /// It took too long.
    Timeout = 1504, 504, "The operation did not finish in time";
    /// The secret is not known.
    UnknownSecret = 1600, 404, "No such secret";
    /// Secrets that people set and keys that nodes make are not treated alike.
    SecretConflict = 1601, 409, "This secret cannot be changed so";
    /// The configuration does not validate.
    InvalidConfiguration = 1700, 422, "The configuration is not valid";
    /// The cluster has no such node.
    UnknownNode = 1800, 404, "No such node";
    /// The cluster cannot do that as it is now.
    ClusterConflict = 1801, 409, "The cluster cannot do that now";
    /// The cluster knows no such join token.
    UnknownJoinToken = 1802, 404, "No such join token";
    /// Something that should not happen.
    Internal = 1900, 500, "An internal error";
}

/// Encoded as its number, so that codes of a later version read as [`Code::Internal`] instead of not at all.
impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(|number| Self::from_number(number).unwrap_or(Self::Internal))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OCTO-{}", self.number())
    }
}

/// An error as it is shown outside. Between nodes it travels as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What happened, with the name, field or line it happened at.
    pub detail: Cow<'static, str>,
    /// What to do next, when there is something.
    pub hint: Option<Cow<'static, str>>,
    /// When to try again.
    pub retry_after: Option<std::time::Duration>,
    /// Every single finding, where there are several.
    pub findings: Vec<Finding>,
}

impl Problem {
    /// A problem with its detail.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), hint: None, retry_after: None, findings: Vec::new() }
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: std::time::Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds findings.
    #[must_use]
    pub fn findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }
}

/// One thing wrong with a file that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The file, relative to the directory that was checked.
    pub file: String,
    /// The line, counted from 1; absent when the finding is about the file as a whole.
    pub line: Option<u32>,
    /// What is wrong and what was expected.
    pub message: String,
    /// How to mend it, such as the key that was probably meant.
    pub hint: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
