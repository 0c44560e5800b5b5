//! `octopussy secret`: keys and passwords. A value comes from a terminal without echo, from a pipe or from a file; never from
//! the command line, which every process of the machine can read.

use super::own_secrets;
use crate::cli::Context;
use crate::client::{Call, Client, Page, decode, segment};
use crate::failure::{Exit, Failure};
use crate::output::{GOOD, paint};
use clap::{Args, Subcommand};
use octopussy_core::plain_text::{self, NotText};
use reqwest::Method;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;

/// The largest secret: a certificate chain with its key fits.
const MAX_SECRET: u64 = 64 * 1024;

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store a secret; its value is read from a prompt, from standard input or from a file
    Set(SetArgs),
    /// List the names of the secrets; values are never shown
    List,
    /// Remove a secret from every node
    Delete {
        /// Its name
        name: String,
    },
    /// Replace a key that the nodes make themselves (message.signing_key, jwt.signing_key); what the one before has signed is good for a
    /// while: messages for a week, tokens for a day
    Rotate {
        /// Its name
        name: String,
    },
}

/// Which secret, and where its value is.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  octopussy secret set openai.api_key\n  pass openai | octopussy secret set openai.api_key"
)]
pub(crate) struct SetArgs {
    /// Its name, such as openai.api_key
    name: String,
    /// Read the value from this file; one newline at the end is left out
    #[arg(long, value_name = "FILE")]
    value_file: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(command: SecretCommand, context: &Context) -> Result<(), Failure> {
    match command {
        SecretCommand::Set(args) => set(args, context).await,
        SecretCommand::List => list(context).await,
        SecretCommand::Rotate { name } => {
            let client = Client::of_cluster(&context.home, context.port_offset)?;
            let body = json!({"name": name});
            let value = client.send(Call::new(Method::POST, "/api/v1/secrets-rotations").body(&body)).await?;
            let told = "a new key is on its way; it signs once every member has it";
            context.out.line(format_args!("{} {name}: {told}", paint(GOOD, "✓")));
            context.out.document(&value);
            Ok(())
        }
        SecretCommand::Delete { name } => {
            if own_secrets::is_guests(context)? {
                own_secrets::change(context, &name, None).await?;
            } else {
                let client = Client::of_cluster(&context.home, context.port_offset)?;
                client.send(Call::new(Method::DELETE, &path(&name))).await?;
            }
            context.out.line(format_args!("{} {name} is removed", paint(GOOD, "✓")));
            context.out.document(&json!({"name": name, "deleted": true}));
            Ok(())
        }
    }
}

async fn set(args: SetArgs, context: &Context) -> Result<(), Failure> {
    let value = match &args.value_file {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|error| Failure::io("cannot read", path, &error))?;
            read_bounded(file)?
        }
        None if std::io::stdin().is_terminal() => prompt(&args.name)?,
        None => read_bounded(std::io::stdin().lock())?,
    };
    if value.is_empty() {
        return Err(Failure::new("the value is empty")
            .exit(Exit::Usage)
            .hint("type or pipe the value; it is not a command line argument"));
    }
    if own_secrets::is_guests(context)? {
        own_secrets::change(context, &args.name, Some(value)).await?;
    } else {
        let client = Client::of_cluster(&context.home, context.port_offset)?;
        client.send(Call::new(Method::PUT, &path(&args.name)).body(&json!({"value": value}))).await?;
    }
    context.out.line(format_args!("{} {} is stored, encrypted", paint(GOOD, "✓"), args.name));
    context.out.document(&json!({"name": args.name, "stored": true}));
    Ok(())
}

/// Where the secret of this name is.
fn path(name: &str) -> String {
    format!("/api/v1/secrets/{}", name.split('/').map(segment).collect::<Vec<_>>().join("/"))
}

async fn list(context: &Context) -> Result<(), Failure> {
    let value = Client::of_cluster(&context.home, context.port_offset)?.get("/api/v1/secrets").await?;
    let page: Page<String> = decode(&value)?;
    context.out.document(&value);
    if page.items.is_empty() {
        context.out.line("There are no secrets. octopussy secret set NAME stores one.");
    }
    for name in page.items {
        context.out.line(name);
    }
    Ok(())
}

/// Reads a value to its end, without the newline that editors and `echo` add.
fn read_bounded(source: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source
        .take(MAX_SECRET + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("the value cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(
            Failure::new(format!("the value is larger than {MAX_SECRET} bytes")).hint("store a key, not a file")
        );
    }
    let mut value = plain_text::from_file(bytes).map_err(|error| match error {
        NotText::Utf16 => Failure::new("the value is UTF-16").hint("save it as UTF-8"),
        NotText::Other { .. } => {
            Failure::new("the value is not UTF-8 text").hint("encode binary values, for example with base64")
        }
    })?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    Ok(value)
}

/// Asks on the terminal, without showing what is typed.
fn prompt(name: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let failed = |error: std::io::Error| Failure::new(format!("the terminal cannot be read: {error}"));
    let before = tcgetattr(&stdin).map_err(|error| failed(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL);
    crate::output::Output::new(false).note(format_args!("Value of {name} (not shown), then Enter:"));
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
    let mut line = String::new();
    let read = stdin.lock().take(MAX_SECRET).read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(|error| failed(error.into()))?;
    read.map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_not_part_of_a_value() {
        assert_eq!(read_bounded(&b"key\n"[..]).unwrap(), "key");
        assert_eq!(read_bounded(&b"key\r\n"[..]).unwrap(), "key");
        assert_eq!(read_bounded(&b"a\nb\n\n"[..]).unwrap(), "a\nb\n");
        assert_eq!(read_bounded(&b" spaced "[..]).unwrap(), " spaced ");
        assert_eq!(read_bounded(&b"\xef\xbb\xbfkey\r\n"[..]).unwrap(), "key");
    }

    #[test]
    fn values_are_bounded_and_text() {
        assert!(read_bounded(std::io::repeat(b'x')).is_err());
        assert!(read_bounded(&b"\xff"[..]).is_err());
        assert!(read_bounded(&b"\xff\xfek\0e\0y\0"[..]).unwrap_err().message.contains("UTF-16"));
    }
}
