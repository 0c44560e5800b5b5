//! Our crates form a star around the core. Cargo refuses an import without a dependency; this refuses the dependency.
//!
//! `crate_graph.txt` is the golden graph: one crate a line with those of ours it depends on, `?` behind optional ones. The
//! rules below hold whatever the file says, so that renewing it cannot wave a sideways dependency through. Tests and
//! benches measure from outside, may use anything, and stand in neither.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOLDEN: &str = include_str!("crate_graph.txt");

/// The crates of one layer each.
const LAYERS: [&str; 4] =
    ["octopussy-infrastructure", "octopussy-execution", "octopussy-knowledge", "octopussy-agents"];

/// What a pure crate cannot have anywhere below it: runtimes, networks, file watchers, actors.
const MECHANISMS: [&str; 9] =
    ["tokio", "ractor", "reqwest", "hyper", "axum", "mio", "notify", "redb", "tracing-subscriber"];

/// Names all of ours start with; the binary is called `octopussy` alone.
const PREFIX: &str = "octopussy-";

/// What tests of any crate may use.
const FOR_TESTS: [&str; 3] = ["octopussy-tests", "octopussy-mesh", "octopussy-corpus"];

/// Crates that are not shipped.
const OUTSIDE: [&str; 3] = ["octopussy-tests", "octopussy-benches", "octopussy-corpus"];

/// A dependency of one of our crates on another: its name, and whether a feature decides about it.
type Edges = BTreeMap<String, BTreeSet<(String, bool)>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata(root: &Path) -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).no_deps().other_options(["--offline".to_owned()]);
    command.exec().unwrap()
}

/// Dependencies among our shipped crates. Those of their tests count too, except on the tests' own helper crate and on the
/// mesh, whose in-memory half stands in for a network everywhere.
fn edges(metadata: &Metadata) -> Edges {
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let of = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter().filter(|it| ours.contains(it.name.as_str()));
        let counted =
            dependencies.filter(|it| it.kind != DependencyKind::Development || !FOR_TESTS.contains(&it.name.as_str()));
        (package.name.to_string(), counted.map(|it| (it.name.clone(), it.optional)).collect())
    };
    metadata.packages.iter().filter(|package| !OUTSIDE.contains(&package.name.as_str())).map(of).collect()
}

/// Every dependency that the architecture does not allow.
fn violations(edges: &Edges) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in edges {
        let allowed: &[&str] = match name.as_str() {
            "octopussy" => continue,
            "octopussy-core" => &[],
            "octopussy-placement" => &["octopussy-core", "octopussy-control"],
            "octopussy-shard" => {
                &["octopussy-core", "octopussy-control", "octopussy-ledger", "octopussy-placement", "octopussy-store"]
            }
            "octopussy-gateway" => &["octopussy-core", "octopussy-lifecycle"],
            layer if LAYERS.contains(&layer) => &["octopussy-core", "octopussy-lifecycle"],
            _ => &["octopussy-core"],
        };
        for (dependency, optional) in dependencies {
            if !allowed.contains(&dependency.as_str()) {
                found.push(format!("{name} must not depend on {dependency}"));
            }
            if LAYERS.contains(&name.as_str()) && dependency == "octopussy-lifecycle" && !optional {
                found.push(format!("{name} must depend on {dependency} in its realization only"));
            }
        }
    }
    found
}

fn written(edges: &Edges) -> String {
    let mut text = String::new();
    for (name, dependencies) in edges {
        write!(text, "{name}:").unwrap();
        for (dependency, optional) in dependencies {
            let short = dependency.strip_prefix(PREFIX).unwrap_or(dependency);
            write!(text, " {short}{}", if *optional { "?" } else { "" }).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn our_crates_form_a_star() {
    let edges = edges(&metadata(&root()));
    assert_eq!(violations(&edges), Vec::<String>::new());
    assert_eq!(written(&edges), GOLDEN, "tests/all/workspace/crate_graph.txt is the graph that was agreed on");
}

#[test]
fn nothing_below_the_essence_is_a_mechanism() {
    let pure = LAYERS.iter().chain(&[
        "octopussy-control",
        "octopussy-core",
        "octopussy-ledger",
        "octopussy-lifecycle",
        "octopussy-placement",
    ]);
    for name in pure {
        let found: Vec<_> = below(name).into_iter().filter(|it| MECHANISMS.contains(&it.as_str())).collect();
        assert_eq!(found, Vec::<String>::new(), "below {name} without features");
    }
    assert!(below("octopussy-shard").contains("tokio"), "this check sees mechanisms where they are");
}

/// The names of all crates that `name` is built from without its features.
fn below(name: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{lib}", "--package", name])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim().replace('_', "-")).collect()
}

/// The manifests of this workspace in a directory of their own, with empty crates behind them.
fn copy_of_the_manifests() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(root().join("Cargo.toml"), copy.path().join("Cargo.toml")).unwrap();
    for package in metadata(&root()).packages {
        let manifest = package.manifest_path.as_std_path();
        let relative = manifest.strip_prefix(root()).unwrap();
        fs::create_dir_all(copy.path().join(relative.parent().unwrap())).unwrap();
        fs::copy(manifest, copy.path().join(relative)).unwrap();
        for target in package.targets {
            let stub = copy.path().join(target.src_path.as_std_path().strip_prefix(root()).unwrap());
            fs::create_dir_all(stub.parent().unwrap()).unwrap();
            fs::write(stub, "").unwrap();
        }
    }
    copy
}

fn plant(copy: &Path, manifest: &str, dependency: &str) {
    let path = copy.join(manifest);
    let text = fs::read_to_string(&path).unwrap();
    let planted = text.replace("\n[dependencies]\n", &format!("\n[dependencies]\n{dependency}\n"));
    assert_ne!(text, planted, "{manifest} has dependencies");
    fs::write(path, planted).unwrap();
}

#[test]
fn a_planted_dependency_is_refused() {
    let copy = copy_of_the_manifests();
    assert_eq!(violations(&edges(&metadata(copy.path()))), Vec::<String>::new(), "the copy itself is sound");
    plant(copy.path(), "actors/agents/Cargo.toml", "octopussy-knowledge.workspace = true");
    plant(copy.path(), "gateway/Cargo.toml", "octopussy-store.workspace = true");
    plant(copy.path(), "actors/lifecycle/Cargo.toml", "octopussy-config.workspace = true");
    let found = violations(&edges(&metadata(copy.path())));
    let expected = [
        "octopussy-agents must not depend on octopussy-knowledge",
        "octopussy-gateway must not depend on octopussy-store",
        "octopussy-lifecycle must not depend on octopussy-config",
    ];
    assert_eq!(found, expected);
}
