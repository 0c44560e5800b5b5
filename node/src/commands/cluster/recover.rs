//! `octopussy cluster recover`.

use crate::cli::Context;
use crate::client::{Call, Client};
use crate::failure::{Exit, Failure};
use crate::output::{GOOD, WARN, paint};
use reqwest::Method;
use std::io::{BufRead, IsTerminal};

/// Goes on with what this machine's node has, after asking.
pub(super) async fn run(yes: bool, context: &Context) -> Result<(), Failure> {
    // This node and no other: it is its data that everything goes on with.
    let client = Client::open(&context.home, context.port_offset)?;
    if !yes {
        confirm(&mut std::io::stdin().lock(), std::io::stdin().is_terminal(), context)?;
    }
    let value = client.send(Call::new(Method::POST, "/api/v1/cluster/recover")).await?;
    context.out.document(&value);
    match value["shards"].as_array().map_or(0, Vec::len) {
        0 => context.out.line(format_args!("{} no shard had lost its quorum; nothing was changed", paint(GOOD, "✓"))),
        shards => {
            context.out.line(format_args!("{} {shards} shards go on with what this node has", paint(GOOD, "✓")));
            context.out.line("Next: octopussy cluster status");
        }
    }
    Ok(())
}

fn confirm(answers: &mut impl BufRead, is_terminal: bool, context: &Context) -> Result<(), Failure> {
    if !is_terminal {
        return Err(Failure::new("this cannot be undone, and nobody can be asked").exit(Exit::Usage).hint("--yes"));
    }
    context.out.note(format_args!(
        "{} Every shard that has lost its quorum goes on with what this node has of it.\n\
         What only the lost nodes knew is lost, and they must never come back with their old data.",
        paint(WARN, "warning")
    ));
    context.out.note("Type yes to go on:");
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(|error| Failure::new(format!("the answer cannot be read: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::output::Output;

    #[test]
    fn only_a_plain_yes_counts() {
        let context = Context {
            home: Home::locate(Some("/nowhere".into())).unwrap(),
            home_is_named: false,
            port_offset: None,
            out: Output::new(true),
        };
        assert!(confirm(&mut &b"yes\n"[..], true, &context).is_ok());
        for answer in ["y\n", "\n", "", "no\n"] {
            assert!(confirm(&mut answer.as_bytes(), true, &context).is_err(), "{answer:?}");
        }
        assert_eq!(confirm(&mut &b"yes\n"[..], false, &context).unwrap_err().exit, Exit::Usage);
    }
}
