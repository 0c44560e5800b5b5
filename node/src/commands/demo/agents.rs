//! The sample agents, as they lie in `config/agents`, inside the binary.

use crate::cli::Context;
use crate::client::{Agent, Call, Client, decode};
use crate::failure::Failure;
use crate::output::{Table, bytes, shorten};
use octopussy_core::ports::{AgentBundle, BundleFile};
use reqwest::Method;

/// A file of an agent's directory.
macro_rules! directory {
    ($name:literal: $($path:literal)*) => {
        Sample { name: $name, files: &[$(($path, include_str!(concat!("../../../../config/agents/", $name, "/", $path))),)*] }
    };
}

/// A sample agent.
pub(super) struct Sample {
    /// Its name, which is its directory's.
    pub(super) name: &'static str,
    /// Its files: path and text.
    files: &'static [(&'static str, &'static str)],
}

/// All of them.
pub(super) const SAMPLES: [Sample; 4] = [
    directory!("librarian": "agent.yaml" "persona.md" "goal.md" "permissions.md" "memory.md" "docs/pi-cluster-field-guide.md"),
    directory!("analyst": "agent.yaml" "persona.md" "goal.md" "permissions.md" "memory.md"
        "docs/history-of-consensus.md" "docs/measuring-durability.md"),
    directory!("editor": "agent.yaml" "persona.md" "goal.md" "permissions.md" "memory.md" "docs/operations-handbook.md"),
    directory!("companion": "agent.yaml" "persona.md" "goal.md" "permissions.md" "memory.md"),
];

impl Sample {
    /// Its directory, as it travels.
    pub(super) fn bundle(&self) -> AgentBundle {
        let file = |(path, text): &(&str, &str)| BundleFile { path: (*path).to_owned(), text: (*text).to_owned() };
        AgentBundle { files: self.files.iter().map(file).collect() }
    }
}

/// Creates all sample agents and shows them; gives their names.
pub(super) async fn create_all(client: &Client, context: &Context) -> Result<Vec<String>, Failure> {
    let mut table = Table::new(["agent", "type", "pattern", "knows", "what for"]);
    let mut names = Vec::new();
    for sample in &SAMPLES {
        let body = serde_json::to_value(sample.bundle()).map_err(|error| Failure::new(error.to_string()))?;
        let agent: Agent = decode(&client.send(Call::new(Method::POST, "/api/v1/agents").body(&body)).await?)?;
        let size: u64 = agent.documents.iter().map(|document| document.bytes).sum();
        let knows = match agent.documents.len() {
            0 => "what it is told".to_owned(),
            1 => format!("1 document, {}", bytes(size)),
            count => format!("{count} documents, {}", bytes(size)),
        };
        table.row([agent.name.clone(), agent.r#type, agent.pattern, knows, shorten(&agent.description, 48)]);
        names.push(sample.name.to_owned());
    }
    context.out.line("");
    context.out.line(table);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn what_is_in_the_binary_is_what_lies_in_the_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/agents");
        for sample in &SAMPLES {
            let bundle = sample.bundle();
            let read = crate::commands::agent::read_bundle(&root.join(sample.name)).unwrap();
            let paths =
                |bundle: &AgentBundle| bundle.files.iter().map(|file| file.path.clone()).collect::<BTreeSet<_>>();
            assert_eq!(paths(&bundle), paths(&read), "{}", sample.name);
        }
    }

    #[test]
    fn every_sample_validates() {
        for sample in &SAMPLES {
            let spec = octopussy_agents::agent_factory::essence::validate(&sample.bundle());
            assert_eq!(spec.map(|blueprint| blueprint.spec.name), Ok(sample.name.to_owned()));
        }
    }
}
