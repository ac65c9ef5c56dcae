//! Source files.

use std::path::Path;
use std::process::Command;

use super::{crates, files, files_ending, none, read, root};

/// A file with more lines than this, tests not counted, has a second subject in it.
const LONGEST: usize = 500;

/// Each reader of bytes or text from outside, and the fuzz target that feeds it.
const PARSERS: [(&str, &str); 23] = [
    ("common/src/slice/entry.rs", "slice_entry"),
    ("common/src/wire/frame.rs", "wire_frames"),
    ("common/src/wire/join.rs", "token"),
    ("mn/core/src/exchange/format/ethers.rs", "import"),
    ("mn/core/src/exchange/format/hosts.rs", "import"),
    ("mn/core/src/exchange/format/isc/parse.rs", "import"),
    ("mn/core/src/exchange/format/perceus.rs", "apply"),
    ("mn/core/src/exchange/format/warewulf/yaml.rs", "import"),
    ("mn/core/src/exchange/format/xcat.rs", "import"),
    ("mn/core/src/exchange/text.rs", "apply"),
    ("mn/core/src/noderange/parse.rs", "noderange"),
    ("sn/proto/src/dhcp/machine.rs", "dhcp_machine"),
    ("sn/proto/src/dhcp/wire.rs", "dhcp_wire"),
    ("sn/proto/src/dns/answer.rs", "dns_answer"),
    ("sn/proto/src/dns/wire.rs", "dns_answer"),
    ("sn/proto/src/http/path.rs", "http_range"),
    ("sn/proto/src/http/range.rs", "http_range"),
    ("sn/proto/src/ntp/answer.rs", "ntp_answer"),
    ("sn/proto/src/syslog/frame.rs", "syslog_parse"),
    ("sn/proto/src/syslog/parse.rs", "syslog_parse"),
    ("sn/proto/src/tftp/machine.rs", "tftp_machine"),
    ("sn/proto/src/tftp/path.rs", "tftp_wire"),
    ("sn/proto/src/tftp/wire.rs", "tftp_wire"),
];

/// Whether a file is nothing but tests.
fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = |path: &String| !read(path).trim_start().starts_with("//!");
    let modules = files_ending(".rs").into_iter().filter(|path| !path.ends_with("tests.rs"));
    none(&modules.filter(silent).collect::<Vec<_>>(), "a module begins with `//!`");
}

#[test]
fn no_file_is_too_long() {
    let mut broken = Vec::new();
    for path in files_ending(".rs").into_iter().filter(|path| !is_test(path)) {
        let text = read(&path);
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > LONGEST {
            broken.push(format!("{path}: {lines} lines"));
        }
    }
    none(&broken, "a file has one subject");
}

#[test]
fn no_crate_but_sys_may_be_unsafe() {
    let mut broken = Vec::new();
    for folder in crates().into_iter().filter(|folder| folder != Path::new("common/sys")) {
        let roots = files().into_iter().filter(|path| is_root(path, &folder));
        for path in roots.filter(|path| !read(path).contains("#![forbid(unsafe_code)]")) {
            broken.push(path);
        }
    }
    none(&broken, "the root of a program or library has #![forbid(unsafe_code)]");
}

/// Whether a file is the root of a library or program of the crate in `folder`.
fn is_root(path: &str, folder: &Path) -> bool {
    let Ok(path) = Path::new(path).strip_prefix(folder) else { return false };
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] | ["tests", _, "main.rs"] => true,
        ["tests", file] => file.ends_with(".rs"),
        _ => false,
    }
}

#[test]
fn every_reader_of_foreign_bytes_is_fuzzed() {
    let manifest = read("fuzz/Cargo.toml");
    let targets = files_ending(".rs").into_iter().filter(|path| path.starts_with("fuzz/fuzz_targets/"));
    let targets: Vec<String> =
        targets.filter_map(|path| Some(Path::new(&path).file_stem()?.to_str()?.to_owned())).collect();
    let mut broken = Vec::new();
    for (parser, target) in PARSERS {
        if !root().join(parser).is_file() {
            broken.push(format!("{parser} is listed and not there"));
        }
        if !targets.iter().any(|name| name == target) {
            broken.push(format!("{parser} has no target {target}"));
        }
    }
    for target in &targets {
        if !manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")) {
            broken.push(format!("fuzz/Cargo.toml does not name {target}"));
        }
        if !PARSERS.iter().any(|(_, name)| name == target) {
            broken.push(format!("nothing is listed for the target {target}"));
        }
    }
    for wire in files_ending("/wire.rs").into_iter().filter(|path| path.starts_with("sn/proto/src/")) {
        if !PARSERS.iter().any(|(parser, _)| *parser == wire) {
            broken.push(format!("{wire} reads bytes from a network and is not listed"));
        }
    }
    none(&broken, "each parser has a fuzz target, and each target a parser");
}

#[test]
fn every_script_is_one() {
    let mut broken = Vec::new();
    for path in files() {
        let text = read(&path);
        let shell = match text.lines().next() {
            Some(line) if line.starts_with("#!") && line.contains("bash") => "bash",
            Some(line) if line.starts_with("#!") && line.ends_with("sh") => "sh",
            _ => continue,
        };
        let checked = Command::new(shell).arg("-n").arg(root().join(&path)).output().expect("a shell");
        if !checked.status.success() {
            broken.push(format!("{path}: {}", String::from_utf8_lossy(&checked.stderr).trim()));
        }
    }
    none(&broken, "the shell understands a script");
}
