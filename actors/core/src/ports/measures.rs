//! What is measured below the capabilities: connections, groups, who answers.

use crate::contract::{Port, PortId};

/// How the numbers of a measure behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    /// They only grow while the node runs.
    Counter,
    /// They go up and down.
    Gauge,
}

/// A measure as it is now: one number, or one for each value of a label.
///
/// Labels are part of the program's text, so that whatever peers and clients do, no number is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its name behind `octopussy_`, without the `_total` that counters get.
    pub name: &'static str,
    /// One sentence, without its full stop.
    pub help: &'static str,
    /// How its numbers behave.
    pub kind: MeasureKind,
    /// The name of its label; empty when it has none.
    pub label: &'static str,
    /// The label's values and their numbers; a single number with an empty value without a label.
    pub numbers: Vec<(&'static str, u64)>,
}

impl Measure {
    /// A measure of one number.
    #[must_use]
    pub fn single(kind: MeasureKind, name: &'static str, help: &'static str, number: u64) -> Self {
        Self { name, help, kind, label: "", numbers: vec![("", number)] }
    }

    /// A measure with a number for each value of `label`.
    #[must_use]
    pub fn labelled(
        kind: MeasureKind,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        numbers: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> Self {
        Self { name, help, kind, label, numbers: numbers.into_iter().collect() }
    }
}

/// Says what is measured below the capabilities, whenever somebody looks.
pub trait MeasuresPort: Send + Sync {
    /// Every measure as it is now, each name once. Counts nothing by itself and waits for nobody.
    fn read(&self) -> Vec<Measure>;
}

/// Stands in where nothing runs below: while a home directory is prepared, and in tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMeasures;

impl MeasuresPort for NoMeasures {
    fn read(&self) -> Vec<Measure> {
        Vec::new()
    }
}

impl Port for dyn MeasuresPort {
    const ID: PortId = PortId::Measures;
}
