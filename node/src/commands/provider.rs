//! `octopussy provider`: the models that can be asked.

use crate::cli::Context;
use crate::client::{Client, Page, Provider, decode};
use crate::failure::Failure;
use crate::output::Table;
use clap::Subcommand;

/// What to do with providers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// List the configured providers and how they are
    List,
}

/// Runs the command.
pub(crate) async fn run(command: ProviderCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ProviderCommand::List => list(context).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let value = Client::of_cluster(&context.home, context.port_offset)?.get("/api/v1/providers").await?;
    let page: Page<Provider> = decode(&value)?;
    context.out.document(&value);
    let mut table = Table::new(["name", "kind", "model", "where", "health", "detail"]);
    for provider in page.items {
        table.row([
            provider.name,
            provider.kind,
            provider.model.unwrap_or_default(),
            provider.url.unwrap_or_else(|| if provider.local { "in this process".to_owned() } else { String::new() }),
            provider.health,
            provider.detail.clone().unwrap_or_default(),
        ]);
    }
    context.out.line(table);
    Ok(())
}
