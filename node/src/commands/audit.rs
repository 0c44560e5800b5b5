//! `octopussy audit`: the audit log of this node.

use crate::cli::Context;
use crate::failure::Failure;
use crate::output::{GOOD, paint};
use clap::Subcommand;
use octopussy_infrastructure::observability::essence::CHAIN_PURPOSE;
use octopussy_infrastructure::observability::{AuditVerifyError, verify_audit};
use octopussy_infrastructure::secrets::derived_key;
use serde_json::json;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no record was changed, removed or inserted, in all files of the log, and that the node's key has written each; needs no running
    /// node
    Verify,
}

/// Runs the command.
pub(crate) async fn run(command: AuditCommand, context: &Context) -> Result<(), Failure> {
    let AuditCommand::Verify = command;
    let path = context.home.audit();
    let read = path.clone();
    let secrets = context.home.path().join("secrets");
    let key = derived_key(&secrets, CHAIN_PURPOSE)
        .map_err(|error| Failure::new(format!("the key of the audit log cannot be read: {error}")))?;
    let key = key.ok_or_else(|| {
        Failure::new(format!("{} has no key, without which the records cannot be checked", secrets.display()))
            .hint("name the home of the node with --home")
    })?;
    let verified = tokio::task::spawn_blocking(move || verify_audit(&read, key)).await;
    let verified = verified.map_err(|error| Failure::new(format!("the check broke off: {error}")))?;
    let verified = verified.map_err(|error| match error {
        AuditVerifyError::Io(error) => Failure::io("cannot read", &path, &error),
        broken @ AuditVerifyError::Broken { .. } => Failure::new(broken.to_string())
            .hint("if the node is writing right now, ask again; records before that line still hold"),
    })?;
    context.out.document(&json!({
        "records": verified.records,
        "first": verified.first,
        "files": verified.files,
        "last_hash": verified.last_hash,
        "begun_anew_beside": verified.begun_anew_beside,
    }));
    let files = if verified.files == 1 { "1 file".to_owned() } else { format!("{} files", verified.files) };
    context.out.line(format_args!("{} {} records in {files} hold", paint(GOOD, "✓"), verified.records));
    if let Some(beside) = &verified.begun_anew_beside {
        context.out.line(format_args!(
            "The log begins anew: nothing held of what was in it before, which is in {} now.",
            path.with_file_name(beside).display()
        ));
    }
    if verified.first > 1 {
        context.out.line(format_args!("The first one is number {}: older files were removed.", verified.first));
    }
    context.out.line(format_args!("Last hash: {}", verified.last_hash));
    Ok(())
}
