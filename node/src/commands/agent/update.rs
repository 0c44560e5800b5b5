//! `octopussy agent update`, `diff` and `history`: another version of an agent, and what the versions say.

use super::read_bundle;
use crate::cli::Context;
use crate::client::{Agent, Call, Client, Page, decode, segment};
use crate::failure::{Exit, Failure};
use crate::output::{BAD, BOLD, DIM, GOOD, Table, ago, bytes, paint, printable, shorten};
use octopussy_agents::agent_factory::essence;
use octopussy_core::ports::AgentBundle;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// How many lines of a changed text are shown; the whole is in the files.
const LINES: usize = 40;

/// A version, as the node tells of it.
#[derive(Debug, Deserialize)]
struct Version {
    version: u32,
    at: String,
    by: String,
    digest: String,
}

/// A difference, as the node tells of it.
#[derive(Debug, Deserialize)]
struct Change {
    file: String,
    key: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Changes {
    changes: Vec<Change>,
}

/// Gives the agent that the directory describes another version.
pub(crate) async fn run(directory: &Path, context: &Context) -> Result<(), Failure> {
    let bundle = read_bundle(directory)?;
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    put(&client, directory, &bundle, context).await
}

/// Sends the directory as the agent's new version and says what came of it.
pub(super) async fn put(
    client: &Client,
    directory: &Path,
    bundle: &AgentBundle,
    context: &Context,
) -> Result<(), Failure> {
    let name = name_of(directory, bundle)?;
    let path = format!("/api/v1/agents/{}", segment(&name));
    let before: Agent = decode(&client.get(&path).await?)?;
    let body = body(bundle)?;
    let value = client.send(Call::new(Method::PUT, &path).body(&body).repeatable()).await?;
    let agent: Agent = decode(&value)?;
    context.out.document(&value);
    if agent.version == before.version {
        let (name, version) = (&agent.name, agent.version);
        context.out.line(format_args!("{} {name} is as the directory says (version {version})", paint(GOOD, "✓")));
        return Ok(());
    }
    context.out.line(format_args!("{} {} has version {} now", paint(GOOD, "✓"), agent.name, agent.version));
    for document in &agent.documents {
        context.out.line(format_args!("  knows {} ({})", document.name, bytes(document.bytes)));
    }
    context.out.line("Tasks that wait take it up; those that run end on the version they have begun with.");
    context.out.line(format_args!("Next: octopussy agent diff {}", agent.name));
    Ok(())
}

/// Shows what a directory would change, or what leads from one version to another.
pub(crate) async fn diff(
    agent: &str,
    directory: Option<&Path>,
    versions: (Option<u32>, Option<u32>),
    context: &Context,
) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/agents/{}/diff", segment(agent));
    let value = match directory {
        Some(directory) => {
            let body = body(&read_bundle(directory)?)?;
            client.send(Call::new(Method::POST, &path).body(&body).repeatable()).await?
        }
        None => {
            let given = [("from", versions.0), ("to", versions.1)];
            let query: Vec<_> =
                given.iter().filter_map(|(name, number)| number.map(|number| format!("{name}={number}"))).collect();
            client.get(&format!("{path}?{}", query.join("&"))).await?
        }
    };
    context.out.document(&value);
    let Changes { changes } = decode(&value)?;
    if changes.is_empty() {
        context.out.line("There is no difference.");
    }
    for change in &changes {
        show(change, context);
    }
    Ok(())
}

/// Lists the versions of an agent.
pub(crate) async fn history(agent: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get(&format!("/api/v1/agents/{}/versions", segment(agent))).await?;
    context.out.document(&value);
    let page: Page<Version> = decode(&value)?;
    let now = jiff::Timestamp::now();
    let mut table = Table::new(["version", "came", "by", "digest"]).right(0);
    for version in page.items {
        let digest = version.digest.get(..12).unwrap_or(&version.digest).to_owned();
        table.row([version.version.to_string(), ago(&version.at, now), shorten(&version.by, 40), digest]);
    }
    context.out.line(table);
    Ok(())
}

pub(super) fn body(bundle: &AgentBundle) -> Result<Value, Failure> {
    serde_json::to_value(bundle).map_err(|error| Failure::new(error.to_string()))
}

/// The name that the directory gives its agent.
fn name_of(directory: &Path, bundle: &AgentBundle) -> Result<String, Failure> {
    essence::validate(bundle).map(|blueprint| blueprint.spec.name).map_err(|findings| {
        Failure::new(format!("{} has errors", directory.display()))
            .exit(Exit::Failed)
            .findings(findings)
            .hint(format!("octopussy agent validate {}", directory.display()))
    })
}

fn show(change: &Change, context: &Context) {
    let out = context.out;
    let file = printable(&change.file);
    if let Some(key) = &change.key {
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "(not set)".to_owned(), printable);
        let (before, after) = (value(&change.before), value(&change.after));
        out.line(format_args!("{} {}: {before} → {after}", paint(DIM, file), paint(BOLD, printable(key))));
        return;
    }
    out.line(paint(BOLD, file));
    let (old, new) = (change.before.as_deref().unwrap_or(""), change.after.as_deref().unwrap_or(""));
    let (gone, come) = changed_lines(old, new);
    for (sign, style, lines) in [('-', BAD, gone), ('+', GOOD, come)] {
        for line in lines.iter().take(LINES) {
            out.line(paint(style, format!("  {sign} {}", printable(line))));
        }
        if lines.len() > LINES {
            out.line(paint(DIM, format!("  {sign} … {} more lines", lines.len() - LINES)));
        }
    }
}

/// The lines between what two texts begin with and what they end with alike.
fn changed_lines<'a>(old: &'a str, new: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    (old[head..old.len() - tail].to_vec(), new[head..new.len() - tail].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_different_is_shown() {
        assert_eq!(changed_lines("a\nb\nc", "a\nx\ny\nc"), (vec!["b"], vec!["x", "y"]));
        assert_eq!(changed_lines("a\na", "a"), (vec!["a"], vec![]));
        assert_eq!(changed_lines("", "new"), (vec![], vec!["new"]));
        assert_eq!(changed_lines("same", "same"), (Vec::<&str>::new(), vec![]));
    }
}
