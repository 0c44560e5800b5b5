use super::*;
use octopussy_core::ports::PromptError;
use octopussy_core::text::DocumentIndex;
use proptest::prelude::*;
use std::sync::Arc;

fn rendered(text: &str, input: &str) -> String {
    let mut values = Values::default();
    values.set(Variable::Input, input);
    Template::parse("t", text).unwrap().render(&values)
}

#[test]
fn variables_and_conditions_render() {
    assert_eq!(rendered("a {{ input }} {{#if input}}yes{{#if goal}} no{{/if}}{{/if}}", "b"), "a b yes");
    assert_eq!(rendered("{{#if input}}yes{{/if}}-", ""), "-");
    assert_eq!(rendered("{{input}}", "{{goal}}"), "{{goal}}", "values are not templates");
}

#[test]
fn errors_name_the_line() {
    let line = |text: &str| match Template::parse("t", text).unwrap_err() {
        PromptError::Syntax { line, .. } | PromptError::UnknownVariable { line, .. } => line,
        PromptError::Unknown(name) => panic!("{name}"),
    };
    assert_eq!(line("a\n{{nonsense}}"), 2);
    assert_eq!(line("a\n\n{{input"), 3);
    assert_eq!(line("\n{{#if input}}\n\n"), 2);
    assert_eq!(line("{{/if}}"), 1);
    assert_eq!(line("{{#each input}}"), 1);
    assert!(matches!(Library::new([("other", "")]), Err(PromptError::Unknown(_))));
}

#[test]
fn shipped_templates_parse() {
    Library::new([]).unwrap();
}

#[test]
fn documents_are_searched_and_cited_by_line() {
    let text: Arc<str> = "# Fruit\nApples grow on trees.\n\n# Nodes\nA leader replicates the log.\n".into();
    let documents = vec![("a.md".to_owned(), text)];
    let index = DocumentIndex::new(&documents);
    let found = index.search("Who replicates logs?", 5);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].source.as_str(), found[0].line), ("a.md", 4));
    assert_eq!(index.search("summarize please", 1)[0].line, 1);
    let copy = vec![("a.md".to_owned(), Arc::from(&*documents[0].1))];
    assert!(index.is_of(&documents) && index.is_of(&copy));
    assert!(!index.is_of(&[("b.md".to_owned(), documents[0].1.clone())]));
}

proptest! {
    #[test]
    fn any_text_parses_or_names_a_line_within_it(text in "(\\PC|\n|\\{\\{|\\}\\}|#if input|/if|input){0,60}") {
        match Template::parse("t", &text) {
            Ok(template) => drop(template.render(&Values::default())),
            Err(PromptError::Syntax { line, .. } | PromptError::UnknownVariable { line, .. }) => {
                prop_assert!(line as usize <= text.matches('\n').count() + 1);
            }
            Err(PromptError::Unknown(name)) => prop_assert!(false, "{}", name),
        }
    }
}
