//! A door for the fuzz targets: an agent's directory as somebody sends it.

use super::{bundle, dormant_settings, not_run_yet, validate};
use octopussy_core::ports::{AgentBundle, BundleFile};

/// An `agent.yaml` and, behind the first line `%%`, a `memory.md`.
///
/// # Panics
/// When a directory is refused without a finding, or accepted with a document outside of it.
pub fn directory(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (yaml, memory) = text.split_once("\n%%\n").unwrap_or((text, ""));
    let files = [
        ("agent.yaml", yaml),
        ("persona.md", "You help."),
        ("goal.md", "Answer."),
        ("permissions.md", "You may read."),
        ("docs/guide.md", "# Guide"),
        (bundle::MEMORY_FILE, memory),
    ];
    let files = files.map(|(path, text)| BundleFile { path: path.to_owned(), text: text.to_owned() }).to_vec();
    match validate(&AgentBundle { files }) {
        Ok(blueprint) => {
            let _why = (not_run_yet(&blueprint.spec), dormant_settings(&blueprint.spec));
            assert!(blueprint.documents.iter().all(|path| bundle::is_inside(path)), "{:?}", blueprint.documents);
        }
        Err(findings) => assert!(!findings.is_empty(), "refused, and nothing is said of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    const WHOLE: &str = "\
name: clerk
description: An agent with most of what there is.
type: SCHEDULED_TASK_DAEMON
intelligence:
  provider: ollama
  temperature: 0.5
reasoning:
  pattern: reflection
  max_iterations: 4
budget:
  tokens_per_day: 100000
scheduler:
  cron: \"0 7 * * *\"
tags: [one, two]
%%
# What you know
- document: docs/guide.md
See [the guide](docs/guide.md#part) and [elsewhere](https://example.org).
";

    #[test]
    fn the_corpus_passes() {
        let seeds = [
            ("smallest", b"name: clerk\n".to_vec()),
            ("whole", WHOLE.as_bytes().to_vec()),
            ("flow", b"{name: clerk, tags: [a, \"b\", 'c'], budget: {tokens_per_day: 0x10}}\n".to_vec()),
            ("wrong", b"nam: clerk\nname: [clerk\n  - *anchor\n".to_vec()),
        ];
        replay("agent_directory", directory, &seeds);
    }
}
