//! The node's resolver: `/etc/resolv.conf`, wholly ours. The original, even where it was a link
//! into a resolver daemon's folder, is kept beside it.

use std::path::Path;

use common::wire::agent::Desired;

use super::{Change, FileKind, Host, StepError};

const MARK: &str = "# Written by Drover; the original is in resolv.conf.orig.";

pub(super) fn apply(host: &Host, desired: &Desired) -> Option<Result<Change, StepError>> {
    if desired.nameservers.is_empty() {
        return None;
    }
    let mut text = format!("{MARK}\n");
    // A domain that could not stand on one line is none.
    let domain = desired.domain.as_str();
    if !domain.is_empty() && !domain.contains(char::is_whitespace) {
        text.push_str(&format!("search {domain}\n"));
    }
    for server in &desired.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let path = Path::new("/etc/resolv.conf");
    // Programs read it whenever they look a name up: nobody need be told.
    Some(host.edit(path, FileKind::Ours, MARK, None, |_| text.clone()))
}
