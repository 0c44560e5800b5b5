//! Values from the environment: `OCTOPUSSY__GATEWAY__BIND=0.0.0.0` sets `gateway.bind`.

use crate::tree::{Node, NodeKind, parse_yaml};
use crate::{Layer, Origin};
use octopussy_core::problem::Finding;
use serde_json::Value;

/// What the names of such variables begin with.
pub const ENV_PREFIX: &str = "OCTOPUSSY__";

/// The layer that the given variables make. Names are lower-cased, `__` separates the parts of a key, values are YAML scalars
/// or lists in brackets.
///
/// # Errors
/// A finding for every variable of the prefix whose name is not a key.
pub fn environment_layer(variables: impl IntoIterator<Item = (String, String)>) -> Result<Layer, Vec<Finding>> {
    let mut layer = Layer::default();
    let mut findings = Vec::new();
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    variables.sort();
    for (name, text) in variables {
        let key: Vec<String> = name[ENV_PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if key.iter().any(String::is_empty) {
            findings.push(Finding {
                file: name,
                line: None,
                message: "the name does not say which key it sets".to_owned(),
                hint: Some("write OCTOPUSSY__SECTION__KEY, such as OCTOPUSSY__GATEWAY__BIND".to_owned()),
            });
            continue;
        }
        layer.set(&key, value_of(&text), Origin::Environment(name.into()));
    }
    if findings.is_empty() { Ok(layer) } else { Err(findings) }
}

fn value_of(text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    if text.is_empty() {
        return as_text();
    }
    match parse_yaml("", text) {
        Ok(Node { kind: NodeKind::Scalar(value), .. }) => value,
        Ok(node @ Node { kind: NodeKind::List(_), .. }) if text.trim_start().starts_with('[') => node.to_value(),
        Ok(_) | Err(_) => as_text(),
    }
}
