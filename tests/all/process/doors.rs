//! What anybody who reaches a port, or shares the machine, can do to a node: not much.

use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner, PATIENCE, eventually};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Connections that say nothing: more than the node may open files for them.
const SILENT: usize = 300;

#[tokio::test]
async fn silent_connections_take_neither_the_files_of_a_node_nor_its_answers() {
    let options =
        NodeOptions::new().config("gateway:\n  limits:\n    header_seconds: 5\n").wrapper(&["prlimit", "--nofile=512"]);
    let node = NodeRunner::start(options).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(node.rest_address()).await.unwrap());
    }
    // A connection that finds no place is closed; somebody quiet has made room a moment later.
    let task = eventually("the node takes a task", || async {
        node.submit("clerk", "Grass is green. What is green?").await.ok()
    });
    let task = task.await;
    let ended = eventually("the node answers", || async { node.ended(&task).await.ok() }).await;
    assert_eq!(ended["state"], "SUCCEEDED");
    for (number, stream) in silent.iter_mut().enumerate() {
        let closed = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "connection {number} is open: {closed:?}");
    }
    let log = node.log();
    for word in ["Too many open files", "reached elsewhere", "new identity"] {
        assert!(!log.contains(word), "'{word}' is in the log:\n{log}");
    }
    let told = log.matches("as many connections as it may").count();
    assert!((1..=12).contains(&told), "told {told} times of {SILENT} connections");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_home_that_a_mount_has_opened_to_a_group_is_closed_again_and_one_open_to_all_is_refused() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.sigterm().await.unwrap();
    for file in ["data/state.redb", "run/lock", "logs", "data/log"] {
        let path = node.home().join(file);
        if path.exists() {
            assert_eq!(mode(&path) & 0o077, 0, "{file}");
        }
    }
    let opened = std::process::Command::new("chmod").args(["-R", "g+rwX"]).arg(node.home()).status().unwrap();
    assert!(opened.success());
    set_mode(node.home(), 0o2770);
    node.launch().await.unwrap();
    for file in ["secrets/key", "secrets/store.enc", "tls/ca.key", "tls/node.key", "credentials.json"] {
        assert_eq!(mode(&node.home().join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(node.home()), 0o700);
    assert!(node.log().contains("others could look into what this node keeps"), "nothing was said of it");
    node.sigterm().await.unwrap();

    set_mode(node.home(), 0o777);
    let refused = node.start_and_fail().await.unwrap().text();
    assert!(refused.contains("mode 0777") && refused.contains("chmod 700"), "{refused}");
}

#[tokio::test]
async fn a_home_may_have_any_name_that_the_system_takes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let node = NodeRunner::prepare(NodeOptions::new()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(200);
    std::fs::create_dir(folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
    let names: [&[u8]; 7] =
        [b"byte \xff", b"two\nlines", b"it's \"quoted\"", long.as_bytes(), b"link", b"with/trailing/", b"./relative"];
    for name in names {
        for more in [&["install"][..], &["install", "--json"], &["status", "--json"]] {
            let mut command = tokio::process::Command::new(node.binary());
            command.current_dir(folder.path()).env_remove("OCTOPUSSY_HOME").arg("--home").arg(OsStr::from_bytes(name));
            let output = command.args(more).kill_on_drop(true).output();
            let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!text.contains("panicked"), "{:?} {more:?}: {text}", String::from_utf8_lossy(name));
            if more[0] == "install" {
                assert!(output.status.success(), "{:?} {more:?}: {text}", String::from_utf8_lossy(name));
            }
        }
    }
}

#[tokio::test]
async fn what_others_wrote_never_drives_the_terminal() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "agent.yaml",
        "name: imp\ndescription: \"x\\e[2J\"\ntags: [\"\\e]0;owned\\a\", \"\\u202egnp\", \"a\\nSTATE fine\"]\n",
    );
    for name in ["persona.md", "goal.md", "permissions.md"] {
        write(name, "Grass is green.");
    }
    let directory = folder.path().to_str().unwrap();
    let acting = |text: &str| text.contains(|c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}');
    for words in [
        &["agent", "create", directory][..],
        &["agent", "info", "imp"],
        &["agent", "info", "imp", "--json"],
        &["agent", "list"],
        &["agent", "info", "\u{1b}]0;x\u{7}"],
        &["agent", "validate", "/nowhere/\u{1b}[2J"],
    ] {
        let text = node.cli(words).await.unwrap().text();
        assert!(!acting(&text), "{words:?}: {text:?}");
    }
    let info = node.cli(&["agent", "info", "imp"]).await.unwrap().text();
    assert!(info.contains("\\u{1b}]0;owned") && info.lines().any(|line| line.contains("a\\nSTATE fine")), "{info}");
    write("agent.yaml", "name: imp2\n\"\\e]0;pwn\\a\": 1\n");
    let refused = node.cli(&["agent", "validate", directory]).await.unwrap().text();
    assert!(refused.contains("pwn") && !acting(&refused), "{refused:?}");
}
