//! Codes are stable and distinct.

use super::{Code, Finding, Problem};
use std::collections::BTreeSet;

#[test]
fn codes_are_distinct_and_found_by_their_number() {
    let numbers: BTreeSet<u16> = Code::ALL.iter().map(|code| code.number()).collect();
    assert_eq!(numbers.len(), Code::ALL.len(), "two codes share a number");
    for code in Code::ALL {
        assert_eq!(Code::from_number(code.number()), Some(*code));
        assert_eq!(code.to_string(), format!("OCTO-{}", code.number()));
        assert!((1000..2000).contains(&code.number()), "{code} is outside the documented range");
        assert!((400..600).contains(&code.status()), "{code} is not an error to HTTP");
    }
    let titles: BTreeSet<_> = Code::ALL.iter().map(|code| code.title()).collect();
    assert_eq!(titles.len(), Code::ALL.len(), "two codes share a title");
    assert_eq!(Code::from_number(999), None);
}

#[test]
fn a_finding_names_file_line_and_way_out() {
    let finding = |line, hint: Option<&str>| Finding {
        file: "agent.yaml".into(),
        line,
        message: "unknown key 'nmae'".into(),
        hint: hint.map(str::to_owned),
    };
    assert_eq!(finding(Some(3), Some("name")).to_string(), "agent.yaml:3: unknown key 'nmae' (name)");
    assert_eq!(finding(None, None).to_string(), "agent.yaml: unknown key 'nmae'");
}

#[test]
fn a_problem_shows_its_code_and_detail() {
    let problem = Problem::new(Code::MailboxFull, "agent a is full").hint("wait");
    assert_eq!(problem.to_string(), "OCTO-1203: agent a is full");
}
