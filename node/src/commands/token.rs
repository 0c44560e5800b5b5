//! `octopussy token`: the tokens with which users and programs speak to the cluster.

use super::cluster::duration;
use crate::cli::Context;
use crate::client::{ApiTokenInfo, Call, Client, Page, decode, segment};
use crate::failure::Failure;
use crate::output::{DIM, GOOD, Table, paint, printable};
use clap::{Args, Subcommand, ValueEnum};
use octopussy_core::ports::PrincipalRole;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const TOKENS: &str = "/api/v1/tokens";

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for a user or a program; it is shown once
    Create(CreateArgs),
    /// List the tokens: whose they are, what they allow, until when
    List,
    /// Revoke a token: within a second no node accepts it
    Revoke {
        /// Its id, as `octopussy token list` shows it
        id: String,
    },
}

/// Which token is wanted.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  octopussy token create --role USER --name chat --ttl 30d")]
pub(crate) struct CreateArgs {
    /// What it allows: to look; to submit tasks as well; to manage agents as well; everything
    #[arg(long, value_enum, ignore_case = true)]
    role: RoleArg,
    /// Whose it is: it stands in the audit log [default: the role]
    #[arg(long)]
    name: Option<String>,
    /// For how long it is good, such as 12h, 30d or 365d [default: 90d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum RoleArg {
    Viewer,
    User,
    Operator,
    Admin,
}

impl RoleArg {
    const fn role(self) -> PrincipalRole {
        match self {
            Self::Viewer => PrincipalRole::Viewer,
            Self::User => PrincipalRole::User,
            Self::Operator => PrincipalRole::Operator,
            Self::Admin => PrincipalRole::Admin,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(command: TokenCommand, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    match command {
        TokenCommand::Create(args) => create(args, &client, context).await?,
        TokenCommand::List => {
            let value = client.get(TOKENS).await?;
            let page: Page<ApiTokenInfo> = decode(&value)?;
            context.out.document(&value);
            context.out.line(table(page.items));
        }
        TokenCommand::Revoke { id } => {
            let path = format!("{TOKENS}/{}", segment(&id));
            client.send(Call::new(Method::DELETE, &path).repeatable()).await?;
            context.out.document(&json!({"id": id, "revoked": true}));
            context.out.line(format_args!("{} {} is good no longer", paint(GOOD, "✓"), printable(&id)));
        }
    }
    Ok(())
}

async fn create(args: CreateArgs, client: &Client, context: &Context) -> Result<(), Failure> {
    let mut body = json!({"role": args.role.role().name()});
    if let Some(name) = args.name {
        body["name"] = name.into();
    }
    if let Some(ttl) = args.ttl {
        body["valid_for_seconds"] = ttl.as_secs().into();
    }
    // A token nobody has heard of does no harm, so that another node may be asked for one.
    let value = client.send(Call::new(Method::POST, TOKENS).body(&body).repeatable()).await?;
    context.out.document(&value);
    let text = |key: &str| printable(value[key].as_str().unwrap_or_default());
    context.out.line(text("token"));
    let (id, name, role, until) = (text("id"), text("name"), text("role"), text("expires_at"));
    context.out.note(paint(DIM, format_args!("Token {id} of {name}: {role}, until {until}. It is a secret.")));
    context.out.note(format_args!("To end it: octopussy token revoke {id}"));
    Ok(())
}

fn table(tokens: Vec<ApiTokenInfo>) -> Table {
    let mut table = Table::new(["id", "name", "role", "expires", "made by", "at", "made", "revoked"]);
    for token in tokens {
        // The node's own stands in its credentials.json.
        let by = if token.of_node { "(the node, for its home)".to_owned() } else { printable(&token.made_by) };
        let revoked = match (token.revoked_at, token.revoked_by) {
            (Some(at), by) => format!("{} by {}", printable(&at), printable(&by.unwrap_or_default())),
            (None, _) => String::new(),
        };
        table.row([
            printable(&token.id),
            printable(&token.name),
            printable(&token.role),
            printable(&token.expires_at),
            by,
            printable(&token.made_at_node),
            printable(&token.made_at),
            revoked,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_listed_with_its_maker_and_its_end() {
        let tokens = json!([
            {"id": "00aa", "name": "chat", "role": "USER", "expires_at": "2026-12-01T00:00:00.000Z", "made_by": "ada",
             "made_at": "2026-11-29T00:00:00.000Z", "made_at_node": "attic", "of_node": false,
             "revoked_at": "2026-11-30T00:00:00.000Z", "revoked_by": "bob"},
            {"id": "00bb", "name": "admin", "role": "ADMIN", "expires_at": "2027-11-29T00:00:00.000Z", "made_by": "x",
             "made_at": "2026-11-29T00:00:00.000Z", "made_at_node": "cellar", "of_node": true,
             "revoked_at": null, "revoked_by": null}]);
        let text = table(serde_json::from_value(tokens).unwrap()).to_string();
        for (line, parts) in
            [(1, ["00aa", "chat", "USER", "ada", "by bob"]), (2, ["00bb", "admin", "ADMIN", "the node", "cellar"])]
        {
            let line = text.lines().nth(line).unwrap();
            assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} are not in {text}");
        }
    }
}
