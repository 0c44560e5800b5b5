//! The process's tracing subscriber: installed once, changed at any time.

use super::continued::Continued;
use super::lines::Lines;
use super::rotation::{LOG_BYTES, RotatingFile};
use crate::observability::{LogConfig, LogFormat, LogTarget};
use opentelemetry_sdk::trace::SdkTracer;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Overrides `observability.log.level`.
const LOG_VARIABLE: &str = "OCTOPUSSY_LOG";

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type AnyLayer = Box<dyn Layer<Filtered> + Send + Sync>;

/// The log cannot be set up as configured; what was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter does not parse.
    #[error("'{filter}' is not a log filter: write a level such as info, or info,octopussy_agents=debug")]
    BadFilter {
        /// What was given.
        filter: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The file does not open.
    #[error("the log file {path} cannot be opened")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another subscriber is installed in this process.
    #[error("another part of this program has taken over logging")]
    Taken,
}

struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    layers: reload::Handle<Vec<AnyLayer>, Filtered>,
    state: Mutex<(LogConfig, Option<SdkTracer>)>,
}

static LOGGING: OnceLock<Option<Logging>> = OnceLock::new();

/// Installs the subscriber, or changes it when it is installed. A program calls it once as early as it knows how to log; the
/// capability calls it again with each change of the configuration.
///
/// # Errors
/// [`LoggingError`]; the log goes on as before.
pub fn init_logging(config: &LogConfig) -> Result<(), LoggingError> {
    let filter = filter(config)?;
    let output = output(config)?;
    let mut first = Some((filter, output));
    let logging = LOGGING.get_or_init(|| {
        let (filter, output) = first.take()?;
        let (filter_layer, filter) = reload::Layer::new(filter);
        let (output_layer, layers) = reload::Layer::new(vec![output]);
        let installed = tracing_subscriber::registry().with(filter_layer).with(output_layer).try_init();
        installed.ok().map(|()| Logging { filter, layers, state: Mutex::new((config.clone(), None)) })
    });
    let logging = logging.as_ref().ok_or(LoggingError::Taken)?;
    if let Some((filter, output)) = first {
        let mut state = logging.state.lock();
        state.0 = config.clone();
        logging.filter.reload(filter).map_err(|_| LoggingError::Taken)?;
        logging.layers.reload(layers(output, state.1.as_ref())).map_err(|_| LoggingError::Taken)?;
    }
    Ok(())
}

/// Sends spans to `tracer` too, or no longer.
pub(crate) fn set_tracer(tracer: Option<SdkTracer>) -> Result<(), LoggingError> {
    let logging = LOGGING.get().and_then(Option::as_ref).ok_or(LoggingError::Taken)?;
    let mut state = logging.state.lock();
    let output = output(&state.0)?;
    logging.layers.reload(layers(output, tracer.as_ref())).map_err(|_| LoggingError::Taken)?;
    state.1 = tracer;
    Ok(())
}

fn layers(output: AnyLayer, tracer: Option<&SdkTracer>) -> Vec<AnyLayer> {
    let mut layers = vec![output];
    if let Some(tracer) = tracer {
        layers.push(Continued(tracing_opentelemetry::layer().with_tracer(tracer.clone())).boxed());
    }
    layers
}

fn filter(config: &LogConfig) -> Result<EnvFilter, LoggingError> {
    let text = std::env::var(LOG_VARIABLE).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| config.level.clone());
    // Libraries that tell more than an operator can use: of models at every last piece of a stream, of consensus at every
    // heartbeat to a node that is away. What matters comes back as an error and is told by us; a directive of the
    // operator's own for one of them goes first.
    EnvFilter::builder()
        .parse(format!("genai=off,openraft=error,openraft::raft::raft_inner=off,quinn=warn,{text}"))
        .map_err(|source| LoggingError::BadFilter { filter: text, source })
}

fn output(config: &LogConfig) -> Result<AnyLayer, LoggingError> {
    match &config.target {
        LogTarget::Stderr => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            Ok(formatted(config.format, std::io::stderr, colours))
        }
        LogTarget::File(path) => {
            let file = RotatingFile::open(path, LOG_BYTES);
            let file = file.map_err(|source| LoggingError::File { path: path.display().to_string(), source })?;
            Ok(formatted(config.format, Arc::new(file), false))
        }
    }
}

/// A layer that writes one line for each event to `writer`.
pub(super) fn formatted<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let writer = Lines { inner: writer, format, colours };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    match format {
        LogFormat::Pretty => layer.boxed(),
        LogFormat::Compact => layer.compact().boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_can_be_moved_while_it_runs() {
        let home = tempfile::tempdir().unwrap();
        let (first, second) = (home.path().join("a.log"), home.path().join("b.log"));
        let config = |path: &std::path::Path, level: &str| LogConfig {
            level: level.to_owned(),
            format: LogFormat::Json,
            target: LogTarget::File(path.to_owned()),
        };
        init_logging(&config(&first, "info")).unwrap();
        tracing::info!(marker = "one");
        init_logging(&config(&second, "warn")).unwrap();
        tracing::info!(marker = "two");
        tracing::warn!(marker = "three");
        assert!(matches!(init_logging(&config(&first, "a=b=c")), Err(LoggingError::BadFilter { .. })));
        let (first, second) = (std::fs::read_to_string(first).unwrap(), std::fs::read_to_string(second).unwrap());
        assert!(first.contains("\"marker\":\"one\"") && !first.contains("two"), "{first}");
        assert!(second.contains("\"marker\":\"three\"") && !second.contains("two"), "{second}");
    }
}
