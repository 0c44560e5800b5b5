//! An agent's directory, read into the form in which it travels.

use crate::failure::{Exit, Failure};
use octopussy_agents::agent_factory::essence::bundle::{
    MAX_FILE_BYTES, MEMORY_FILE, REQUIRED_FILES, is_hidden, is_inside, referenced_documents,
};
use octopussy_core::plain_text::{self, NotText};
use octopussy_core::ports::{AgentBundle, BundleFile};
use std::io::Read;
use std::path::Path;

/// Reads the directory: the files it must or may have, and the documents that `memory.md` names. What is missing is left
/// out, so that the validation can say so at its line.
pub(crate) fn read_bundle(directory: &Path) -> Result<AgentBundle, Failure> {
    if !directory.is_dir() {
        return Err(Failure::new(format!("{} is not a directory", directory.display()))
            .exit(Exit::Usage)
            .hint("give the directory that holds agent.yaml; config/agents/ has examples"));
    }
    let mut files = Vec::new();
    for name in REQUIRED_FILES.into_iter().chain([MEMORY_FILE]) {
        files.extend(read_file(directory, name)?);
    }
    let memory = files.iter().find(|file: &&BundleFile| file.path == MEMORY_FILE);
    let named = memory.map(|memory| referenced_documents(&memory.text)).unwrap_or_default();
    for (_, path) in named {
        // Nothing outside of the directory is ever read for an agent; the validation says so at its line.
        if is_inside(&path) && !is_hidden(&path) && !files.iter().any(|file| file.path == path) {
            files.extend(read_file(directory, &path)?);
        }
    }
    Ok(AgentBundle { files })
}

fn read_file(directory: &Path, name: &str) -> Result<Option<BundleFile>, Failure> {
    let path = directory.join(name);
    let failed = |error: std::io::Error| Failure::io("cannot read", &path, &error);
    let inside = |real: &Path| directory.canonicalize().is_ok_and(|root| real.starts_with(root));
    match path.canonicalize() {
        Ok(real) if !inside(&real) => {
            return Err(Failure::new(format!("{} is a link that leads out of the directory", path.display()))
                .hint("copy the file into the directory: an agent is what its directory holds"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(&path).map_err(failed)?.is_file() {
        return Err(
            Failure::new(format!("{} is no regular file", path.display())).hint("an agent is made of text files")
        );
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Failure::new(format!("{} is larger than 8 MiB", path.display())).hint("split the document"));
    }
    let text = plain_text::from_file(bytes).map_err(|error| {
        let place = match error {
            NotText::Utf16 => path.display().to_string(),
            NotText::Other { line } => format!("{}:{line}", path.display()),
        };
        Failure::new(format!("{place}: {error}")).hint("convert it to Markdown or plain text in UTF-8")
    })?;
    Ok(Some(BundleFile { path: name.to_owned(), text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_files_and_the_named_documents_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir(root.join("docs")).unwrap();
        fs::write(root.join("agent.yaml"), "name: a\n").unwrap();
        fs::write(
            root.join("memory.md"),
            "# Facts\n- document: docs/one.md\n- document: docs/absent.md\n- document: ../secret\n",
        )
        .unwrap();
        fs::write(root.join("docs/one.md"), "one").unwrap();
        fs::write(root.join("docs/two.md"), "not named").unwrap();
        fs::write(root.join("notes.txt"), "not part").unwrap();
        let bundle = read_bundle(root).unwrap();
        let paths: Vec<_> = bundle.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["agent.yaml", "memory.md", "docs/one.md"]);
    }

    #[test]
    fn a_link_out_of_the_directory_is_refused() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), directory.path().join("persona.md")).unwrap();
        assert!(read_bundle(directory.path()).unwrap_err().message.contains("leads out"));
    }

    #[test]
    fn a_file_that_is_no_text_is_named_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("goal.md"), b"a\nb\n\xff").unwrap();
        assert!(read_bundle(directory.path()).unwrap_err().message.contains("goal.md:3"));
    }

    #[test]
    fn hidden_files_are_not_read_and_pipes_are_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::write(root.join(".env"), "KEY=1").unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join(".git/config"), "x").unwrap();
        fs::write(root.join("memory.md"), "- document: .env\n- document: .git/config\n").unwrap();
        let bundle = read_bundle(root).unwrap();
        assert_eq!(bundle.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["memory.md"]);
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("goal.md"), rustix::fs::Mode::RWXU).unwrap();
        assert!(read_bundle(root).unwrap_err().message.contains("no regular file"));
    }

    #[test]
    fn a_path_that_is_no_directory_is_a_usage_error() {
        assert_eq!(read_bundle(Path::new("/nowhere/at/all")).unwrap_err().exit, Exit::Usage);
    }
}
