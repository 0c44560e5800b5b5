//! Whose a home directory is, and who else may look into it.

use crate::failure::Failure;
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a node keeps in its home; `config.yaml` is its owner's to share.
const KEPT: [&str; 8] = ["audit", "cluster", "credentials.json", "data", "logs", "run", "secrets", "tls"];
/// Folders of these whose files are looked at one by one: they hold keys. The others are closed as a whole.
const LOOKED_INTO: [&str; 4] = ["cluster", "run", "secrets", "tls"];
/// Files of one folder that are looked at: far more than a node makes there.
const MAX_FILES: usize = 1_000;
/// Group and others, in a mode.
const NOT_THE_OWNER: u32 = 0o077;
/// The superuser.
const ROOT: u32 = 0;

/// Who may do what with a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    owner: u32,
    mode: u32,
    is_directory: bool,
}

/// Why a home is not used. Nothing was written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    NoDirectory,
    OfAnother(u32),
    OpenToAll(u32),
}

/// Whether this user may keep a node there. What belongs to root may: volumes are handed to a group that way.
const fn judge(standing: Standing, me: u32) -> Result<(), Refusal> {
    let Standing { owner, mode, is_directory } = standing;
    if !is_directory {
        return Err(Refusal::NoDirectory);
    }
    if owner != me && owner != ROOT && me != ROOT {
        return Err(Refusal::OfAnother(owner));
    }
    // Whoever may write into it may have put anything there.
    if mode & 0o002 != 0 {
        return Err(Refusal::OpenToAll(mode & 0o7777));
    }
    Ok(())
}

/// Refuses a home that is somebody else's, or that everybody can write into. One that is not there yet is nobody's.
pub(crate) fn check(home: &Path) -> Result<(), Failure> {
    let met = match std::fs::metadata(home) {
        Ok(met) => met,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::io("cannot look at", home, &error)),
    };
    let standing = Standing { owner: met.uid(), mode: met.mode(), is_directory: met.is_dir() };
    let me = rustix::process::geteuid().as_raw();
    let shown = home.display();
    judge(standing, me).map_err(|refusal| match refusal {
        Refusal::NoDirectory => {
            Failure::new(format!("{shown} is not a directory")).hint("choose another place with --home DIR")
        }
        Refusal::OfAnother(owner) => Failure::new(format!(
            "{shown} belongs to the user {owner}, and this is the user {me}"
        ))
        .hint(format!("run as its owner, hand it over with chown -R {me}, or choose another place with --home DIR")),
        Refusal::OpenToAll(mode) => Failure::new(format!(
            "every user of this machine can write into {shown} (mode {mode:04o})"
        ))
        .hint(format!(
            "see that nobody has put anything there, then: chmod 700 '{shown}'; or choose another place with --home DIR"
        )),
    })
}

/// Closes to everybody else what the node keeps in its home, where it is this user's to close: somebody may have made the
/// directory with another mode, and volumes are opened to a group each time they are mounted. Says what it has closed.
pub(crate) fn close(home: &Path) {
    let closed = closed(home, rustix::process::geteuid().as_raw());
    if let Some(first) = closed.first() {
        tracing::warn!(
            count = closed.len(),
            first = %first.display(),
            "others could look into what this node keeps; that is mended. If they were not meant to, rotate the keys"
        );
    }
}

fn closed(home: &Path, me: u32) -> Vec<PathBuf> {
    let mut paths = vec![home.to_owned()];
    paths.extend(KEPT.iter().map(|kept| home.join(kept)));
    for folder in LOOKED_INTO {
        let Ok(entries) = std::fs::read_dir(home.join(folder)) else { continue };
        paths.extend(entries.take(MAX_FILES).filter_map(Result::ok).map(|entry| entry.path()));
    }
    paths.into_iter().filter(|path| narrowed(path, me)).collect()
}

/// Takes from group and others what they may do with a file or folder of this user's; whether there was anything.
fn narrowed(path: &Path, me: u32) -> bool {
    let Ok(met) = std::fs::metadata(path) else { return false };
    let is_certificate = path.extension().is_some_and(|extension| extension == "pem");
    if met.uid() != me || open_bits(&met) == 0 || is_certificate {
        return false;
    }
    let mode = met.mode() & 0o7777 & !NOT_THE_OWNER & !0o6000;
    match std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "others can look into it, and that cannot be changed");
            false
        }
    }
}

fn open_bits(met: &Metadata) -> u32 {
    met.mode() & NOT_THE_OWNER
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_home_of_somebody_else_or_open_to_all_is_refused() {
        let standing = |owner, mode| Standing { owner, mode, is_directory: true };
        assert_eq!(judge(standing(1000, 0o40700), 1000), Ok(()));
        assert_eq!(judge(standing(1000, 0o42770), 1000), Ok(()), "what a volume's group may do is mended");
        assert_eq!(judge(standing(ROOT, 0o42775), 1000), Ok(()), "a volume that was handed to a group");
        assert_eq!(judge(standing(1000, 0o40755), ROOT), Ok(()));
        assert_eq!(judge(standing(1001, 0o40777), 1000), Err(Refusal::OfAnother(1001)));
        assert_eq!(judge(standing(1000, 0o41777), 1000), Err(Refusal::OpenToAll(0o1777)));
        let file = Standing { owner: 1000, mode: 0o100_600, is_directory: false };
        assert_eq!(judge(file, 1000), Err(Refusal::NoDirectory));
    }

    #[test]
    fn a_refusal_names_the_place_and_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        check(home.path()).unwrap();
        check(&home.path().join("not there yet")).unwrap();
        set(home.path(), 0o777);
        let refused = check(home.path()).unwrap_err();
        assert!(refused.message.contains(&home.path().display().to_string()) && refused.message.contains("0777"));
        assert!(refused.hint.unwrap().contains("chmod 700"));
        assert_eq!(mode(home.path()), 0o777, "nothing was changed");
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(check(&file).unwrap_err().message.contains("not a directory"));
    }

    #[test]
    fn what_a_mount_has_opened_is_closed_again_and_what_is_the_owners_to_share_stays() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        for folder in ["secrets", "tls", "data"] {
            fs::create_dir(root.join(folder)).unwrap();
            set(&root.join(folder), 0o2770);
        }
        for (file, given) in [
            ("secrets/store.enc", 0o660),
            ("secrets/key", 0o660),
            ("tls/ca.key", 0o644),
            ("tls/ca.pem", 0o644),
            ("credentials.json", 0o660),
            ("config.yaml", 0o664),
        ] {
            fs::write(root.join(file), "x").unwrap();
            set(&root.join(file), given);
        }
        set(root, 0o2775);
        let me = rustix::process::geteuid().as_raw();
        assert_eq!(closed(root, me).len(), 8);
        for closed in ["", "secrets", "tls", "data"] {
            assert_eq!(mode(&root.join(closed)), 0o700, "{closed}");
        }
        for closed in ["secrets/store.enc", "secrets/key", "tls/ca.key", "credentials.json"] {
            assert_eq!(mode(&root.join(closed)), 0o600, "{closed}");
        }
        assert_eq!((mode(&root.join("config.yaml")), mode(&root.join("tls/ca.pem"))), (0o664, 0o644));
        assert!(closed(root, me).is_empty(), "nothing is left to be mended");
        set(root, 0o755);
        assert!(closed(root, me + 1).is_empty(), "what is not this user's is left alone");
    }
}
