//! YAML as a tree that knows its lines.

use super::findings::Findings;
use octopussy_core::problem::Finding;
use saphyr::{Scalar, ScalarStyle};
use saphyr_parser::{Event, Parser, Span};
use std::borrow::Cow;
use std::collections::HashMap;

/// A scalar's value, as YAML's core schema reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

/// A node with the line it begins at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Scalar(Value),
    List(Vec<Node>),
    /// Keys with their lines; a key that appears twice is here twice.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// What it is, for messages.
    pub(super) const fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(Value::Null) => "nothing",
            Kind::Scalar(Value::Bool(_)) => "true or false",
            Kind::Scalar(Value::Integer(_)) => "a whole number",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(Value::Text(_)) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping of keys",
        }
    }
}

/// How deep the tree may be: `agent.yaml` needs three levels.
const MAX_DEPTH: usize = 32;

/// Reads the one document of `text`. `None`: it is empty, or the findings say why there is no tree.
pub(super) fn read(file: &str, text: &str, findings: &mut Findings) -> Option<Node> {
    let mut builder = Builder { file, findings, open: Vec::new(), documents: Vec::new(), too_deep: false };
    // Pulled one by one: the parser's own `load` recurses, and this text comes from outside.
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.on_event(&event, span),
            Err(error) => {
                let info = error.info().to_owned();
                let hint = if info.contains("anchor") {
                    "a value that begins with '*' or '&' stands in quotes, such as cron: \"*/5 * * * *\""
                } else {
                    "check the indentation, the colons and the quotes on this line and the one before"
                };
                builder.find(line(error.marker().line()), &format!("this is not YAML: {info}"), hint);
                return None;
            }
        }
        if builder.too_deep {
            return None;
        }
    }
    let mut documents = std::mem::take(&mut builder.documents).into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        findings.push(Finding {
            file: file.to_owned(),
            line: Some(second.line),
            message: "a second YAML document begins here, expected one".to_owned(),
            hint: Some("remove the line '---' and what follows it".to_owned()),
        });
    }
    first
}

enum Open {
    List(u32, Vec<Node>),
    Map(u32, Mapping),
}

/// A mapping that is being read.
#[derive(Default)]
struct Mapping {
    entries: Vec<(String, u32, Node)>,
    /// The line on which each key is first.
    lines: HashMap<String, u32>,
    /// The key whose value comes next.
    key: Option<(String, u32)>,
}

struct Builder<'a> {
    file: &'a str,
    findings: &'a mut Findings,
    open: Vec<Open>,
    documents: Vec<Node>,
    too_deep: bool,
}

impl Builder<'_> {
    fn on_event(&mut self, event: &Event<'_>, span: Span) {
        let at = line(span.start.line());
        match event {
            Event::Scalar(text, style, _, _) => self.scalar(at, text.clone(), *style),
            Event::SequenceStart(..) => self.push(at, Open::List(at, Vec::new())),
            Event::MappingStart(..) => self.push(at, Open::Map(at, Mapping::default())),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(_) => {
                self.find(at, "aliases (*name) are not understood here", "write the value out");
                self.add(Node { line: at, kind: Kind::Scalar(Value::Null) });
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }

    fn push(&mut self, at: u32, open: Open) {
        if self.open.len() >= MAX_DEPTH {
            self.too_deep = true;
            self.find(at, "this is nested too deeply", "an agent.yaml has three levels at most");
        }
        self.open.push(open);
    }

    fn scalar(&mut self, at: u32, text: Cow<'_, str>, style: ScalarStyle) {
        if let Some(Open::Map(_, Mapping { key: key @ None, .. })) = self.open.last_mut() {
            *key = Some((text.into_owned(), at));
            return;
        }
        let value = if style == ScalarStyle::Plain {
            match Scalar::parse_from_cow(text) {
                Scalar::Null => Value::Null,
                Scalar::Boolean(value) => Value::Bool(value),
                Scalar::Integer(value) => Value::Integer(value),
                Scalar::FloatingPoint(value) => Value::Number(value.into_inner()),
                Scalar::String(text) => Value::Text(text.into_owned()),
            }
        } else {
            Value::Text(text.into_owned())
        };
        self.add(Node { line: at, kind: Kind::Scalar(value) });
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::List(line, items)) => self.add(Node { line, kind: Kind::List(items) }),
            Some(Open::Map(line, mapping)) => self.add(Node { line, kind: Kind::Map(mapping.entries) }),
            None => {}
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, Mapping { entries, lines, key })) => match key.take() {
                Some((key, line)) => {
                    let first = lines.get(&key).copied();
                    if first.is_none() {
                        lines.insert(key.clone(), line);
                    }
                    entries.push((key.clone(), line, node));
                    if let Some(first) = first {
                        let message = format!("the key '{key}' is here twice, first on line {first}");
                        self.find(line, &message, "keep one of them");
                    }
                }
                // A list or a mapping in the place of a key.
                None => {
                    let at = node.line;
                    *key = Some((String::new(), at));
                    self.find(at, "a key must be text", "write keys such as 'name:'");
                }
            },
        }
    }

    fn find(&mut self, line: u32, message: &str, hint: &str) {
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line: Some(line),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }
}

fn line(line: usize) -> u32 {
    u32::try_from(line.max(1)).unwrap_or(u32::MAX)
}
