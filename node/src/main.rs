//! Octopussy: host AI agents with durable tasks. One binary: this is its command line and its composition root.

mod backup;
mod cli;
mod client;
mod cluster;
mod commands;
mod failure;
mod home;
mod host;
mod identity;
mod measures;
mod output;
mod ownership;
mod private_file;
mod process;
mod version;

use std::process::ExitCode;

fn main() -> ExitCode {
    process::keep_to_oneself();
    // ring is the only TLS provider in the tree; naming it once here spares every client and server from choosing.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed already");
    }
    cli::main()
}
