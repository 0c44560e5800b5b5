//! `octopussy status`: how the node is.

use crate::cli::Context;
use crate::client::{Client, ClientError, Status, decode};
use crate::failure::{Exit, Failure};
use crate::identity;
use crate::output::{BAD, BOLD, DIM, GOOD, Table, WARN, paint, printable};
use clap::Args;

/// How much to show.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Show every capability, also those that are well
    #[arg(long, short)]
    verbose: bool,
}

/// Asks the node and shows its answer; fails when it is not ready.
pub(crate) async fn run(args: StatusArgs, context: &Context) -> Result<(), Failure> {
    // A home without a node's key is a client's: it speaks of whichever node its credentials name.
    let node = identity::node_of(context.home.path()).map_err(anyhow::Error::new)?.map(|node| node.to_string());
    let client = Client::open(&context.home, context.port_offset)?;
    let value = match client.get("/api/v1/status").await {
        Err(ClientError::Unreachable { refused: true, .. } | ClientError::WrongCertificate { .. })
            if node.is_some() =>
        {
            return Err(does_not_run(context));
        }
        answer => answer?,
    };
    let status: Status = decode(&value)?;
    // Another node of the cluster may listen where this one did.
    if node.is_some_and(|node| node != status.node.id) {
        return Err(does_not_run(context));
    }
    context.out.document(&value);
    show(&args, &status, &client, context);
    if status.ready {
        return Ok(());
    }
    let why = status.not_ready_reason.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
    Err(Failure::new(format!("the node is not ready{why}"))
        .exit(Exit::Unreachable)
        .hint(format!("its log: {}", context.home.log().display())))
}

fn does_not_run(context: &Context) -> Failure {
    Failure::new(format!("the node of {} does not run", context.home.path().display()))
        .exit(Exit::Unreachable)
        .hint("`octopussy start` starts it; `octopussy cluster status` asks the other nodes of its cluster")
}

fn show(args: &StatusArgs, status: &Status, client: &Client, context: &Context) {
    let out = context.out;
    let readiness = if status.ready { paint(GOOD, "ready") } else { paint(BAD, "not ready") };
    out.line(format_args!("{}  {readiness}  {}", paint(BOLD, "octopussy"), paint(DIM, client.url())));
    out.line(format_args!("node     {} ({}, version {})", status.node.id, status.node.profile, status.node.version));
    out.line(format_args!("uptime   {}", uptime(status.node.uptime_seconds)));
    out.line(format_args!("home     {}", context.home.path().display()));
    out.line(format_args!("agents   {} awake", status.agents_active));
    match status.dead_letters {
        Some(0) => {}
        Some(count) => out.line(format_args!("given up {} tasks (octopussy task list --dlq)", paint(WARN, count))),
        None => out.line("given up unknown: the leader of some shard does not answer"),
    }
    for warning in &status.warnings {
        out.line(format_args!("{} {}", paint(WARN, "warning"), printable(warning)));
    }
    let shown: Vec<_> = status.capabilities.iter().filter(|one| args.verbose || !is_well(&one.state)).collect();
    if shown.is_empty() {
        out.line(format_args!("capabilities  all {} are well (--verbose lists them)", status.capabilities.len()));
        return;
    }
    let mut table = Table::new(["#", "capability", "layer", "state", "detail"]).right(0);
    for one in shown {
        let detail = one.detail.as_deref().map(printable).unwrap_or_default();
        table.row([one.number.to_string(), one.id.clone(), one.layer.clone(), one.state.clone(), detail]);
    }
    out.line("");
    out.line(table);
}

/// The node tells whole seconds.
fn uptime(seconds: f64) -> String {
    if seconds < 1.0 { "< 1 s".to_owned() } else { crate::output::duration_ms(seconds * 1_000.0) }
}

fn is_well(state: &str) -> bool {
    ["running", "ready", "started", "runtime", "healthy", "ok"].iter().any(|well| state.eq_ignore_ascii_case(well))
}
