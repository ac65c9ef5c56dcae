//! The interfaces of a node as the table `nics` packs them: `eth0!A|B,eth1!C`, or with `:`.
//!
//! Unlike [`crate::model::address`], which leaves out what cannot be read, this says what is wrong,
//! and takes IPv6 addresses.

use std::net::IpAddr;

use crate::model::{self, Model};
use crate::table::schema::NICS;
use crate::template;

/// One address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nic {
    /// The name that it goes by.
    pub(super) name: String,
    pub(super) ip: IpAddr,
    /// Other names, with blanks between.
    pub(super) aliases: String,
    /// The network that it is said to be on; may be empty.
    pub(super) network: String,
}

/// The two sides of an item, whichever of the two signs is between.
pub(super) fn pair(item: &str) -> Option<(&str, &str)> {
    item.split_once('!').or_else(|| item.split_once(':'))
}

/// The interfaces of a node that have an address; in the place of one that cannot be named, what is
/// wrong with it.
pub(super) fn interfaces(model: &Model, node: &str) -> Vec<Result<Nic, String>> {
    let cell = |column| model.cell(NICS, node, column).unwrap_or_default();
    let ips = cell("nicips");
    if ips.is_empty() {
        return Vec::new();
    }
    let (suffixes, prefixes) = (cell("nichostnamesuffixes"), cell("nichostnameprefixes"));
    let (networks, aliases) = (cell("nicnetworks"), cell("nicaliases"));
    let short = node.split('.').next().unwrap_or(node);
    let mut found = Vec::new();
    for (nic, values) in model::split(&ips).filter_map(pair) {
        for (at, text) in parts(values, node).into_iter().enumerate() {
            let Ok(ip) = text.parse() else { continue };
            let nth = |packed: &str| {
                let of_nic = model::split(packed).filter_map(pair).find(|(name, _)| *name == nic);
                let values = of_nic.map(|(_, values)| parts(values, node)).unwrap_or_default();
                values.into_iter().nth(at).unwrap_or_default()
            };
            let name = name(node, short, nic, &nth(&prefixes), &nth(&suffixes));
            found.push(name.map(|name| Nic { name, ip, aliases: nth(&aliases), network: nth(&networks) }));
        }
    }
    found
}

/// The values of one interface; a template stands for one of them.
fn parts(values: &str, node: &str) -> Vec<String> {
    if values.starts_with('|') && values.ends_with('|') && template::is_template(values) {
        return vec![template::value(values, node).into_owned()];
    }
    values.split('|').map(|value| value.trim().to_owned()).collect()
}

fn name(node: &str, short: &str, nic: &str, prefix: &str, suffix: &str) -> Result<String, String> {
    let dotted = |column: &str, value: &str| {
        Err(format!("{node}: the value '{value}' of nics.{column}.{nic} should not contain dot."))
    };
    match (prefix, suffix) {
        (_, suffix) if suffix.contains('.') => dotted("nichostnamesuffixes", suffix),
        (prefix, _) if prefix.contains('.') => dotted("nichostnameprefixes", prefix),
        ("", "") if nic.contains('.') => Err(format!(
            "{node}: since '{nic}' contains dot, nics.nichostnamesuffixes.{nic} should be configured without \
             dot for '{nic}' interface."
        )),
        ("", "") => Ok(format!("{short}-{nic}")),
        (prefix, suffix) => Ok(format!("{prefix}{short}{suffix}")),
    }
}
