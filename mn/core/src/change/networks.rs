//! `makenetworks`: the networks that machines are on become rows of the table `networks`.
//!
//! What machines are on is [`Found`]: the daemon looks at its own, service nodes have reported
//! theirs. A network that is defined, under whatever name, is left as it is.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use common::slice::Net;
use serde_json::json;

use super::{Outcome, verify};
use crate::command::Makenetworks;
use crate::draft::Draft;
use crate::model::Model;
use crate::table::schema::{NETWORKS, SNADDRESS};
use crate::table::{Row, RowKey};
use crate::talk::{Context, Talk};

/// What stands for "the server of the node".
const MASTER: &str = "<xcatmaster>";

/// A network that a machine is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The machine.
    pub host: String,
    /// Its interface there.
    pub interface: String,
    /// Its address there, with the prefix.
    pub address: Net,
    /// The machine's default gateway, where it is on this network.
    pub gateway: Option<Ipv4Addr>,
    /// The largest packet on it, in bytes.
    pub mtu: Option<u32>,
}

impl Found {
    /// The name that it gets: its address and mask, with `_` for the dots.
    pub fn name(&self) -> String {
        format!("{}-{}", self.address.network(), self.address.netmask()).replace('.', "_")
    }

    /// Puts its row.
    pub fn put(&self, draft: &mut Draft) {
        let (net, mask) = (self.address.network().to_string(), self.address.netmask().to_string());
        let row = Row::new()
            .with("netname", &self.name())
            .with("mgtifname", &self.interface)
            .with("gateway", &self.gateway())
            .with("mtu", &self.mtu.map(|mtu| mtu.to_string()).unwrap_or_default())
            .with("tftpserver", MASTER);
        draft.put_row(NETWORKS, &RowKey::of([net.as_str(), mask.as_str()]), row);
    }

    fn gateway(&self) -> String {
        self.gateway.map_or_else(|| MASTER.to_owned(), |gateway| gateway.to_string())
    }

    /// Whether it is a network with nodes in it: not this machine's own, and none that needs no
    /// definition.
    fn counts(&self) -> bool {
        let address = self.address.addr();
        !address.is_loopback() && !address.is_link_local() && self.address.prefix_len() < 31
    }
}

/// The networks that service nodes have reported.
pub fn reported(model: &Model) -> Vec<Found> {
    let rows = model.tables().rows(SNADDRESS).filter_map(|(_, row)| {
        Some(Found {
            host: row.cell("sn")?.to_owned(),
            interface: row.cell("interface")?.to_owned(),
            address: row.cell("address")?.parse().ok()?,
            gateway: None,
            mtu: None,
        })
    });
    rows.collect()
}

/// Plans the command for what was found on this machine, then for what service nodes reported.
pub fn plan(model: &Model, own: &[Found], args: &Makenetworks, context: &Context) -> Outcome {
    let reported = reported(model);
    let mut talk = Talk::new(context);
    let mut draft = Draft::new(model);
    let mut seen = BTreeSet::new();
    for found in own.iter().chain(&reported).filter(|found| found.counts()) {
        if !seen.insert((found.address.network(), found.address.netmask())) {
            continue;
        }
        let has_name = model.network(&found.name()).is_some();
        let equivalent = model.networks().iter().any(|network| network.net == found.address.trunc());
        if args.display {
            display(model, found, equivalent && !has_name, &mut talk);
        } else if has_name {
            let name = found.name();
            talk.warn(&format!(
                "The network entry '{name}' already exists in xCAT networks table. Cannot create a definition \
                 for '{name}'"
            ));
        } else if !equivalent {
            found.put(&mut draft);
            talk.record(|| json!({ "network": found.name(), "from": found.host }));
            if args.verbose {
                let (name, host, interface) = (found.name(), &found.host, &found.interface);
                talk.info(format!("{name}: from {host}, interface {interface}"));
            }
        }
    }
    let change = draft.finish();
    if args.mode.dry_run {
        return verify::preview(&change, talk, context);
    }
    talk.finish((!change.is_empty()).then_some(change))
}

/// A stanza, as `mkdef -z` reads it.
fn display(model: &Model, found: &Found, is_double: bool, talk: &mut Talk<'_>) {
    let name = found.name();
    let has_server = model.network(&name).is_some_and(|network| network.tftpserver.is_some());
    let mut lines = vec![
        format!("\n#From {}.", found.host),
        format!("{name}:"),
        "    objtype=network".to_owned(),
        format!("    net={}", found.address.network()),
        format!("    mask={}", found.address.netmask()),
        format!("    gateway={}", found.gateway()),
        format!("    mgtifname={}", found.interface),
    ];
    lines.extend(found.mtu.map(|mtu| format!("    mtu={mtu}")));
    lines.extend((!has_server).then(|| format!("    tftpserver={}", found.address.addr())));
    if is_double {
        lines.push("# Note: An equivalent xCAT network definition already exists.\n".to_owned());
    }
    talk.info(lines.join("\n"));
    talk.record(|| {
        json!({
            "network": name, "from": found.host, "net": found.address.network(),
            "mask": found.address.netmask(), "gateway": found.gateway(), "mgtifname": found.interface,
            "mtu": found.mtu, "defined": is_double || model.network(&name).is_some(),
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Mode;
    use crate::fixture;
    use crate::talk::Line;

    fn found(interface: &str, address: &str) -> Found {
        let (host, address) = ("mn".to_owned(), address.parse().unwrap());
        let gateway = (interface == "eth0").then(|| [10, 5, 0, 254].into());
        Found { host, interface: interface.to_owned(), address, gateway, mtu: Some(1500) }
    }

    /// The rows afterwards, and what was said.
    fn run(args: Makenetworks) -> (String, String) {
        let mut model = fixture::model(
            "networks 10.6.0.0/255.255.0.0 netname=mine
             networks 10.8.0.0/255.255.0.0 netname=10_7_0_0-255_255_0_0",
        );
        let mut draft = Draft::new(&model);
        draft.put_row(
            SNADDRESS,
            &RowKey::of(["sn1", "eth9", "10.9.0.11/24"]),
            Row::new().with("network", "x"),
        );
        model.apply(draft.finish().edits(), model.revision());
        let context = Context { server: "mn".to_owned(), ..Context::default() };
        let own = [
            found("eth0", "10.5.0.1/16"),
            found("eth1", "10.6.0.1/16"),
            found("eth2", "10.7.0.1/16"),
            found("lo", "127.0.0.1/8"),
            found("eth3", "169.254.3.3/16"),
            found("eth4", "10.5.0.2/16"),
        ];
        let outcome = plan(&model, &own, &args, &context);
        let revision = model.revision().next();
        let rows = outcome.change.map(|change| {
            model.apply(change.edits(), revision);
            let mut names: Vec<_> =
                model.networks().iter().map(|n| format!("{:?} {}", n.gateway, n.name)).collect();
            names.sort();
            names.join("\n")
        });
        let said = outcome.lines.into_iter().map(|line| match line {
            Line::Out(text) => format!("{text}\n"),
            Line::Err(text) => format!("err {text}\n"),
            Line::Record(value) => panic!("{value}"),
        });
        (rows.unwrap_or_default(), said.collect())
    }

    #[test]
    fn networks_that_are_not_defined_are_added() {
        let (rows, said) = run(Makenetworks::default());
        insta::assert_snapshot!(rows, @r"
        Addr(10.5.0.254) 10_5_0_0-255_255_0_0
        Master 10_9_0_0-255_255_255_0
        None 10_7_0_0-255_255_0_0
        None mine
        ");
        insta::assert_snapshot!(said, @"err Warning: [mn]: The network entry '10_7_0_0-255_255_0_0' already exists in xCAT networks table. Cannot create a definition for '10_7_0_0-255_255_0_0'");
    }

    #[test]
    fn they_are_shown_as_stanzas_and_not_stored() {
        let (rows, said) = run(Makenetworks { display: true, ..Makenetworks::default() });
        assert_eq!(rows, "");
        insta::assert_snapshot!(said, @r"
        #From mn.
        10_5_0_0-255_255_0_0:
            objtype=network
            net=10.5.0.0
            mask=255.255.0.0
            gateway=10.5.0.254
            mgtifname=eth0
            mtu=1500
            tftpserver=10.5.0.1

        #From mn.
        10_6_0_0-255_255_0_0:
            objtype=network
            net=10.6.0.0
            mask=255.255.0.0
            gateway=<xcatmaster>
            mgtifname=eth1
            mtu=1500
            tftpserver=10.6.0.1
        # Note: An equivalent xCAT network definition already exists.


        #From mn.
        10_7_0_0-255_255_0_0:
            objtype=network
            net=10.7.0.0
            mask=255.255.0.0
            gateway=<xcatmaster>
            mgtifname=eth2
            mtu=1500
            tftpserver=10.7.0.1

        #From sn1.
        10_9_0_0-255_255_255_0:
            objtype=network
            net=10.9.0.0
            mask=255.255.255.0
            gateway=<xcatmaster>
            mgtifname=eth9
            tftpserver=10.9.0.11
        ");
    }

    #[test]
    fn a_dry_run_stores_nothing() {
        let mode = Mode { dry_run: true, ..Mode::default() };
        let (rows, said) = run(Makenetworks { mode, ..Makenetworks::default() });
        assert!(
            rows.is_empty() && said.contains("10.5.0.254") && said.contains("nothing is changed"),
            "{said}"
        );
    }
}
