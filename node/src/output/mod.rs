//! What people and programs read: tables and plain lines on stdout, notes and errors on stderr, JSON when asked for.

mod filter;
mod style;
mod table;
mod text;

pub(crate) use filter::printable;
pub(crate) use style::{BAD, BOLD, DIM, GOOD, WARN, paint};
pub(crate) use table::Table;
pub(crate) use text::{ago, bytes, duration_ms, money, shorten};

use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where output goes. Colours appear only on a terminal, and never when `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Output for people, or JSON.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A line for people; nothing when JSON was asked for.
    pub(crate) fn line(self, text: impl Display) {
        if !self.json {
            self.raw(format_args!("{text}\n"));
        }
    }

    /// Text without a line's end, shown at once; nothing when JSON was asked for.
    pub(crate) fn part(self, text: impl Display) {
        if !self.json {
            self.raw(text);
        }
    }

    /// Text on stdout whatever the mode, such as a schema or a script.
    pub(crate) fn raw(self, text: impl Display) {
        write_out(&filter::shown(&text.to_string()));
    }

    /// A note for people beside the output, on stderr; nothing when JSON was asked for.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json {
            note(text);
        }
    }

    /// The command's JSON document; nothing when people read.
    pub(crate) fn document(self, value: &Value) {
        if self.json {
            write_out(&filter::json(&format!("{value:#}\n")));
        }
    }

    /// One line of a stream of JSON documents; nothing when people read.
    pub(crate) fn event(self, value: &Value) {
        if self.json {
            write_out(&filter::json(&format!("{value}\n")));
        }
    }

    /// A failure, on stderr, with its way out.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let _ = writeln!(anstream::stderr(), "{}", filter::json(&format!("{:#}", failure.to_json())));
            return;
        }
        let code = failure.code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default();
        note(format_args!("{} {code}{}", paint(BAD, "error:"), failure.message));
        for finding in &failure.findings {
            note(format_args!("  {}", printable(&finding.to_string())));
        }
        if let Some(hint) = &failure.hint {
            note(format_args!(" {} {hint}", paint(GOOD, "next:")));
        }
        if let Some(trace) = &failure.trace_id {
            note(paint(DIM, format_args!("trace: {}", printable(trace))));
        }
    }

    /// Something that turns while one waits; invisible without a terminal and in JSON.
    pub(crate) fn spinner(self, message: impl Into<String>) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_message(message.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// Whoever closed the pipe has read enough; that is no failure of the command.
fn write_out(text: &str) {
    let mut out = anstream::stdout();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{}", filter::shown(&text.to_string()));
}
