//! Holds a YAML tree against its shape, notes everything that does not fit, and turns it into JSON.

use super::findings::Findings;
use super::rules;
use super::shape::{Field, Shape};
use super::yaml::{Kind, Node, Value};
use octopussy_core::problem::Finding;
use serde_json::{Map, Value as Json};

/// The walk through one file.
pub(super) struct Walk<'a> {
    pub(super) file: &'a str,
    pub(super) findings: &'a mut Findings,
}

impl Walk<'_> {
    /// The mapping `node` at `path` as JSON. What does not fit is noted and left out.
    pub(super) fn map(&mut self, path: &str, node: &Node, fields: &'static [Field]) -> Json {
        let Kind::Map(entries) = &node.kind else {
            self.wrong::<()>(path, node, "a mapping of keys");
            return Json::Null;
        };
        let mut object = Map::new();
        for (key, line, value) in entries {
            let Some(field) = fields.iter().find(|field| field.key == key || field.alias == Some(key)) else {
                self.unknown(path, key, *line, fields);
                continue;
            };
            if value.kind == Kind::Scalar(Value::Null) {
                continue;
            }
            let inner = join(path, field.key);
            if object.contains_key(field.key) && field.alias.is_some() {
                let message = format!("'{key}' and its other spelling are both here");
                self.note(*line, message, Some(format!("keep '{}'", field.key)));
            }
            if let Some(json) = self.value(&inner, value, field.shape) {
                object.insert(field.key.to_owned(), json);
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            let given =
                entries.iter().any(|(key, _, value)| key == field.key && value.kind != Kind::Scalar(Value::Null));
            if !given {
                let key = join(path, field.key);
                self.note(node.line, format!("'{key}' is missing"), Some(format!("add '{}:'", field.key)));
            }
        }
        Json::Object(object)
    }

    fn value(&mut self, path: &str, node: &Node, shape: Shape) -> Option<Json> {
        match shape {
            Shape::Map(fields) => Some(self.map(path, node, fields)),
            Shape::List(item) => self.list(path, node, *item),
            Shape::Text(full) => {
                let text = self.text(path, node)?;
                if full && text.trim().is_empty() {
                    self.note(node.line, format!("'{path}' is empty"), Some("give it a value or remove it".to_owned()));
                }
                Some(Json::from(text))
            }
            Shape::Bool => match &node.kind {
                Kind::Scalar(Value::Bool(value)) => Some(Json::from(*value)),
                Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => self.wrong(path, node, "true or false"),
            },
            Shape::Integer(least, most) => match &node.kind {
                Kind::Scalar(Value::Integer(value)) if (least..=most).contains(value) => Some(Json::from(*value)),
                Kind::Scalar(Value::Integer(value)) => {
                    let bounds = if most >= i64::from(u32::MAX) {
                        format!("at least {least}")
                    } else {
                        format!("a whole number from {least} to {most}")
                    };
                    self.range(path, node.line, &value.to_string(), &bounds)
                }
                Kind::Scalar(value) => {
                    let message = format!("'{path}' must be a whole number, found {}", node.what());
                    self.refuse(node.line, message, rules::whole_number(value))
                }
                Kind::List(_) | Kind::Map(_) => self.wrong(path, node, "a whole number"),
            },
            Shape::Number(least, most) => self.number(path, node, least, most),
            Shape::OneOf(words) => self.one_of(path, node, words),
            Shape::Name => {
                let text = self.text(path, node)?;
                self.ruled(node.line, rules::name(&text), text)
            }
            Shape::Cron => {
                let text = self.text(path, node)?;
                self.ruled(node.line, rules::cron(&text), text)
            }
            Shape::TimeZone => {
                let text = self.text(path, node)?;
                self.ruled(node.line, rules::timezone(&text), text)
            }
        }
    }

    fn ruled(&mut self, line: u32, rule: Result<(), (String, Option<String>)>, text: String) -> Option<Json> {
        match rule {
            Ok(()) => Some(Json::from(text)),
            Err((message, hint)) => self.refuse(line, message, hint),
        }
    }

    fn text(&mut self, path: &str, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Scalar(Value::Text(text)) => Some(text.clone()),
            Kind::Scalar(_) => {
                let expected = format!("'{path}' must be text, found {}", node.what());
                self.refuse(node.line, expected, Some("put it in quotes".to_owned()))
            }
            Kind::List(_) | Kind::Map(_) => self.wrong(path, node, "text"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "the bounds of every number here are small")]
    fn number(&mut self, path: &str, node: &Node, least: f64, most: f64) -> Option<Json> {
        let value = match &node.kind {
            Kind::Scalar(Value::Integer(value)) => *value as f64,
            Kind::Scalar(Value::Number(value)) => *value,
            Kind::Scalar(value) => {
                let message = format!("'{path}' must be a number, found {}", node.what());
                return self.refuse(node.line, message, rules::number(value));
            }
            Kind::List(_) | Kind::Map(_) => return self.wrong(path, node, "a number"),
        };
        if (least..=most).contains(&value) {
            serde_json::Number::from_f64(value).map(Json::Number)
        } else {
            self.range(path, node.line, &value.to_string(), &format!("a number from {least} to {most}"))
        }
    }

    fn one_of(&mut self, path: &str, node: &Node, words: &'static [&'static str]) -> Option<Json> {
        let text = self.text(path, node)?;
        if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
            return Some(Json::from(*word));
        }
        let message = format!("'{path}' is '{text}', expected one of {}", words.join(", "));
        self.refuse(node.line, message, rules::did_you_mean(&text, words.iter().copied()))
    }

    fn list(&mut self, path: &str, node: &Node, item: Shape) -> Option<Json> {
        let Kind::List(items) = &node.kind else { return self.wrong(path, node, "a list") };
        let read =
            items.iter().enumerate().filter_map(|(index, node)| self.value(&format!("{path}[{index}]"), node, item));
        Some(Json::Array(read.collect()))
    }

    fn unknown(&mut self, path: &str, key: &str, line: u32, fields: &'static [Field]) {
        let place = if path.is_empty() { String::new() } else { format!(" in '{path}'") };
        let known = fields.iter().flat_map(|field| std::iter::once(field.key).chain(field.alias));
        let hint = rules::did_you_mean(key, known.clone())
            .unwrap_or_else(|| format!("known keys: {}", known.collect::<Vec<_>>().join(", ")));
        self.note(line, format!("the key '{key}'{place} is not known"), Some(hint));
    }

    fn range<T>(&mut self, path: &str, line: u32, found: &str, bounds: &str) -> Option<T> {
        self.refuse(line, format!("'{path}' is {found}, expected {bounds}"), None)
    }

    fn wrong<T>(&mut self, path: &str, node: &Node, expected: &str) -> Option<T> {
        let place = if path.is_empty() { "the file".to_owned() } else { format!("'{path}'") };
        self.refuse(node.line, format!("{place} must be {expected}, found {}", node.what()), None)
    }

    fn refuse<T>(&mut self, line: u32, message: impl Into<String>, hint: Option<String>) -> Option<T> {
        self.note(line, message, hint);
        None
    }

    fn note(&mut self, line: u32, message: impl Into<String>, hint: Option<String>) {
        self.findings.push(Finding { file: self.file.to_owned(), line: Some(line), message: message.into(), hint });
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
