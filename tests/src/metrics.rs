//! What a node tells of itself under `/metrics`.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// The numbers of one node at one moment, by name with labels: `octopussy_mesh_calls_total{lane="forward"}`.
#[derive(Debug, Clone)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks the node whose home has this offset of ports.
    ///
    /// # Errors
    /// When it does not answer, or says what is not in the OpenMetrics text format.
    pub async fn of(port_offset: u16) -> Result<Self> {
        let url = format!("http://127.0.0.1:{}/metrics", 9_090 + port_offset);
        let answer = reqwest::Client::builder().no_proxy().build()?.get(url).send().await?.error_for_status()?;
        Self::parse(&answer.text().await?)
    }

    fn parse(text: &str) -> Result<Self> {
        ensure!(text.ends_with("# EOF\n"), "the exposition is cut off");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let numbers = samples.map(|line| {
            let (name, number) = line.rsplit_once(' ').with_context(|| format!("no sample: {line}"))?;
            Ok((name.to_owned(), number.parse().with_context(|| format!("no number: {line}"))?))
        });
        let numbers = numbers.collect::<Result<Vec<_>>>()?;
        let count = numbers.len();
        let numbers: BTreeMap<String, f64> = numbers.into_iter().collect();
        ensure!(numbers.len() == count, "a sample is there twice");
        Ok(Self(numbers))
    }

    /// One number, by its name behind `octopussy_`, with its labels.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    #[track_caller]
    pub fn get(&self, name: &str) -> f64 {
        let found = self.0.get(&format!("octopussy_{name}"));
        *found.unwrap_or_else(|| panic!("{name} is missing in {:#?}", self.0.keys()))
    }

    /// The sum over all labels of a name.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        let labelled = format!("octopussy_{name}{{");
        let numbers = self.0.iter().filter(|(key, _)| key.starts_with(&labelled));
        numbers.map(|(_, number)| number).sum()
    }
}
