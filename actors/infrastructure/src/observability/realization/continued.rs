//! Spans that continue a trace which began elsewhere: at a client, or at another node.

use octopussy_core::ids::TraceId;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context as OtelContext, TraceId as OtelTraceId};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The field in which the first span of a piece of work names its trace.
const TRACE_FIELD: &str = "trace.id";

/// Around the layer that exports spans: a span that names its trace and has no parent here is exported as a part of that
/// trace, whichever node it is on.
pub(super) struct Continued<L>(pub(super) L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for Continued<L> {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let parent = OtelContext::current();
        // The export layer takes what is current for the parent of a new span.
        let _continued = (!parent.span().span_context().is_valid())
            .then(|| named(attributes))
            .flatten()
            .map(|trace| parent.with_remote_span_context(above(trace)).attach());
        self.0.on_new_span(attributes, id, ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.0.on_record(id, values, ctx);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.0.on_follows_from(id, follows, ctx);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        self.0.on_event(event, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.0.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.0.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.0.on_close(id, ctx);
    }
}

/// The span above all others of the trace, as one that is told elsewhere.
fn above(trace: TraceId) -> SpanContext {
    let id = OtelTraceId::from_bytes(*trace.as_bytes());
    SpanContext::new(id, SpanId::from(trace.root_span()), TraceFlags::SAMPLED, true, TraceState::NONE)
}

/// The trace that a new span names.
fn named(attributes: &Attributes<'_>) -> Option<TraceId> {
    let mut found = Named(None);
    attributes.record(&mut found);
    found.0
}

struct Named(Option<TraceId>);

impl Visit for Named {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == TRACE_FIELD {
            self.0 = format!("{value:?}").parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);
    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn spans_that_name_a_trace_are_of_it_and_so_are_those_below() {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let export = Continued(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
        let trace: TraceId = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736".parse().unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(export), || {
            tracing::info_span!("invoke_agent", trace.id = %trace).in_scope(|| {
                // A span below goes on in its parent's trace, whatever it says.
                let other = TraceId::from_uuid(uuid::Uuid::from_u128(9));
                tracing::info_span!("chat", trace.id = %other).in_scope(|| {});
            });
            tracing::info_span!("lent_chat", trace.id = %trace).in_scope(|| {});
            tracing::info_span!("of_nothing", trace.id = tracing::field::Empty).in_scope(|| {});
        });
        let spans = kept.0.lock();
        let of =
            |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
        let expected = OtelTraceId::from_bytes(*trace.as_bytes());
        for name in ["invoke_agent", "chat", "lent_chat"] {
            assert_eq!(of(name).span_context.trace_id(), expected, "{name}");
        }
        assert_eq!(of("chat").parent_span_id, of("invoke_agent").span_context.span_id());
        for name in ["invoke_agent", "lent_chat"] {
            assert_eq!(of(name).parent_span_id, SpanId::from(trace.root_span()), "{name}");
        }
        assert_ne!(of("of_nothing").span_context.trace_id(), expected);
    }
}
