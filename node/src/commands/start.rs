//! `octopussy start`: the node, in the background unless somebody wants to watch.

use super::install;
use crate::cli::Context;
use crate::cluster::{ClusterHome, JoinToken, TokenError};
use crate::failure::Failure;
use crate::host::{self, HostOptions, JoinOptions};
use crate::identity;
use crate::output::{BOLD, DIM, GOOD, paint};
use crate::process::{Daemon, NodeFile, StartError, keep_log_bounded};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;

/// How to start.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Stay in the foreground and print the log; Ctrl-C stops the node
    #[arg(long)]
    pub(crate) foreground: bool,
    /// How long to wait until the node is ready, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Join the cluster of this token (from `octopussy cluster token`); `env` reads it from OCTOPUSSY_JOIN_TOKEN, `auto` does the
    /// same and looks for members on the local network (they announce themselves with mesh.announce)
    #[arg(long, value_name = "TOKEN")]
    join: Option<String>,
    /// Found a cluster of this node alone, although this home was to join another one or cluster.found is false
    #[arg(long, conflicts_with = "join")]
    found: bool,
    /// The node's name in its cluster [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Join as a guest or not at all. What the node becomes, the token says: `octopussy cluster token --guest` makes one for
    /// guests, which offer models and sandboxes and get no data, no vote and no secrets
    #[arg(long, requires = "join")]
    guest: bool,
    /// Where a member of the node's own cluster is reached now (name or address, with a port unless it is 47210); for when the
    /// addresses of all members have changed
    #[arg(long = "seed", value_name = "ADDRESS", conflicts_with = "join")]
    seeds: Vec<String>,
    /// Where the node stands (a room, a house): copies of the same data are kept in different zones
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// How much the node may hold, compared with the others [default: its number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    capacity: Option<u32>,
    /// Set a key of the configuration for this run, such as gateway.bind=0.0.0.0
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, Value)>,
    /// The background half of a start
    #[arg(long, hide = true, requires = "foreground")]
    detached: bool,
}

/// The variable that holds a join token, for those who do not want it on the command line.
const JOIN_TOKEN: &str = "OCTOPUSSY_JOIN_TOKEN";
/// What `--join` says when the token is in [`JOIN_TOKEN`].
const FROM_ENVIRONMENT: &str = "env";
/// What it says when members are to be looked for on the local network, too.
const ON_THE_LAN: &str = "auto";

impl StartArgs {
    /// The join token, wherever it was given.
    fn token(&self) -> Result<Option<String>, Failure> {
        match self.join.as_deref() {
            Some(FROM_ENVIRONMENT | ON_THE_LAN) => match std::env::var(JOIN_TOKEN) {
                Ok(token) if !token.trim().is_empty() => Ok(Some(token)),
                Ok(_) | Err(_) => Err(Failure::new(format!("{JOIN_TOKEN} holds no join token"))
                    .exit(crate::failure::Exit::Usage)
                    .hint("`octopussy cluster token` on a member makes one")),
            },
            Some(token) => Ok(Some(token.to_owned())),
            None => Ok(None),
        }
    }

    /// Whether members are to be looked for on the local network.
    fn finds(&self) -> bool {
        self.join.as_deref() == Some(ON_THE_LAN)
    }

    /// Refuses what a node that runs already cannot follow: it would be lost without a word.
    fn fits_running(&self, pid: u32, context: &Context) -> Result<(), Failure> {
        let home = context.home.path();
        if let Some(token) = self.token()? {
            let token: JoinToken = token.parse().map_err(|error: TokenError| Failure::new(error.to_string()))?;
            if !identity::is_under(home, &token.fingerprint).map_err(anyhow::Error::new)? {
                return Err(Failure::new(format!("the node runs already (process {pid}), in another cluster than the token's"))
                    .hint("a home is in one cluster for good: join with a home of its own (--home DIR), or `octopussy stop`, move this home away and repeat"));
            }
            context.out.note("this node belongs to the cluster of the token already; the token was not used");
        }
        let kept = ClusterHome::of(home).port_offset().map_err(anyhow::Error::new)?;
        let moves = context.port_offset.is_some_and(|asked| kept.is_some_and(|kept| kept != asked));
        if moves || self.found || !self.overrides().is_empty() {
            return Err(Failure::new(format!(
                "the node runs already (process {pid}), and what was asked for takes effect only at a start"
            ))
            .hint("`octopussy stop`, then the same command again"));
        }
        Ok(())
    }

    /// The settings that its flags stand for.
    fn overrides(&self) -> Vec<(String, Value)> {
        let mut overrides = self.set.clone();
        let texts = [("cluster.name", &self.name), ("cluster.zone", &self.zone)];
        overrides
            .extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text.as_deref()?)))));
        if !self.seeds.is_empty() {
            overrides.push(("mesh.seeds".to_owned(), Value::from(self.seeds.clone())));
        }
        overrides.extend(self.capacity.map(|capacity| ("cluster.capacity".to_owned(), Value::from(capacity))));
        overrides
    }
}

/// Starts the node.
pub(crate) async fn run(args: StartArgs, context: &Context) -> Result<(), Failure> {
    if args.detached {
        // A session of its own: the terminal that started the node may close.
        let _ = rustix::process::setsid();
        tokio::spawn(keep_log_bounded(context.home.log()));
    }
    if let Some(node) = NodeFile::of_running(&context.home) {
        args.fits_running(node.pid, context)?;
        context.out.line(format_args!("The node runs already (process {}).", node.pid));
        show_where(&node, context);
        context.out.document(&document(&node, true));
        return Ok(());
    }
    if !args.detached {
        crate::ownership::check(context.home.path())?;
    }
    if !context.home.is_installed() && !args.detached {
        context.out.note(format_args!("{} is not prepared yet: installing first.", context.home.path().display()));
        install::prepare(&install::InstallArgs::unattended(), context).await?;
    }
    if args.foreground { in_foreground(args, context).await } else { in_background(args, context).await }
}

async fn in_foreground(args: StartArgs, context: &Context) -> Result<(), Failure> {
    let join = args.token()?.map(|token| JoinOptions { token, find: args.finds(), guest: args.guest });
    let options = HostOptions {
        home: context.home.path().to_owned(),
        port_offset: context.port_offset,
        overrides: args.overrides(),
        join,
        found: args.found,
    };
    Box::pin(host::run(options)).await.map_err(|error| {
        let failure = Failure::from(error);
        if args.detached {
            // The parent shows the log's end when there is no such file.
            let _ = StartError::from(&failure).write(&context.home.start_error());
        }
        failure
    })
}

async fn in_background(args: StartArgs, context: &Context) -> Result<(), Failure> {
    let settings = args.overrides();
    let mut more: Vec<String> =
        settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect();
    let token = args.token()?;
    let environment: Vec<(&str, &str)> = token.as_deref().map(|token| (JOIN_TOKEN, token)).into_iter().collect();
    if token.is_some() {
        // By the environment: every process of the machine can read a command line.
        let word = if args.finds() { ON_THE_LAN } else { FROM_ENVIRONMENT };
        more.extend(["--join".to_owned(), word.to_owned()]);
        more.extend(args.guest.then(|| "--guest".to_owned()));
    }
    more.extend(args.found.then(|| "--found".to_owned()));
    let cluster_home = ClusterHome::of(context.home.path());
    let ports_before = cluster_home.port_offset().map_err(anyhow::Error::new)?;
    let begun = tokio::time::Instant::now();
    let spinner = context.out.spinner(if token.is_some() { "joining" } else { "starting" });
    let mut daemon = Daemon::spawn_with(&context.home, context.port_offset, &more, &environment)?;
    let ready = daemon.ready(Duration::from_secs(args.timeout)).await;
    spinner.finish_and_clear();
    let (node, _) = ready?;
    let took = crate::output::duration_ms(begun.elapsed().as_secs_f64() * 1_000.0);
    context.out.line(format_args!("{} the node is ready ({took}, process {})", paint(GOOD, "✓"), daemon.pid()));
    show_where(&node, context);
    let ports = cluster_home.port_offset().map_err(anyhow::Error::new)?;
    if let (None, None, Some(offset @ 1..)) = (context.port_offset, ports_before, ports) {
        context.out.note(format_args!(
            "the usual ports are taken: this node uses ports that are {offset} higher, and keeps them (--port-offset chooses others)"
        ));
    }
    context.out.line(paint(
        DIM,
        "  another machine joins with: octopussy start --join TOKEN   (a token: octopussy cluster token)",
    ));
    context.out.document(&document(&node, false));
    Ok(())
}

fn show_where(node: &NodeFile, context: &Context) {
    let out = context.out;
    let places = [("REST", &node.url), ("WebSocket", &node.ws_url), ("metrics", &node.metrics_url)];
    for (name, url) in places {
        if let Some(url) = url {
            out.line(format_args!("  {name:<10} {}", paint(BOLD, url)));
        }
    }
    if let Some(cluster) = &node.cluster {
        out.line(format_args!("  {:<10} {} (UDP)", "mesh", cluster.mesh));
        let guest = if cluster.guest { ", a guest" } else { "" };
        let members = match cluster.members {
            0 | 1 => "1 member".to_owned(),
            members => format!("{members} members"),
        };
        out.line(format_args!("  {:<10} {}: {members}, this is {}{guest}", "cluster", cluster.cluster, cluster.name));
    }
    out.line(format_args!("  {:<10} {}", "home", context.home.path().display()));
    out.line(paint(DIM, format_args!("  {:<10} {}", "log", context.home.log().display())));
}

fn document(node: &NodeFile, already: bool) -> Value {
    json!({
        "started": !already, "already_running": already, "pid": node.pid,
        "url": node.url, "ws_url": node.ws_url, "metrics_url": node.metrics_url, "cluster": node.cluster,
    })
}

/// Reads `a.b=value`; a value that is JSON is taken as such, anything else as text.
fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as gateway.bind=0.0.0.0")?;
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(format!("'{key}' is not a key: expected names with dots between them, such as gateway.bind"));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_or_text() {
        assert_eq!(key_value("store.cache_mb=32").unwrap(), ("store.cache_mb".to_owned(), json!(32)));
        assert_eq!(key_value("gateway.bind=0.0.0.0").unwrap().1, json!("0.0.0.0"));
        assert_eq!(key_value("a.b=x=y").unwrap().1, json!("x=y"));
        assert!(key_value("nothing").is_err());
        assert!(key_value(".a=1").is_err());
    }

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: StartArgs,
    }

    #[test]
    fn members_are_looked_for_only_when_that_is_asked_for() {
        use clap::Parser;
        let finds = |words: &[&str]| Line::parse_from(["start"].iter().chain(words)).args.finds();
        assert!(finds(&["--join", "auto"]));
        assert!(!finds(&[]) && !finds(&["--join", "env"]) && !finds(&["--join", "octo1_x"]));
    }

    #[test]
    fn a_setting_survives_the_way_to_the_background() {
        let (key, value) = key_value("a.b=0.0.0.0").unwrap();
        assert_eq!(key_value(&format!("{key}={value}")).unwrap(), (key, value));
    }
}
