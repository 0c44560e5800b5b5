//! `octopussy cluster leave`.

use crate::cli::Context;
use crate::client::{Call, Client, Member, Status, decode, segment};
use crate::failure::Failure;
use crate::output::{GOOD, paint, printable};
use reqwest::Method;

/// Takes a node out of the cluster.
pub(super) async fn run(node: Option<&str>, force: bool, stolen: bool, context: &Context) -> Result<(), Failure> {
    let node = match node {
        Some(node) => node.to_owned(),
        // Only the node of this home knows which one that is.
        None => {
            let here = Client::open(&context.home, context.port_offset)?;
            decode::<Status>(&here.get("/api/v1/status").await?)?.node.id
        }
    };
    let client = Client::of_cluster(&context.home, context.port_offset)?;
    let how = match (force, stolen) {
        (_, true) => "?stolen=true",
        (true, false) => "?force=true",
        (false, false) => "",
    };
    let path = format!("/api/v1/cluster/members/{}{how}", segment(&node));
    let value = client.send(Call::new(Method::DELETE, &path).repeatable()).await?;
    let member: Member = decode(&value)?;
    context.out.document(&value);
    let name = printable(&member.name);
    if stolen {
        context.out.line(format_args!("{} {name} is taken out, and every join token is withdrawn", paint(GOOD, "✓")));
        context.out.line(
            "The keys that sign messages and tokens and the cluster's certificate authority are replaced as soon as it is out (octopussy cluster members).",
        );
        context.out.line(
            "The authority before is trusted for five minutes then: clients outside the cluster need tls/ca.pem of a member.",
        );
        context.out.line(
            "Yours to do: end the keys of providers where you got them and set new ones (octopussy secret set NAME); it has read them.",
        );
    } else if force {
        context.out.line(format_args!("{} {name} is taken out; others take over what it held", paint(GOOD, "✓")));
    } else {
        context.out.line(format_args!(
            "{} {name} leaves once its {} shards are moved",
            paint(GOOD, "✓"),
            member.replicas
        ));
        context.out.line("Next: octopussy cluster members   (it stops by itself once it is out)");
    }
    Ok(())
}
