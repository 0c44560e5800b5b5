//! An agent's directory as a user would write it.

use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// More than any test spends.
const BUDGET: &str =
    "budget:\n  tokens_per_hour: 1000000000\n  tokens_per_day: 1000000000\n  tokens_per_month: 1000000000\n";

/// The files of an agent's directory, to be written to disk or sent as a bundle.
#[derive(Debug, Clone)]
pub struct AgentDirectory {
    name: String,
    files: Vec<(String, String)>,
}

impl AgentDirectory {
    /// A small valid agent: `extra` is appended to its `agent.yaml`.
    #[must_use]
    pub fn new(name: &str, extra: &str) -> Self {
        let yaml = format!("name: {name}\ndescription: An agent of the tests.\ntype: STATELESS_ONE_SHOT\n{extra}");
        let files = [
            ("agent.yaml", yaml.as_str()),
            ("persona.md", "You are a careful clerk.\n"),
            ("goal.md", "Answer the question in one sentence.\n"),
            ("permissions.md", "You may read what you are given.\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
        Self { name: name.to_owned(), files }
    }

    /// An agent that may spend as much as it likes.
    #[must_use]
    pub fn rich(name: &str, extra: &str) -> Self {
        Self::new(name, &format!("{BUDGET}{extra}"))
    }

    /// An agent that asks the provider called `stub` and may spend as much as it likes.
    #[must_use]
    pub fn on_stub(name: &str, extra: &str) -> Self {
        Self::rich(name, &format!("intelligence:\n  provider: stub\n  timeout_seconds: 60\n{extra}"))
    }

    /// Makes it an agent that works on one task at a time and remembers.
    #[must_use]
    pub fn stateful(mut self) -> Self {
        for (path, text) in &mut self.files {
            if path == "agent.yaml" {
                *text = text.replace("STATELESS_ONE_SHOT", "STATEFUL_LOOP");
            }
        }
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a file, or replaces it.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.retain(|(known, _)| known != path);
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// Leaves a file out.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.files.retain(|(known, _)| known != path);
        self
    }

    /// As the body of `POST /api/v1/agents`.
    #[must_use]
    pub fn bundle(&self) -> Value {
        json!({ "files": self.files.iter().map(|(path, text)| json!({"path": path, "text": text})).collect::<Vec<_>>() })
    }

    /// Writes it into `folder`, which is created.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, text) in &self.files {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        Ok(())
    }
}
