//! `octopussy cluster members`, `ring`, `history` and `status`.

use crate::cli::Context;
use crate::client::{Client, Cluster, Member, MemberChange, Page, Shard, decode};
use crate::failure::Failure;
use crate::output::{BOLD, DIM, GOOD, Table, WARN, duration_ms, paint, printable};

/// How much of an id is shown: enough to name a node by.
const ID: usize = 8;

/// Lists the members.
pub(super) async fn members(context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get("/api/v1/cluster/members").await?;
    let page: Page<Member> = decode(&value)?;
    context.out.document(&value);
    context.out.line(members_table(page.items));
    Ok(())
}

fn members_table(members: Vec<Member>) -> Table {
    let headings =
        ["name", "id", "state", "role", "leads", "holds", "agents", "load", "rtt", "zone", "version", "address"];
    let mut table = Table::new(headings).right(4).right(5).right(6).right(7).right(8);
    for member in members {
        let facts = member.facts.as_ref();
        let fact = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        table.row([
            format!("{}{}", printable(&member.name), if member.this { " *" } else { "" }),
            member.id.chars().take(ID).collect(),
            state(&member),
            if member.votes { format!("{}, votes", member.role) } else { member.role.clone() },
            member.leads.to_string(),
            member.replicas.to_string(),
            fact(facts.map(|facts| facts.active_agents.to_string())),
            fact(facts.map(|facts| format!("{:.2}", facts.load))),
            member.latency_ms.map(duration_ms).unwrap_or_default(),
            member.zone.as_deref().map(printable).unwrap_or_default(),
            fact(facts.map(|facts| printable(&facts.version))),
            member.addresses.first().map(|address| printable(address)).unwrap_or_default(),
        ]);
    }
    table
}

/// How a member is, and what is wanted of it where that is not that it takes part.
pub(super) fn state(member: &Member) -> String {
    if member.desired == "active" { member.reach.clone() } else { format!("{}, {}", member.reach, member.desired) }
}

/// Lists the last changes of the members.
pub(super) async fn history(context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get("/api/v1/cluster/history").await?;
    let page: Page<MemberChange> = decode(&value)?;
    context.out.document(&value);
    let mut table = Table::new(["when", "member", "what", "asked by", "role", "at"]);
    for change in page.items {
        let text = |text: Option<String>| text.as_deref().map(printable).unwrap_or_default();
        table.row([
            printable(&change.at),
            printable(&change.name),
            printable(&change.event),
            text(change.by),
            text(change.by_role),
            text(change.at_node),
        ]);
    }
    context.out.line(table);
    Ok(())
}

/// Lists the shards.
pub(super) async fn ring(context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get("/api/v1/cluster/ring").await?;
    let page: Page<Shard> = decode(&value)?;
    context.out.document(&value);
    let names = |nodes: &[String]| nodes.iter().map(|node| name(node)).collect::<Vec<_>>().join(" ");
    let mut table = Table::new(["shard", "leader", "voters", "learners", "moving to"]).right(0);
    for shard in page.items {
        table.row([
            shard.shard.to_string(),
            shard.leader.as_deref().map_or_else(|| "nobody".to_owned(), name),
            names(&shard.voters),
            names(&shard.learners),
            names(&shard.moving_to),
        ]);
    }
    context.out.line(table);
    Ok(())
}

/// A node as the ring names it: an id is shown by its beginning, a name as it is.
fn name(node: &str) -> String {
    let is_id = node.len() == 32 && node.chars().all(|c| c.is_ascii_hexdigit());
    if is_id { node.chars().take(ID).collect() } else { printable(node) }
}

/// Shows the cluster as a whole.
pub(super) async fn status(context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get("/api/v1/cluster").await?;
    let cluster: Cluster = decode(&value)?;
    let out = context.out;
    out.document(&value);
    out.line(format_args!("{}  {}", paint(BOLD, "cluster"), printable(&cluster.id)));
    out.line(format_args!("asked    {} {}", name(&cluster.node), paint(DIM, client.url())));
    out.line(format_args!("members  {} (octopussy cluster members)", cluster.members));
    out.line(format_args!("shards   {} of {} have a leader (octopussy cluster ring)", cluster.led, cluster.shards));
    let moves = if cluster.moves == 0 { "nothing moves".to_owned() } else { format!("{} move", cluster.moves) };
    out.line(format_args!("table    version {}, {moves}", cluster.table_version));
    if cluster.warnings.is_empty() {
        out.line(format_args!("{} nothing to be done", paint(GOOD, "✓")));
    }
    for warning in &cluster.warnings {
        out.line(format_args!("{} {}", paint(WARN, "warning"), printable(warning)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_member_of_which_nothing_was_heard_is_shown_all_the_same() {
        let members = json!([
            {"id": "0123456789abcdef0123456789abcdef", "name": "attic", "this": true, "role": "full", "desired": "draining",
             "reach": "alive", "latency_ms": null, "votes": true, "leads": 3, "replicas": 8, "addresses": ["10.0.0.1:47210"],
             "zone": "house", "facts": {"version": "0.1.0", "load": 0.25, "active_agents": 12}},
            {"id": "fedcba98", "name": "bad\u{1b}[31m", "reach": "down", "desired": "active", "role": "guest", "facts": null},
        ]);
        let text = members_table(serde_json::from_value(members).unwrap()).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("attic *") && lines[1].contains("01234567 ") && lines[1].contains("alive, draining"));
        assert!(lines[1].contains("full, votes") && lines[1].contains("0.25"), "{text}");
        assert!(lines[2].contains("down") && lines[2].contains('?') && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn ids_are_shortened_and_names_are_not() {
        assert_eq!(name("0123456789abcdef0123456789abcdef"), "01234567");
        assert_eq!(name("living-room"), "living-room");
    }
}
