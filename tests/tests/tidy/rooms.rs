//! The crates and the arrows between them.

use std::collections::BTreeSet;
use std::path::Path;

use super::{crates, none, read};

/// Every dependency of one of our crates on another, but those of `tests`, which may name any. A new
/// arrow is a line here that someone looks at; none may run from a pure crate to anything but
/// `common`, none between `mn` and `sn`, and none to `tests`.
const ARROWS: &str = "\
fuzz -> common
fuzz -> mn-core
fuzz -> sn-proto
mn -> common
mn -> mn-core
mn -> runtime
mn -> sys
mn-core -> common
node-agent -> common
node-agent -> runtime
runtime -> common
sn -> common
sn -> runtime
sn -> sn-proto
sn -> sys
sn-proto -> common";

/// Crates that hold no socket, file, clock or random source.
const PURE: [&str; 3] = ["common", "mn/core", "sn/proto"];

/// What makes a crate impure: runtimes, sockets, TLS, system calls, stores, randomness, clocks.
const IMPURE: [&str; 24] = [
    "async-std",
    "chrono",
    "getrandom",
    "hickory-resolver",
    "hickory-server",
    "hyper",
    "jiff",
    "libc",
    "mio",
    "nix",
    "openssl",
    "quinn",
    "rand",
    "rcgen",
    "ring",
    "rustls",
    "sled",
    "smol",
    "socket2",
    "sys",
    "tempfile",
    "time",
    "tokio",
    "tracing-subscriber",
];

fn manifest(folder: &Path) -> toml::Table {
    let path = folder.join("Cargo.toml");
    read(path.to_str().expect("UTF-8")).parse().expect("TOML")
}

fn keys(manifest: &toml::Table, section: &str) -> Vec<String> {
    let section = manifest.get(section).and_then(toml::Value::as_table);
    section.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn every_arrow_between_rooms_is_listed() {
    let mut folders = crates();
    folders.push("fuzz".into());
    let manifests: Vec<toml::Table> = folders.iter().map(|folder| manifest(folder)).collect();
    let name = |manifest: &toml::Table| manifest["package"]["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = manifests.iter().map(name).collect();
    let mut arrows = BTreeSet::new();
    for manifest in manifests.iter().filter(|manifest| name(manifest) != "tests") {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for other in keys(manifest, section).into_iter().filter(|key| ours.contains(key)) {
                arrows.insert(format!("{} -> {other}", name(manifest)));
            }
        }
    }
    assert_eq!(arrows.into_iter().collect::<Vec<_>>().join("\n"), ARROWS);
}

#[test]
fn a_pure_crate_lists_nothing_that_waits_or_reads_the_world() {
    let mut broken = Vec::new();
    for folder in PURE {
        for key in keys(&manifest(Path::new(folder)), "dependencies") {
            if IMPURE.contains(&key.as_str()) || key.starts_with("tokio") {
                broken.push(format!("{folder}/Cargo.toml: {key}"));
            }
        }
        let clippy = read(&format!("{folder}/clippy.toml"));
        for banned in ["std::fs::File", "std::net::UdpSocket", "std::env::var", "std::time::SystemTime::now"]
        {
            if !clippy.contains(&format!("\"{banned}\"")) {
                broken.push(format!("{folder}/clippy.toml does not ban {banned}"));
            }
        }
    }
    none(&broken, "a pure crate decides, and is given what it needs");
}

#[test]
fn every_crate_keeps_the_rules_of_the_workspace() {
    let mut broken = Vec::new();
    for folder in crates() {
        let manifest = manifest(&folder);
        if manifest.get("lints").and_then(|lints| lints.get("workspace")) != Some(&toml::Value::Boolean(true))
        {
            broken.push(format!("{}: [lints] workspace = true is missing", folder.display()));
        }
        for section in ["dependencies", "dev-dependencies"] {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            for (key, value) in table.into_iter().flatten() {
                if value.get("workspace") != Some(&toml::Value::Boolean(true)) {
                    broken.push(format!("{}: {key} does not take the workspace's version", folder.display()));
                }
            }
        }
    }
    none(&broken, "versions and lints are said once, in the root");
}
