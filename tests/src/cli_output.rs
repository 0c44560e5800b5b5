//! What a command of the command line did.

use serde_json::Value;
use std::process::{ExitStatus, Output};

/// What a command of the command line did.
#[derive(Debug)]
pub struct CliOutput {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote for programs.
    pub stdout: String,
    /// What it wrote for people.
    pub stderr: String,
}

impl CliOutput {
    /// Standard output as JSON, when the command succeeded.
    ///
    /// # Panics
    /// When it did not, or wrote something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.status.success(), "the command failed: {}\n{}\n{}", self.status, self.stdout, self.stderr);
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in: {}\n{}", self.stdout, self.stderr))
    }

    /// Both streams together.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl From<Output> for CliOutput {
    fn from(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
