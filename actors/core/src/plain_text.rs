//! Texts as people's editors save them.

/// What some editors put in front of a text. It is no part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file holds no text in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// It is text, in another encoding: what `>` writes in Windows PowerShell.
    #[error("the file is UTF-16: save it as UTF-8")]
    Utf16,
    /// It is something else.
    #[error("the file is not UTF-8 text")]
    Other {
        /// The line with the first byte that does not fit, from 1.
        line: usize,
    },
}

/// The text of a file, without the mark that some editors put in front of it.
///
/// # Errors
/// [`NotText`] when the bytes are no text in UTF-8.
pub fn from_file(bytes: Vec<u8>) -> Result<String, NotText> {
    if is_utf16(&bytes) {
        return Err(NotText::Utf16);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(unmarked(text)),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            Err(NotText::Other { line: before.iter().filter(|byte| **byte == b'\n').count() + 1 })
        }
    }
}

/// A text without the mark that some editors put in front of it.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// The same for a text that is owned; what has no mark is not copied.
#[must_use]
pub fn unmarked(text: String) -> String {
    match text.strip_prefix(BYTE_ORDER_MARK) {
        None => text,
        Some(kept) => kept.to_owned(),
    }
}

/// By its mark, or by the zeros that every second byte of Latin text is.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] => *a != 0 && *b != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: bool, little: bool) -> Vec<u8> {
        let marked = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        marked.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn one_mark_in_front_is_no_part_of_a_text() {
        let text = |bytes: &[u8]| from_file(bytes.to_vec());
        assert_eq!(text(b"\xef\xbb\xbf- document: a.md\r\n").unwrap(), "- document: a.md\r\n");
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbfx").unwrap(), "\u{feff}x", "one, and no more");
        assert_eq!(text("a\u{feff}b".as_bytes()).unwrap(), "a\u{feff}b");
        assert_eq!((text(b"").unwrap(), text(b"\xef\xbb\xbf").unwrap()), (String::new(), String::new()));
        assert_eq!(unmarked("\u{feff}x".to_owned()), "x");
        assert_eq!(unmarked("x".to_owned()), "x");
    }

    #[test]
    fn utf16_is_named_and_other_bytes_have_a_line() {
        for (mark, little) in [(true, true), (true, false), (false, true), (false, false)] {
            assert_eq!(from_file(utf16("name: clerk\n", mark, little)), Err(NotText::Utf16), "{mark} {little}");
        }
        assert_eq!(from_file(b"a\nb\n\xff".to_vec()), Err(NotText::Other { line: 3 }));
        assert!(NotText::Utf16.to_string().contains("save it as UTF-8"));
    }
}
