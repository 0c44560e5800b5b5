use super::*;
use proptest::prelude::*;

fn texts(text: &str) -> Vec<&str> {
    sentences(text).into_iter().map(|sentence| sentence.text).collect()
}

#[test]
fn stop_word_lists_are_sorted() {
    for list in [stop_words::ENGLISH, stop_words::GERMAN] {
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        assert_eq!(list, sorted);
    }
}

#[test]
fn abbreviations_decimals_and_initials_do_not_end_sentences() {
    assert_eq!(
        texts("Dr. Smith paid 3.50 dollars, e.g. for tea. J. R. Miller did not! Why? \"Well.\" He left."),
        ["Dr. Smith paid 3.50 dollars, e.g. for tea.", "J. R. Miller did not!", "Why?", "\"Well.\"", "He left."]
    );
    assert_eq!(texts("Am 3. Oktober, z.B. in Bonn. Danach nicht."), ["Am 3. Oktober, z.B. in Bonn.", "Danach nicht."]);
    assert_eq!(texts("See v1.2.3 and main.rs for more. Done"), ["See v1.2.3 and main.rs for more.", "Done"]);
    assert_eq!(texts("Never `call!` without a bound. Why?"), ["Never `call!` without a bound.", "Why?"]);
}

#[test]
fn markdown_blocks_stay_apart_and_know_their_lines() {
    let text = "# Title\nFirst line\ngoes on. Second.\n\n- item one. With more\n  text\n1. numbered\n\n```rust\nlet a. B\n\nend\n```\n| a | b |\n---\nlast";
    let found: Vec<_> = sentences(text).into_iter().map(|s| (s.line, s.kind, s.text)).collect();
    assert_eq!(
        found,
        [
            (1, SentenceKind::Heading, "# Title"),
            (2, SentenceKind::Prose, "First line\ngoes on."),
            (3, SentenceKind::Prose, "Second."),
            (5, SentenceKind::ListItem, "- item one."),
            (5, SentenceKind::ListItem, "With more\n  text"),
            (7, SentenceKind::ListItem, "1. numbered"),
            (9, SentenceKind::Code, "```rust\nlet a. B\n\nend\n```"),
            (14, SentenceKind::TableRow, "| a | b |"),
            (15, SentenceKind::Rule, "---"),
            (16, SentenceKind::Prose, "last"),
        ]
    );
}

#[test]
fn words_meet_at_their_stems() {
    let english = Analyzer::new(Language::English);
    assert_eq!(english.terms("the connected nodes"), english.terms("Connecting a node"));
    assert_ne!(english.terms("nodes"), english.terms("notes"));
    assert_eq!(english.terms("llm_router"), english.terms("LLM Router"));
    let german = Analyzer::for_text("Wie werden die Knoten und der Speicher verbunden?");
    assert_eq!(german.language(), Language::German);
    assert_eq!(german.terms("die Verbindungen"), german.terms("eine Verbindung"));
    assert_eq!(Language::guess("How are the nodes connected?"), Language::English);
}

#[test]
fn the_fitting_text_ranks_first_and_the_unfitting_not_at_all() {
    let analyzer = Analyzer::new(Language::English);
    let mut index = Bm25::new();
    for text in
        ["Apples grow on trees.", "Nodes elect a leader.", "A leader replicates the log to all nodes of the group."]
    {
        index.add(&analyzer.terms(text));
    }
    let hits = index.search(&question_terms(&analyzer, "Who is elected leader?"), 10);
    assert_eq!(hits.iter().map(|hit| hit.index).collect::<Vec<_>>(), [1, 2]);
    assert!(index.search(&question_terms(&analyzer, "quantum chromodynamics"), 10).is_empty());
    assert_eq!(index.len(), 3);
}

#[test]
fn passages_begin_at_headings_and_remember_them() {
    let long = "A sentence that fills the passage with words. ".repeat(40);
    let text = format!("# One\nshort.\n\n# Two\n{long}\n");
    let chunks = chunks(&text);
    assert!(chunks.len() >= 3);
    assert_eq!(&text[chunks[0].range.clone()], "# One\nshort.");
    assert_eq!(chunks[1].line, 4);
    assert_eq!(chunks[1].heading, None);
    assert_eq!(&text[chunks[2].heading.clone().unwrap()], "# Two");
}

proptest! {
    #[test]
    fn any_text_falls_into_sentences_that_hold_all_of_it(text in "(\\PC|\n|[.!?] |# |- |```\n|\\| |ß|。|e\\.g\\. ){0,200}") {
        let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
        let mut end = 0;
        let mut last_line = 1;
        for sentence in sentences(&text) {
            prop_assert!(text[end..sentence.start].trim().is_empty());
            prop_assert_eq!(&text[sentence.range()], sentence.text);
            prop_assert_eq!(sentence.text.trim(), sentence.text);
            prop_assert!(!sentence.text.is_empty());
            let expected = u32::try_from(text[..sentence.start].matches('\n').count()).unwrap() + 1;
            prop_assert_eq!(sentence.line, expected);
            prop_assert!(sentence.line >= last_line && sentence.last_line() <= lines);
            last_line = sentence.line;
            end = sentence.range().end;
        }
        prop_assert!(text[end..].trim().is_empty());
    }

    #[test]
    fn passages_are_in_order_and_within_the_text(text in "(\\PC|\n|[a-z]{1,9} |\\. |# ){0,300}") {
        let mut end = 0;
        for chunk in chunks(&text) {
            prop_assert!(chunk.range.start >= end && chunk.range.end <= text.len());
            prop_assert!(chunk.line <= chunk.last_line);
            end = chunk.range.end;
        }
    }

    #[test]
    fn any_text_has_terms_and_a_ranking(text in "\\PC{0,200}", query in "\\PC{0,50}") {
        for language in [Language::English, Language::German] {
            let analyzer = Analyzer::new(language);
            let terms = analyzer.terms(&text);
            prop_assert_eq!(&terms, &analyzer.terms(&text));
            let mut index = Bm25::new();
            index.add(&terms);
            index.add(&analyzer.terms(&query));
            let asked = question_terms(&analyzer, &query);
            prop_assert_eq!(index.search(&asked, 1).is_empty(), asked.is_empty());
            prop_assert!(asked.iter().all(|asked| asked.counts > 0.0));
            for keyword in analyzer.keywords(&text) {
                prop_assert!(index.weight(keyword.term) > 0.0);
            }
        }
    }
}
