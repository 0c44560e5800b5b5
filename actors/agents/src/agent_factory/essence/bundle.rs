//! Which files make up an agent's directory, and which documents `memory.md` names.

use octopussy_core::plain_text;
use octopussy_core::ports::{AgentBundle, BundleFile};
use std::collections::HashSet;

/// The files that must be there.
pub const REQUIRED_FILES: [&str; 4] = ["agent.yaml", "persona.md", "goal.md", "permissions.md"];

/// The file with background facts and the list of documents; optional.
pub const MEMORY_FILE: &str = "memory.md";

/// The largest single file, in bytes.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The largest directory, in bytes: what one request may carry.
pub const MAX_BUNDLE_BYTES: usize = 24 * 1024 * 1024;

/// The most that the texts which an agent always has before it (the files of an agent's directory that are no documents) may have
/// together, in bytes. They are kept with the agent on every replica and go to the model with every call.
pub const MAX_TEXTS_BYTES: usize = 256 * 1024;
/// The most files of one directory: each document is a blob of its own, made durable by itself.
pub const MAX_FILES: usize = 256;

/// The largest `agent.yaml`, in bytes: a full one has two thousand.
pub const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// The longest path of a file, in bytes: it is shown in citations.
pub const MAX_PATH_BYTES: usize = 255;

/// The directory without the marks that some editors put in front of a text.
#[must_use]
pub fn without_marks(bundle: AgentBundle) -> AgentBundle {
    let unmarked = |file: BundleFile| BundleFile { text: plain_text::unmarked(file.text), ..file };
    AgentBundle { files: bundle.files.into_iter().map(unmarked).collect() }
}

/// The documents that `memory.md` names, each with the line (from 1) it is named on, in order and without repetitions.
/// A document is named by a line `- document: path/to/file.md` or by a Markdown link `[title](docs/file.md)` to a path;
/// links with a scheme (`https:`), to a heading (`#…`) and images are not documents, nor is anything in a fenced block.
/// Paths are as written; whether they stay inside the directory is [`is_inside`]'s to say.
#[must_use]
pub fn referenced_documents(memory_md: &str) -> Vec<(u32, String)> {
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut known = HashSet::new();
    let mut fenced = false;
    for (line, number) in memory_md.lines().zip(1_u32..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        let named = match document_line(line) {
            Some(path) => vec![path.to_owned()],
            None => links(line),
        };
        for path in named {
            if known.insert(path.clone()) {
                found.push((number, path));
            }
        }
    }
    found
}

/// `memory.md` without its `- document:` lines: what the agent knows from the start.
#[must_use]
pub fn background(memory_md: &str) -> String {
    let kept: Vec<&str> = memory_md.lines().filter(|line| document_line(line).is_none()).collect();
    kept.join("\n").trim().to_owned()
}

/// Whether `path` is relative, written with `/`, not too long, and cannot lead out of the directory.
#[must_use]
pub fn is_inside(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && !path.chars().any(char::is_control)
        && !path.starts_with('/')
        && !path.contains('\\')
        && !drive
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a file or a folder on the way to it is hidden: such files belong to tools, and hold keys as often as not.
#[must_use]
pub fn is_hidden(path: &str) -> bool {
    normal(path).split('/').any(|part| part.starts_with('.') && part != "." && part != "..")
}

/// The same path written the shortest way: without a leading `./`.
#[must_use]
pub fn normal(path: &str) -> &str {
    path.trim_start_matches("./")
}

fn document_line(line: &str) -> Option<&str> {
    let item = line.trim().strip_prefix(['-', '*'])?.trim_start();
    let path = item.strip_prefix("document:")?.trim();
    let path = path.trim_matches(['"', '\'', '`']);
    if path.is_empty() { None } else { Some(normal(path)) }
}

fn links(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = line[from..].find('[').map(|at| from + at) {
        let Some(target_at) = line[open..].find("](").map(|at| open + at + 2) else { break };
        let Some(close) = line[target_at..].find(')').map(|at| target_at + at) else { break };
        let target = line[target_at..close].split_whitespace().next().unwrap_or_default();
        let path = target.split('#').next().unwrap_or_default();
        if !line[..open].ends_with('!') && !path.is_empty() && !has_scheme(target) {
            found.push(normal(path).to_owned());
        }
        from = close;
    }
    found
}

fn has_scheme(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-' || b == b'.')
    })
}
