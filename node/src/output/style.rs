//! The few colours there are.

use anstyle::{AnsiColor, Style};
use std::fmt::{self, Display};

/// Well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Not quite well.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Not well.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What matters.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();

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
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}
