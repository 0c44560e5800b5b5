//! `octopussy agent list` and `agent info`.

use crate::cli::Context;
use crate::client::{Agent, Client, Page, decode, segment};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, Table, ago, bytes, paint, printable, shorten};
use serde_json::{Value, json};

/// How many agents are asked for at once.
const PAGE: usize = 500;

/// Lists all agents.
pub(crate) async fn list(tag: Option<&str>, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let mut items: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let more = after.as_deref().map(|after| format!("&after={}", segment(after))).unwrap_or_default();
        let page: Page<Value> = decode(&client.get(&format!("/api/v1/agents?limit={PAGE}{more}")).await?)?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if let Some(tag) = tag {
        items.retain(|item| item["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag)));
    }
    let agents = items.iter().map(decode::<Agent>).collect::<Result<Vec<_>, _>>()?;
    context.out.document(&json!({"items": items, "next": null}));
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
    Ok(())
}

/// Shows one agent.
pub(crate) async fn info(agent: &str, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get(&format!("/api/v1/agents/{}", segment(agent))).await?;
    let agent: Agent = decode(&value)?;
    let out = context.out;
    out.document(&value);
    out.line(format_args!("{}  {}", paint(BOLD, &agent.name), paint(DIM, &agent.agent_id)));
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
        ("budget", budget(&value["budget"])),
    ];
    for (name, text) in lines {
        if !text.is_empty() {
            out.line(format_args!("  {name:<12} {text}"));
        }
    }
    for document in agent.documents {
        out.line(format_args!("  {:<12} {} ({})", "knows", document.name, bytes(document.bytes)));
    }
    Ok(())
}

fn budget(budget: &Value) -> String {
    budget["tokens_per_hour"].as_u64().map(|tokens| format!("{tokens} tokens an hour")).unwrap_or_default()
}
