use super::*;
use octopussy_core::ports::{ChatTurn, Passage, Role};
use proptest::prelude::*;
use std::time::Duration;

const RAFT: &str = "# Raft\nA leader replicates the log to its followers. An entry is committed once a majority has stored it.\n\n# Elections\nA follower that hears nothing becomes a candidate. Candidates ask for votes.\nRandom timeouts keep elections apart.\n\n# Lunch\nOn Fridays there is soup.\n";

pub(super) fn request(intent: Intent, turns: &[(Role, &str)]) -> ChatRequest {
    ChatRequest {
        model: None,
        system: String::new(),
        passages: vec![Passage { source: "raft.md".into(), line: 10, text: RAFT.into(), suspicious: false }],
        earlier: Vec::new(),
        constraints: Vec::new(),
        turns: turns.iter().map(|(role, text)| ChatTurn { role: *role, text: (*text).into() }).collect(),
        intent,
        temperature: 0.0,
        max_tokens: 1000,
        json: false,
        timeout: Duration::from_secs(1),
        key: None,
        trace: None,
    }
}

fn ask(question: &str) -> String {
    answer(&request(Intent::Answer, &[(Role::User, question)]))
}

#[test]
fn what_fits_is_quoted_with_its_line() {
    let text = ask("When is an entry committed?");
    assert!(text.starts_with(NOTICE), "{text}");
    assert!(text.contains("An entry is committed once a majority has stored it. [raft.md:11]"), "{text}");
    assert!(!text.contains("soup"), "{text}");
}

#[test]
fn nothing_is_invented() {
    assert_eq!(ask("What is the airspeed of an unladen swallow in winter?"), NOTHING);
    let mut empty = request(Intent::Answer, &[(Role::User, "Who leads?")]);
    empty.passages.clear();
    assert_eq!(answer(&empty), NOTHING);
}

#[test]
fn a_summary_needs_no_common_words() {
    let text = ask("Please summarize this document.");
    assert!(text.contains("A leader replicates the log to its followers. [raft.md:11]"), "{text}");
}

#[test]
fn json_is_json_with_citations() {
    let mut request = request(Intent::Answer, &[(Role::User, "What becomes a candidate?")]);
    request.json = true;
    let value: serde_json::Value = serde_json::from_str(&answer(&request)).unwrap();
    assert!(value["answer"].as_str().unwrap().contains("becomes a candidate"));
    assert!(value["citations"].as_array().unwrap().contains(&"raft.md:14".into()));
}

#[test]
fn a_question_is_planned_in_parts() {
    let plan = answer(&request(
        Intent::Plan,
        &[(Role::User, "When is an entry committed, and how are elections kept apart? Is there soup?")],
    ));
    assert_eq!(plan, "When is an entry committed\nhow are elections kept apart?\nIs there soup?");
}

#[test]
fn a_review_finds_what_a_revision_adds() {
    let question = "When is an entry committed and what keeps elections apart?";
    let draft = "- An entry is committed once a majority has stored it. [raft.md:11]";
    let turns = [(Role::User, question), (Role::Assistant, draft), (Role::User, "Review the answer above.")];
    let found = answer(&request(Intent::Review, &turns));
    assert!(found.contains("'elections'") && found.contains("[raft.md:15]"), "{found}");
    let turns = [(Role::User, question), (Role::Assistant, draft), (Role::User, found.as_str())];
    let revised = answer(&request(Intent::Revise, &turns));
    assert!(
        revised.contains(draft) && revised.contains("Random timeouts keep elections apart. [raft.md:15]"),
        "{revised}"
    );
    let turns = [(Role::User, question), (Role::Assistant, revised.as_str()), (Role::User, "Review the answer above.")];
    assert_eq!(answer(&request(Intent::Review, &turns)), "nothing to improve");
}

#[test]
fn a_synthesis_says_everything_once() {
    let part = ask("When is an entry committed?");
    let parts = format!("{part}\n\n{NOTHING}\n\n{part}");
    let turns = [(Role::User, "q"), (Role::Assistant, parts.as_str()), (Role::User, "Bring together.")];
    assert_eq!(answer(&request(Intent::Synthesize, &turns)), part);
}

#[test]
fn the_tasks_own_text_is_material() {
    let text = format!(
        "What colour is the boat?\n\n{}The boat is painted green.\n{}",
        "Filler says nothing much. ".repeat(6),
        "Other words follow here. ".repeat(6)
    );
    let mut request = request(Intent::Answer, &[(Role::User, &text)]);
    request.passages.clear();
    let text = answer(&request);
    assert!(text.contains("The boat is painted green. [task:3]") || text.contains("[task:4]"), "{text}");
}

proptest! {
    #[test]
    fn every_quote_stands_in_the_material_at_its_line(question in "(\\PC|leader|log |election |summary |[?.] ){0,40}", json: bool, which in 0usize..5) {
        let intent = [Intent::Answer, Intent::Plan, Intent::Review, Intent::Revise, Intent::Synthesize][which];
        let mut request = request(intent, &[(Role::User, &question)]);
        request.json = json;
        let text = answer(&request);
        prop_assert_eq!(&text, &answer(&request));
        prop_assert_eq!(pieces(&text).collect::<String>(), text.clone());
        if intent == Intent::Answer && !json && text != NOTHING {
            for line in text.lines().skip(2) {
                let quote = line.strip_prefix("- ").unwrap();
                // A long question brings sentences of its own, cited as the task's.
                let Some(at) = quote.rfind(" [raft.md:") else {
                    prop_assert!(quote.contains(" [task:"), "{}", quote);
                    continue;
                };
                let number: usize = quote[at + 10..quote.len() - 1].parse().unwrap();
                let first = quote.split_whitespace().next().unwrap();
                prop_assert!(RAFT.lines().nth(number - 10).unwrap().contains(first), "{}", line);
            }
        }
    }
}

/// For looking at answers with one's own eyes: `ASK_FILE=doc.md ASK="question" cargo test … look -- --ignored --nocapture`.
#[test]
#[ignore = "prints what it is asked for; checks nothing by itself"]
fn look() {
    let (Ok(file), Ok(questions)) = (std::env::var("ASK_FILE"), std::env::var("ASK")) else { return };
    let text: std::sync::Arc<str> = std::fs::read_to_string(&file).unwrap().into();
    let name = file.rsplit('/').next().unwrap().to_owned();
    let index = octopussy_core::text::DocumentIndex::new(&[(name, text)]);
    for question in questions.split('|') {
        let mut request = request(Intent::Answer, &[(Role::User, question)]);
        request.passages = index.search(question, 5);
        let began = std::time::Instant::now();
        let answer = answer(&request);
        println!("\n== {question} ({:?})\n{answer}", began.elapsed());
    }
}

/// The same for the other intents: `ASK_FILE=doc.md ASK="question|…" cargo test … intents -- --ignored --nocapture`.
#[test]
#[ignore = "prints what it is asked for; checks nothing by itself"]
fn look_at_intents() {
    let (Ok(file), Ok(questions)) = (std::env::var("ASK_FILE"), std::env::var("ASK")) else { return };
    let text: std::sync::Arc<str> = std::fs::read_to_string(&file).unwrap().into();
    let index = octopussy_core::text::DocumentIndex::new(&[("doc.md".to_owned(), text)]);
    for question in questions.split('|') {
        let run = |intent, turns: &[(Role, &str)]| {
            let mut request = request(intent, turns);
            request.passages = index.search(question, 5);
            answer(&request)
        };
        let plan = run(Intent::Plan, &[(Role::User, question)]);
        let parts: Vec<String> = plan.lines().map(|part| run(Intent::Answer, &[(Role::User, part)])).collect();
        let parts = parts.join("\n\n");
        let asked = (Role::User, question);
        let synthesis = run(Intent::Synthesize, &[asked, (Role::Assistant, &parts), (Role::User, "Bring together.")]);
        let draft = run(Intent::Answer, &[asked]);
        let review = run(Intent::Review, &[asked, (Role::Assistant, &draft), (Role::User, "Review.")]);
        let revised = run(Intent::Revise, &[asked, (Role::Assistant, &draft), (Role::User, &review)]);
        println!(
            "\n== {question}\n-- plan\n{plan}\n-- synthesis\n{synthesis}\n-- draft\n{draft}\n-- review\n{review}\n-- revised\n{revised}"
        );
    }
}

#[test]
fn work_grows_with_the_question_and_not_with_its_square() {
    let shortest = |question: String| {
        let once = || {
            let started = std::time::Instant::now();
            ask(&question);
            started.elapsed()
        };
        [once(), once(), once()].into_iter().min().unwrap()
    };
    for (what, part) in [("parts", "and what is raft "), ("words", "w"), ("questions", "What is this? ")] {
        let question = |count: usize| (0..count).map(|n| format!("{part}{n} ")).collect::<String>() + "?";
        let (small, large) = (shortest(question(1_000)), shortest(question(8_000)));
        assert!(large < 30 * small.max(Duration::from_micros(200)), "{what}: {small:?}, eight times as much {large:?}");
    }
}
