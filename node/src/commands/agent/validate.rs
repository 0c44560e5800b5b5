//! `octopussy agent validate` and `agent schema`: both without a node.

use super::read_bundle;
use crate::cli::Context;
use crate::failure::Failure;
use crate::output::{GOOD, WARN, paint};
use octopussy_agents::agent_factory::essence;
use octopussy_core::problem::Finding;
use serde_json::json;
use std::path::Path;

/// Checks a directory and shows every finding.
pub(crate) fn run(directory: &Path, context: &Context) -> Result<(), Failure> {
    let bundle = read_bundle(directory)?;
    let out = context.out;
    match essence::validate(&bundle) {
        Ok(blueprint) => {
            let spec = &blueprint.spec;
            let dormant = essence::dormant_settings(spec);
            out.line(format_args!("{} {} is a valid agent", paint(GOOD, "✓"), spec.name));
            if let Some(problem) = essence::not_run_yet(spec) {
                out.note(paint(WARN, problem.detail));
            }
            if !dormant.is_empty() {
                out.note(paint(WARN, format_args!("without effect in this version: {}", dormant.join(", "))));
            }
            out.document(&json!({"valid": true, "name": spec.name, "findings": [], "without_effect": dormant}));
            Ok(())
        }
        Err(findings) => {
            out.document(&json!({"valid": false, "findings": findings}));
            Err(invalid(directory, findings))
        }
    }
}

/// The findings, with paths that an editor can open.
fn invalid(directory: &Path, findings: Vec<Finding>) -> Failure {
    let count = findings.len();
    let findings = findings
        .into_iter()
        .map(|finding| Finding { file: directory.join(&finding.file).display().to_string(), ..finding })
        .collect();
    let errors = if count == 1 { "1 error".to_owned() } else { format!("{count} errors") };
    Failure {
        code: Some(octopussy_core::problem::Code::InvalidAgent.to_string().into()),
        ..Failure::new(format!("{} has {errors}", directory.display()))
    }
    .findings(findings)
    .hint("mend these lines; `octopussy agent schema` prints what agent.yaml may say")
}

/// Prints the schema of `agent.yaml`.
pub(crate) fn schema(context: &Context) -> Result<(), Failure> {
    context.out.raw(format_args!("{:#}\n", essence::schema()));
    Ok(())
}
