//! `octopussy agent create`: from a directory to an agent.

use super::{read_bundle, update};
use crate::cli::Context;
use crate::client::{Agent, Call, Client, ClientError, decode};
use crate::failure::Failure;
use crate::output::{GOOD, bytes, paint, printable};
use reqwest::Method;
use std::path::Path;

/// What the node answers when there is an agent of the name.
const TAKEN: &str = "OCTO-1202";

/// Creates the agent and says what it is. With `replace` one that is there is given another version instead.
pub(crate) async fn run(directory: &Path, replace: bool, context: &Context) -> Result<(), Failure> {
    let bundle = read_bundle(directory)?;
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let body = update::body(&bundle)?;
    let value = match client.send(Call::new(Method::POST, "/api/v1/agents").body(&body)).await {
        Err(ClientError::Problem(problem)) if replace && problem.code.as_deref() == Some(TAKEN) => {
            return update::put(&client, directory, &bundle, context).await;
        }
        created => created?,
    };
    let agent: Agent = decode(&value)?;
    let out = context.out;
    out.document(&value);
    out.line(format_args!("{} {} is created ({})", paint(GOOD, "✓"), agent.name, agent.agent_id));
    for document in &agent.documents {
        out.line(format_args!("  knows {} ({})", printable(&document.name), bytes(document.bytes)));
    }
    out.line(format_args!("Next: octopussy task submit {} \"…\" --wait", agent.name));
    Ok(())
}
