//! Directories that are fine, and everything that can be wrong with one.

use super::shape::{Field, ROOT, Shape};
use super::{AgentYaml, MAX_FINDINGS, bundle, dormant_settings, not_run_yet, schema, validate, without_marks};
use octopussy_core::agent::{AgentType, OutputFormat, Pattern, Strategy};
use octopussy_core::ports::{AgentBundle, BundleFile};
use octopussy_core::problem::Finding;
use proptest::prelude::*;
use serde_json::Value;
use std::time::{Duration, Instant};

fn bundle_of(files: &[(&str, &str)]) -> AgentBundle {
    let file = |(path, text): &(&str, &str)| BundleFile { path: (*path).to_owned(), text: (*text).to_owned() };
    AgentBundle { files: files.iter().map(file).collect() }
}

fn with_yaml(yaml: &str) -> AgentBundle {
    bundle_of(&[("agent.yaml", yaml), ("persona.md", "A clerk."), ("goal.md", "Answers."), ("permissions.md", "None.")])
}

fn findings(yaml: &str) -> Vec<Finding> {
    validate(&with_yaml(yaml)).expect_err("the directory has errors")
}

fn one(yaml: &str) -> Finding {
    let mut all = findings(yaml);
    assert_eq!(all.len(), 1, "exactly one finding: {all:?}");
    all.remove(0)
}

#[test]
fn a_full_directory_is_read() {
    let yaml = "name: clerk_1\ndescription: Answers letters\ntype: stateful_loop\nexecution: SOLO\nintelligence:\n  provider: ollama\n  \
                strategy: quality\n  temperature: 1\n  fallback: {provider: openai}\noutput: json\nreasoning: {pattern: reflection}\n\
                tags: [letters, 'post']\nbudget:\n  cost_per_day: 2.5\n";
    let mut files = with_yaml(yaml);
    files.files.extend(
        bundle_of(&[
            ("memory.md", "The office opens at 8.\n- document: ./docs/a.md\nSee [rules](docs/b.md#top) and [web](https://x.org).\n"),
            ("docs/a.md", "A"),
            ("docs/b.md", "B"),
        ])
        .files,
    );
    let read = validate(&files).expect("valid");
    assert_eq!(read.documents, ["docs/a.md", "docs/b.md"]);
    assert_eq!(read.spec.agent_type, AgentType::StatefulLoop);
    assert_eq!(read.spec.intelligence.strategy, Strategy::Quality);
    assert_eq!(read.spec.output_format, OutputFormat::Json);
    assert_eq!(read.spec.reasoning.pattern, Pattern::Reflection);
    assert_eq!(read.spec.budget.cost_per_day, Some(2.5));
    assert_eq!(read.spec.budget.tokens_per_hour, 10_000);
    assert!(read.spec.background.starts_with("The office opens at 8."));
    assert!(!read.spec.background.contains("document:"));
}

#[test]
fn texts_that_are_too_long_together_are_refused_by_the_name_of_the_longest() {
    let with_persona = |bytes: usize| {
        let mut files = with_yaml("name: clerk\n");
        files.files[1].text = "x".repeat(bytes);
        let others: usize = files.files.iter().map(|file| file.text.len()).sum::<usize>() - bytes;
        (files, others)
    };
    let (_, others) = with_persona(0);
    assert!(validate(&with_persona(bundle::MAX_TEXTS_BYTES - others).0).is_ok());
    for bytes in [bundle::MAX_TEXTS_BYTES - others + 1, 5_000_000] {
        let findings = validate(&with_persona(bytes).0).expect_err("too long");
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!(finding.file, "persona.md");
        assert!(finding.message.contains("may have 262144 bytes together"), "{finding}");
        assert!(finding.hint.as_deref().is_some_and(|hint| hint.contains("memory.md")), "{finding}");
    }
}

#[test]
fn every_finding_is_reported_at_once_with_its_line() {
    let yaml = "name: Clerk One\ninteligence:\n  provider: x\ntype: STATEFUL_LOP\nintelligence:\n  temperature: 3\n  max_token: 5\nrag: {top_k: many}\n";
    let mut files = with_yaml(yaml);
    files.files.retain(|file| file.path != "goal.md");
    files
        .files
        .extend(bundle_of(&[("memory.md", "x\n- document: gone.md\n[a](../out.md)\n- document: /etc/passwd\n")]).files);
    let found = validate(&files).expect_err("errors");
    let at: Vec<_> = found.iter().map(|finding| (finding.file.as_str(), finding.line)).collect();
    assert_eq!(
        at,
        [
            ("agent.yaml", Some(1)),
            ("agent.yaml", Some(2)),
            ("agent.yaml", Some(4)),
            ("agent.yaml", Some(6)),
            ("agent.yaml", Some(7)),
            ("agent.yaml", Some(8)),
            ("goal.md", None),
            ("memory.md", Some(2)),
            ("memory.md", Some(3)),
            ("memory.md", Some(4)),
        ],
        "{found:#?}"
    );
    let hint = |index: usize| found[index].hint.clone().unwrap_or_default();
    assert!(hint(0).contains("clerk-one"));
    assert!(hint(1).contains("did you mean 'intelligence'?"));
    assert!(hint(2).contains("did you mean 'STATEFUL_LOOP'?"));
    assert!(hint(4).contains("did you mean 'max_tokens'?"));
}

#[test]
fn types_and_ranges_are_checked_at_any_depth() {
    assert!(one("name: 12\n").message.contains("must be text"));
    assert!(one("name: a\nsandbox: {cores: 0.01}\n").message.contains("from 0.05"));
    assert!(one("name: a\nsandbox:\n  network: maybe\n").message.contains("true or false"));
    assert!(one("name: a\ntags: one\n").message.contains("a list"));
    assert!(one("name: a\ntags:\n  - x\n  - [y]\n").message.contains("tags[1]"));
    assert_eq!(one("name: a\nmcp_servers:\n  - id: x\n").message, "'mcp_servers[0].url' is missing");
    assert!(one("name: a\nintelligence: 7\n").message.contains("a mapping of keys"));
    assert!(one("name: a\nreasoning: {pattern: reflection, max_iterations: 2}\n").message.contains("3 model calls"));
    assert_eq!(one("description: x\n").message, "'name' is missing");
    assert_eq!(one("- a\n- b\n").message, "the file must be a mapping of keys, found a list");
}

#[test]
fn duplicate_keys_and_broken_yaml_have_lines() {
    let twice = one("name: a\ntags: []\nname: b\n");
    assert_eq!((twice.line, twice.message.as_str()), (Some(3), "the key 'name' is here twice, first on line 1"));
    let broken = one("name: a\n  tags: [\n");
    assert!(broken.line.is_some() && broken.message.starts_with("this is not YAML"), "{broken:?}");
    assert!(one("name: a\nrag: &x {top_k: 2}\ngraph_rag: *x\n").message.contains("aliases"));
    assert_eq!(one("name: a\n---\nname: b\n").line, Some(3));
    assert!(one("# only a comment\n").message.contains("nothing but comments"));
    let deep = format!("name: {}{}\n", "[".repeat(50), "]".repeat(50));
    assert!(one(&deep).message.contains("too deeply"));
}

#[test]
fn numbers_as_people_write_them_come_back_as_yaml_takes_them() {
    for (line, hint) in [
        ("budget: {tokens_per_hour: 10_000}", "write 10000"),
        ("budget: {tokens_per_hour: '10,000'}", "write 10000"),
        ("budget: {tokens_per_hour: 10k}", "write 10000"),
        ("intelligence: {max_tokens: 4096.0}", "write 4096"),
        ("intelligence: {temperature: '0,7'}", "write 0.7"),
    ] {
        assert_eq!(one(&format!("name: a\n{line}\n")).hint.as_deref(), Some(hint), "{line}");
    }
    let star = one("name: a\ntype: SCHEDULED_TASK_DAEMON\nscheduler:\n  cron: */5 * * * *\n");
    assert!(star.hint.as_deref().is_some_and(|hint| hint.contains("in quotes")), "{star:?}");
    let zone = "name: a\ntype: SCHEDULED_TASK_DAEMON\nscheduler: {cron: '0 7 * * *', timezone: GMT+2}\n";
    let hint = one(zone).hint.unwrap();
    assert!(!hint.contains("did you mean") && hint.contains("Etc/GMT-2"), "{hint}");
}

#[test]
fn schedules_are_checked_field_by_field() {
    let cron = |cron: &str| one(&format!("name: a\ntype: SCHEDULED_TASK_DAEMON\nscheduler:\n  cron: '{cron}'\n"));
    let hour = cron("0 25 * * *");
    assert_eq!(hour.line, Some(4));
    assert!(hour.message.contains("'25' (field 2, hour)"), "{hour:?}");
    assert!(cron("0 0 99 * *").message.contains("field 3, day of month"));
    assert!(cron("1 2 3").message.contains("has 3 fields"));
    let zone = one("name: a\ntype: SCHEDULED_TASK_DAEMON\nscheduler: {cron: '0 7 * * *', timezone: Europe/Berln}\n");
    assert!(zone.hint.is_some_and(|hint| hint.contains("Europe/Berlin")));
    assert!(one("name: a\ntype: SCHEDULED_TASK_DAEMON\n").message.contains("needs 'scheduler'"));
    let fine = "name: a\ntype: SCHEDULED_TASK_DAEMON\nscheduler: {cron: '0 7 * * Mon-Fri', timezone: Europe/Berlin}\n";
    let spec = validate(&with_yaml(fine)).expect("valid").spec;
    assert!(not_run_yet(&spec).is_some_and(|problem| problem.detail.contains("schedules are not run")));
    assert_eq!(dormant_settings(&spec), ["scheduler"]);
}

#[test]
fn sizes_and_paths_are_bounded() {
    let mut files = with_yaml("name: a\n");
    files.files.push(BundleFile { path: "docs/big.md".to_owned(), text: "x".repeat(bundle::MAX_FILE_BYTES + 1) });
    files.files.push(BundleFile { path: "../evil.md".to_owned(), text: String::new() });
    files.files.push(BundleFile { path: "goal.md".to_owned(), text: "again".to_owned() });
    let found = validate(&files).expect_err("errors");
    assert_eq!(found.len(), 3, "{found:#?}");
    for path in ["/a", "a/../b", "..", "", "a//b", "C:x", "a\\b", "./a"] {
        assert!(!bundle::is_inside(path), "{path}");
    }
    assert!(bundle::is_inside("docs/a b.md"));
    assert!(!bundle::is_inside(&"a".repeat(bundle::MAX_PATH_BYTES + 1)));
    assert!(!bundle::is_inside("docs/a\u{1b}[35mb.md"));
    for hidden in [".env", "./.env", ".git/config", "docs/.secret/a.md"] {
        assert!(bundle::is_hidden(hidden), "{hidden}");
    }
    assert!(!bundle::is_hidden("docs/a.b.md") && !bundle::is_hidden("./a.md"));
}

#[test]
fn memory_names_its_documents() {
    let memory = "intro\n- document: a.md\n* document: `b/c.md`\n![image](pic.png) [x](d.md 'title') [mail](mailto:a@b.c)\n\
                  [head](#top)\n```\n- document: not.md\n```\n- document: a.md\n";
    let named = bundle::referenced_documents(memory);
    assert_eq!(named, [(2, "a.md".to_owned()), (3, "b/c.md".to_owned()), (4, "d.md".to_owned())]);
}

/// The shape and the type cannot drift apart: both have the same keys, at every depth.
#[test]
fn the_shape_is_the_schema() {
    let schema = schema();
    let mut compared = 0;
    compare(&schema, &schema, ROOT, &mut compared);
    assert!(compared > 40, "only {compared} keys were compared");
}

fn compare(root: &Value, at: &Value, fields: &[Field], compared: &mut usize) {
    let at = resolve(root, at);
    let properties = at["properties"].as_object().expect("an object schema");
    let mut keys: Vec<_> = properties.keys().map(String::as_str).collect();
    let mut known: Vec<_> = fields.iter().map(|field| field.key).collect();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known);
    for field in fields {
        *compared += 1;
        match field.shape {
            Shape::Map(inner) => compare(root, &properties[field.key], inner, compared),
            Shape::List(Shape::Map(inner)) => {
                compare(root, &resolve(root, &properties[field.key])["items"], inner, compared);
            }
            Shape::OneOf(words) => {
                let text = resolve(root, &properties[field.key]).to_string();
                assert!(words.iter().all(|word| text.contains(&format!("\"{word}\""))), "{}: {text}", field.key);
            }
            Shape::Text(_)
            | Shape::Bool
            | Shape::Integer(..)
            | Shape::Number(..)
            | Shape::List(_)
            | Shape::Name
            | Shape::Cron
            | Shape::TimeZone => {}
        }
    }
}

fn resolve<'a>(root: &'a Value, at: &'a Value) -> &'a Value {
    let reference = at["$ref"].as_str().or_else(|| at["anyOf"].as_array().and_then(|any| any[0]["$ref"].as_str()));
    match reference {
        Some(path) => root.pointer(path.trim_start_matches('#')).expect("a definition"),
        None => at,
    }
}

/// The committed schema is the generated one. `OCTOPUSSY_UPDATE_SCHEMA=1` writes it.
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/agents/agent.schema.json");
    let current = schema();
    if std::env::var_os("OCTOPUSSY_UPDATE_SCHEMA").is_some() {
        let text = format!("{}\n", serde_json::to_string_pretty(&current).expect("JSON"));
        std::fs::write(path, text).expect("the schema is written");
    }
    // Compared as values: the order of keys depends on what else is built with serde_json.
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the schema")).expect("JSON");
    assert_eq!(committed, current, "run this test with OCTOPUSSY_UPDATE_SCHEMA=1 and commit {path}");
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(yaml in "\\PC{0,200}", memory in "\\PC{0,200}") {
        let mut files = with_yaml(&yaml);
        files.files.push(BundleFile { path: "memory.md".to_owned(), text: memory });
        let _ = validate(&files);
    }

    #[test]
    fn lines_of_yaml_never_panic(lines in prop::collection::vec("[ ]{0,4}[a-z]{0,8}[:\\-\\[\\]{}&*'\"|># ]{0,3}[a-z0-9]{0,4}", 0..12)) {
        let _ = validate(&with_yaml(&lines.join("\n")));
    }

    /// What the walk lets through, the type takes: there is never a finding from the type alone.
    #[test]
    fn what_the_walk_accepts_the_type_reads(temperature in 0.0_f64..2.0, tokens in 1_i64..4_000_000_000, cores in 0.05_f64..1024.0) {
        let yaml = format!("name: a\nintelligence: {{temperature: {temperature}, max_tokens: {tokens}}}\nsandbox: {{cores: {cores}}}\n");
        let read = validate(&with_yaml(&yaml));
        prop_assert!(read.is_ok(), "{read:?}");
    }
}

#[test]
fn the_type_reads_its_own_defaults() {
    let settings: AgentYaml = serde_json::from_str(r#"{"name": "a"}"#).expect("defaults");
    assert_eq!(settings.reasoning.max_iterations, 10);
}

/// The shortest of three runs, so that a busy machine does not count.
fn shortest(run: impl Fn()) -> Duration {
    let once = || {
        let started = Instant::now();
        run();
        started.elapsed()
    };
    [once(), once(), once()].into_iter().min().expect("three runs")
}

/// Eight times the input takes about eight times as long; sixty-four times would be a loop within a loop.
fn grows_with_its_input(what: &str, size: usize, make: impl Fn(usize) -> AgentBundle) {
    let (small, large) = (make(size), make(8 * size));
    let run = |bundle: &AgentBundle| shortest(|| drop(validate(bundle)));
    let (small, large) = (run(&small), run(&large));
    assert!(large < 30 * small.max(Duration::from_micros(200)), "{what}: {small:?}, eight times as much {large:?}");
}

#[test]
fn the_check_takes_no_longer_than_its_input_grows() {
    grows_with_its_input("documents that are named", 10_000, |count| {
        let mut files = with_yaml("name: a\n");
        let memory = (0..count).map(|n| format!("- document: {n:06}.md\n")).collect::<String>();
        files.files.extend(bundle_of(&[("memory.md", &memory)]).files);
        files
    });
    grows_with_its_input("links on one line", 10_000, |count| {
        let mut files = with_yaml("name: a\n");
        let memory = (0..count).map(|n| format!("[x]({n})")).collect::<String>();
        files.files.extend(bundle_of(&[("memory.md", &memory)]).files);
        files
    });
    grows_with_its_input("keys", 900, |count| with_yaml(&(0..count).map(|n| format!("k{n}: 1\n")).collect::<String>()));
    grows_with_its_input("a long word", 7_000, |count| {
        with_yaml(&format!("name: a\nexecution: {}\n", "k".repeat(count)))
    });
}

#[test]
fn what_is_too_much_is_one_finding_that_names_the_limit() {
    let mut files = with_yaml("name: a\n");
    files.files.extend((0..400_000).map(|n| BundleFile { path: format!("{n:07x}"), text: String::new() }));
    let found = validate(&files).expect_err("too many files");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.contains("the limit is 256"), "{found:?}");

    let long = one(&format!("name: a\n#{}\n", "x".repeat(bundle::MAX_SETTINGS_BYTES)));
    assert!(long.message.contains("the limit is 65536"), "{long:?}");
}

#[test]
fn a_mark_in_front_of_a_text_is_no_part_of_it() {
    let mut files = with_yaml("\u{feff}name: a\n");
    files.files.extend(bundle_of(&[("memory.md", "\u{feff}- document: a.md\nFacts."), ("a.md", "\u{feff}A")]).files);
    let read = without_marks(files);
    assert!(read.files.iter().all(|file| !file.text.contains('\u{feff}')));
    let blueprint = validate(&read).expect("valid");
    assert_eq!(blueprint.documents, ["a.md"]);
    assert_eq!(blueprint.spec.background, "Facts.");
}

#[test]
fn findings_are_bounded_in_number_and_in_length() {
    let found = findings(&(0..2000).map(|n| format!("k{n}: 1\n")).collect::<String>());
    assert_eq!(found.len(), MAX_FINDINGS + 1);
    assert_eq!(found[MAX_FINDINGS].message, "1901 more findings are left out");
    let long = findings(&format!("name: {}\n", "N".repeat(60_000)));
    assert!(long.iter().all(|finding| finding.message.len() < 2000), "{long:?}");
}
