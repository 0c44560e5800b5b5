//! The few colours there are.

use anstyle::AnsiColor;
use std::fmt::{self, Display};
use std::sync::LazyLock;
use uuid::Uuid;

/// How a piece of our own text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Well.
    Good,
    /// Not quite well.
    Warn,
    /// Not well.
    Bad,
    /// What matters.
    Bold,
    /// What matters less.
    Dim,
}

/// Well.
pub(crate) const GOOD: Style = Style::Good;
/// Not quite well.
pub(crate) const WARN: Style = Style::Warn;
/// Not well.
pub(crate) const BAD: Style = Style::Bad;
/// What matters.
pub(crate) const BOLD: Style = Style::Bold;
/// What matters less.
pub(crate) const DIM: Style = Style::Dim;

/// Every style, with the letter that stands for it behind the mark.
const STYLES: [(Style, char); 5] =
    [(Style::Good, 'g'), (Style::Warn, 'w'), (Style::Bad, 'b'), (Style::Bold, 'o'), (Style::Dim, 'd')];
/// The letter behind the mark that ends a style.
const END: char = 'z';
/// A character that stands in no text.
const NO_CHARACTER: char = '\u{fdd0}';

/// What stands before a style until the text leaves the program. It is another one each time, so that no text which others
/// wrote can bring a style of its own.
static MARK: LazyLock<String> = LazyLock::new(|| format!("{NO_CHARACTER}{}", Uuid::new_v4().simple()));

/// `text` in `style`; the stream it is written to removes the style when it is no terminal.
pub(crate) fn paint(style: Style, text: impl Display) -> impl Display {
    Painted { style, text }
}

struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = STYLES.iter().find(|(style, _)| *style == self.style).map_or(END, |(_, letter)| *letter);
        write!(f, "{mark}{letter}{}{mark}{END}", self.text, mark = *MARK)
    }
}

/// The style at the beginning of `text` as a terminal takes it, and what comes behind it; `None` when there is none of ours.
pub(super) fn leading(text: &str) -> Option<(String, &str)> {
    // Most text has none, and then the mark is not even made.
    let rest = text.strip_prefix(NO_CHARACTER).and(text.strip_prefix(MARK.as_str()))?;
    let letter = rest.chars().next()?;
    let rest = &rest[letter.len_utf8()..];
    if letter == END {
        return Some((anstyle::Reset.render().to_string(), rest));
    }
    let (style, _) = STYLES.iter().find(|(_, own)| *own == letter)?;
    let style = match style {
        Style::Good => AnsiColor::Green.on_default(),
        Style::Warn => AnsiColor::Yellow.on_default(),
        Style::Bad => AnsiColor::Red.on_default().bold(),
        Style::Bold => anstyle::Style::new().bold(),
        Style::Dim => anstyle::Style::new().dimmed(),
    };
    Some((style.render().to_string(), rest))
}
