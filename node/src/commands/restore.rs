//! `octopussy restore`: a new home from backups.

use crate::backup::{Survey, restore_cluster, restore_settings};
use crate::cli::Context;
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// How to restore.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backups: one that has every shard, or several nodes' that have them together
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Take the settings only, for a machine that joins the cluster that lives on: what it held comes from the others
    #[arg(long)]
    as_new_replica: bool,
}

/// Makes the home that `--home` names.
pub(crate) async fn run(args: RestoreArgs, context: &Context) -> Result<(), Failure> {
    let (home, out) = (context.home.path(), context.out);
    let spinner = out.spinner("reading the backup");
    let files = args.files.clone();
    let survey = tokio::task::spawn_blocking(move || Survey::of(&files)).await;
    spinner.finish_and_clear();
    let survey = survey
        .map_err(|error| Failure::new(format!("the backup cannot be read: {error}")))?
        .map_err(|error| Failure::new(error.to_string()).hint("nothing was restored; take another backup"))?;
    let Some((_, manifest)) = survey.files.first() else { return Err(Failure::new("there is no backup")) };
    let at = home.display();
    if args.as_new_replica {
        restore_settings(home, &survey)?;
        let mut flags = format!("--name {}", manifest.name);
        flags.extend(manifest.zone.iter().map(|zone| format!(" --zone {zone}")));
        flags.extend(manifest.capacity.iter().map(|capacity| format!(" --capacity {capacity}")));
        out.line(format_args!("{} {at} has the settings of {}", paint(GOOD, "✓"), manifest.name));
        out.line(format_args!(
            "Next, on a member that runs:  octopussy cluster leave {} --force && octopussy cluster token",
            manifest.name
        ));
        out.line(format_args!("Then here:                    octopussy --home {at} start --join TOKEN {flags}"));
        out.document(&json!({"home": home, "as_new_replica": true, "name": manifest.name}));
        return Ok(());
    }
    let spinner = out.spinner("restoring");
    let restored = Box::pin(restore_cluster(home, &survey)).await;
    spinner.finish_and_clear();
    let restored = restored?;
    out.line(format_args!(
        "{} {at}: a new cluster {} of this node alone ({}), with {} shards and {} documents",
        paint(GOOD, "✓"),
        restored.cluster,
        restored.name,
        restored.shards,
        restored.documents
    ));
    out.line("No home of the old cluster can join it: delete those, and let their machines join with new ones.");
    out.line(format_args!("Next: octopussy --home {at} start"));
    out.document(&json!({
        "home": home, "as_new_replica": false, "cluster": restored.cluster, "name": restored.name, "shards": restored.shards,
        "documents": restored.documents,
    }));
    Ok(())
}
