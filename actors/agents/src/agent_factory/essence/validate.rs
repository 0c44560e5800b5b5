//! The whole check of a directory: every finding at once, or the agent's specification.

use super::AgentYaml;
use super::bundle::{
    self, MAX_BUNDLE_BYTES, MAX_FILE_BYTES, MAX_FILES, MAX_SETTINGS_BYTES, MAX_TEXTS_BYTES, MEMORY_FILE, REQUIRED_FILES,
};
use super::findings::Findings;
use super::shape::ROOT;
use super::walk::Walk;
use super::yaml;
use octopussy_core::agent::{AgentSpec, AgentType, Pattern};
use octopussy_core::ports::AgentBundle;
use octopussy_core::problem::{Code, Finding, Problem};
use std::collections::HashSet;

/// What a valid directory says.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// The agent.
    pub spec: AgentSpec,
    /// The paths of its documents in the bundle, in the order `memory.md` names them.
    pub documents: Vec<String>,
}

/// Checks a directory, in time that grows with its size and not faster.
///
/// # Errors
/// What is wrong with it, by file and line: everything, or the first [`MAX_FINDINGS`](super::MAX_FINDINGS) and how many
/// more there are.
pub fn validate(bundle: &AgentBundle) -> Result<Blueprint, Vec<Finding>> {
    let mut findings = Findings::default();
    if bundle.files.len() > MAX_FILES {
        let message = format!("the directory has {} files, the limit is {MAX_FILES}", bundle.files.len());
        findings.push(whole(".", message, "put several documents into one file, or send them with the tasks"));
        return Err(findings.sorted(file_rank));
    }
    check_files(bundle, &mut findings);
    check_texts(bundle, &mut findings);
    let settings = settings(bundle, &mut findings);
    let documents = documents(bundle, &mut findings);
    match settings {
        Some(settings) if findings.is_empty() => Ok(Blueprint {
            spec: spec_of(settings, bundle),
            documents: documents.into_iter().map(|(_, path)| path).collect(),
        }),
        Some(_) | None => Err(findings.sorted(file_rank)),
    }
}

/// Why this version does not create such an agent, although its directory is valid.
#[must_use]
pub fn not_run_yet(spec: &AgentSpec) -> Option<Problem> {
    let why = match spec.agent_type {
        AgentType::StatelessOneShot | AgentType::StatefulLoop => return None,
        AgentType::ScheduledTaskDaemon => "schedules are not run by this version",
        AgentType::UserDefined => "agent classes from plugins are not loaded by this version",
    };
    let detail = format!("agent '{}' is valid but cannot be created: {why}", spec.name);
    Some(Problem::new(Code::Unprocessable, detail).hint("use the type STATELESS_ONE_SHOT or STATEFUL_LOOP"))
}

/// Settings of a valid agent that have no effect in this version, by key.
#[must_use]
pub fn dormant_settings(spec: &AgentSpec) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut note = |set: bool, key: &'static str| {
        if set {
            found.push(key);
        }
    };
    note(spec.critique.enabled, "critique");
    note(!spec.mcp_servers.is_empty(), "mcp_servers");
    note(!spec.permissions.allowed_tools.is_empty(), "permissions.allowed_tools");
    note(spec.intelligence.vlm, "intelligence.vlm");
    note(spec.schedule.is_some(), "scheduler");
    found
}

fn file_rank(file: &str) -> usize {
    REQUIRED_FILES.iter().position(|known| *known == file).unwrap_or(REQUIRED_FILES.len())
}

fn whole(file: &str, message: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { file: file.to_owned(), line: None, message: message.into(), hint: Some(hint.into()) }
}

fn check_files(bundle: &AgentBundle, findings: &mut Findings) {
    for required in REQUIRED_FILES {
        match bundle.file(required) {
            None => findings.push(whole(required, "the file is missing", missing_hint(required))),
            Some(file) if file.text.trim().is_empty() => {
                findings.push(whole(required, "the file is empty", missing_hint(required)));
            }
            Some(_) => {}
        }
    }
    let mut total = 0;
    let mut paths = HashSet::with_capacity(bundle.files.len());
    for file in &bundle.files {
        total += file.text.len();
        if !bundle::is_inside(&file.path) {
            let hint =
                "paths are relative to the agent's directory, with '/', do not leave it, and have at most 255 bytes";
            findings.push(whole(&file.path, "the path is not allowed", hint));
        }
        if file.text.len() > MAX_FILE_BYTES {
            let message = format!("the file has {} bytes, the limit is {MAX_FILE_BYTES}", file.text.len());
            findings.push(whole(&file.path, message, "split it into several documents"));
        }
        if !paths.insert(file.path.as_str()) {
            findings.push(whole(&file.path, "the file is in the bundle twice", "send it once"));
        }
    }
    if total > MAX_BUNDLE_BYTES {
        let message = format!("the directory has {total} bytes, the limit is {MAX_BUNDLE_BYTES}");
        findings.push(whole(".", message, "send large documents with the tasks that need them"));
    }
}

/// The files that are no documents must not be too long together; the longest of them is named.
fn check_texts(bundle: &AgentBundle, findings: &mut Findings) {
    let texts = REQUIRED_FILES.into_iter().chain([MEMORY_FILE]);
    let lengths: Vec<_> = texts.filter_map(|path| bundle.file(path).map(|file| (path, file.text.len()))).collect();
    let total: usize = lengths.iter().map(|(_, length)| length).sum();
    if total > MAX_TEXTS_BYTES
        && let Some((longest, length)) = lengths.iter().max_by_key(|(_, length)| *length)
    {
        let files: Vec<_> = lengths.iter().map(|(path, _)| *path).collect();
        let message = format!(
            "the file has {length} bytes; {} may have {MAX_TEXTS_BYTES} bytes together and have {total}",
            files.join(", ")
        );
        findings.push(whole(
            longest,
            message,
            "move what need not always be known into a document that memory.md names",
        ));
    }
}

fn missing_hint(file: &str) -> &'static str {
    match file {
        "agent.yaml" => "it needs at least 'name: my-agent'",
        "persona.md" => "say in a sentence or two who the agent is",
        "goal.md" => "say what the agent is for",
        _ => "say in prose what the agent may and may not do",
    }
}

fn settings(bundle: &AgentBundle, findings: &mut Findings) -> Option<AgentYaml> {
    const FILE: &str = "agent.yaml";
    let file = bundle.file(FILE)?;
    if file.text.trim().is_empty() {
        return None;
    }
    if file.text.len() > MAX_SETTINGS_BYTES {
        let message = format!("the file has {} bytes, the limit is {MAX_SETTINGS_BYTES}", file.text.len());
        findings.push(whole(FILE, message, "prose belongs into persona.md, goal.md, permissions.md and memory.md"));
        return None;
    }
    let before = findings.len();
    let Some(tree) = yaml::read(FILE, &file.text, findings) else {
        if findings.len() == before {
            findings.push(whole(FILE, "the file holds nothing but comments", missing_hint(FILE)));
        }
        return None;
    };
    let json = Walk { file: FILE, findings }.map("", &tree, ROOT);
    if findings.len() > before {
        return None;
    }
    let settings: AgentYaml = match serde_json::from_value(json) {
        Ok(settings) => settings,
        // The walk has seen every value; this is for a shape that has drifted from the type.
        Err(error) => {
            findings.push(Finding { file: FILE.to_owned(), line: None, message: error.to_string(), hint: None });
            return None;
        }
    };
    check_relations(&settings, &tree, findings);
    Some(settings)
}

/// What no single value shows.
fn check_relations(settings: &AgentYaml, tree: &yaml::Node, findings: &mut Findings) {
    let line_of = |key: &str| match &tree.kind {
        yaml::Kind::Map(entries) => entries.iter().find(|(known, ..)| known == key).map(|(_, line, _)| *line),
        yaml::Kind::Scalar(_) | yaml::Kind::List(_) => None,
    };
    let mut note = |key: &str, message: &str, hint: &str| {
        findings.push(Finding {
            file: "agent.yaml".to_owned(),
            line: line_of(key),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    };
    if settings.agent_type == AgentType::ScheduledTaskDaemon && settings.scheduler.is_none() {
        note(
            "type",
            "an agent of type SCHEDULED_TASK_DAEMON needs 'scheduler'",
            "add 'scheduler: {cron: \"0 7 * * *\"}'",
        );
    }
    let needs_three = match settings.reasoning.pattern {
        Pattern::Direct => false,
        Pattern::Reflection | Pattern::PlanAndExecute => true,
    };
    if needs_three && settings.reasoning.max_iterations < 3 {
        note(
            "reasoning",
            "this pattern of reasoning takes at least 3 model calls",
            "raise 'reasoning.max_iterations' to 3 or more",
        );
    }
}

/// The documents that `memory.md` names and the bundle has.
fn documents(bundle: &AgentBundle, findings: &mut Findings) -> Vec<(u32, String)> {
    let Some(memory) = bundle.file(MEMORY_FILE) else { return Vec::new() };
    let mut named = bundle::referenced_documents(&memory.text);
    let paths: HashSet<&str> = bundle.files.iter().map(|file| file.path.as_str()).collect();
    named.retain(|(line, path)| {
        let (message, hint) = if !bundle::is_inside(path) {
            (
                format!("'{path}' leads out of the agent's directory"),
                "name files inside the directory, by relative paths",
            )
        } else if bundle::is_hidden(path) {
            (format!("'{path}' is a hidden file"), "if it is meant to be a document, give it a name without the dot")
        } else if !paths.contains(path.as_str()) {
            (format!("the document '{path}' is not there"), "add the file, or remove this line")
        } else {
            return true;
        };
        let hint = Some(hint.to_owned());
        findings.push(Finding { file: MEMORY_FILE.to_owned(), line: Some(*line), message, hint });
        false
    });
    named
}

fn spec_of(settings: AgentYaml, bundle: &AgentBundle) -> AgentSpec {
    let text = |path: &str| bundle.file(path).map(|file| file.text.trim().to_owned()).unwrap_or_default();
    AgentSpec {
        name: settings.name,
        description: settings.description,
        agent_type: settings.agent_type,
        execution: settings.execution,
        persona: text("persona.md"),
        goal: text("goal.md"),
        permissions_text: text("permissions.md"),
        background: bundle.file(MEMORY_FILE).map(|file| bundle::background(&file.text)).unwrap_or_default(),
        output_format: settings.output_format,
        intelligence: settings.intelligence,
        reasoning: settings.reasoning,
        permissions: settings.permissions,
        sandbox: settings.sandbox,
        budget: settings.budget,
        rag: settings.rag,
        graph_rag: settings.graph_rag,
        schedule: settings.scheduler,
        mcp_servers: settings.mcp_servers,
        tags: settings.tags,
        critique: settings.critique,
    }
}
