//! Whether two requests under one idempotency key are the same request.

use octopussy_core::ports::SubmitTask;
use xxhash_rust::xxh3::Xxh3;

/// A fingerprint of what the request means: everything but its key and its trace. Each field is preceded by its length, so
/// that no two different requests feed the same bytes.
pub(in crate::orchestrator) fn fingerprint(task: &SubmitTask) -> u64 {
    let mut hash = Xxh3::new();
    let mut field = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(task.agent.as_ref().map_or(&[][..], |agent| &agent.as_bytes()[..]));
    field(task.input.as_bytes());
    field(&(task.history.len() as u64).to_be_bytes());
    for (role, text) in &task.history {
        field(role.as_bytes());
        field(text.as_bytes());
    }
    field(&(task.constraints.len() as u64).to_be_bytes());
    for constraint in &task.constraints {
        field(constraint.as_bytes());
    }
    for document in &task.documents {
        field(document.name.as_bytes());
        field(document.text.as_bytes());
    }
    field(&[task.priority as u8]);
    field(&task.ttl.map_or(0, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)).to_be_bytes());
    field(&task.max_attempts.unwrap_or(0).to_be_bytes());
    hash.digest()
}
