//! The spans of model calls, by OpenTelemetry's names for generative AI.

use octopussy_core::agent::Usage;
use octopussy_core::ids::{NodeId, TraceId};
use tracing::{Span, field};

/// One call of a model.
pub(super) fn chat(provider: &str, model: &str) -> Span {
    tracing::info_span!(
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = provider,
        gen_ai.request.model = model,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
    )
}

/// Notes what a call has used.
pub(super) fn used(span: &Span, usage: Usage) {
    span.record("gen_ai.usage.input_tokens", usage.prompt_tokens);
    span.record("gen_ai.usage.output_tokens", usage.completion_tokens);
}

/// What is done on behalf of another node, in the trace of the request it does it for.
pub(super) fn lent(to: NodeId, trace: Option<TraceId>) -> Span {
    tracing::info_span!("lent_chat", peer.id = %to, trace.id = trace.map(field::display))
}
