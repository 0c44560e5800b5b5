//! `octopussy cluster drain` and `rebalance`.

use super::show::state;
use crate::cli::Context;
use crate::client::{Call, Client, Member, decode, segment};
use crate::failure::Failure;
use crate::output::{GOOD, paint, printable};
use reqwest::Method;

/// Moves everything off a node, or lets it take part again.
pub(super) async fn drain(node: &str, undo: bool, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let verb = if undo { "resume" } else { "drain" };
    let path = format!("/api/v1/cluster/members/{}/{verb}", segment(node));
    let value = client.send(Call::new(Method::POST, &path).repeatable()).await?;
    let member: Member = decode(&value)?;
    context.out.document(&value);
    let name = printable(&member.name);
    if undo {
        context.out.line(format_args!("{} {name} takes part again", paint(GOOD, "✓")));
        return Ok(());
    }
    context.out.line(format_args!(
        "{} {name} is being drained ({}): it leads {} and holds {} shards",
        paint(GOOD, "✓"),
        state(&member),
        member.leads,
        member.replicas
    ));
    context.out.line("Next: octopussy cluster members   (it may be taken down once it holds none)");
    Ok(())
}

/// Tells how many shards are not where they belong yet.
pub(super) async fn rebalance(context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.send(Call::new(Method::POST, "/api/v1/cluster/rebalance").repeatable()).await?;
    context.out.document(&value);
    match value["moves"].as_u64().unwrap_or_default() {
        0 => context.out.line(format_args!("{} every shard is where it belongs", paint(GOOD, "✓"))),
        1 => context.out.line("1 shard is moving or has yet to (octopussy cluster ring)"),
        moves => context
            .out
            .line(format_args!("{moves} shards are moving or have yet to, a few at a time (octopussy cluster ring)")),
    }
    Ok(())
}
