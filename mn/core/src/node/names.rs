//! The names by which a node is found: its own, those of its other interfaces, and aliases.

use std::net::Ipv4Addr;

use crate::model::Model;

/// The longest name that DNS is asked for here, in bytes: with any domain it stays below 255
/// (RFC 1035, section 2.3.4).
const LONGEST: usize = 120;

/// The longest label of a name, in bytes (RFC 1035, section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Every name of a node that can be answered, with its address: its own name first.
pub fn names_of(model: &Model, node: &str) -> Vec<(String, Ipv4Addr)> {
    let mut found: Vec<(String, Ipv4Addr)> = Vec::new();
    for address in model.addresses(node) {
        for name in std::iter::once(address.name).chain(address.aliases) {
            let known = found.iter().any(|(one, ip)| *ip == address.ip && one.eq_ignore_ascii_case(&name));
            if !known && is_name(&name) {
                found.push((name, address.ip));
            }
        }
    }
    found
}

/// Whether DNS can be asked for a name. What cannot be a name would have a service node refuse its
/// slice, so it is left out.
pub fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= LONGEST && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_aliases_have_names_and_nonsense_has_none() {
        let model = crate::fixture::model(
            "nodelist n1 groups=all\n hosts n1 ip=10.0.0.1 hostnames=login,bad*one otherinterfaces=-bmc:10.1.0.1\n \
             nics n1 nicips=ib0!10.2.0.1 nichostnamesuffixes=ib0!-ib0 nicaliases=ib0!fast",
        );
        let names: Vec<String> =
            names_of(&model, "n1").into_iter().map(|(name, ip)| format!("{name} {ip}")).collect();
        assert_eq!(
            names,
            ["n1 10.0.0.1", "login 10.0.0.1", "n1-bmc 10.1.0.1", "n1-ib0 10.2.0.1", "fast 10.2.0.1"]
        );
        for (text, expected) in
            [("a.b-c_d", true), ("", false), ("a..b", false), ("ä", false), ("a b", false)]
        {
            assert_eq!(is_name(text), expected, "{text}");
        }
        assert!(!is_name(&"a".repeat(64)) && !is_name(&["a"; 90].join(".")));
    }
}
