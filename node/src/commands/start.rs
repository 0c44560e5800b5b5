//! `octopussy start`: the node, in the background unless somebody wants to watch.

use super::install;
use crate::cli::Context;
use crate::failure::Failure;
use crate::host::{self, HostOptions};
use crate::output::{BOLD, DIM, GOOD, paint};
use crate::process::{Daemon, NodeFile, StartError};
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
    /// Set a key of the configuration for this run, such as gateway.bind=0.0.0.0
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, Value)>,
    /// The background half of a start
    #[arg(long, hide = true, requires = "foreground")]
    detached: bool,
}

/// Starts the node.
pub(crate) async fn run(args: StartArgs, context: &Context) -> Result<(), Failure> {
    if args.detached {
        // A session of its own: the terminal that started the node may close.
        let _ = rustix::process::setsid();
    }
    if let Some(node) = NodeFile::of_running(&context.home) {
        context.out.line(format_args!("The node runs already (process {}).", node.pid));
        show_where(&node, context);
        context.out.document(&document(&node, true));
        return Ok(());
    }
    if !context.home.is_installed() && !args.detached {
        context.out.note(format_args!("{} is not prepared yet: installing first.", context.home.path().display()));
        install::prepare(&install::InstallArgs::unattended(), context).await?;
    }
    if args.foreground { in_foreground(args, context).await } else { in_background(args, context).await }
}

async fn in_foreground(args: StartArgs, context: &Context) -> Result<(), Failure> {
    let options = HostOptions {
        home: context.home.path().to_owned(),
        port_offset: context.port_offset.unwrap_or(0),
        overrides: args.set,
    };
    Box::pin(host::run(options)).await.map_err(|error| {
        let failure = Failure::from(error);
        if args.detached {
            let told = StartError::from(&failure);
            if let (Some(folder), Ok(text)) = (context.home.start_error().parent(), serde_json::to_vec(&told)) {
                let _ = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(context.home.start_error(), text));
            }
        }
        failure
    })
}

async fn in_background(args: StartArgs, context: &Context) -> Result<(), Failure> {
    let more: Vec<String> =
        args.set.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect();
    let begun = tokio::time::Instant::now();
    let spinner = context.out.spinner("starting");
    let mut daemon = Daemon::spawn(&context.home, context.port_offset, &more)?;
    let ready = daemon.ready(Duration::from_secs(args.timeout)).await;
    spinner.finish_and_clear();
    let (node, _) = ready?;
    let took = crate::output::duration_ms(begun.elapsed().as_secs_f64() * 1_000.0);
    context.out.line(format_args!("{} the node is ready ({took}, process {})", paint(GOOD, "✓"), daemon.pid()));
    show_where(&node, context);
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
    out.line(format_args!("  {:<10} {}", "home", context.home.path().display()));
    out.line(paint(DIM, format_args!("  {:<10} {}", "log", context.home.log().display())));
}

fn document(node: &NodeFile, already: bool) -> Value {
    json!({
        "started": !already, "already_running": already, "pid": node.pid,
        "url": node.url, "ws_url": node.ws_url, "metrics_url": node.metrics_url,
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

    #[test]
    fn a_setting_survives_the_way_to_the_background() {
        let (key, value) = key_value("a.b=0.0.0.0").unwrap();
        assert_eq!(key_value(&format!("{key}={value}")).unwrap(), (key, value));
    }
}
