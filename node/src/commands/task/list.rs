//! `octopussy task list`.

use crate::cli::Context;
use crate::client::{Client, Page, Task, decode, segment};
use crate::failure::Failure;
use crate::output::{Table, ago, shorten};
use clap::{Args, ValueEnum};

/// Which tasks.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The dead-letter queue: tasks that were given up on
    #[arg(long, conflicts_with_all = ["state", "agent"])]
    dlq: bool,
    /// Only tasks in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only tasks of this agent
    #[arg(long)]
    agent: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Go on after this task, as `next` of the page before says
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// A task's state.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Accepted,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    DeadLettered,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::DeadLettered => "DEAD_LETTERED",
        }
    }
}

/// Lists the tasks.
pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let value = client.get(&path(&args)).await?;
    let page: Page<Task> = decode(&value)?;
    context.out.document(&value);
    show(&page, args.dlq, context);
    Ok(())
}

fn path(args: &ListArgs) -> String {
    let mut path = format!("/api/v1/{}?limit={}", if args.dlq { "dlq" } else { "tasks" }, args.limit);
    let filters = [
        ("state", args.state.map(|state| state.name().to_owned())),
        ("agent", args.agent.clone()),
        ("after", args.after.clone()),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(&value)));
        }
    }
    path
}

fn show(page: &Page<Task>, dlq: bool, context: &Context) {
    if page.items.is_empty() {
        context.out.line(if dlq { "The dead-letter queue is empty." } else { "There are no such tasks." });
        return;
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(["task", "state", "attempts", "steps", "updated", "result"]).right(2).right(3);
    for task in &page.items {
        let result = task.reason().or_else(|| task.result.clone()).unwrap_or_default();
        table.row([
            task.task_id.clone(),
            task.state.clone(),
            format!("{}/{}", task.attempts, task.max_attempts),
            task.steps.len().to_string(),
            ago(if task.updated_at.is_empty() { &task.accepted_at } else { &task.updated_at }, now),
            shorten(&result, 60),
        ]);
    }
    context.out.line(table);
    if let Some(next) = &page.next {
        context.out.note(format_args!("There are more: --after {next}"));
    }
    if dlq {
        context.out.note("octopussy task replay ID tries one again, octopussy task discard ID removes it.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_become_a_query_that_no_name_can_escape() {
        let args = ListArgs {
            dlq: false,
            state: Some(State::DeadLettered),
            agent: Some("a&b=c".to_owned()),
            limit: 7,
            after: None,
        };
        assert_eq!(path(&args), "/api/v1/tasks?limit=7&state=DEAD_LETTERED&agent=a%26b%3Dc");
        let args = ListArgs { dlq: true, state: None, agent: None, limit: 50, after: None };
        assert_eq!(path(&args), "/api/v1/dlq?limit=50");
    }
}
