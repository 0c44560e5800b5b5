//! The measures of what lies below the capabilities, read whenever the metrics are.

use octopussy_core::ports::{Measure, MeasureKind, MeasuresPort};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;

/// Puts what is measured below into the exposition.
pub(super) struct Below(pub(super) Arc<dyn MeasuresPort>);

impl fmt::Debug for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Below")
    }
}

impl Collector for Below {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for measure in self.0.read() {
            write(&mut encoder, &measure)?;
        }
        Ok(())
    }
}

fn write(encoder: &mut DescriptorEncoder<'_>, measure: &Measure) -> fmt::Result {
    let kind = match measure.kind {
        MeasureKind::Counter => MetricType::Counter,
        MeasureKind::Gauge => MetricType::Gauge,
    };
    let help = format!("{}.", measure.help);
    let mut family = encoder.encode_descriptor(measure.name, &help, None, kind)?;
    for (value, number) in &measure.numbers {
        if measure.label.is_empty() {
            write_number(&mut family, measure.kind, *number)?;
        } else {
            write_number(&mut family.encode_family(&[(measure.label, *value)])?, measure.kind, *number)?;
        }
    }
    Ok(())
}

fn write_number(encoder: &mut MetricEncoder<'_>, kind: MeasureKind, number: u64) -> fmt::Result {
    match kind {
        MeasureKind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&number, None),
        MeasureKind::Gauge => encoder.encode_gauge(&number),
    }
}
