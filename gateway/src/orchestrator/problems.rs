//! What the errors of the ports behind the orchestrator are to a client.

use octopussy_core::message::PayloadError;
use octopussy_core::ports::{BlobError, SecretError};
use octopussy_core::problem::{Code, Problem};

pub(super) fn payload_problem(error: PayloadError) -> Problem {
    let code = match error {
        PayloadError::TooLarge { .. } => Code::PayloadTooLarge,
        PayloadError::NotAnObject(_) => Code::Internal,
    };
    Problem::new(code, error.to_string())
}

pub(super) fn blob_problem(error: BlobError) -> Problem {
    let code = match error {
        BlobError::TooLarge { .. } => Code::PayloadTooLarge,
        BlobError::DiskFull => Code::DiskFull,
        BlobError::Damaged(_) | BlobError::Io(_) => Code::StoreUnavailable,
    };
    Problem::new(code, error.to_string())
}

pub(super) fn secret_problem(error: SecretError) -> Problem {
    let code = match error {
        SecretError::BadName(_) => Code::Unprocessable,
        SecretError::Unknown(_) => Code::UnknownSecret,
        SecretError::TooLarge(_) => Code::PayloadTooLarge,
        SecretError::WrongKey(_) | SecretError::Unusable(_) | SecretError::Io(_) => Code::StoreUnavailable,
    };
    Problem::new(code, error.to_string())
}
