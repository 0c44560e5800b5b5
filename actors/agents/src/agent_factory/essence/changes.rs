//! What is different between two versions of an agent, by the files of its directory.

use octopussy_core::agent::{AgentSpec, Document};
use octopussy_core::ports::AgentChange;
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of a specification that are files of their own.
const TEXTS: [(&str, &str); 4] = [
    ("persona", "persona.md"),
    ("goal", "goal.md"),
    ("permissions_text", "permissions.md"),
    ("background", "memory.md"),
];

/// The fields of a specification that `agent.yaml` calls otherwise.
const RENAMED: [(&str, &str); 2] = [("agent_type", "type"), ("schedule", "scheduler")];

/// What leads from one version to another: settings by their keys in `agent.yaml`, texts and documents by their files.
#[must_use]
pub fn changes(before: (&AgentSpec, &[Document]), after: (&AgentSpec, &[Document])) -> Vec<AgentChange> {
    let (old, new) = (settings(before.0), settings(after.0));
    let mut changes = differences(&old.keys, &new.keys, |key, before, after| AgentChange {
        file: "agent.yaml".to_owned(),
        key: Some(key.clone()),
        before: before.cloned(),
        after: after.cloned(),
    });
    changes.extend(differences(&old.texts, &new.texts, |file, before, after| AgentChange {
        file: (*file).to_owned(),
        key: None,
        before: before.cloned(),
        after: after.cloned(),
    }));
    let (old, new) = (documents(before.1), documents(after.1));
    changes.extend(differences(&old, &new, |file, before, after| AgentChange {
        file: (*file).to_owned(),
        key: None,
        before: before.map(shown),
        after: after.map(shown),
    }));
    changes
}

struct Settings {
    keys: BTreeMap<String, String>,
    texts: BTreeMap<&'static str, String>,
}

fn settings(spec: &AgentSpec) -> Settings {
    let mut found = Settings { keys: BTreeMap::new(), texts: BTreeMap::new() };
    // A specification is a plain structure, which always has a form in JSON. By its text, so that 0.7 is shown as that.
    let text = serde_json::to_string(spec).unwrap_or_default();
    let Ok(Value::Object(fields)) = serde_json::from_str(&text) else { return found };
    for (name, value) in fields {
        if let Some((_, file)) = TEXTS.iter().find(|(field, _)| *field == name) {
            let text = value.as_str().unwrap_or_default().to_owned();
            found.texts.extend((!text.is_empty()).then_some((*file, text)));
            continue;
        }
        let key = RENAMED.iter().find(|(field, _)| *field == name).map_or(&*name, |(_, key)| *key);
        flatten(key, &value, &mut found.keys);
    }
    found
}

/// Adds a value under its dotted key. What is null is not set; a list is one value.
fn flatten(key: &str, value: &Value, keys: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{key}.{name}"), value, keys);
            }
        }
        Value::String(text) => drop(keys.insert(key.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => drop(keys.insert(key.to_owned(), value.to_string())),
    }
}

fn documents(documents: &[Document]) -> BTreeMap<&str, &Document> {
    documents.iter().map(|document| (&*document.name, document)).collect()
}

/// A document in a word: its size and the beginning of its digest.
fn shown(document: &&Document) -> String {
    let digest = document.blob.to_string();
    format!("{} bytes, {}", document.bytes, digest.get(..12).unwrap_or(&digest))
}

/// What two maps have differently, in the order of their keys.
fn differences<K: Ord, V: PartialEq, T>(
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    change: impl Fn(&K, Option<&V>, Option<&V>) -> T,
) -> Vec<T> {
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let pairs = keys.into_iter().map(|key| (key, before.get(key), after.get(key)));
    pairs.filter(|(_, before, after)| before != after).map(|(key, before, after)| change(key, before, after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ids::BlobId;

    fn document(name: &str, text: &str) -> Document {
        Document { name: name.to_owned(), blob: BlobId::of(text.as_bytes()), bytes: text.len() as u64 }
    }

    #[test]
    fn every_change_is_told_by_file_and_key_and_nothing_else_is() {
        let old = AgentSpec {
            persona: "You help.".to_owned(),
            goal: "Answer.".to_owned(),
            tags: vec!["a".to_owned()],
            ..AgentSpec::default()
        };
        let mut new = old.clone();
        new.persona = "You help gladly.".to_owned();
        new.goal = String::new();
        new.agent_type = octopussy_core::agent::AgentType::StatefulLoop;
        new.intelligence.model = Some("small".to_owned());
        new.budget.tokens_per_hour = 7;
        new.tags.push("b".to_owned());
        let before = [document("docs/a.md", "one"), document("docs/gone.md", "x")];
        let after = [document("docs/a.md", "two!"), document("docs/new.md", "y")];
        let told = changes((&old, &before), (&new, &after));
        let brief: Vec<_> = told.iter().map(|change| (&*change.file, change.key.as_deref().unwrap_or(""))).collect();
        assert_eq!(
            brief,
            [
                ("agent.yaml", "budget.tokens_per_hour"),
                ("agent.yaml", "intelligence.model"),
                ("agent.yaml", "tags"),
                ("agent.yaml", "type"),
                ("goal.md", ""),
                ("persona.md", ""),
                ("docs/a.md", ""),
                ("docs/gone.md", ""),
                ("docs/new.md", ""),
            ]
        );
        assert_eq!((told[1].before.as_deref(), told[1].after.as_deref()), (None, Some("small")));
        assert_eq!((told[4].before.as_deref(), told[4].after.as_deref()), (Some("Answer."), None));
        assert!(told[6].after.as_deref().unwrap().starts_with("4 bytes, "), "{told:?}");
        assert_eq!(changes((&new, &after), (&new, &after)), []);
    }
}
