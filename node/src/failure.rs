//! How a command ends when it does not end well: what happened, what to do next, and the exit code.

use octopussy_core::problem::Finding;
use serde_json::{Value, json};
use std::process::ExitCode;

/// The exit codes, as the help text documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The node is not reachable.
    Unreachable = 3,
    /// Credentials or permissions.
    Denied = 4,
    /// The task ended without a result.
    TaskUnsuccessful = 5,
    /// The node's identity is in use elsewhere, or its home is an old one: starting it again does not help.
    IdentityInUse = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command's unhappy end.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// With which code the process ends.
    pub(crate) exit: Exit,
    /// The stable code of the node's answer, when it came from there.
    pub(crate) code: Option<Box<str>>,
    /// What happened.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Single findings, where there are several.
    pub(crate) findings: Vec<Finding>,
    /// Under which id the node's logs tell of it.
    pub(crate) trace_id: Option<Box<str>>,
}

impl Failure {
    /// A plain failure.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            code: None,
            message: message.into(),
            hint: None,
            findings: Vec::new(),
            trace_id: None,
        }
    }

    /// A failure of reading or writing `path`.
    pub(crate) fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let failure = Self::new(format!("{doing} {}: {error}", path.display()));
        let hints = [
            (std::io::ErrorKind::NotFound, "check the path"),
            (std::io::ErrorKind::PermissionDenied, "check the owner and the mode of the file and its folder"),
            (std::io::ErrorKind::StorageFull, "make room on the disk"),
        ];
        match hints.iter().find(|(kind, _)| *kind == error.kind()) {
            Some((_, hint)) => failure.hint(*hint),
            None => failure,
        }
    }

    /// With another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// With a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With findings.
    pub(crate) fn findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }

    /// The failure as `--json` prints it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "findings": self.findings,
            "trace_id": self.trace_id,
            "exit_code": self.exit as u8,
        }})
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    /// A problem or a failure inside keeps its findings and its way out; anything else becomes its chain of causes.
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(failure) => return failure,
            Err(error) => error,
        };
        match error.downcast_ref::<octopussy_core::problem::Problem>() {
            Some(problem) => Self {
                code: Some(problem.code.to_string().into()),
                hint: problem.hint.as_ref().map(ToString::to_string),
                ..Self::new(problem.detail.clone()).findings(problem.findings.clone())
            },
            None => Self::new(format!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_the_host_keeps_its_hint() {
        use octopussy_core::problem::{Code, Problem};
        let failure =
            Failure::from(anyhow::Error::new(Problem::new(Code::InvalidConfiguration, "wrong").hint("mend it")));
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), ("wrong", Some("mend it")));
        let failure = Failure::from(anyhow::Error::new(Failure::new("no").exit(Exit::Usage)));
        assert_eq!(failure.exit, Exit::Usage);
        let chain = Failure::from(anyhow::anyhow!("inner").context("outer"));
        assert_eq!(chain.message, "outer: inner");
    }

    #[test]
    fn json_has_every_field() {
        let failure = Failure::new("no").exit(Exit::Denied).hint("ask");
        let json = failure.to_json();
        assert_eq!(json["error"]["exit_code"], 4);
        assert_eq!(json["error"]["hint"], "ask");
        assert!(json["error"]["code"].is_null());
    }
}
