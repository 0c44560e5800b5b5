//! What stands between the program and a terminal: nothing that others wrote moves its cursor, changes its colours, hides
//! what it says or turns it round. Everything that leaves the program passes here.

use super::style;
use std::fmt::Write as _;

/// `text` as it may be shown: our own styles as a terminal takes them, everything else that a terminal would obey, or that
/// no reader would see, written out, such as `\u{1b}`. Ends of lines and tabs stay.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        if let Some((style, behind)) = style::leading(rest) {
            out.push_str(&style);
            rest = behind;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.starts_with('\n') => {}
            _ if acts(c) && !joins(before, c, rest.chars().next()) => {
                let _ = write!(out, "{}", c.escape_unicode());
            }
            _ => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// The same for a text that has to stay on one line: ends of lines and tabs are written out, too.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    shown(&out)
}

/// A JSON document with everything that a terminal would obey as an escape of JSON: what is read from it stays the same.
/// Such characters stand in its strings only.
pub(super) fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut units = [0; 2];
    let mut chars = document.chars().peekable();
    let mut before = None;
    while let Some(c) = chars.next() {
        if c != '\n' && acts(c) && !joins(before, c, chars.peek().copied()) {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// Whether a terminal would obey the character instead of showing it, or show nothing: control characters, marks that
/// change the direction of writing, what has no width, what is no character at all.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether it is a joiner where one belongs: between two signs of a script that needs it, or of one emoji. At an end of the
/// text the other sign may be in the next piece.
fn joins(before: Option<char>, c: char, next: Option<char>) -> bool {
    let needs = |other: Option<char>| other.is_none_or(|other| !other.is_ascii() && !acts(other));
    matches!(c, '\u{200c}' | '\u{200d}') && needs(before) && needs(next)
}

#[cfg(test)]
mod tests {
    use super::super::style::{BAD, GOOD, paint};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, expected) in [
            ("a\u{1b}[31mb\u{7}\r\nc", "a\\u{1b}[31mb\\u{7}\nc"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("x\ry", "x\\u{d}y"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("pa\u{200b}y\u{2066}pal", "pa\\u{200b}y\\u{2066}pal"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("no\u{200d}joiner", "no\\u{200d}joiner"),
            ("one\ttwo\n", "one\ttwo\n"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["Größe, naïve, 東京, привет", "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}", "می\u{200c}خواهم", "a – b … “c”"]
        {
            assert_eq!(shown(text), text);
            assert_eq!(json(text), text);
        }
    }

    #[test]
    fn only_our_own_styles_are_styles() {
        let text = format!("{} {}", paint(GOOD, "✓"), paint(BAD, "a\u{1b}[0mb"));
        assert_eq!(shown(&text), "\u{1b}[32m✓\u{1b}[0m \u{1b}[1m\u{1b}[31ma\\u{1b}[0mb\u{1b}[0m");
        let forged = "\u{fdd0}00000000000000000000000000000000g✓";
        assert!(!shown(forged).contains('\u{1b}'), "{}", shown(forged));
    }

    #[test]
    fn a_field_stays_on_its_line() {
        assert_eq!(printable("a\n✓ b\tc\r\n"), "a\\n✓ b\\tc");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "(\\PC|\\x1b|\\u{9b}|\\u{202e}|\\u{200d}|\\u{fdd0}|\r|\n|[\\u{e0000}-\\u{e007f}]){0,40}") {
            let safe = shown(&text);
            prop_assert!(!safe.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{:?}", safe);
            let left = safe.contains(['\u{202e}', '\u{9b}', '\u{200b}', '\u{fdd0}']);
            prop_assert!(!left, "{:?}", safe);
            prop_assert_eq!(shown(&safe), safe.clone(), "what is safe stays");
            prop_assert!(!printable(&text).contains(['\n', '\t']));
        }

        #[test]
        fn json_keeps_its_meaning(text in "(\\PC|\\x1b|\\u{7f}|\\u{9b}|\\u{202e}|[\\u{e0000}-\\u{e007f}]){0,40}") {
            let value = serde_json::json!({ "a": text });
            for document in [value.to_string(), format!("{value:#}")] {
                let safe = json(&document);
                let left = safe.contains(['\u{7f}', '\u{9b}', '\u{202e}', '\u{1b}']);
                prop_assert!(!left, "{:?}", safe);
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value.clone());
            }
        }
    }
}
