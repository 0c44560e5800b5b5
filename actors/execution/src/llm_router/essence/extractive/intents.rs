//! Calls that do not answer: planning, reviewing, revising, bringing together.

use super::ask::{Ask, Dialogue};
use super::material::Material;
use super::{NOTHING, NOTICE, compose, rank};
use octopussy_core::ports::ChatRequest;
use octopussy_core::text::{Keyword, Term, question_terms, sentences};
use std::collections::HashSet;

/// The most parts of a plan.
const PARTS: usize = 7;
/// The most words that a review misses.
const MISSING: usize = 32;
/// How much of a draft is searched for what it cites, in bytes.
const SEARCHED: usize = 64 * 1024;
/// What a review says that has found nothing.
const FINE: &str = "nothing to improve";
/// Where a sentence with several questions falls apart: before the word that asks.
const JOINTS: &[&str] = &[" and ", ", and ", "; ", " und ", ", und ", " as well as ", " sowie "];
/// Words that begin a question, lower-case.
const ASKING: &[&str] = &[
    "what", "who", "when", "where", "why", "how", "which", "does", "is", "are", "can", "do", "was", "wer", "wann",
    "wo", "warum", "wie", "welche", "welcher", "welches", "worin", "wozu", "weshalb",
];

/// The parts of a question, one a line.
pub(super) fn plan(question: &str) -> String {
    let parts = parts(&Ask::of(question).question);
    if parts.is_empty() { question.trim().to_owned() } else { parts.join("\n") }
}

/// The parts of a question, each on one line. Empty only when there is no word in it.
pub(super) fn parts(question: &str) -> Vec<String> {
    let mut parts: Vec<&str> = Vec::new();
    let mut take = |part| {
        if parts.len() < PARTS && str::chars(part).any(char::is_alphanumeric) {
            parts.push(part);
        }
        // Each further part would be looked for in all the rest.
        parts.len() < PARTS
    };
    'sentences: for sentence in sentences(question) {
        let mut rest = sentence.text;
        while let Some((head, tail)) = split(rest) {
            if !take(head.trim_end_matches([',', ';', ' '])) {
                break 'sentences;
            }
            rest = tail;
        }
        if !take(rest) {
            break;
        }
    }
    parts.into_iter().map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Splits at the first joint behind which another question begins.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = |joint: &&str| {
        text.match_indices(*joint).map(|(at, joint)| (at, at + joint.len())).find(|(_, after)| {
            let word = text[*after..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            ASKING.contains(&word.to_lowercase().as_str())
        })
    };
    let (end, begin) = JOINTS.iter().filter_map(at).min()?;
    Some((&text[..end], &text[begin..]))
}

struct Gap<'a> {
    material: Material<'a>,
    missing: Vec<Keyword>,
}

/// What the question asks for, the material has and the draft lacks.
fn gap<'a>(request: &'a ChatRequest, ask: &Ask<'a>, question: &'a str, draft: &str) -> Gap<'a> {
    let dialogue = Dialogue { question, draft: None, history: &[] };
    let material = Material::of(request, ask, &dialogue);
    let mut there: HashSet<Term> = material.analyzer.terms(draft).into_iter().collect();
    let draft = &draft[..draft.floor_char_boundary(SEARCHED)];
    // What is quoted speaks of what it stands under, too.
    for unit in material.units.iter().filter(|unit| draft.contains(&unit.to_string())) {
        there.extend(unit.heading.iter().flat_map(|heading| &material.headings[*heading]));
    }
    let mut missing = material.analyzer.keywords(&ask.question);
    let telling = question_terms(&material.analyzer, &ask.question);
    let counts = |term: Term| {
        let asked = telling.iter().find(|asked| asked.term == term);
        asked.is_some_and(|asked| asked.counts >= 1.0 && !asked.alike.iter().any(|alike| there.contains(alike)))
    };
    missing.retain(|keyword| {
        counts(keyword.term) && !there.contains(&keyword.term) && material.frequency(keyword.term) > 0
    });
    missing.truncate(MISSING);
    Gap { material, missing }
}

/// Says what the draft lacks and where the material has it.
pub(super) fn review(request: &ChatRequest, question: &str, draft: &str) -> String {
    let ask = Ask::of(question);
    let gap = gap(request, &ask, question, draft);
    let mut points: Vec<String> = gap
        .missing
        .iter()
        .filter_map(|keyword| {
            let quote = rank::for_terms(&gap.material, &[keyword.term], 1).into_iter().next()?;
            let place = quote.place();
            Some(format!("The answer does not speak of '{}', which the question asks for; see {place}.", keyword.word))
        })
        .collect();
    let cited = draft.lines().any(|line| compose::citation(line).is_some());
    if !cited && !gap.material.units.is_empty() && !draft.contains(NOTHING) {
        points.push("The answer cites none of the material.".to_owned());
    }
    if points.is_empty() { FINE.to_owned() } else { points.join("\n") }
}

/// The draft with sentences on what it lacks.
pub(super) fn revise(request: &ChatRequest, question: &str, draft: &str) -> String {
    let ask = Ask::of(question);
    let gap = gap(request, &ask, question, draft);
    let wanted: Vec<Term> = gap.missing.iter().map(|keyword| keyword.term).collect();
    let found = rank::for_terms(&gap.material, &wanted, gap.missing.len().min(4));
    let mut lines = quotes(draft);
    if lines.is_empty() {
        let dialogue = Dialogue { question, draft: None, history: &[] };
        lines = rank::best(request, &ask, &dialogue).iter().map(ToString::to_string).collect();
    }
    for quote in &found {
        add(&mut lines, quote.to_string());
    }
    compose::write_lines(request, &lines)
}

/// All quotes of all parts, each once.
pub(super) fn synthesize(request: &ChatRequest, parts: &str) -> String {
    let mut known = HashSet::new();
    let lines: Vec<String> = quotes(parts).into_iter().filter(|line| known.insert(line.clone())).collect();
    compose::write_lines(request, &lines)
}

fn add(lines: &mut Vec<String>, line: String) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}

/// The lines of an earlier answer, without what was written around them. An answer in JSON is taken apart.
fn quotes(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        let json: Option<serde_json::Value> =
            if line.starts_with('{') { serde_json::from_str(line).ok() } else { None };
        match json.as_ref().and_then(|value| value.get("answer")).and_then(serde_json::Value::as_str) {
            Some(answer) => lines.extend(quotes(answer)),
            None if line.is_empty() || line == NOTICE || line == NOTHING => {}
            None => lines.push(line.strip_prefix("- ").unwrap_or(line).to_owned()),
        }
    }
    lines
}
