//! The node as a child in the background.

use super::{NodeFile, terminate};
use crate::client::{Client, ClientError};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::private_file;
use octopussy_core::problem::Finding;
use octopussy_infrastructure::observability::{LOG_BYTES, put_log_aside};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether the node is there.
const POLL: Duration = Duration::from_millis(25);
/// How much of the log's end is shown when the node says nothing better.
const LOG_TAIL_LINES: usize = 8;

/// Why a start in the background failed, as the child tells its parent through `run/start-error.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StartError {
    /// What happened.
    message: String,
    /// The way out.
    hint: Option<String>,
    /// The stable code.
    code: Option<Box<str>>,
    /// Single findings.
    findings: Vec<Finding>,
}

impl StartError {
    /// Writes it to where the parent looks.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        private_file::write_json(path, self)
    }
}

impl From<&Failure> for StartError {
    fn from(failure: &Failure) -> Self {
        Self {
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            code: failure.code.clone(),
            findings: failure.findings.clone(),
        }
    }
}

/// A node that this process has started.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    home: Home,
    log_start: u64,
}

impl Daemon {
    /// Starts the node of `home` as a process of its own, with its output in the log.
    pub(crate) fn spawn(home: &Home, port_offset: Option<u16>, more: &[String]) -> Result<Self, Failure> {
        Self::spawn_with(home, port_offset, more, &[])
    }

    /// The same with more variables in its environment, which other users of the machine cannot read.
    pub(crate) fn spawn_with(
        home: &Home,
        port_offset: Option<u16>,
        more: &[String],
        environment: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(format!("this program does not find itself: {error}")))?;
        let (log, log_start) = open_log(home)?;
        let errors = log.try_clone().map_err(|error| Failure::io("cannot write", &home.log(), &error))?;
        let _ = std::fs::remove_file(home.start_error());
        let mut command = Command::new(program);
        command.arg("--home").arg(home.path());
        if let Some(offset) = port_offset {
            command.args(["--port-offset", &offset.to_string()]);
        }
        command.args(["start", "--foreground", "--detached"]).args(more);
        let child = command
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| Failure::new(format!("the node's process cannot be started: {error}")))?;
        Ok(Self { child, home: home.clone(), log_start })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the node takes work.
    pub(crate) async fn ready(&mut self, within: Duration) -> Result<(NodeFile, Client), Failure> {
        let deadline = Instant::now() + within;
        let mut last = None;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| Failure::new(error.to_string()))? {
                return Err(self.explain(&format!("the node ended while starting ({status})")));
            }
            let node = NodeFile::of_running(&self.home).filter(|node| node.pid == self.child.id());
            if let Some(node) = node {
                match Client::open(&self.home, None) {
                    Ok(client) => match client.get("/ready").await {
                        Ok(_) => return Ok((node, client)),
                        Err(error) => last = Some(error),
                    },
                    Err(error) => last = Some(error),
                }
            }
            if Instant::now() > deadline {
                let why = last.map(|error: ClientError| format!(": {error}")).unwrap_or_default();
                return Err(self
                    .explain(&format!("the node is not ready after {} s{why}", within.as_secs()))
                    .exit(Exit::Unreachable)
                    .hint(format!("read {}; `octopussy stop` ends it", self.home.log().display())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Kills the process at once, as a crash would.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.child
            .kill()
            .and_then(|()| self.child.wait().map(|_| ()))
            .map_err(|error| Failure::new(format!("the node cannot be killed: {error}")))
    }

    /// Stops the process in good order; kills it when it takes too long.
    pub(crate) async fn stop(mut self, within: Duration) -> Result<(), Failure> {
        let gone = |error: std::io::Error| Failure::new(format!("the node cannot be stopped: {error}"));
        if self.child.try_wait().map_err(gone)?.is_some() {
            return Ok(());
        }
        terminate(self.child.id()).map_err(gone)?;
        let deadline = Instant::now() + within;
        while self.child.try_wait().map_err(gone)?.is_none() {
            if Instant::now() > deadline {
                self.kill()?;
                return Err(Failure::new(format!(
                    "the node did not stop within {} s and was killed",
                    within.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// The child's own words, or the end of its log.
    fn explain(&self, what: &str) -> Failure {
        let told = std::fs::read(self.home.start_error())
            .ok()
            .and_then(|text| serde_json::from_slice::<StartError>(&text).ok());
        if let Some(told) = told {
            let hint = told.hint.or_else(|| Some(format!("the log: {}", self.home.log().display())));
            return Failure { code: told.code, hint, findings: told.findings, ..Failure::new(told.message) };
        }
        let tail = log_tail(&self.home, self.log_start);
        Failure::new(if tail.is_empty() { what.to_owned() } else { format!("{what}:\n{tail}") })
            .hint(format!("the whole log: {}", self.home.log().display()))
    }
}

fn open_log(home: &Home) -> Result<(File, u64), Failure> {
    let path = home.log();
    let failed = |error: std::io::Error| Failure::io("cannot write", &path, &error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    if std::fs::metadata(&path).is_ok_and(|log| log.len() > LOG_BYTES) {
        put_log_aside(&path).map_err(failed)?;
    }
    let file = octopussy_infrastructure::observability::open_log(&path).map_err(failed)?;
    let start = file.metadata().map_err(failed)?.len();
    Ok((file, start))
}

fn log_tail(home: &Home, from: u64) -> String {
    let text = std::fs::read(home.log()).unwrap_or_default();
    let written = text.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
    let text = String::from_utf8_lossy(written);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
