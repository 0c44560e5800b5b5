//! All metrics, in one registry.

use super::measures::Below;
use crate::observability::essence::{ALL_METRICS, MetricKind, known_labels, shape};
use octopussy_core::ports::{MeasuresPort, Metric};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many labels a metric may have beside the known ones; the rest counts as `other`, because labels cost memory for ever.
const MAX_LABELS: usize = 64;

/// From half a millisecond (a request that touches no disk) to five minutes (a long model call).
const SECONDS: [f64; 18] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

type Label = [(&'static str, &'static str); 1];
type Labelled<M> = Family<Label, M, fn() -> M>;

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

/// One metric's numbers: those of known labels are found without a lock, others through the family.
struct Series<M> {
    key: &'static str,
    known: Vec<(&'static str, M)>,
    family: Option<Labelled<M>>,
    /// How many labels the family has, known ones and `other` aside.
    met: AtomicUsize,
}

impl<M: Clone> Series<M> {
    fn with<T>(&self, label: &'static str, work: impl FnOnce(&M) -> T) -> Option<T> {
        let same = |known: &str| std::ptr::eq(known, label) || known == label;
        if let Some((_, number)) = self.known.iter().find(|(known, _)| same(known)) {
            return Some(work(number));
        }
        let Some(family) = &self.family else { return self.known.first().map(|(_, number)| work(number)) };
        let set: Label = [(self.key, label)];
        if let Some(number) = family.get(&set) {
            return Some(work(&number));
        }
        let room = self.met.fetch_update(Relaxed, Relaxed, |met| (met < MAX_LABELS).then_some(met + 1)).is_ok();
        let set = if room { set } else { [(self.key, "other")] };
        Some(work(&family.get_or_create(&set)))
    }
}

enum Instrument {
    Counter(Series<Counter>),
    Gauge(Gauge),
    Histogram(Series<Histogram>),
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    instruments: Vec<Instrument>,
}

impl Metrics {
    pub(crate) fn new(below: Arc<dyn MeasuresPort>) -> Self {
        let mut registry = Registry::with_prefix("octopussy");
        let instruments = ALL_METRICS.iter().map(|metric| register(&mut registry, *metric)).collect();
        registry.register_collector(Box::new(Below(below)));
        Self { registry, instruments }
    }

    pub(crate) fn count(&self, metric: Metric, label: &'static str, by: u64) {
        if let Some(Instrument::Counter(series)) = self.instruments.get(metric as usize) {
            series.with(label, |counter| counter.inc_by(by));
        }
    }

    pub(crate) fn gauge(&self, metric: Metric, value: i64) {
        if let Some(Instrument::Gauge(gauge)) = self.instruments.get(metric as usize) {
            gauge.set(value);
        }
    }

    pub(crate) fn observe(&self, metric: Metric, label: &'static str, value: f64) {
        if let Some(Instrument::Histogram(series)) = self.instruments.get(metric as usize) {
            series.with(label, |histogram| histogram.observe(value));
        }
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn register(registry: &mut Registry, metric: Metric) -> Instrument {
    let shape = shape(metric);
    match (shape.kind, shape.label) {
        (MetricKind::Gauge, _) => {
            let gauge = Gauge::default();
            registry.register(shape.name, shape.help, gauge.clone());
            Instrument::Gauge(gauge)
        }
        (MetricKind::Counter, None) => {
            let counter = Counter::default();
            registry.register(shape.name, shape.help, counter.clone());
            Instrument::Counter(Series { key: "", known: vec![("", counter)], family: None, met: AtomicUsize::new(0) })
        }
        (MetricKind::Histogram, None) => {
            let histogram = histogram();
            registry.register(shape.name, shape.help, histogram.clone());
            Instrument::Histogram(Series {
                key: "",
                known: vec![("", histogram)],
                family: None,
                met: AtomicUsize::new(0),
            })
        }
        (MetricKind::Counter, Some(key)) => {
            let family = Family::<Label, Counter, fn() -> Counter>::new_with_constructor(Counter::default);
            registry.register(shape.name, shape.help, family.clone());
            Instrument::Counter(labelled(key, metric, family))
        }
        (MetricKind::Histogram, Some(key)) => {
            let family = Family::<Label, Histogram, fn() -> Histogram>::new_with_constructor(histogram);
            registry.register(shape.name, shape.help, family.clone());
            Instrument::Histogram(labelled(key, metric, family))
        }
    }
}

fn labelled<M: Clone>(key: &'static str, metric: Metric, family: Labelled<M>) -> Series<M> {
    let known =
        known_labels(metric).iter().map(|label| (*label, family.get_or_create_owned(&[(key, *label)]))).collect();
    Series { key, known, family: Some(family), met: AtomicUsize::new(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ports::{Measure, MeasureKind, NoMeasures};

    struct Mesh;
    impl MeasuresPort for Mesh {
        fn read(&self) -> Vec<Measure> {
            let lanes = [("forward", 3), ("model", 0)];
            vec![
                Measure::single(MeasureKind::Gauge, "mesh_peers", "Nodes that are connected", 2),
                Measure::labelled(MeasureKind::Counter, "mesh_calls", "Requests to other nodes", "lane", lanes),
            ]
        }
    }

    #[test]
    fn what_is_measured_below_appears_as_it_is_now() {
        let text = Metrics::new(Arc::new(Mesh)).render();
        let below = "# HELP octopussy_mesh_peers Nodes that are connected.\n\
                     # TYPE octopussy_mesh_peers gauge\n\
                     octopussy_mesh_peers 2\n\
                     # HELP octopussy_mesh_calls Requests to other nodes.\n\
                     # TYPE octopussy_mesh_calls counter\n\
                     octopussy_mesh_calls_total{lane=\"forward\"} 3\n\
                     octopussy_mesh_calls_total{lane=\"model\"} 0\n\
                     # EOF\n";
        assert!(text.ends_with(below), "{text}");
    }

    #[test]
    fn every_metric_appears_with_its_numbers() {
        let metrics = Metrics::new(Arc::new(NoMeasures));
        metrics.count(Metric::TasksAccepted, "", 2);
        metrics.count(Metric::TasksEnded, "SUCCEEDED", 3);
        metrics.count(Metric::Tokens, "ollama", 7);
        metrics.gauge(Metric::ActiveAgents, 4);
        metrics.observe(Metric::TaskSeconds, "", 0.004);
        let text = metrics.render();
        for line in [
            "octopussy_tasks_accepted_total 2",
            "octopussy_tasks_ended_total{state=\"SUCCEEDED\"} 3",
            "octopussy_tasks_ended_total{state=\"FAILED\"} 0",
            "octopussy_tokens_total{provider=\"ollama\"} 7",
            "octopussy_active_agents 4",
            "octopussy_task_seconds_bucket{le=\"0.005\"} 1",
            "octopussy_task_seconds_bucket{le=\"0.0025\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn labels_are_bounded() {
        let metrics = Metrics::new(Arc::new(NoMeasures));
        for number in 0..200 {
            metrics.count(Metric::Tokens, Box::leak(format!("p{number}").into_boxed_str()), 1);
        }
        let text = metrics.render();
        assert_eq!(text.lines().filter(|line| line.starts_with("octopussy_tokens_total")).count(), MAX_LABELS + 1);
        assert!(text.contains("octopussy_tokens_total{provider=\"other\"} 136"), "{text}");
    }
}
