//! `octopussy agent list` and `agent info`.

use crate::cli::Context;
use crate::client::{Agent, Client, Page, decode, segment};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Table, ago, bytes, paint, printable, shorten};
use serde_json::{Value, json};

/// How many agents are asked for at once.
const PAGE: usize = 500;

/// Lists agents by id, from after `after`, at most `limit`; with a tag only those that have it.
pub(crate) async fn list(
    tag: Option<&str>,
    limit: u16,
    after: Option<String>,
    context: &Context,
) -> Result<(), Failure> {
    let limit = usize::from(limit);
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let mut items: Vec<Value> = Vec::new();
    let mut after = after;
    loop {
        let more = after.as_deref().map(|after| format!("&after={}", segment(after))).unwrap_or_default();
        // With a tag most may not fit; without one no more is asked for than is shown.
        let rows = if tag.is_some() { PAGE } else { PAGE.min(limit - items.len()) };
        let page: Page<Value> = decode(&client.get(&format!("/api/v1/agents?limit={rows}{more}")).await?)?;
        after = page.next;
        items.extend(page.items.into_iter().filter(|item| has_tag(item, tag)));
        if items.len() > limit {
            items.truncate(limit);
            after = items.last().and_then(|item| item["agent_id"].as_str()).map(str::to_owned);
        }
        if after.is_none() || items.len() >= limit {
            break;
        }
    }
    let agents = items.iter().map(decode::<Agent>).collect::<Result<Vec<_>, _>>()?;
    context.out.document(&json!({"items": items, "next": after}));
    if agents.is_empty() {
        context.out.line("There are no agents. octopussy agent create DIR makes one; config/agents/ has examples.");
        return Ok(());
    }
    let mut table =
        Table::new(["name", "state", "type", "pattern", "waiting", "done", "description"]).right(4).right(5);
    for agent in agents {
        table.row([
            agent.name,
            agent.state,
            agent.r#type,
            agent.pattern,
            agent.waiting.to_string(),
            agent.tasks_ended.to_string(),
            shorten(&agent.description, 60),
        ]);
    }
    context.out.line(table);
    if let Some(next) = after {
        context.out.note(format_args!("There are more: --after {next}"));
    }
    Ok(())
}

fn has_tag(item: &Value, tag: Option<&str>) -> bool {
    let Some(tag) = tag else { return true };
    item["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag))
}

/// Shows one agent.
pub(crate) async fn info(agent: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get(&format!("/api/v1/agents/{}", segment(agent))).await?;
    let agent: Agent = decode(&value)?;
    let out = context.out;
    out.document(&value);
    out.line(format_args!("{}  {}", paint(BOLD, printable(&agent.name)), paint(DIM, printable(&agent.agent_id))));
    out.line(printable(&agent.description));
    let model = [
        agent.provider.as_deref().unwrap_or("the default provider"),
        agent.model.as_deref().unwrap_or("its default model"),
    ]
    .join(", ");
    let lines = [
        ("state", format!("{} (wanted: {})", agent.state, agent.desired)),
        ("type", agent.r#type),
        ("pattern", agent.pattern),
        ("thinks with", model),
        ("tags", agent.tags.join(", ")),
        ("tasks", format!("{} waiting, {} done", agent.waiting, agent.tasks_ended)),
        ("created", ago(&agent.created_at, jiff::Timestamp::now())),
        ("version", agent.version.to_string()),
        ("budget", budget(&value["budget"])),
    ];
    for (name, text) in lines {
        if !text.is_empty() {
            out.line(format_args!("  {name:<12} {}", printable(&text)));
        }
    }
    for document in agent.documents {
        out.line(format_args!("  {:<12} {} ({})", "knows", printable(&document.name), bytes(document.bytes)));
    }
    Ok(())
}

fn budget(budget: &Value) -> String {
    budget["tokens_per_hour"].as_u64().map(|tokens| format!("{tokens} tokens an hour")).unwrap_or_default()
}
