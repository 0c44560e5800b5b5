//! One event, one line. What others wrote stands in the values of events: it must not begin a line of its own, nor reach a
//! terminal that shows the log as anything but text.

use crate::observability::LogFormat;
use std::fmt::Write as _;
use std::io::{self, Write};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Makes writers that keep every event on its line.
pub(super) struct Lines<M> {
    pub(super) inner: M,
    pub(super) format: LogFormat,
    /// Whether the formatter's own colours are in the text.
    pub(super) colours: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Lines<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), format: self.format, colours: self.colours }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        Line { inner: self.inner.make_writer_for(meta), format: self.format, colours: self.colours }
    }
}

/// Writes one event, which the formatter hands over in one piece.
pub(super) struct Line<W> {
    inner: W,
    format: LogFormat,
    colours: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.contains(acts) {
            self.inner.write_all(self.escaped(line).as_bytes())?;
            if line.len() < text.len() {
                self.inner.write_all(b"\n")?;
            }
        } else {
            self.inner.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W> Line<W> {
    fn escaped(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len() + 16);
        for (at, c) in line.char_indices() {
            let ours = self.colours && c == '\u{1b}' && is_colour(&line[at + 1..]);
            // What has to be written out lies below U+10000, so that four digits do in JSON.
            let _ = match self.format {
                _ if ours || !acts(c) => {
                    out.push(c);
                    Ok(())
                }
                LogFormat::Json => write!(out, "\\u{:04x}", u32::from(c)),
                LogFormat::Pretty | LogFormat::Compact => write!(out, "{}", c.escape_default()),
            };
        }
        out
    }
}

/// Whether a terminal would obey the character instead of showing it, or show nothing.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether what follows an escape only changes how text looks.
fn is_colour(rest: &str) -> bool {
    let parameters =
        rest.strip_prefix('[').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    parameters.is_some_and(|rest| rest.starts_with('m'))
}

#[cfg(test)]
mod tests {
    use super::super::logging::formatted;
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, colours: bool, tell: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = formatted(format, move || writer.clone(), colours);
        // As the log is set up: the filter's layer below, and the output in a list.
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, tell);
        let text = kept.0.lock().clone();
        String::from_utf8(text).unwrap()
    }

    const FORGED: &str = "x\n2026-01-01T00:00:00Z  INFO octopussy::cluster::admit: a node was let in node.name=FORGED\r\u{1b}[2K\u{9b}2J\u{202e}\u{7f}";

    #[test]
    fn no_value_begins_a_line_of_its_own_or_reaches_a_terminal() {
        for format in [LogFormat::Pretty, LogFormat::Compact, LogFormat::Json] {
            for colours in [false, true] {
                let text = logged(format, colours, || {
                    let span = tracing::info_span!("span", told = %FORGED);
                    let _entered = span.enter();
                    tracing::warn!(error = %FORGED, quoted = ?FORGED, "a node says: {FORGED}");
                    tracing::warn!("ours");
                });
                assert_eq!(text.lines().count(), 2, "{format:?}: {text}");
                assert!(text.ends_with('\n') && text.contains("FORGED"), "{format:?}: {text}");
                let acting = |c: char| c.is_control() && c != '\n' && !(colours && c == '\u{1b}');
                assert!(!text.contains(acting) && !text.contains(['\u{202e}', '\u{9b}']), "{format:?}: {text:?}");
                assert!(!text.contains("\u{1b}[2K"), "{format:?}: {text:?}");
                if format == LogFormat::Json {
                    for line in text.lines() {
                        serde_json::from_str::<serde_json::Value>(line).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = logged(LogFormat::Compact, false, || tracing::info!(name = %"Größe 東京\tx", "ready"));
        assert!(text.contains("Größe 東京\tx"), "{text}");
    }
}
