//! What must not be in any file: traces of the machine on which it was written.

use super::{files, none, read};

/// Folders of people and of build machines, as the first part of an absolute path.
const PRIVATE: [&str; 8] = ["Users", "builds", "farm", "home", "mnt", "root", "work", "workspace"];

/// The one registry that a lock file may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn no_path_of_a_development_machine() {
    let mut broken = Vec::new();
    for path in files().into_iter().filter(|path| !path.ends_with(".lock")) {
        for (number, line) in read(&path).lines().enumerate() {
            if let Some(found) = PRIVATE.iter().find(|first| names(line, first)) {
                broken.push(format!("{path}:{}: a path below /{found}", number + 1));
            }
        }
    }
    none(&broken, "no file names a path of the machine on which it was written");
}

/// Whether a line holds `/FIRST/` as the beginning of a path.
fn names(line: &str, first: &str) -> bool {
    let whole = format!("/{first}/");
    line.match_indices(&whole).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "_.-/}*".contains(c))
    })
}

#[test]
fn packages_come_from_the_public_registry() {
    let mut broken = Vec::new();
    for path in files() {
        let is_config = path.starts_with(".cargo/");
        for (number, line) in read(&path).lines().enumerate() {
            let foreign =
                path.ends_with("Cargo.lock") && line.starts_with("source = ") && !line.contains(REGISTRY);
            let replaced = is_config && (line.contains("replace-with") || line.contains("registry"));
            if foreign || replaced {
                broken.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    none(&broken, "no file names another registry");
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[ig", "nore"),
    ];
    let mut broken = Vec::new();
    for path in files().into_iter().filter(|path| path.ends_with(".rs")) {
        for (number, line) in read(&path).lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                broken.push(format!("{path}:{}: {mark}", number + 1));
            }
        }
    }
    none(&broken, "what is in the repository is whole");
}
