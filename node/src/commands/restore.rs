//! `octopussy restore`: a new home from backups.

use super::backup::unless_interrupted;
use crate::backup::{Restored, Survey, restore_cluster, restore_settings};
use crate::cli::Context;
use crate::failure::Failure;
use crate::output::{GOOD, WARN, paint};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tokio::runtime::Handle;

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
    let RestoreArgs { files, as_new_replica } = args;
    let (home, runtime) = (context.home.path().to_owned(), Handle::current());
    let spinner = context.out.spinner("restoring");
    let done = unless_interrupted(move |stopping| {
        let survey = Survey::of(&files, stopping)
            .map_err(|error| Failure::new(error.to_string()).hint("nothing was restored; take another backup"))?;
        let restored = if as_new_replica {
            restore_settings(&home, &survey, stopping)?;
            None
        } else {
            Some(restore_cluster(&home, &survey, &runtime, stopping)?)
        };
        Ok((survey, restored))
    })
    .await;
    spinner.finish_and_clear();
    match done? {
        (survey, Some(restored)) => report_cluster(&survey, &restored, context),
        (survey, None) => report_settings(&survey, context),
    }
    Ok(())
}

fn report_cluster(survey: &Survey, restored: &Restored, context: &Context) {
    let (home, out) = (context.home.path(), context.out);
    let at = home.display();
    let Restored { cluster, name, shards } = restored;
    out.line(format_args!(
        "{} {at}: a new cluster {cluster} of this node alone ({name}), with {shards} shards and {} documents",
        paint(GOOD, "✓"),
        survey.documents.len()
    ));
    if !survey.lost.is_empty() {
        out.line(format_args!(
            "{} {} documents are in none of the backups: agents answer without them",
            paint(WARN, "!"),
            survey.lost.len()
        ));
    }
    out.line("No home of the old cluster can join it: delete those, and let their machines join with new ones.");
    out.line(format_args!("Next: octopussy --home {at} start"));
    out.document(&json!({
        "home": home, "as_new_replica": false, "cluster": cluster, "name": name, "shards": shards,
        "documents": survey.documents.len(), "lost_documents": survey.lost.len(),
    }));
}

fn report_settings(survey: &Survey, context: &Context) {
    let (home, out) = (context.home.path(), context.out);
    let at = home.display();
    let Some((_, manifest)) = survey.files.first() else { return };
    let mut flags = format!("--name {}", manifest.name);
    flags.extend(manifest.zone.iter().map(|zone| format!(" --zone {zone}")));
    flags.extend(manifest.capacity.iter().map(|capacity| format!(" --capacity {capacity}")));
    out.line(format_args!("{} {at} has the settings of {}", paint(GOOD, "✓"), manifest.name));
    out.line(format_args!(
        "Next, on a member that runs:  octopussy cluster leave {} --force && octopussy cluster token",
        manifest.name
    ));
    out.line(format_args!("Then here:                    octopussy --home {at} start --join TOKEN {flags}"));
    out.document(&json!({"home": home, "as_new_replica": true, "name": manifest.name, "flags": flags}));
}
