//! YAML text as a tree in which every value knows its line.
//!
//! Anchors and aliases are refused: nothing in a configuration needs them, and an alias can make a small file huge.

use octopussy_core::problem::Finding;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How deep values may nest. Real configurations reach five; beyond this bound lies only an attempt to exhaust the stack.
const MAX_DEPTH: usize = 32;

/// A value and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The line it begins at, from 1.
    pub line: u32,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file; the line is the key's.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// The value without its lines.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => Value::Object(
                entries.iter().map(|(key, _, node)| (key.clone(), node.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Reads one YAML document; an empty one is an empty mapping.
///
/// # Errors
/// The first syntax error, or every duplicate key, with `file` and its line.
pub fn parse_yaml(file: &str, text: &str) -> Result<Node, Vec<Finding>> {
    let mut reader = Reader { file, events: Parser::new_from_str(text), duplicates: Vec::new() };
    let mut root = None;
    loop {
        let (event, span) = reader.next().map_err(|finding| vec![finding])?;
        match event {
            Event::StreamEnd => break,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event @ (Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd) => {
                if root.is_some() {
                    return Err(vec![reader.finding(span, "a second YAML document begins here; only one is read")]);
                }
                root = Some(reader.node(event, span, 0).map_err(|finding| vec![finding])?);
            }
        }
    }
    if !reader.duplicates.is_empty() {
        return Err(reader.duplicates);
    }
    let empty = Node { line: 1, kind: NodeKind::Map(Vec::new()) };
    Ok(match root {
        None | Some(Node { kind: NodeKind::Scalar(Value::Null), .. }) => empty,
        Some(node) => node,
    })
}

struct Reader<'a> {
    file: &'a str,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    duplicates: Vec<Finding>,
}

fn line_of(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

impl<'a> Reader<'a> {
    fn finding(&self, span: Span, message: impl Into<String>) -> Finding {
        Finding { file: self.file.to_owned(), line: Some(line_of(span)), message: message.into(), hint: None }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Finding> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Finding {
                file: self.file.to_owned(),
                line: Some(u32::try_from(error.marker().line()).unwrap_or(u32::MAX)),
                message: format!("this is not YAML: {}", error.info()),
                hint: Some(
                    "indent with spaces, put a space after each ':' and quote text that contains ': ' or '#'"
                        .to_owned(),
                ),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Finding> {
        if depth > MAX_DEPTH {
            return Err(self.finding(span, format!("values nest deeper than {MAX_DEPTH} levels")));
        }
        let line = line_of(span);
        match event {
            Event::Scalar(text, style, 0, _) => Ok(Node { line, kind: NodeKind::Scalar(scalar(&text, style)) }),
            Event::SequenceStart(0, _) => self.list(line, depth),
            Event::MappingStart(0, _) => self.map(line, depth),
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                Err(self.finding(span, "anchors (&) and aliases (*) are not read here; write the value out"))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(self.finding(span, "a value is missing here")),
        }
    }

    fn list(&mut self, line: u32, depth: usize) -> Result<Node, Finding> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node { line, kind: NodeKind::List(items) });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, line: u32, depth: usize) -> Result<Node, Finding> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let (event, span) = self.next()?;
            let key: Cow<'_, str> = match event {
                Event::MappingEnd => return Ok(Node { line, kind: NodeKind::Map(entries) }),
                Event::Scalar(text, _, 0, _) => text,
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..) => return Err(self.finding(span, "a key has to be a plain word")),
            };
            if !seen.insert(key.to_string()) {
                let finding = self.finding(span, format!("the key '{key}' is here a second time"));
                self.duplicates.push(finding);
            }
            let key_line = line_of(span);
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push((key.into_owned(), key_line, value));
        }
    }
}

/// A scalar by the YAML 1.2 core schema: quoted text is text, everything else is what it looks like.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if !matches!(style, ScalarStyle::Plain) {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Value::Number(number);
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>().ok().filter(|_| numeric).and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

fn integer(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_typed_and_quotes_make_text() {
        let node = parse_yaml("t", "a: 1\nb: '1'\nc: true\nd: 0.5\ne: 0.0.0.0\nf: ~\ng: -3\nh: [x, 2]\n").unwrap();
        assert_eq!(node.to_value(), json!({"a":1,"b":"1","c":true,"d":0.5,"e":"0.0.0.0","f":null,"g":-3,"h":["x",2]}));
    }

    #[test]
    fn errors_name_their_line() {
        let findings = parse_yaml("config.yaml", "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert_eq!(findings[0].file, "config.yaml");
        assert!(findings[0].line.is_some_and(|line| line >= 2), "{findings:?}");
        let findings = parse_yaml("config.yaml", "a: 1\nb: 2\na: 3\nb: 4\n").unwrap_err();
        assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [Some(3), Some(4)]);
    }

    #[test]
    fn aliases_and_deep_nests_are_refused() {
        assert!(parse_yaml("t", "a: &x 1\nb: *x\n").unwrap_err()[0].message.contains("anchors"));
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        assert!(parse_yaml("t", &deep).unwrap_err()[0].message.contains("nest deeper"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_yields_a_tree_or_findings(text in "[a-z:\\-\\[\\]{}&*#'\" \n\t0-9]{0,200}") {
            if let Err(findings) = parse_yaml("t", &text) {
                proptest::prop_assert!(!findings.is_empty());
            }
        }
    }
}
