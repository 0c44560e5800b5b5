//! The binary under test, built on first use.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The `octopussy` binary of the same target directory and profile as the running program, brought up to date once a
/// process. `OCTOPUSSY_BIN` names another one, which is taken as it is.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("OCTOPUSSY_BIN") {
        return Ok(PathBuf::from(path));
    }
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(path) = &*built {
        return Ok(path.clone());
    }
    let path = build()?;
    *built = Some(path.clone());
    Ok(path)
}

fn build() -> Result<PathBuf> {
    let running = std::env::current_exe().context("the path of the running program is not known")?;
    // target/<profile>/deps/all-<hash>, or target/<profile>/<program>.
    let folder = running
        .ancestors()
        .skip(1)
        .find(|folder| folder.file_name().is_some_and(|name| name != "deps"))
        .context("the running program does not lie in a target directory")?;
    let (Some(profile), Some(target)) = (folder.file_name().and_then(|name| name.to_str()), folder.parent()) else {
        bail!("{} is not a folder of a target directory", folder.display());
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", "octopussy", "--bin", "octopussy", "--quiet"])
        .args(["--profile", if profile == "debug" { "dev" } else { profile }])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(target)
        .status()
        .context("cargo could not be started to build the binary")?;
    ensure!(status.success(), "the binary under test does not build");
    Ok(folder.join("octopussy"))
}
