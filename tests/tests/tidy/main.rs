//! The repository's own rules, as far as a program can look: a test binary of its own, as they need
//! no cluster and no sandbox.
//!
//! | module | what is looked at |
//! |---|---|
//! | [`modules`] | the crates inside: no two modules need each other |
//! | [`rooms`] | the crates: who depends on whom, what a pure one may list |
//! | [`source`] | source files: their documentation, their size, `unsafe`, scripts, fuzz targets |
//! | [`pages`] | the pages: links, the map of the rooms, the two commands of the README |
//! | [`reference`] | pages that are written from the code |
//! | [`words`] | what must not be in any file |
//!
//! A rule names every place that breaks it, not only the first.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a rule that cannot be looked at has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod modules;
mod pages;
mod reference;
mod rooms;
mod source;
mod words;

/// The root of the checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// The files that belong to the checkout, relative to its root: those that git knows, and new ones
/// that it does not ignore.
fn files() -> Vec<String> {
    let list = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(root()).args(list).output().expect("git is there");
    assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let all = String::from_utf8(output.stdout).expect("paths are UTF-8");
    // What is deleted and not committed yet is known to git, and not there.
    all.split('\0').filter(|path| root().join(path).is_file()).map(str::to_owned).collect()
}

/// Those of the files that end in `end`.
fn files_ending(end: &str) -> Vec<String> {
    files().into_iter().filter(|path| path.ends_with(end)).collect()
}

fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fails with every broken place.
fn none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The folders of the workspace's crates.
fn crates() -> Vec<PathBuf> {
    let workspace: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let members = workspace["workspace"]["members"].as_array().expect("a list");
    members.iter().map(|member| PathBuf::from(member.as_str().expect("a path"))).collect()
}
