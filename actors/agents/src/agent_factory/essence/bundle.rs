//! Which files make up an agent's directory, and which documents `memory.md` names.

/// The files that must be there.
pub const REQUIRED_FILES: [&str; 4] = ["agent.yaml", "persona.md", "goal.md", "permissions.md"];

/// The file with background facts and the list of documents; optional.
pub const MEMORY_FILE: &str = "memory.md";

/// The largest single file, in bytes.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The largest directory, in bytes: what one request may carry.
pub const MAX_BUNDLE_BYTES: usize = 24 * 1024 * 1024;

/// The documents that `memory.md` names, each with the line (from 1) it is named on, in order and without repetitions.
/// A document is named by a line `- document: path/to/file.md` or by a Markdown link `[title](docs/file.md)` to a path;
/// links with a scheme (`https:`), to a heading (`#…`) and images are not documents, nor is anything in a fenced block.
/// Paths are as written; whether they stay inside the directory is [`is_inside`]'s to say.
#[must_use]
pub fn referenced_documents(memory_md: &str) -> Vec<(u32, String)> {
    let mut found: Vec<(u32, String)> = Vec::new();
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
            if !found.iter().any(|(_, known)| *known == path) {
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

/// Whether `path` is relative, written with `/`, and cannot lead out of the directory.
#[must_use]
pub fn is_inside(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains('\\')
        && !path.contains('\0')
        && !drive
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
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
