//! Traces to a collector: OTLP over HTTP with protobuf bodies.

use crate::observability::OtlpConfig;
use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use std::time::Duration;

/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(2);

/// Exports spans until it is stopped. Spans wait in a bounded queue; what does not fit is dropped, nobody waits.
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
    timeout: Duration,
}

impl Exporter {
    /// Starts exporting to `endpoint` from within a runtime. No connection is made yet.
    pub(crate) fn start(endpoint: &str, config: &OtlpConfig) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let timeout = Duration::from_secs(config.timeout_seconds);
        // Whoever installs a provider first wins; it is ring everywhere.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = OnRuntime {
            client: reqwest::Client::builder().timeout(timeout).build()?,
            runtime: tokio::runtime::Handle::current(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(config.queue)
            .with_max_export_batch_size(config.queue.min(512))
            .with_scheduled_delay(GATHER)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batch).build())
            .with_resource(Resource::builder().with_service_name(config.service_name.clone()).build())
            .build();
        Ok(Self { provider, timeout })
    }

    /// What the subscriber sends spans to.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("octopussy")
    }

    /// Sends what is gathered and ends. The exporting thread needs the runtime, so this waits off it.
    pub(crate) async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(self.timeout)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last traces did not reach the collector");
        }
    }
}

/// Runs requests on the runtime: the exporter polls from a thread of its own, which has none.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tracing_subscriber::layer::SubscriberExt;

    /// Reads one HTTP request and answers 200.
    async fn receive(listener: TcpListener) -> (String, Vec<u8>) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let head_end = loop {
            stream.read_buf(&mut bytes).await.unwrap();
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap().to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        while bytes.len() < head_end + length {
            stream.read_buf(&mut bytes).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        (head, bytes.split_off(head_end))
    }

    #[tokio::test]
    async fn spans_reach_a_collector_when_the_exporter_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = tokio::spawn(receive(listener));
        let exporter = Exporter::start(&endpoint, &OtlpConfig::default()).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(exporter.tracer()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("process_task", agent.id = "tester").in_scope(|| {});
        });
        exporter.stop().await;
        let (head, body) = tokio::time::timeout(Duration::from_secs(10), received).await.unwrap().unwrap();
        assert!(head.starts_with("post /v1/traces"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds("process_task") && holds("agent.id") && holds("tester") && holds("service.name"));
    }

    #[tokio::test]
    async fn a_dead_collector_holds_nobody_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let config = OtlpConfig { timeout_seconds: 1, queue: 8, ..OtlpConfig::default() };
        let exporter = Exporter::start(&endpoint, &config).unwrap();
        let subscriber =
            tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(exporter.tracer()));
        let begun = std::time::Instant::now();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..10_000 {
                tracing::info_span!("lost").in_scope(|| {});
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(5), "spans waited for the collector");
        tokio::time::timeout(Duration::from_secs(20), exporter.stop()).await.unwrap();
    }
}
