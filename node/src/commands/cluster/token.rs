//! `octopussy cluster token`.

use crate::cli::Context;
use crate::client::{Call, Client};
use crate::failure::Failure;
use crate::output::{DIM, paint, printable};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// Makes a token and says what to do with it.
pub(super) async fn run(timed: Option<Duration>, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let body = match timed {
        Some(valid_for) => json!({"uses": "timed", "valid_for_seconds": valid_for.as_secs()}),
        None => json!({"uses": "single"}),
    };
    // A token nobody has heard of does no harm, so that another node may be asked for one.
    let value = client.send(Call::new(Method::POST, "/api/v1/cluster/tokens").body(&body).repeatable()).await?;
    context.out.document(&value);
    context.out.line(printable(value["token"].as_str().unwrap_or_default()));
    let uses = if timed.is_some() { "any number of machines" } else { "one machine" };
    let until = printable(value["expires_at"].as_str().unwrap_or_default());
    context.out.note(paint(DIM, format_args!("Lets {uses} in until {until}. It is a secret.")));
    context.out.note("Next, on the other machine: octopussy start --join TOKEN");
    Ok(())
}
