//! Names that the node must know without asking: a block in `/etc/hosts`.

use std::path::Path;

use common::wire::agent::Desired;

use super::block::{BEGIN, with_block};
use super::{Change, FileKind, Host, StepError};

/// What a file that was not there begins with.
const NEW_FILE: &str = "127.0.0.1 localhost\n::1 localhost\n";

pub(super) fn apply(host: &Host, desired: &Desired) -> Option<Result<Change, StepError>> {
    if desired.hosts.is_empty() {
        return None;
    }
    // A name that could not stand in a line would turn into other names; it is left out.
    let fits = |name: &&String| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '#');
    let line = |line: &common::wire::agent::HostsLine| {
        let names: Vec<&str> = line.names.iter().filter(fits).map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{} {}", line.address, names.join(" ")))
    };
    let lines: Vec<String> = desired.hosts.iter().filter_map(line).collect();
    let new = |old: &str| with_block(if old.is_empty() { NEW_FILE } else { old }, &lines);
    Some(host.edit(Path::new("/etc/hosts"), FileKind::Shared, BEGIN, None, new))
}
