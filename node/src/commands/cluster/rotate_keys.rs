//! `octopussy cluster rotate-keys`.

use crate::cli::Context;
use crate::client::{Call, Client};
use crate::failure::Failure;
use crate::output::{GOOD, paint, printable};
use reqwest::Method;

/// Begins to replace the keys that sign messages and tokens.
pub(super) async fn run(now: bool, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/cluster/rotate-keys{}", if now { "?now=true" } else { "" });
    let value = client.send(Call::new(Method::POST, &path)).await?;
    context.out.document(&value);
    for rotation in value["items"].as_array().into_iter().flatten() {
        let name = printable(rotation["name"].as_str().unwrap_or_default());
        let then = match rotation["overlap_seconds"].as_u64().unwrap_or_default() / 3_600 {
            0 => "nothing that was signed before is good any more".to_owned(),
            hours => format!("it signs once every member has it; what was signed before is good for {hours} hours"),
        };
        context.out.line(format_args!("{} {name} has a new key: {then}", paint(GOOD, "✓")));
    }
    Ok(())
}
