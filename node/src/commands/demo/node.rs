//! A node of the demonstration: a process that is started, killed and started again.

use crate::cli::Context;
use crate::client::Client;
use crate::commands::install;
use crate::failure::Failure;
use crate::home::Home;
use crate::process::Daemon;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// The ports a node takes before any offset.
const PORTS: [u16; 3] = [47_200, 47_202, 9_090];
/// The mesh's port before any offset.
const MESH_PORT: u16 = 47_210;
/// Nodes that live on one machine for a few seconds need not be as patient as nodes in a house.
const SETTINGS: [&str; 4] = ["--set", "cluster.timings=fast", "--set", "mesh.bind=127.0.0.1"];
/// The offsets that are tried, in steps that keep two nodes' ports apart.
const OFFSETS: std::ops::Range<u16> = 100..18_000;
/// How long a start may take.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long a stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A running node; dropping it ends it.
pub(super) struct DemoNode {
    home: Home,
    offset: u16,
    daemon: Option<Daemon>,
    client: Client,
    /// How long the last start took, in milliseconds.
    pub(super) took_ms: f64,
}

impl DemoNode {
    /// Installs and starts a node in `folder` on free ports; it founds a cluster of one.
    pub(super) async fn found(folder: &Path, context: &Context) -> Result<Self, Failure> {
        let home = Home::locate(Some(folder.to_owned()))?;
        let offset = free_offset()?;
        let quiet = Context { home: home.clone(), home_is_named: true, port_offset: Some(offset), out: context.out };
        install::prepare(&install::InstallArgs::unattended(), &quiet).await?;
        Self::launched(home, offset, &[]).await
    }

    /// Starts a node in `folder` on free ports; it joins the cluster of the token.
    pub(super) async fn join(folder: &Path, name: &str, token: &str) -> Result<Self, Failure> {
        let home = Home::locate(Some(folder.to_owned()))?;
        Self::launched(home, free_offset()?, &["--join", token, "--name", name]).await
    }

    async fn launched(home: Home, offset: u16, more: &[&str]) -> Result<Self, Failure> {
        let (daemon, client, took_ms) = launch(&home, offset, more).await?;
        Ok(Self { home, offset, daemon: Some(daemon), client, took_ms })
    }

    /// The way to speak to it.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.daemon.as_ref().map_or(0, Daemon::pid)
    }

    /// Kills it with SIGKILL, as a power cut would.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        self.daemon.take().map_or(Ok(()), |mut daemon| daemon.kill())
    }

    /// Starts it again after a kill.
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        let (daemon, client, took_ms) = launch(&self.home, self.offset, &[]).await?;
        self.daemon = Some(daemon);
        self.client = client;
        self.took_ms = took_ms;
        Ok(())
    }

    /// Stops it in good order.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        match self.daemon.take() {
            Some(daemon) => daemon.stop(STOP_WITHIN).await,
            None => Ok(()),
        }
    }
}

impl Drop for DemoNode {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
        }
    }
}

async fn launch(home: &Home, offset: u16, more: &[&str]) -> Result<(Daemon, Client, f64), Failure> {
    let begun = Instant::now();
    let more: Vec<String> = SETTINGS.iter().chain(more).map(|&word| word.to_owned()).collect();
    let mut daemon = Daemon::spawn(home, Some(offset), &more)?;
    match daemon.ready(START_WITHIN).await {
        Ok((_, client)) => Ok((daemon, client, begun.elapsed().as_secs_f64() * 1_000.0)),
        Err(failure) => {
            let _ = daemon.kill();
            Err(failure)
        }
    }
}

/// An offset at which all of a node's ports are free now.
fn free_offset() -> Result<u16, Failure> {
    let free = |offset: u16| {
        let sockets: Result<Vec<_>, _> =
            PORTS.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset))).collect();
        sockets.is_ok() && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, MESH_PORT + offset)).is_ok()
    };
    // Where the search begins differs from process to process, so that two demonstrations do not race for the same ports.
    let span = u32::from(OFFSETS.end - OFFSETS.start);
    let first = u16::try_from(std::process::id().wrapping_mul(7) % span).unwrap_or_default();
    OFFSETS.cycle().skip(usize::from(first)).step_by(7).take(500).find(|&offset| free(offset)).ok_or_else(|| {
        Failure::new("no free ports were found on 127.0.0.1").hint("end other programs that listen, and try again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_keeps_every_port_in_range() {
        for port in PORTS.into_iter().chain([MESH_PORT]) {
            assert!(port.checked_add(OFFSETS.end).is_some(), "{port}");
        }
        assert!(OFFSETS.contains(&free_offset().unwrap()));
    }
}
