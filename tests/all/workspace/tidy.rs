//! How our files are kept: short ones, crate roots that are tables of contents, rooms that say what they are for.

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines. The aim is 300; a file of more than this has more than one subject.
const MOST_LINES: usize = 500;

/// How what a crate's root may hold begins.
const ALLOWED: [&str; 5] = ["mod ", "pub mod ", "use ", "pub use ", "pub(crate) use "];

/// Every Rust file of ours.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "hardly any sources were found: {}", found.len());
    found.sort();
    found
}

/// What `check` says of every file that is called `name`, or of every file.
fn complaints(name: Option<&str>, check: fn(&str) -> Option<String>) -> String {
    let named = sources().into_iter().filter(|path| name.is_none_or(|name| path.ends_with(name)));
    let complaints = named.filter_map(|path| {
        let complaint = check(&fs::read_to_string(&path).unwrap())?;
        Some(format!("{}: {complaint}\n", path.display()))
    });
    complaints.collect()
}

fn too_long(text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MOST_LINES).then(|| format!("{lines} lines are more than {MOST_LINES}: what is its second subject?"))
}

/// The first item that does not belong into a crate's root.
fn misplaced(text: &str) -> Option<String> {
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let (mut item, mut open) = (String::new(), 0_usize);
    for line in code {
        let within_attribute = open > 0 || (item.is_empty() && line.starts_with('#'));
        if within_attribute {
            open += line.matches('[').count();
            open -= line.matches(']').count();
            continue;
        }
        item.push_str(line);
        let allowed = ALLOWED.iter().any(|start| item.starts_with(start));
        if !allowed || (line.ends_with('{') && !item.contains("use ")) {
            return Some(format!("`{item}` belongs into a module"));
        }
        if item.ends_with(';') {
            item.clear();
        }
    }
    None
}

fn without_purpose(text: &str) -> Option<String> {
    let silent = !text.starts_with("//! ");
    silent.then(|| "it does not open with a sentence that says what the room is for".to_owned())
}

#[test]
fn files_are_short() {
    assert_eq!(complaints(None, too_long), "");
    assert!(too_long(&"fn f() {}\n".repeat(MOST_LINES + 1)).is_some());
}

#[test]
fn crate_roots_are_tables_of_contents() {
    assert_eq!(complaints(Some("lib.rs"), misplaced), "");
    let fine = "//! Says what.\n#![allow(\n    dead_code\n)]\n#[cfg(test)]\nmod a;\npub mod b;\npub use a::{\n    One,\n    Two,\n};\n";
    assert_eq!(misplaced(fine), None);
    for planted in ["const A: u8 = 1;", "pub fn f() {", "mod inline {", "struct S;"] {
        assert!(misplaced(&format!("{fine}{planted}\n")).is_some(), "not seen: {planted}");
    }
}

#[test]
fn rooms_say_what_they_are_for() {
    assert_eq!(complaints(Some("mod.rs"), without_purpose), "");
    assert!(without_purpose("mod a;\n").is_some());
}
