//! Looking into a configuration tree.

use serde_json::Value;
use std::ops::Range;

/// The value at a dotted key.
#[must_use]
pub fn lookup<'a>(root: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(root, |value, part| match value {
        Value::Object(map) => map.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The top-level names whose values differ, sorted.
#[must_use]
pub fn changed_sections(before: &Value, after: &Value) -> Vec<String> {
    let names = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    let mut all: Vec<String> = names(before);
    let more: Vec<String> = names(after);
    all.extend(more);
    all.sort();
    all.dedup();
    all.retain(|name| before.get(name) != after.get(name));
    all
}

/// `${secret:name}` inside a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// The bytes it takes up.
    pub range: Range<usize>,
    /// The name inside.
    pub name: String,
}

/// Every secret reference of a text, in order.
#[must_use]
pub fn secret_references(text: &str) -> Vec<SecretReference> {
    const OPEN: &str = "${secret:";
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(OPEN).map(|at| at + from) {
        let name_at = start + OPEN.len();
        let Some(length) = text[name_at..].find('}') else { break };
        let name = text[name_at..name_at + length].to_owned();
        from = name_at + length + 1;
        found.push(SecretReference { range: start..from, name });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_with_their_places() {
        let text = "Bearer ${secret:openai.api_key} and ${secret:b}, not ${secret:open";
        let found = secret_references(text);
        assert_eq!(found.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["openai.api_key", "b"]);
        assert_eq!(&text[found[1].range.clone()], "${secret:b}");
    }

    #[test]
    fn only_what_differs_has_changed() {
        let before = json!({"a": {"x": 1}, "b": 2, "c": 3});
        let after = json!({"a": {"x": 2}, "b": 2, "d": 4});
        assert_eq!(changed_sections(&before, &after), ["a", "c", "d"]);
        assert!(changed_sections(&before, &before).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn references_never_overlap(text in "[${}secret:a. é]{0,80}") {
            let found = secret_references(&text);
            for pair in found.windows(2) {
                proptest::prop_assert!(pair[0].range.end <= pair[1].range.start);
            }
            for reference in &found {
                proptest::prop_assert!(text.get(reference.range.clone()).is_some());
            }
        }
    }
}
