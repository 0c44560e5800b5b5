//! `octopussy completions`: what a shell needs to complete commands.

use crate::failure::Failure;
use clap::Args;
use clap_complete::Shell;

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "Example: octopussy completions bash > ~/.local/share/bash-completion/completions/octopussy")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::grammar(), "octopussy", &mut script);
    crate::output::Output::new(false).raw(String::from_utf8_lossy(&script));
    Ok(())
}
