//! Writes the answer down.

use super::material::Unit;
use super::{NOTHING, NOTICE};
use octopussy_core::ports::ChatRequest;
use octopussy_core::text::SentenceKind;
use std::fmt;

/// The longest quote, in bytes; code and tables can be longer than anybody wants to read.
const MAX_QUOTE: usize = 800;

/// The answer made of these quotes, as text or as JSON.
pub(super) fn write(request: &ChatRequest, quotes: &[Quote<'_>]) -> String {
    let lines: Vec<String> = quotes.iter().map(ToString::to_string).collect();
    write_lines(request, &lines)
}

/// The answer made of these lines, each a quote with its citation. As many as the longest answer allows; always one.
pub(super) fn write_lines(request: &ChatRequest, lines: &[String]) -> String {
    let allowed = usize::try_from(request.max_tokens).unwrap_or(usize::MAX).saturating_mul(4);
    let mut used = NOTICE.len();
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        used += line.len() + 3;
        if used > allowed && !kept.is_empty() {
            break;
        }
        kept.push(line);
    }
    if request.json {
        let citations: Vec<&str> = kept.iter().filter_map(|line| citation(line)).collect();
        let answer = if kept.is_empty() { NOTHING.to_owned() } else { kept.join("\n") };
        return serde_json::json!({ "answer": answer, "citations": citations }).to_string();
    }
    if kept.is_empty() {
        return NOTHING.to_owned();
    }
    let mut out = String::with_capacity(used);
    out.push_str(NOTICE);
    out.push('\n');
    for line in kept {
        out.push_str("\n- ");
        out.push_str(line);
    }
    out
}

/// `source:line` at the end of a quote.
pub(super) fn citation(line: &str) -> Option<&str> {
    let inner = line.trim_end().strip_suffix(']')?;
    let inner = &inner[inner.rfind('[')? + 1..];
    let (_, number) = inner.rsplit_once(':')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(inner)
}

/// Sentences that follow one another, on one line.
#[derive(Debug)]
pub(super) struct Quote<'a> {
    source: &'a str,
    line: u32,
    text: String,
}

impl<'a> Quote<'a> {
    /// A quote of these sentences; of none, an empty one.
    pub(super) fn of(units: &[Unit<'a>]) -> Self {
        let mut text = String::with_capacity(128);
        for unit in units {
            if !text.is_empty() {
                text.push_str(
                    if unit.kind == SentenceKind::ListItem
                        && unit.text.starts_with(['-', '*', '+', '•', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
                        && !text.ends_with(':')
                    {
                        " – "
                    } else {
                        " "
                    },
                );
            }
            append(&mut text, unit);
        }
        shorten(&mut text);
        let (source, line) = units.first().map_or(("", 0), |unit| (unit.source, unit.line));
        Self { source, line, text }
    }

    /// Where it stands, as it is cited.
    pub(super) fn place(&self) -> String {
        format!("[{}:{}]", self.source, self.line)
    }
}

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}:{}]", self.text, self.source, self.line)
    }
}

/// Appends a sentence without its line breaks. A table's row is written so that it can be read without the table.
fn append(out: &mut String, unit: &Unit<'_>) {
    match unit.kind {
        SentenceKind::ListItem => words(out, without_marker(unit.text)),
        SentenceKind::TableRow => row(out, unit),
        SentenceKind::Code if !unit.text.contains(['`', '\n']) => {
            out.push('`');
            words(out, unit.text);
            out.push('`');
        }
        SentenceKind::Prose | SentenceKind::Heading | SentenceKind::Code | SentenceKind::Rule => words(out, unit.text),
    }
}

fn words(out: &mut String, text: &str) {
    for (at, word) in text.split_whitespace().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// The cells of a row; those behind the first with the names of their columns.
fn row(out: &mut String, unit: &Unit<'_>) {
    let names: Vec<&str> = unit.header.map(cells).unwrap_or_default();
    let mut first = true;
    for (at, cell) in cells(unit.text).into_iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        if !first {
            out.push_str(" – ");
        }
        if let Some(name) = names.get(at).filter(|name| !name.is_empty()) {
            words(out, name);
            out.push_str(": ");
        }
        words(out, cell);
        first = false;
    }
}

/// A row's cells. A bar that is escaped does not end a cell.
fn cells(row: &str) -> Vec<&str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let mut begin = 0;
    for (at, _) in row.match_indices('|').filter(|(at, _)| !row[..*at].ends_with('\\')) {
        cells.push(row[begin..at].trim());
        begin = at + 1;
    }
    cells.push(row[begin..].trim());
    cells
}

fn shorten(text: &mut String) {
    if text.len() > MAX_QUOTE {
        let mut end = MAX_QUOTE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

fn without_marker(text: &str) -> &str {
    let bullet = ["- ", "* ", "+ ", "• "].iter().find_map(|marker| text.strip_prefix(marker));
    if let Some(rest) = bullet {
        return rest.trim_start();
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text[digits..].strip_prefix(['.', ')']) {
        Some(rest) if digits > 0 && rest.starts_with(' ') => rest.trim_start(),
        Some(_) | None => text,
    }
}
