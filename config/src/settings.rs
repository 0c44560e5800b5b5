//! The merged configuration with the origin of every value.

use crate::tree::{Node, NodeKind};
use crate::{Origin, Profile, closest};
use octopussy_core::problem::Finding;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many errors of one section are looked for: more do not help anybody.
const MAX_FINDINGS: usize = 64;

/// Values of one source, by dotted key. Lists are values; mappings are keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    values: Value,
    origins: BTreeMap<String, Origin>,
}

impl Layer {
    /// The layer of a file.
    ///
    /// # Errors
    /// When the file's top level is not a mapping.
    pub fn from_tree(file: &str, root: &Node) -> Result<Self, Finding> {
        let mut origins = BTreeMap::new();
        let NodeKind::Map(entries) = &root.kind else {
            return Err(Finding {
                file: file.to_owned(),
                line: Some(root.line),
                message: "the top level has to be sections, such as 'gateway:'".to_owned(),
                hint: None,
            });
        };
        let file: Arc<str> = file.into();
        for (key, line, node) in entries {
            note_origins(&file, key.clone(), *line, node, &mut origins);
        }
        Ok(Self { values: root.to_value(), origins })
    }

    /// Sets one value by the parts of its key.
    pub fn set(&mut self, key: &[String], value: Value, origin: Origin) {
        let Some((last, parents)) = key.split_last() else { return };
        let mut target = &mut self.values;
        let mut path = String::new();
        for part in parents {
            path = join(&path, part);
            self.origins.entry(path.clone()).or_insert_with(|| origin.clone());
            target = object(target).entry(part.clone()).or_insert(Value::Null);
        }
        object(target).insert(last.clone(), value);
        self.origins.insert(join(&path, last), origin);
    }

    /// A value and its origin.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<(&Value, &Origin)> {
        lookup(&self.values, key).zip(self.origins.get(key))
    }

    /// The top-level names with their origins.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.origins.iter().filter(|(key, _)| !key.contains('.')).map(|(key, origin)| (key.as_str(), origin))
    }
}

fn note_origins(file: &Arc<str>, key: String, line: u32, node: &Node, origins: &mut BTreeMap<String, Origin>) {
    match &node.kind {
        NodeKind::Map(entries) => {
            for (name, line, child) in entries {
                note_origins(file, join(&key, name), *line, child, origins);
            }
        }
        NodeKind::List(items) => {
            for (index, child) in items.iter().enumerate() {
                note_origins(file, join(&key, &index.to_string()), child.line, child, origins);
            }
        }
        NodeKind::Scalar(_) => {}
    }
    origins.insert(key, Origin::File { file: file.clone(), line });
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// The mapping inside `value`, which becomes one when it is something else.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object above")
}

fn lookup<'a>(root: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(root, |value, part| match value {
        Value::Object(map) => map.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The merged configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    profile: Profile,
    values: Value,
    origins: BTreeMap<String, Origin>,
}

impl Settings {
    /// Nothing but a profile's name.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, values: Value::Object(Map::new()), origins: BTreeMap::new() }
    }

    /// Lays `layer` over what is there: mappings merge key by key, everything else is replaced.
    pub fn apply(&mut self, layer: &Layer) {
        merge(&mut self.values, &layer.values, "", layer, &mut self.origins);
        object(&mut self.values).insert("profile".to_owned(), Value::String(self.profile.name().to_owned()));
    }

    /// The profile that was chosen.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The whole tree.
    #[must_use]
    pub const fn values(&self) -> &Value {
        &self.values
    }

    /// A value by its dotted key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        lookup(&self.values, key)
    }

    /// Where a key's value came from; `None` for a key that nobody has set.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// A section as its owner's type. A section nobody wrote is decoded from an empty mapping, so that the type's defaults
    /// apply.
    ///
    /// # Errors
    /// A finding for every value that does not fit: a wrong key or value is reported, left out, and the rest is tried again.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, Vec<Finding>> {
        let mut value = match self.get(name) {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(value) => value.clone(),
        };
        let mut findings: Vec<Finding> = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
                Ok(section) if findings.is_empty() => return Ok(section),
                Ok(_) => return Err(findings),
                Err(error) => error,
            };
            let (key, finding) = self.explain(name, &error);
            findings.push(finding);
            if findings.len() == MAX_FINDINGS || !remove(&mut value, &key) {
                return Err(findings);
            }
        }
    }

    /// The place and meaning of a decoding error: the key's parts below the section, and the finding.
    fn explain(&self, section: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> (Vec<String>, Finding) {
        let mut key: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
            })
            .collect();
        let text = error.inner().to_string();
        let mut quoted = text.split('`').skip(1).step_by(2);
        let (mut message, mut hint) = (text.clone(), None);
        if text.starts_with("unknown field") {
            let unknown = quoted.next().unwrap_or_default();
            if key.last().is_none_or(|last| last != unknown) {
                key.push(unknown.to_owned());
            }
            let expected: Vec<&str> = quoted.collect();
            message = if expected.is_empty() {
                "there is no such key here".to_owned()
            } else {
                format!("there is no such key: expected one of {}", expected.join(", "))
            };
            hint = closest(unknown, expected).map(|near| format!("did you mean '{near}'?"));
        } else if text.starts_with("unknown variant") {
            let unknown = quoted.next().unwrap_or_default();
            let expected: Vec<&str> = quoted.collect();
            message = format!("'{unknown}' is not one of {}", expected.join(", "));
            hint = closest(unknown, expected).map(|near| format!("did you mean '{near}'?"));
        }
        let full = key.iter().fold(section.to_owned(), |path, part| join(&path, part));
        let origin = self.nearest_origin(&full);
        let (file, line) = origin.map_or((self.profile.file(), None), Origin::place);
        (key, Finding { file: file.to_owned(), line, message: format!("{full}: {message}"), hint })
    }

    fn nearest_origin(&self, key: &str) -> Option<&Origin> {
        let mut key = key;
        loop {
            if let Some(origin) = self.origins.get(key) {
                return Some(origin);
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

fn merge(into: &mut Value, from: &Value, path: &str, layer: &Layer, origins: &mut BTreeMap<String, Origin>) {
    if let Some(origin) = layer.origins.get(path) {
        origins.insert(path.to_owned(), origin.clone());
    }
    if let (Value::Object(old), Value::Object(new)) = (&mut *into, from) {
        for (key, value) in new {
            merge(old.entry(key.clone()).or_insert(Value::Null), value, &join(path, key), layer, origins);
        }
        return;
    }
    if from.is_null() && into.is_object() {
        return; // `gateway:` with nothing below it leaves the section as it is.
    }
    let below = format!("{path}.");
    origins.retain(|key, _| !key.starts_with(&below));
    origins
        .extend(layer.origins.iter().filter(|(key, _)| key.starts_with(&below)).map(|(k, o)| (k.clone(), o.clone())));
    *into = from.clone();
}

/// Takes a value out; `false` when there is nothing to take out, so that a second try would fail the same way.
fn remove(root: &mut Value, key: &[String]) -> bool {
    let Some((last, parents)) = key.split_last() else { return false };
    let mut target = root;
    for part in parents {
        let next = match target {
            Value::Object(map) => map.get_mut(part),
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        match next {
            Some(next) => target = next,
            None => return false,
        }
    }
    match target {
        Value::Object(map) => map.remove(last).is_some(),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
