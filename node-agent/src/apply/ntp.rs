//! The node's clock follows its service node: a block of `server` lines in chrony's configuration.
//! Sources that the file names outside the block stay: they are the administrator's.

use std::path::Path;

use common::wire::agent::Desired;

use super::block::{BEGIN, with_block};
use super::service::Service;
use super::{Change, FileKind, Host, StepError};

/// What a file that was not there begins with: keep the clock's rate, and step it at the start.
const NEW_FILE: &str = "driftfile /var/lib/chrony/drift\nmakestep 1 3\nrtcsync\n";

pub(super) fn apply(host: &Host, desired: &Desired) -> Option<Result<Change, StepError>> {
    if desired.ntp.is_empty() {
        return None;
    }
    // Debian has a folder, Red Hat a file.
    let folder = host.root.has_dir("/etc/chrony");
    let path = Path::new(if folder { "/etc/chrony/chrony.conf" } else { "/etc/chrony.conf" });
    let lines: Vec<String> = desired.ntp.iter().map(|server| format!("server {server} iburst")).collect();
    let new = |old: &str| with_block(if old.is_empty() { NEW_FILE } else { old }, &lines);
    Some(host.edit(path, FileKind::Shared, BEGIN, Some(Service::Chrony), new))
}
