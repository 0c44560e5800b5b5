//! One real node: a process, its home directory and its ports.

use crate::agent_directory::AgentDirectory;
use crate::binary::binary;
use crate::breakdowns::breakdowns_in;
use crate::cli_output::CliOutput;
use crate::model_stub::ModelStub;
use crate::patience::{PATIENCE, eventually_or_none};
use crate::port_lease::PortLease;
use crate::rest_client::RestClient;
use crate::ws_client::WsClient;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::OpenptFlags;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How much of the log is shown when a test fails.
const LOG_TAIL_LINES: usize = 60;

/// How a node is set up.
#[derive(Debug, Clone, Default)]
pub struct NodeOptions {
    config: String,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    home: Option<PathBuf>,
    join: Vec<String>,
    binary: Option<PathBuf>,
}

impl NodeOptions {
    /// A node as `install` leaves it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to `config.yaml`.
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        self.config.push_str(yaml);
        self
    }

    /// Adds a provider called `stub` that is the default, asked once a call.
    #[must_use]
    pub fn provider(self, stub: &ModelStub) -> Self {
        self.config(&format!(
            "llm_router:\n  default_provider: stub\n  providers:\n    stub:\n      kind: openai\n      url: {}\n      model: stub\n",
            stub.url()
        ))
    }

    /// Sets an environment variable of the node's.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the node through another program, such as `prlimit --fsize=1000000`.
    #[must_use]
    pub fn wrapper(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Joins a cluster at the first start instead of founding one: `--join TOKEN` and what else the start is to be told.
    #[must_use]
    pub fn join(mut self, token: &str, more: &[&str]) -> Self {
        self.join = ["--join", token].iter().chain(more).map(|&word| word.to_owned()).collect();
        self
    }

    /// Runs this binary instead of the one under test.
    #[must_use]
    pub fn binary(mut self, binary: &Path) -> Self {
        self.binary = Some(binary.to_owned());
        self
    }

    /// Puts the home directory here instead of into a temporary directory.
    #[must_use]
    pub fn home(mut self, home: &Path) -> Self {
        self.home = Some(home.to_owned());
        self
    }
}

/// A node of its own for a test; killed when dropped, its log shown when the test is failing.
#[derive(Debug)]
pub struct NodeRunner {
    binary: PathBuf,
    home: PathBuf,
    options: NodeOptions,
    ports: PortLease,
    child: Option<Child>,
    _folder: TempDir,
    log: PathBuf,
}

impl NodeRunner {
    /// Installs a home and starts a node on it; returns once it is ready.
    ///
    /// # Errors
    /// When any of that fails; the message has the log's end.
    pub async fn start(options: NodeOptions) -> Result<Self> {
        let mut node = Self::prepare(options).await?;
        node.launch().await?;
        Ok(node)
    }

    /// Installs a home, unless it is installed already, and starts nothing yet.
    ///
    /// # Errors
    /// When `octopussy install` fails.
    pub async fn prepare(options: NodeOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("octopussy-test-").tempdir()?;
        let home = options.home.clone().unwrap_or_else(|| folder.path().join("home"));
        let log = folder.path().join("node.log");
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => binary()?,
        };
        let node = Self { binary, home, options, ports: PortLease::take()?, child: None, _folder: folder, log };
        if !node.options.join.is_empty() {
            std::fs::create_dir_all(&node.home)?;
        } else if !node.home.join("credentials.json").exists() {
            let installed = node.cli(&["install", "--port-offset", &node.ports.offset().to_string()]).await?;
            ensure!(installed.status.success(), "install failed: {}", installed.text());
        }
        if !node.options.config.is_empty() {
            node.write_config(&node.options.config)?;
        }
        Ok(node)
    }

    /// Replaces `config.yaml`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_config(&self, yaml: &str) -> Result<()> {
        Ok(std::fs::write(self.home.join("config.yaml"), yaml)?)
    }

    /// Starts the process and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead, or takes longer than [`PATIENCE`]; the message has the log's end.
    pub async fn launch(&mut self) -> Result<()> {
        self.spawn()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.try_wait()? {
                bail!("the node ended instead of starting: {status}\n{}", self.log_tail());
            }
            if let Ok(client) = self.rest()
                && client.get("/ready").await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the node is not ready after {PATIENCE:?}\n{}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the process and does not wait for anything.
    ///
    /// # Errors
    /// When it runs already or cannot be started.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "the node runs already");
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = self.node_command();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("the node could not be started")?);
        Ok(())
    }

    /// `octopussy start --foreground` for this home and these ports, with wrapper and environment.
    fn node_command(&self) -> Command {
        let mut words = self.options.wrapper.clone();
        words.push(self.binary.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["start", "--foreground", "--port-offset", &self.ports.offset().to_string()]);
        command.arg("--home").arg(&self.home);
        // A node that has joined is a member: it starts as any other from then on.
        if !self.home.join("credentials.json").exists() {
            command.args(&self.options.join);
        }
        self.clean(&mut command);
        command
    }

    /// The environment of the one who runs the tests must not show in them.
    fn clean(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OCTOPUSSY") {
                command.env_remove(&name);
            }
        }
        command.env("OCTOPUSSY_HOME", &self.home).env("NO_COLOR", "1");
        command.envs(self.options.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Starts a node that is expected to give up by itself, and waits for its end.
    ///
    /// # Errors
    /// When it goes on running for longer than [`PATIENCE`]; it is killed then.
    pub async fn start_and_fail(&self) -> Result<CliOutput> {
        let mut command = self.node_command();
        command.stdin(Stdio::null());
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        Ok(output.context("the node runs although it should have refused to start")??.into())
    }

    /// Runs a command of the command line against this home, and waits for its end.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub async fn cli(&self, arguments: &[&str]) -> Result<CliOutput> {
        let mut command = Command::new(&self.binary);
        self.clean(&mut command);
        command.args(arguments).stdin(Stdio::null());
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        Ok(tokio::time::timeout(2 * PATIENCE, output).await.context("the command does not end")??.into())
    }

    /// Runs a command as [`NodeRunner::cli`] does, on a terminal at which somebody types `answer`.
    ///
    /// # Errors
    /// When the program cannot be started, or there are no terminals here.
    pub async fn cli_on_terminal(&self, arguments: &[&str], answer: &str) -> Result<CliOutput> {
        let terminal = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::pty::grantpt(&terminal)?;
        rustix::pty::unlockpt(&terminal)?;
        let name = rustix::pty::ptsname(&terminal, Vec::new())?;
        let typed = File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
        rustix::io::write(&terminal, answer.as_bytes())?;
        let mut command = Command::new(&self.binary);
        self.clean(&mut command);
        command.args(arguments).stdin(typed);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        Ok(tokio::time::timeout(2 * PATIENCE, output).await.context("the command does not end")??.into())
    }

    /// A REST client with the home's credentials.
    ///
    /// # Errors
    /// When there are none yet.
    pub fn rest(&self) -> Result<RestClient> {
        RestClient::from_home(&self.home)
    }

    /// A WebSocket connection with the home's credentials.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ws(&self) -> Result<WsClient> {
        WsClient::connect(&self.home).await
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The `--port-offset` of this node.
    #[must_use]
    pub const fn port_offset(&self) -> u16 {
        self.ports.offset()
    }

    /// Where REST listens, as `host:port`.
    #[must_use]
    pub fn rest_address(&self) -> String {
        format!("127.0.0.1:{}", 47_200 + self.ports.offset())
    }

    /// The binary that runs.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Creates an agent through REST.
    ///
    /// # Errors
    /// When it is not created.
    pub async fn create_agent(&self, agent: &AgentDirectory) -> Result<Value> {
        let answer = self.rest()?.post("/api/v1/agents", &agent.bundle()).await?;
        ensure!(answer.status == 201, "the agent was not created: {} {:#}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// Submits a task through REST; yields its id.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn submit(&self, agent: &str, input: &str) -> Result<String> {
        let answer = self.rest()?.post("/api/v1/tasks", &json!({"agent": agent, "input": input})).await?;
        ensure!(answer.status == 202, "the task was not accepted: {} {:#}", answer.status, answer.body);
        Ok(answer.body["task_id"].as_str().context("a task without an id")?.to_owned())
    }

    /// The task once it has ended.
    ///
    /// # Errors
    /// When it has not within [`PATIENCE`].
    pub async fn ended(&self, task: &str) -> Result<Value> {
        let answer = self.rest()?.get(&format!("/api/v1/tasks/{task}?wait={}s", PATIENCE.as_secs())).await?;
        let body = answer.expect_status(200);
        ensure!(
            ["SUCCEEDED", "FAILED", "CANCELLED", "DEAD_LETTERED"].iter().any(|state| body["state"] == *state),
            "the task has not ended: {body:#}"
        );
        Ok(body)
    }

    /// Ends the process as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the node does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks the process to stop, as `systemctl stop` would, and waits until it has.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub async fn sigterm(&mut self) -> Result<ExitStatus> {
        signal(self.pid().context("the node does not run")?, Signal::TERM)?;
        self.exited(PATIENCE).await
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn exited(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "the node has not ended after {limit:?}\n{}", self.log_tail());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the process where it stands, as a suspended laptop would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        signal(self.pid().context("the node does not run")?, Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        signal(self.pid().context("the node does not run")?, Signal::CONT)
    }

    /// Whether the process runs, frozen or not.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Runs another binary from the next start on.
    pub fn set_binary(&mut self, binary: &Path) {
        self.binary = binary.to_owned();
    }

    /// Kills the process and starts it again on the same home.
    ///
    /// # Errors
    /// As [`NodeRunner::launch`].
    pub async fn restart_after_kill9(&mut self) -> Result<()> {
        self.kill9()?;
        self.launch().await
    }

    /// Everything the node has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What the node's log has of panics and of groups that ended by themselves, each with what follows it. A node survives
    /// both, which is why somebody has to look.
    #[must_use]
    pub fn breakdowns(&self) -> Vec<String> {
        breakdowns_in(&self.log())
    }

    /// Waits until `condition` holds of the task as REST shows it, and yields the task.
    ///
    /// # Panics
    /// When it does not within [`PATIENCE`].
    pub async fn task_when(&self, task: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/tasks/{task}");
        let last = std::cell::RefCell::new(String::from("no answer"));
        let (path, condition, last) = (&path, &condition, &last);
        let found = eventually_or_none(PATIENCE, || async move {
            let answer = match self.rest().ok()?.get(path).await {
                Ok(answer) => answer,
                Err(error) => {
                    *last.borrow_mut() = format!("{error:#}");
                    return None;
                }
            };
            let met = answer.status == 200 && condition(&answer.body);
            *last.borrow_mut() = format!("{} {:#}", answer.status, answer.body);
            met.then_some(answer.body)
        });
        found.await.unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain: {what}; last: {}", last.borrow()))
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for NodeRunner {
    fn drop(&mut self) {
        if self.child.is_some() {
            let _ = self.kill9();
        } else if self.options.home.is_none() && self.home.join("run/node.json").exists() {
            // One that a failing test has started in the background.
            let mut stop = Command::new(&self.binary);
            self.clean(&mut stop);
            let _ = stop.arg("stop").stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
        let breakdowns = self.breakdowns();
        if std::thread::panicking() {
            for breakdown in &breakdowns {
                eprintln!("--- the node in {} broke down:\n{breakdown}\n---", self.home.display());
            }
            eprintln!("--- the log of the node in {} ends with:\n{}\n---", self.home.display(), self.log_tail());
        } else {
            assert!(
                breakdowns.is_empty(),
                "the node in {} broke down:\n{}",
                self.home.display(),
                breakdowns.join("\n")
            );
        }
    }
}

fn signal(process: u32, signal: Signal) -> Result<()> {
    let id = i32::try_from(process).ok().and_then(Pid::from_raw).context("not a process id")?;
    Ok(kill_process(id, signal)?)
}
