//! The socket at which a running node hands out its backup.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Its file, in the folder `run` of the home.
const NAME: &str = "backup.sock";
/// The longest path that an address can hold on every system.
const LONGEST: usize = 100;

fn folder(home: &Path) -> PathBuf {
    home.join("run")
}

/// Where it is.
pub(crate) fn socket(home: &Path) -> PathBuf {
    folder(home).join(NAME)
}

/// Runs `action` with a path of the socket that fits into an address. A home may lie deeper than that: its folder is named by a
/// descriptor then, where the system can do that.
fn with_path<T>(home: &Path, action: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let direct = socket(home);
    if direct.as_os_str().len() <= LONGEST {
        return action(&direct);
    }
    let folder = File::open(folder(home))?;
    action(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME))
}

/// Listens, for the owner of the home alone.
pub(super) fn listen(home: &Path) -> io::Result<UnixListener> {
    let path = socket(home);
    // One of a node that was killed. The home is this node's: nobody else listens there.
    remove(home)?;
    let listener = with_path(home, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes it away.
pub(super) fn remove(home: &Path) -> io::Result<()> {
    match std::fs::remove_file(socket(home)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Connects with the node that runs with this home.
pub(crate) fn connect(home: &Path) -> io::Result<UnixStream> {
    with_path(home, |path| UnixStream::connect(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_home_may_lie_deep_and_its_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        for home in [folder.path().to_owned(), folder.path().join("d".repeat(120))] {
            std::fs::create_dir_all(home.join("run")).unwrap();
            assert_eq!(connect(&home).unwrap_err().kind(), ErrorKind::NotFound);
            drop(listen(&home).unwrap());
            assert_eq!(connect(&home).unwrap_err().kind(), ErrorKind::ConnectionRefused, "nobody listens any more");
            let listener = listen(&home).unwrap();
            let mode = std::fs::metadata(socket(&home)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let _client = connect(&home).unwrap();
            listener.accept().await.unwrap();
            remove(&home).unwrap();
        }
    }
}
