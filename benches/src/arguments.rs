//! The few `--name value` arguments the programs take.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Parsed arguments.
#[derive(Debug)]
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Reads the program's arguments; only those in `known` are taken.
    ///
    /// # Errors
    /// For an unknown name or one without a value, naming what there is.
    pub fn parse(known: &[&str]) -> Result<Self> {
        let mut values = BTreeMap::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--").filter(|name| known.contains(name)) else {
                bail!("unknown argument '{word}'; there are: --{}", known.join(", --"));
            };
            values.insert(name.to_owned(), words.next().with_context(|| format!("{word} needs a value"))?);
        }
        Ok(Self(values))
    }

    /// The value of `name`, when it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of `name`, otherwise `default`.
    ///
    /// # Errors
    /// When it was given and does not parse.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        match self.text(name) {
            Some(text) => text.parse().ok().with_context(|| format!("--{name}: '{text}' is not a number")),
            None => Ok(default),
        }
    }
}
