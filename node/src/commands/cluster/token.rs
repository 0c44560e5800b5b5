//! `octopussy cluster token`.

use crate::cli::Context;
use crate::client::{Call, Client, JoinTokenInfo, Page, decode, segment};
use crate::failure::Failure;
use crate::output::{DIM, GOOD, Table, paint, printable};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const TOKENS: &str = "/api/v1/cluster/tokens";

/// What to do with the tokens there are.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// List the tokens: who made them, whom they let in, until when
    List,
    /// Withdraw a token; whoever has joined with it stays
    Revoke {
        /// Its id, as `octopussy cluster token list` shows it
        id: String,
    },
}

/// Makes a token and says what to do with it.
pub(super) async fn run(timed: Option<Duration>, guest: bool, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let role = if guest { "guest" } else { "full" };
    let body = match timed {
        Some(valid_for) => json!({"uses": "timed", "role": role, "valid_for_seconds": valid_for.as_secs()}),
        None => json!({"uses": "single", "role": role}),
    };
    // A token nobody has heard of does no harm, so that another node may be asked for one.
    let value = client.send(Call::new(Method::POST, TOKENS).body(&body).repeatable()).await?;
    context.out.document(&value);
    context.out.line(printable(value["token"].as_str().unwrap_or_default()));
    let uses = if timed.is_some() { "any number of machines" } else { "one machine" };
    let what = if guest { "as guests" } else { "as full members, which get the cluster's keys" };
    let until = printable(value["expires_at"].as_str().unwrap_or_default());
    context.out.note(paint(DIM, format_args!("Lets {uses} in {what}, until {until}. It is a secret.")));
    context.out.note("Next, on the other machine: octopussy start --join TOKEN");
    context.out.note("Where others use it too:     octopussy start --join env   (the token in OCTOPUSSY_JOIN_TOKEN)");
    Ok(())
}

/// Lists or withdraws tokens.
pub(super) async fn act(action: TokenAction, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    match action {
        TokenAction::List => {
            let value = client.get(TOKENS).await?;
            let page: Page<JoinTokenInfo> = decode(&value)?;
            context.out.document(&value);
            context.out.line(table(page.items));
        }
        TokenAction::Revoke { id } => {
            let path = format!("{TOKENS}/{}", segment(&id));
            client.send(Call::new(Method::DELETE, &path)).await?;
            context.out.document(&json!({"id": id, "revoked": true}));
            context.out.line(format_args!("{} {} lets nobody in any more", paint(GOOD, "✓"), printable(&id)));
        }
    }
    Ok(())
}

fn table(tokens: Vec<JoinTokenInfo>) -> Table {
    let mut table = Table::new(["id", "for", "uses", "expires", "made by", "at", "made", "used by"]);
    for token in tokens {
        let used_by: Vec<String> = token.used_by.iter().map(|name| printable(name)).collect();
        table.row([
            printable(&token.id),
            printable(&token.role),
            printable(&token.uses),
            printable(&token.expires_at),
            printable(&token.made_by),
            printable(&token.made_at_node),
            printable(&token.made_at),
            used_by.join(" "),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_listed_with_whoever_made_it() {
        let tokens = json!([{"id": "7f00", "role": "guest", "uses": "timed", "used_by": ["den"], "made_by": "admin",
            "expires_at": "2026-12-01T00:00:00.000Z", "made_at": "2026-11-29T00:00:00.000Z", "made_at_node": "attic"}]);
        let text = table(serde_json::from_value(tokens).unwrap()).to_string();
        let line = text.lines().nth(1).unwrap();
        for part in ["7f00", "guest", "timed", "2026-12-01", "admin", "attic", "den"] {
            assert!(line.contains(part), "{part} is not in {text}");
        }
    }
}
