//! `/etc/hosts`: an address, its name, further names.
//!
//! The first name is the node (its first label; the rest is the domain's), the others are
//! `hostnames`. A name that is a node's of the same file with the name of an interface behind it
//! (`n1-ib0`) is another interface of that node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::exchange::incoming::{Place, Reading, node};
use crate::exchange::text::short;

/// What begins the name of an interface.
const INTERFACES: [&str; 12] =
    ["ib", "eth", "en", "em", "bond", "br", "hsi", "hf", "bmc", "ipmi", "fm", "opa"];

/// One line.
struct Line<'a> {
    place: Place,
    address: &'a str,
    name: &'a str,
    aliases: Vec<String>,
}

/// Reads files of hosts.
pub(crate) fn read(files: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    let lines: Vec<Line<'_>> =
        files.iter().flat_map(|(file, text)| lines(file, text, &mut reading)).collect();
    let names: BTreeSet<&str> = lines.iter().map(|line| line.name).collect();
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &lines {
        let owner = line
            .name
            .rsplit_once('-')
            .filter(|(owner, suffix)| names.contains(owner) && is_interface(suffix));
        if let Some((owner, suffix)) = owner {
            let other = format!("-{suffix}:{}", line.address);
            reading.add(line.place.clone(), node(owner), vec![("otherinterfaces".to_owned(), other)]);
            continue;
        }
        match first.get(line.name) {
            Some(address) if *address != line.address => {
                let why = format!("the name has the address {address} already");
                reading.note(line.place.clone(), format!("{} {}", line.address, line.name), why);
            }
            _ => {
                first.insert(line.name, line.address);
                let attributes = vec![
                    ("ip".to_owned(), line.address.to_owned()),
                    ("hostnames".to_owned(), line.aliases.join(",")),
                ];
                reading.add(line.place.clone(), node(line.name), attributes);
            }
        }
    }
    join_interfaces(&mut reading);
    reading
}

/// Several other interfaces of a node are one attribute.
fn join_interfaces(reading: &mut Reading) {
    let mut joined: BTreeMap<String, (Place, Vec<String>)> = BTreeMap::new();
    reading.incoming.retain(|one| match one.attributes.as_slice() {
        [(name, value)] if name == "otherinterfaces" => {
            let entry = joined.entry(one.subject.name()).or_insert_with(|| (one.place.clone(), Vec::new()));
            entry.1.push(value.clone());
            false
        }
        _ => true,
    });
    for (name, (place, others)) in joined {
        reading.add(place, node(&name), vec![("otherinterfaces".to_owned(), others.join(","))]);
    }
}

fn is_interface(suffix: &str) -> bool {
    INTERFACES.iter().any(|known| {
        suffix.strip_prefix(known).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
    })
}

fn lines<'a>(file: &str, text: &'a str, reading: &mut Reading) -> Vec<Line<'a>> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = Place::new(file, index + 1);
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next() else { continue };
        let why = match (address.parse::<IpAddr>(), words.next()) {
            (Err(_), _) => "it begins with no address",
            (Ok(_), None) => "it has no name",
            (Ok(IpAddr::V6(_)), _) => "only IPv4 addresses are served",
            (Ok(IpAddr::V4(ip)), _)
                if ip.is_loopback() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() =>
            {
                "the address is no machine's own"
            }
            (Ok(IpAddr::V4(_)), Some(full)) => {
                let name = full.split('.').next().unwrap_or_default();
                let mut aliases: Vec<String> = Vec::new();
                // `n1` beside `n1.cluster` says nothing new.
                for word in words.filter(|word| word.split('.').next() != Some(name)) {
                    if !aliases.iter().any(|known| known == word) {
                        aliases.push(word.to_owned());
                    }
                }
                found.push(Line { place, address, name, aliases });
                continue;
            }
        };
        reading.note(place, short(line.trim()), why);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_nodes_and_their_other_interfaces() {
        let text = "127.0.0.1 localhost\n10.0.0.1 n1.cluster n1 web # x\n10.1.0.1 n1-ib0\n10.2.0.1 n1-bmc\n::1 ip6-localhost\nfoo bar\n10.0.0.9 n1\n10.0.0.2\n";
        let reading = read(&[("hosts".to_owned(), text.to_owned())]);
        let told: Vec<String> = reading
            .incoming
            .iter()
            .map(|one| format!("{} {} {:?}", one.place, one.subject, one.attributes))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        hosts:2 n1 [("ip", "10.0.0.1"), ("hostnames", "web")]
        hosts:3 n1 [("otherinterfaces", "-ib0:10.1.0.1,-bmc:10.2.0.1")]
        "#);
        let notes: Vec<String> =
            reading.notes.iter().map(|note| format!("{}: {}: {}", note.place, note.what, note.why)).collect();
        insta::assert_snapshot!(notes.join("\n"), @r"
        hosts:1: 127.0.0.1 localhost: the address is no machine's own
        hosts:5: ::1 ip6-localhost: only IPv4 addresses are served
        hosts:6: foo bar: it begins with no address
        hosts:8: 10.0.0.2: it has no name
        hosts:7: 10.0.0.9 n1: the name has the address 10.0.0.1 already
        ");
    }

    proptest! {
        #[test]
        fn every_line_is_taken_or_told(text in "([0-9a-z.:# -]{0,20}\n){0,10}") {
            let reading = read(&[("f".to_owned(), text.clone())]);
            let said = text.lines().filter(|line| line.split('#').next().is_some_and(|line| !line.trim().is_empty())).count();
            prop_assert!(reading.incoming.len() + reading.notes.len() <= said);
            prop_assert!(said == 0 || !reading.incoming.is_empty() || !reading.notes.is_empty());
        }
    }
}
