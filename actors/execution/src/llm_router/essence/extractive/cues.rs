//! What kind of answer a question wants, and which sentences look like one.

use super::material::Unit;
use octopussy_core::text::SentenceKind;

/// The kind of answer that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// A number.
    Quantity,
    /// A point in time, or a condition.
    Time,
    /// A name.
    Person,
    /// A reason.
    Reason,
    /// Something to do.
    Way,
    /// What follows from a condition.
    Consequence,
    /// What something is.
    Definition,
    /// What something does.
    Deed,
    /// One or some of many, by name.
    Choice,
    /// Nothing in particular.
    Plain,
}

/// How much a sentence that looks like the wanted answer gains.
const GAIN: f32 = 1.25;

/// What is left of one that cannot be the answer by its looks.
const LOSS: f32 = 0.9;

/// Question words and the kind of answer they want, lower-case; the first that fits counts.
const OPENINGS: &[(&str, Cue)] = &[
    ("how do i", Cue::Way),
    ("how can i", Cue::Way),
    ("how should i", Cue::Way),
    ("how to", Cue::Way),
    ("how do you", Cue::Way),
    ("what can i do", Cue::Way),
    ("what should", Cue::Way),
    ("wie kann ich", Cue::Way),
    ("was kann ich", Cue::Way),
    ("how many", Cue::Quantity),
    ("how much", Cue::Quantity),
    ("how long", Cue::Quantity),
    ("how often", Cue::Quantity),
    ("how fast", Cue::Quantity),
    ("how large", Cue::Quantity),
    ("how big", Cue::Quantity),
    ("how hot", Cue::Quantity),
    ("how high", Cue::Quantity),
    ("how old", Cue::Quantity),
    ("how far", Cue::Quantity),
    ("how slow", Cue::Quantity),
    ("what temperature", Cue::Quantity),
    ("what does it cost", Cue::Quantity),
    ("wie viel", Cue::Quantity),
    ("wie lange", Cue::Quantity),
    ("wie oft", Cue::Quantity),
    ("wie schnell", Cue::Quantity),
    ("wie groß", Cue::Quantity),
    ("what happens", Cue::Consequence),
    ("was passiert", Cue::Consequence),
    ("what if", Cue::Consequence),
    ("what is", Cue::Definition),
    ("what are", Cue::Definition),
    ("what does", Cue::Deed),
    ("what do", Cue::Deed),
    ("what did", Cue::Deed),
    ("which", Cue::Choice),
    ("welche", Cue::Choice),
    ("welcher", Cue::Choice),
    ("welches", Cue::Choice),
    ("was ist", Cue::Definition),
    ("was sind", Cue::Definition),
    ("why", Cue::Reason),
    ("warum", Cue::Reason),
    ("weshalb", Cue::Reason),
    ("who", Cue::Person),
    ("wer", Cue::Person),
    ("when", Cue::Time),
    ("wann", Cue::Time),
    ("what year", Cue::Time),
];

/// Numbers in words, and what is counted in them.
const NUMBERS: &[&str] = &[
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "hundred", "thousand",
    "million", "half", "once", "twice", "none", "times", "second", "seconds", "minutes", "hour", "hours", "day",
    "days", "week", "weeks", "month", "months", "year", "years", "ein", "zwei", "drei", "vier", "fünf", "sechs",
    "zehn", "hundert", "tausend",
];
const CONDITIONS: &[&str] =
    &["when", "once", "after", "until", "if", "before", "wenn", "sobald", "nachdem", "bevor", "falls"];
const REASONS: &[&str] =
    &["because", "therefore", "since", "reason", "why", "weil", "denn", "deshalb", "damit", "grund"];

impl Cue {
    /// The kind of answer that `question` wants.
    pub(super) fn of(question: &str) -> Self {
        let spaced = format!("{} ", words(question));
        let starts = std::iter::once(0).chain(spaced.match_indices(' ').map(|(at, _)| at + 1));
        // Word by word, since this is asked for every question and most words begin no opening.
        let mut found = starts.filter_map(|at| {
            let rest = spaced.get(at..)?;
            let opens = |opening: &str| rest.strip_prefix(opening).is_some_and(|behind| behind.starts_with(' '));
            OPENINGS.iter().find(|(opening, _)| opens(opening)).map(|(_, cue)| *cue)
        });
        found.next().unwrap_or(Self::Plain)
    }

    /// What the looks of a sentence count.
    pub(super) fn factor(self, unit: &Unit<'_>) -> f32 {
        let has = |list: &[&str]| {
            let mut words = unit.text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            words.any(|word| list.iter().any(|known| known.eq_ignore_ascii_case(word)))
        };
        let digits = || unit.text.bytes().any(|byte| byte.is_ascii_digit());
        let looks = match self {
            Self::Quantity => digits() || has(NUMBERS),
            Self::Time => has_year(unit.text) || has(CONDITIONS),
            Self::Person => names(unit.text) >= 2,
            Self::Reason => has(REASONS),
            Self::Way => unit.kind == SentenceKind::Code || unit.text.contains('`') || commands(unit.text),
            Self::Consequence => has(CONDITIONS),
            Self::Definition => unit.text.contains(" is ") || unit.text.contains(" are ") || unit.text.contains(':'),
            Self::Choice => names(unit.text) >= 2 || unit.text.contains('`'),
            Self::Deed | Self::Plain => false,
        };
        match (looks, self) {
            (true, _) => GAIN,
            (false, Self::Quantity | Self::Person) => LOSS,
            (false, _) => 1.0,
        }
    }

    /// What it counts when a sentence begins with the subject of the question.
    pub(super) const fn subject_factor(self) -> f32 {
        if matches!(self, Self::Definition | Self::Deed) { 1.3 } else { 1.1 }
    }
}

/// The words of a text, lower-case, with one space between them.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn has_year(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 4
            && (word.starts_with("19") || word.starts_with("20"))
            && word.bytes().all(|b| b.is_ascii_digit())
    })
}

/// How many words within the sentence begin with a capital letter and go on in small ones.
fn names(text: &str) -> usize {
    let capital = |word: &&str| {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase)
    };
    text.split_whitespace().skip(1).filter(capital).count()
}

/// Whether a sentence tells to do something, as far as its first word shows: capital, no subject before the verb.
fn commands(text: &str) -> bool {
    const VERBS: &[&str] = &[
        "add", "buy", "call", "change", "check", "choose", "copy", "give", "install", "keep", "kill", "leave", "let",
        "look", "make", "open", "pull", "put", "raise", "remove", "replace", "run", "set", "start", "stop", "use",
        "wait", "write",
    ];
    let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    VERBS.binary_search(&first.to_lowercase().as_str()).is_ok()
}
