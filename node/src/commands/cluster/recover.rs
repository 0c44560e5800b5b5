//! `octopussy cluster recover`.

use crate::cli::Context;
use crate::client::{Call, Client, Member, Page, Recovered, decode};
use crate::failure::{Exit, Failure};
use crate::output::{GOOD, WARN, paint, printable};
use reqwest::Method;
use std::io::{BufRead, IsTerminal};

/// Goes on with what this machine's node has, after asking.
pub(super) async fn run(yes: bool, context: &Context) -> Result<(), Failure> {
    // This node and no other: it is its data that everything goes on with.
    let client = Client::open(&context.home, context.port_offset)?;
    if !yes {
        let members: Page<Member> = decode(&client.get("/api/v1/cluster/members").await?)?;
        let silent =
            members.items.iter().filter(|member| member.reach != "alive").map(|member| &*member.name).collect();
        confirm(silent, &mut std::io::stdin().lock(), std::io::stdin().is_terminal(), context)?;
    }
    let value = client.send(Call::new(Method::POST, "/api/v1/cluster/recover")).await?;
    context.out.document(&value);
    let recovered: Recovered = decode(&value)?;
    let what = match (recovered.shards.len(), recovered.control_group) {
        (0, false) => {
            context.out.line(format_args!("{} no group had lost its quorum; nothing was changed", paint(GOOD, "✓")));
            return Ok(());
        }
        (0, true) => "the control group goes".to_owned(),
        (shards, false) => format!("{shards} shards go"),
        (shards, true) => format!("{shards} shards and the control group go"),
    };
    context.out.line(format_args!("{} {what} on with what this node has", paint(GOOD, "✓")));
    if !recovered.lost.is_empty() {
        let lost: Vec<String> = recovered.lost.iter().map(|name| printable(name)).collect();
        context.out.line(format_args!(
            "{} taken out of the cluster: {}; their machines can join again with new homes",
            paint(GOOD, "✓"),
            lost.join(", ")
        ));
    }
    context.out.line("Next: octopussy cluster status");
    Ok(())
}

fn confirm(silent: Vec<&str>, answers: &mut impl BufRead, is_terminal: bool, context: &Context) -> Result<(), Failure> {
    if !is_terminal {
        return Err(Failure::new("this cannot be undone, and nobody can be asked").exit(Exit::Usage).hint("--yes"));
    }
    let silent: Vec<String> = silent.into_iter().map(printable).collect();
    let who = match &*silent {
        [] => "Every member answers: perhaps nothing is lost.".to_owned(),
        [one] => format!("{one} does not answer."),
        [.., _] => format!("{} do not answer.", silent.join(", ")),
    };
    context.out.note(format_args!(
        "{} {who}\n\
         Every shard that has lost its majority of voters goes on with what this node has of it. What only the lost nodes knew is\n\
         lost. They are taken out of the cluster and never come back with what they have; if they may yet be started, start them\n\
         instead.",
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
        assert!(confirm(vec!["attic"], &mut &b"yes\n"[..], true, &context).is_ok());
        for answer in ["y\n", "\n", "", "no\n"] {
            assert!(confirm(Vec::new(), &mut answer.as_bytes(), true, &context).is_err(), "{answer:?}");
        }
        assert_eq!(confirm(Vec::new(), &mut &b"yes\n"[..], false, &context).unwrap_err().exit, Exit::Usage);
    }
}
