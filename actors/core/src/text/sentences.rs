//! Splits text, plain or Markdown, into sentences that know their line.

use std::ops::Range;

/// What a sentence is in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SentenceKind {
    /// Running text.
    Prose,
    /// A heading.
    Heading,
    /// A sentence of a list item; the first one begins with the marker.
    ListItem,
    /// A row of a table.
    TableRow,
    /// A whole fenced code block.
    Code,
    /// A line that only separates.
    Rule,
}

/// A sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// Its text as it stands in the document, without white space around it. Never empty.
    pub text: &'a str,
    /// Where it begins in the document, in bytes.
    pub start: usize,
    /// The line it begins in, from 1.
    pub line: u32,
    /// What it is.
    pub kind: SentenceKind,
    /// The number of its block (paragraph, list item, heading …), from 0.
    pub block: u32,
}

impl Sentence<'_> {
    /// Where it lies in the document, in bytes.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// The line it ends in, from 1.
    #[must_use]
    pub fn last_line(&self) -> u32 {
        self.line.saturating_add(count_lines(self.text))
    }
}

/// The sentences of `text`, in order. What lies between them is white space.
#[must_use]
pub fn sentences(text: &str) -> Vec<Sentence<'_>> {
    let mut splitter = Splitter { text, out: Vec::new(), open: None, block: 0 };
    let mut fence: Option<(u8, usize, usize, u32)> = None;
    let mut offset = 0;
    for (number, raw) in (1u32..).zip(text.split_inclusive('\n')) {
        let (start, end) = (offset, offset + raw.len());
        offset = end;
        let line = raw.trim();
        if let Some((mark, length, from, first)) = fence {
            if closes(line, mark, length) {
                splitter.emit(from..end, first, SentenceKind::Code);
                fence = None;
            }
            continue;
        }
        if let Some((mark, length)) = opens(line) {
            splitter.flush();
            fence = Some((mark, length, start, number));
        } else if line.is_empty() {
            splitter.flush();
        } else if is_rule(line) {
            splitter.single(start..end, number, SentenceKind::Rule);
        } else if is_heading(line) {
            splitter.single(start..end, number, SentenceKind::Heading);
        } else if line.starts_with('|') {
            splitter.single(start..end, number, SentenceKind::TableRow);
        } else if is_list_item(line) {
            splitter.flush();
            splitter.open = Some((start..end, number, SentenceKind::ListItem));
        } else if let Some((range, ..)) = &mut splitter.open {
            range.end = end;
        } else {
            splitter.open = Some((start..end, number, SentenceKind::Prose));
        }
    }
    if let Some((.., from, first)) = fence {
        splitter.emit(from..text.len(), first, SentenceKind::Code);
    }
    splitter.flush();
    splitter.out
}

struct Splitter<'a> {
    text: &'a str,
    out: Vec<Sentence<'a>>,
    open: Option<(Range<usize>, u32, SentenceKind)>,
    block: u32,
}

impl Splitter<'_> {
    fn single(&mut self, range: Range<usize>, line: u32, kind: SentenceKind) {
        self.flush();
        self.emit(range, line, kind);
    }

    /// Takes a whole block as one sentence.
    fn emit(&mut self, range: Range<usize>, line: u32, kind: SentenceKind) {
        self.push(range, line, kind);
        self.block += 1;
    }

    fn push(&mut self, range: Range<usize>, line: u32, kind: SentenceKind) {
        let slice = &self.text[range.clone()];
        let text = slice.trim();
        if text.is_empty() {
            return;
        }
        let skipped = slice.len() - slice.trim_start().len();
        let line = line.saturating_add(count_lines(&slice[..skipped]));
        self.out.push(Sentence { text, start: range.start + skipped, line, kind, block: self.block });
    }

    /// Splits the open block into its sentences.
    fn flush(&mut self) {
        let Some((range, first, kind)) = self.open.take() else { return };
        let slice = &self.text[range.clone()];
        let (mut begin, mut line) = (0, first);
        for end in boundaries(slice).into_iter().chain([slice.len()]) {
            self.push(range.start + begin..range.start + end, line, kind);
            line = line.saturating_add(count_lines(&slice[begin..end]));
            begin = end;
        }
        self.block += 1;
    }
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// The ends of all sentences of a block but the last.
fn boundaries(block: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let marker = list_marker_len(block.trim_start()).map_or(0, |len| len + block.len() - block.trim_start().len());
    let mut chars = block.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if at < marker || !matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？') {
            continue;
        }
        let wide = matches!(c, '。' | '！' | '？');
        let mut end = at + c.len_utf8();
        while let Some((next, closer)) = chars.peek().copied() {
            if !matches!(
                closer,
                '.' | '!' | '?' | '…' | ')' | ']' | '"' | '\'' | '”' | '’' | '»' | '«' | '“' | '*' | '`'
            ) {
                break;
            }
            end = next + closer.len_utf8();
            chars.next();
        }
        let rest = &block[end..];
        let follower = rest.trim_start();
        let spaced = rest.len() > follower.len();
        if follower.is_empty() || !(wide || spaced) {
            continue;
        }
        let goes_on = !wide && follower.starts_with(char::is_lowercase);
        if goes_on || (c == '.' && !ends_sentence(&block[..at], follower)) {
            continue;
        }
        ends.push(end);
    }
    ends
}

/// Words that end in a full stop without ending a sentence; lower-case, without the last stop.
const ABBREVIATIONS: &[&str] = &[
    "abb", "abs", "al", "approx", "art", "bsp", "bzgl", "bzw", "ca", "cf", "co", "d.h", "dept", "dr", "e.g", "eq",
    "evtl", "fig", "ggf", "i.e", "inc", "inkl", "jr", "kap", "lt", "ltd", "max", "min", "mr", "mrs", "ms", "nr",
    "prof", "resp", "s.o", "s.u", "sog", "sr", "st", "str", "u.a", "v.a", "vgl", "vs", "z.b", "zzgl",
];

/// German months, after an ordinal such as `3.`.
const MONTHS: &[&str] = &[
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// Whether the full stop between `before` and `after` ends a sentence.
fn ends_sentence(before: &str, after: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || "([\"'*_".contains(c)).next().unwrap_or_default();
    let mut letters = word.chars();
    if let (Some(only), None) = (letters.next(), letters.next())
        && only.is_uppercase()
        && only != 'I'
    {
        return false; // An initial.
    }
    if word.len() <= 8 {
        let lower = word.to_lowercase();
        if ABBREVIATIONS.binary_search(&lower.as_str()).is_ok() {
            return false;
        }
        if lower == "no" && after.starts_with(|c: char| c.is_ascii_digit()) {
            return false; // "No. 5"
        }
    }
    let ordinal = !word.is_empty() && word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    !(ordinal && MONTHS.iter().any(|month| after.starts_with(month)))
}

fn is_heading(line: &str) -> bool {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&level) && line[level..].starts_with([' ', '\t'])
}

fn is_list_item(line: &str) -> bool {
    list_marker_len(line).is_some()
}

/// The length of the list marker with the space behind it.
fn list_marker_len(line: &str) -> Option<usize> {
    if line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ") || line.starts_with("• ") {
        return line.find(' ').map(|at| at + 1);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    ((1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "))).then_some(digits + 2)
}

/// A line of three or more of the same separating character.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && line
            .bytes()
            .next()
            .is_some_and(|first| b"-*_=".contains(&first) && line.bytes().all(|byte| byte == first || byte == b' '))
}

fn opens(line: &str) -> Option<(u8, usize)> {
    let mark = line.bytes().next().filter(|byte| b"`~".contains(byte))?;
    let length = line.bytes().take_while(|byte| *byte == mark).count();
    // An inline code span may begin a line with three ticks; then the line holds ticks again.
    let info_has_tick = mark == b'`' && line[length..].contains('`');
    (length >= 3 && !info_has_tick).then_some((mark, length))
}

fn closes(line: &str, mark: u8, length: usize) -> bool {
    line.len() >= length && line.bytes().all(|byte| byte == mark)
}
