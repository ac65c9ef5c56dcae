//! `/etc/ethers`: a hardware address, and the name or the address of who has it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use common::id::MacAddr;

use crate::exchange::incoming::{Place, Reading, node};
use crate::exchange::text::short;
use crate::model::Model;

/// Reads files of hardware addresses. An address in the place of a name means the node that has it
/// here.
pub(crate) fn read(model: &Model, files: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    let mut found: BTreeMap<String, (Place, Vec<String>)> = BTreeMap::new();
    for (file, text) in files {
        for (index, line) in text.lines().enumerate() {
            let place = Place::new(file, index + 1);
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            match entry(model, &words) {
                Ok(None) => {}
                Ok(Some((mac, name))) => {
                    let macs = &mut found.entry(name).or_insert_with(|| (place, Vec::new())).1;
                    if !macs.contains(&mac) {
                        macs.push(mac);
                    }
                }
                Err(why) => reading.note(place, short(line.trim()), why),
            }
        }
    }
    for (name, (place, macs)) in found {
        reading.add(place, node(&name), vec![("mac".to_owned(), macs.join("|"))]);
    }
    reading
}

fn entry(model: &Model, words: &[&str]) -> Result<Option<(String, String)>, String> {
    let (mac, name) = match words {
        [] => return Ok(None),
        [mac, name] => (*mac, *name),
        _ => return Err("it is not `MAC name`".to_owned()),
    };
    let read = padded(mac).parse::<MacAddr>().map_err(|_| "it begins with no hardware address".to_owned())?;
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        let Some(owner) = model.nodes_with_ip(ip).next() else {
            return Err(format!("no node here has the address {ip}"));
        };
        return Ok(Some((read.to_string(), owner.to_string())));
    }
    Ok(Some((read.to_string(), name.split('.').next().unwrap_or_default().to_owned())))
}

/// `8:0:20:1:2:3` is how some systems write it.
fn padded(mac: &str) -> String {
    let parts = mac.split(':').map(|part| if part.len() == 1 { format!("0{part}") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;

    #[test]
    fn hardware_addresses_go_to_names_and_to_who_has_an_address() {
        let model = fixture::model("nodelist n2 groups=all\nhosts n2 ip=10.0.0.2");
        let text = "# x\n8:0:20:1:2:3 n1.cluster\n52-54-00-00-00-09 n1\n52:54:00:00:00:02 10.0.0.2\n52:54:00:00:00:03 10.0.0.3\nzz n3\n";
        let reading = read(&model, &[("ethers".to_owned(), text.to_owned())]);
        let told: Vec<String> = reading
            .incoming
            .iter()
            .map(|one| format!("{} {} {:?}", one.place, one.subject, one.attributes))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        ethers:2 n1 [("mac", "08:00:20:01:02:03|52:54:00:00:00:09")]
        ethers:4 n2 [("mac", "52:54:00:00:00:02")]
        "#);
        let notes: Vec<String> =
            reading.notes.iter().map(|note| format!("{}: {}: {}", note.place, note.what, note.why)).collect();
        insta::assert_snapshot!(notes.join("\n"), @r"
        ethers:5: 52:54:00:00:00:03 10.0.0.3: no node here has the address 10.0.0.3
        ethers:6: zz n3: it begins with no hardware address
        ");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "([0-9a-z.:# -]{0,24}\n){0,10}") {
            let _ = read(&fixture::model(""), &[("f".to_owned(), text)]);
        }
    }
}
