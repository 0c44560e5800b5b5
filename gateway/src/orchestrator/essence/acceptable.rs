//! The bounds of a task request.

use octopussy_core::message::DEFAULT_TTL;
use octopussy_core::ports::{MAX_API_TOKEN_LIFETIME, MAX_API_TOKEN_NAME, SubmitTask};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::MAX_ATTEMPTS;
use std::time::Duration;

/// The largest input, in bytes: it travels inside the signed message, whose payload has the same bound.
pub const MAX_INPUT_BYTES: usize = 256 * 1024;
/// The most constraints: each is repeated in every prompt of the task.
pub const MAX_CONSTRAINTS: usize = 20;
/// The most documents of one task: each is a blob of its own.
pub const MAX_DOCUMENTS: usize = 100;
/// The most bytes all documents of one task may have together.
pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
/// The most earlier turns: more would not fit the model's context.
pub const MAX_HISTORY: usize = 1000;
/// The longest idempotency key, in bytes: it is kept with the task.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;
/// The shortest time to live.
pub const MIN_TTL: Duration = Duration::from_secs(1);
/// The longest time to live.
pub const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// The shortest validity of a token: a person has to carry it somewhere else.
const MIN_TOKEN_LIFETIME: Duration = Duration::from_secs(10);
/// The longest validity of a join token: whoever holds it gets into the cluster.
const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How much of what a client called something stands in the audit log, in characters.
const MAX_SUBJECT: usize = 64;
/// The most attempts.
const MOST_ATTEMPTS: u32 = 10;

/// Checks a request against the bounds.
pub(in crate::orchestrator) fn check(task: &SubmitTask) -> Result<(), Problem> {
    if task.input.trim().is_empty() {
        return Err(Problem::new(Code::Unprocessable, "'input' is empty").hint("say in words what is to be done"));
    }
    if task.input.len() > MAX_INPUT_BYTES {
        return Err(too_large("'input'", task.input.len(), MAX_INPUT_BYTES)
            .hint("send long material as 'documents', which may have 8 MiB together"));
    }
    count("constraints", task.constraints.len(), MAX_CONSTRAINTS)?;
    count("history", task.history.len(), MAX_HISTORY)?;
    count("documents", task.documents.len(), MAX_DOCUMENTS)?;
    let bytes = task.documents.iter().fold(0_usize, |sum, document| sum.saturating_add(document.text.len()));
    if bytes > MAX_DOCUMENT_BYTES {
        return Err(too_large("'documents' together", bytes, MAX_DOCUMENT_BYTES)
            .hint("split the material over several tasks, or give it to the agent's own directory"));
    }
    if let Some(document) = task.documents.iter().find(|document| !is_document_name(&document.name)) {
        return Err(Problem::new(
            Code::Unprocessable,
            format!("'documents' has the name {:?}, which is empty, too long or has control characters", document.name),
        )
        .hint("use 1 to 255 bytes without control characters, such as report.md"));
    }
    ttl(task)?;
    attempts(task)?;
    check_key(task.idempotency_key.as_deref())
}

/// The request's time to live.
pub(in crate::orchestrator) fn ttl(task: &SubmitTask) -> Result<Duration, Problem> {
    match task.ttl {
        None => Ok(DEFAULT_TTL),
        Some(ttl) if (MIN_TTL..=MAX_TTL).contains(&ttl) => Ok(ttl),
        Some(ttl) => Err(Problem::new(
            Code::Unprocessable,
            format!("'ttl_seconds' is {}, expected 1 to {}", ttl.as_secs(), MAX_TTL.as_secs()),
        )),
    }
}

/// Checks for how long a join token is to be valid.
pub(in crate::orchestrator) fn token_lifetime(valid_for: Duration) -> Result<(), Problem> {
    lifetime(valid_for, MAX_TOKEN_LIFETIME)
}

/// Checks whose a token of the interfaces is to be, and for how long it is to be good.
pub(in crate::orchestrator) fn api_token(name: &str, valid_for: Duration) -> Result<(), Problem> {
    if name.is_empty() || name.len() > MAX_API_TOKEN_NAME || name.chars().any(char::is_control) {
        return Err(Problem::new(
            Code::Unprocessable,
            format!("'name' has 1 to {MAX_API_TOKEN_NAME} bytes and no control characters"),
        ));
    }
    lifetime(valid_for, MAX_API_TOKEN_LIFETIME)
}

fn lifetime(valid_for: Duration, longest: Duration) -> Result<(), Problem> {
    if (MIN_TOKEN_LIFETIME..=longest).contains(&valid_for) {
        return Ok(());
    }
    Err(Problem::new(
        Code::Unprocessable,
        format!(
            "'valid_for_seconds' is {}, expected {} to {}",
            valid_for.as_secs(),
            MIN_TOKEN_LIFETIME.as_secs(),
            longest.as_secs()
        ),
    ))
}

/// What a client called something, as far as it belongs into the audit log.
pub(in crate::orchestrator) fn shortened(text: &str) -> String {
    text.chars().take(MAX_SUBJECT).collect()
}

/// How often the request may be begun.
pub(in crate::orchestrator) fn attempts(task: &SubmitTask) -> Result<u32, Problem> {
    match task.max_attempts {
        None => Ok(MAX_ATTEMPTS),
        Some(attempts) if (1..=MOST_ATTEMPTS).contains(&attempts) => Ok(attempts),
        Some(attempts) => Err(Problem::new(
            Code::Unprocessable,
            format!("'max_attempts' is {attempts}, expected 1 to {MOST_ATTEMPTS}"),
        )),
    }
}

fn check_key(key: Option<&str>) -> Result<(), Problem> {
    match key {
        Some(key) if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY || key.chars().any(char::is_control) => {
            Err(Problem::new(
                Code::Unprocessable,
                format!("the idempotency key has {} bytes or control characters", key.len()),
            )
            .hint("use 1 to 255 printable characters, such as a UUID"))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_document_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control)
}

fn count(field: &'static str, actual: usize, limit: usize) -> Result<(), Problem> {
    if actual > limit {
        return Err(Problem::new(Code::Unprocessable, format!("'{field}' has {actual} entries, the limit is {limit}")));
    }
    Ok(())
}

fn too_large(what: &str, actual: usize, limit: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("{what} has {actual} bytes, the limit is {limit}"))
}
