//! Gives the binary its version: that of the package, and where it is known the commit it was built from, as build metadata of
//! semantic versioning (`0.1.0+52f12e7683`). Two builds of one version can be told apart in a cluster that is being upgraded.

use std::path::Path;
use std::process::Command;

/// Names the commit where the sources are no checkout, such as in an image or a package.
const COMMIT: &str = "OCTOPUSSY_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let package = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let named = std::env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let version = match named.or_else(checked_out) {
        Some(commit) => format!("{package}+{commit}"),
        None => package,
    };
    println!("cargo::rustc-env=OCTOPUSSY_VERSION={version}");
}

/// The commit that is checked out, unless this folder is part of somebody else's repository.
fn checked_out() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != "node/" {
        return None;
    }
    // The first says that another branch was checked out, the second that the branch moved on.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        // Cargo would take a file that is not there for one that has changed.
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=10", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
