//! Doors for the fuzz targets: what clients send.

use crate::http::{TaskRequest, agent_id};
use octopussy_core::ids::TraceId;
use uuid::Uuid;

pub use crate::openai::fuzz::completion;
pub use crate::ws::fuzz::client_message;

/// A task in JSON.
pub fn task(bytes: &[u8]) {
    let Ok(request) = serde_json::from_slice::<TaskRequest>(bytes) else { return };
    let trace = Some(TraceId::from_uuid(Uuid::nil()));
    let submit = request.into_submit(None, trace);
    let _refused = crate::orchestrator::acceptable(&submit);
    let _agent = agent_id(&submit.input);
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    #[test]
    fn the_corpus_passes() {
        let whole = br#"{"agent":"clerk","input":"What is asked?","history":[{"role":"user","content":"Hello."}],
            "constraints":["Be brief."],"documents":[{"name":"a.md","text":"A."}],"priority":"HIGH","ttl_seconds":60,
            "max_attempts":2,"idempotency_key":"key"}"#;
        replay("gateway_task", task, &[("least", br#"{"input":"Hello."}"#.to_vec()), ("whole", whole.to_vec())]);
    }
}
