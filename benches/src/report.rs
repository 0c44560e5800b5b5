//! Rows for people and lines of JSON for programs.

use serde_json::{Map, Value};
use std::io::Write;

/// Collects the rows of one program and prints each as it comes.
#[derive(Debug)]
pub struct Report {
    program: &'static str,
    json: Option<std::path::PathBuf>,
}

impl Report {
    /// A report of `program`; rows are also appended as JSON lines to `json` where given.
    #[must_use]
    pub fn new(program: &'static str, json: Option<&str>) -> Self {
        Self { program, json: json.map(Into::into) }
    }

    /// One row: what was measured, and its values.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&self, what: &str, values: &[(&str, f64)]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        write!(out, "{what:<44}")?;
        let mut object = Map::new();
        object.insert("program".to_owned(), self.program.into());
        object.insert("row".to_owned(), what.into());
        for (name, value) in values {
            write!(out, "  {name}={}", shown(*value))?;
            object.insert((*name).to_owned(), serde_json::json!(value));
        }
        writeln!(out)?;
        if let Some(path) = &self.json {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            writeln!(file, "{}", Value::Object(object))?;
        }
        Ok(())
    }

    /// A remark.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, text: &str) -> std::io::Result<()> {
        writeln!(std::io::stdout().lock(), "# {text}")
    }
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
