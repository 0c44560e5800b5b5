//! A door for the fuzz targets: a completion as OpenAI's clients ask for it.

use super::request::CompletionRequest;
use crate::http::agent_id;
use octopussy_core::ids::TraceId;
use std::time::Duration;
use uuid::Uuid;

/// The body of a request.
pub fn completion(bytes: &[u8]) {
    let Ok(request) = serde_json::from_slice::<CompletionRequest>(bytes) else { return };
    let agent = agent_id(&request.model);
    let understood = request.understand(agent, None, TraceId::from_uuid(Uuid::nil()), Duration::from_secs(60));
    if let Ok(understood) = understood {
        let _refused = crate::orchestrator::acceptable(&understood.submit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    #[test]
    fn the_corpus_passes() {
        let whole = br#"{"model":"clerk","stream":true,"stream_options":{"include_usage":true},"n":1,"messages":[
            {"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"How many?"}]},
            {"role":"assistant","content":null},{"role":"tool","content":"3"},{"role":"user","content":"And now?"}]}"#;
        let least = br#"{"model":"clerk","messages":[{"role":"user","content":"Hello."}]}"#;
        replay("gateway_completion", completion, &[("least", least.to_vec()), ("whole", whole.to_vec())]);
    }
}
