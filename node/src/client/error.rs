//! What can go wrong between the command line and a node, and the exit code and way out that follow.

use super::problem::ApiProblem;
use crate::failure::{Exit, Failure};
use std::path::PathBuf;

/// A request did not get its answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody has been here.
    #[error("there are no credentials in {}", .0.display())]
    NoCredentials(PathBuf),
    /// The credentials cannot be used.
    #[error("the credentials in {} cannot be used: {reason}", path.display())]
    BadCredentials {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The node does not answer; nothing is known about what became of the request.
    #[error("the node at {url} does not answer: {reason}")]
    Unreachable {
        /// Where it was tried.
        url: String,
        /// Why it failed.
        reason: String,
        /// Whether the connection was never made, so that the request cannot have arrived.
        refused: bool,
    },
    /// Whoever answers at the URL cannot show a certificate of the node's authority.
    #[error("{url} does not show a certificate of this node's authority: {reason}")]
    WrongCertificate {
        /// Where it was tried.
        url: String,
        /// What the verification said.
        reason: String,
    },
    /// The node answered with an error.
    #[error("{0}")]
    Problem(Box<ApiProblem>),
    /// The node answered with something that is not what it says it speaks.
    #[error("the node's answer cannot be read: {0}")]
    BadAnswer(String),
}

impl ClientError {
    /// Whether the same request may be sent again, provided that it is safe to repeat.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.status == 503 && problem.code.as_deref() == Some("OCTO-1502"),
            Self::NoCredentials(_)
            | Self::BadCredentials { .. }
            | Self::WrongCertificate { .. }
            | Self::BadAnswer(_) => false,
        }
    }
}

impl ClientError {
    /// Whether another node is worth asking. `repeatable`: the request may have arrived here and may arrive there as well.
    pub(super) fn is_worth_another_node(&self, repeatable: bool) -> bool {
        match self {
            Self::Unreachable { refused, .. } => *refused || repeatable,
            Self::Problem(_) => repeatable && self.is_transient(),
            Self::WrongCertificate { .. } => true,
            Self::NoCredentials(_) | Self::BadCredentials { .. } | Self::BadAnswer(_) => false,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::NoCredentials(_) => Self::new(message)
                .exit(Exit::Unreachable)
                .hint("octopussy start   (it installs first; --home DIR when the node lives elsewhere)"),
            ClientError::BadCredentials { .. } => {
                Self::new(message).exit(Exit::Denied).hint("octopussy start   (it writes fresh credentials when the file is gone)")
            }
            ClientError::Unreachable { refused: true, .. } => Self::new(message).exit(Exit::Unreachable).hint("octopussy start"),
            ClientError::Unreachable { refused: false, .. } => {
                Self::new(message).exit(Exit::Unreachable).hint("octopussy status   (and the node's log in its home under logs/)")
            }
            ClientError::WrongCertificate { .. } => Self::new(message)
                .exit(Exit::Unreachable)
                .hint("another program or another node listens there: compare --home and --port-offset with `octopussy status`"),
            ClientError::Problem(problem) => {
                let problem = *problem;
                Self {
                    exit: if matches!(problem.status, 401 | 403) { Exit::Denied } else { Exit::Failed },
                    message: problem.text(),
                    hint: problem.way_out(),
                    code: problem.code.map(Into::into),
                    findings: problem.findings,
                    trace_id: problem.trace_id.map(Into::into),
                }
            }
            ClientError::BadAnswer(_) => Self::new(message).hint("are the command line and the node of the same version? `octopussy status`"),
        }
    }
}
