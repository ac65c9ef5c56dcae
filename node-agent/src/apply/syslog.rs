//! The node's log goes to its service node: a block in `/etc/rsyslog.d/remote.conf` that sends
//! everything there by UDP, as xCAT's `syslog` script does.

use std::path::Path;

use common::wire::agent::Desired;

use super::block::{BEGIN, with_block};
use super::service::Service;
use super::{Change, FileKind, Host, StepError};

pub(super) fn apply(host: &Host, desired: &Desired) -> Option<Result<Change, StepError>> {
    let target = desired.log?;
    let path = Path::new("/etc/rsyslog.d/remote.conf");
    let lines = [format!("*.* @{target}:514")];
    Some(host.edit(path, FileKind::Shared, BEGIN, Some(Service::Syslog), |old| with_block(old, &lines)))
}
