//! Writes the answer down.

use super::material::Unit;
use super::{NOTHING, NOTICE};
use octopussy_core::ports::ChatRequest;
use octopussy_core::text::SentenceKind;

/// The longest quote, in bytes; code and tables can be longer than anybody wants to read.
const MAX_QUOTE: usize = 800;

/// The answer made of these quotes, as text or as JSON.
pub(super) fn write(request: &ChatRequest, units: &[Unit<'_>]) -> String {
    let lines: Vec<String> = units.iter().map(quote).collect();
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

/// A sentence on one line, with its citation.
pub(super) fn quote(unit: &Unit<'_>) -> String {
    let text = match unit.kind {
        SentenceKind::ListItem => without_marker(unit.text),
        SentenceKind::TableRow => unit.text.trim_matches('|').trim(),
        SentenceKind::Prose | SentenceKind::Heading | SentenceKind::Code | SentenceKind::Rule => unit.text,
    };
    let mut out = String::with_capacity(text.len() + 32);
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    if out.len() > MAX_QUOTE {
        let mut end = MAX_QUOTE;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push('…');
    }
    out.push(' ');
    out.push_str(&unit.to_string());
    out
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
