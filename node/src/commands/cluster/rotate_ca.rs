//! `octopussy cluster rotate-ca`.

use crate::cli::Context;
use crate::client::{Call, Client};
use crate::failure::Failure;
use crate::output::{GOOD, paint, printable};
use reqwest::Method;

/// Begins to replace the cluster's authority.
pub(super) async fn run(now: bool, context: &Context) -> Result<(), Failure> {
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let path = format!("/api/v1/cluster/rotate-ca{}", if now { "?now=true" } else { "" });
    let value = client.send(Call::new(Method::POST, &path)).await?;
    context.out.document(&value);
    let key = printable(value["key"].as_str().unwrap_or_default());
    context.out.line(format_args!("{} the cluster gets a new certificate authority ({key})", paint(GOOD, "✓")));
    let file = context.home.path().join("tls").join("ca.pem");
    match value["overlap_seconds"].as_u64().unwrap_or_default() / (24 * 60 * 60) {
        0 => context.out.line(
            "The one before is trusted no longer: join tokens made before are void, and clients outside are locked out until they have the new certificate.",
        ),
        days => context.out.line(format_args!(
            "It signs once every member trusts it, within minutes. The one before is trusted for {days} days from then on.",
        )),
    }
    context.out.line("Members, guests and their command lines follow by themselves, also those that are down now.");
    context.out.line(format_args!(
        "Yours to do: give clients outside the cluster the file {} (tls/ca.pem of any member): it has every certificate that is trusted.",
        file.display()
    ));
    Ok(())
}
