//! The attribute `mac`: `A`, or `A!host|B!*NOIP*`.
//!
//! Each part is a hardware address with, behind a `!`, the name whose address it gets; `*NOIP*` is
//! for an interface that is known but not answered. Without a `!` it is the node's own name.

use common::id::MacAddr;

/// What stands for "not answered".
const NO_IP: &str = "*NOIP*";

/// One interface of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacEntry {
    /// Its hardware address.
    pub mac: MacAddr,
    /// The name whose address it gets; the node's own where there is none.
    pub host: Option<String>,
    /// Whether it is not answered.
    pub noip: bool,
}

/// The interfaces in a `mac` attribute; parts that cannot be read are left out.
pub fn entries(text: &str) -> Vec<MacEntry> {
    parts(text).filter_map(Result::ok).collect()
}

/// The parts of a `mac` attribute that cannot be read.
pub fn unreadable(text: &str) -> impl Iterator<Item = &str> {
    parts(text).filter_map(Result::err)
}

/// Whether a part that cannot be read is a longer hardware address, such as InfiniBand's of 20 bytes.
pub fn is_longer(part: &str) -> bool {
    let mac = part.split('!').next().unwrap_or_default().trim();
    let bytes = || mac.split(':');
    bytes().count() > 6 && bytes().all(|byte| byte.len() == 2 && byte.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn parts(text: &str) -> impl Iterator<Item = Result<MacEntry, &str>> {
    text.split('|').map(str::trim).filter(|part| !part.is_empty()).map(|part| {
        let (mac, host) = part.split_once('!').map_or((part, None), |(mac, host)| (mac, Some(host.trim())));
        let mac = mac.trim().parse().map_err(|_| part)?;
        let noip = host == Some(NO_IP);
        let host = host.filter(|host| !noip && !host.is_empty()).map(str::to_owned);
        Ok(MacEntry { mac, host, noip })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_have_several_interfaces_some_of_them_silent() {
        let found = entries("52:54:00:00:00:01!n1-eth1|52-54-00-00-00-02!*NOIP*| 525400000003 |junk!x");
        let shown: Vec<_> = found.iter().map(|e| (e.mac.to_string(), e.host.as_deref(), e.noip)).collect();
        assert_eq!(
            shown,
            [
                ("52:54:00:00:00:01".to_owned(), Some("n1-eth1"), false),
                ("52:54:00:00:00:02".to_owned(), None, true),
                ("52:54:00:00:00:03".to_owned(), None, false),
            ]
        );
        assert!(unreadable("52:54:00:00:00:01|junk!x").eq(["junk!x"]));
    }
}
