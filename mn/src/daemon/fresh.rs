//! What a new management node knows: the rows of a fresh site, as xCAT has them.
//!
//! xCAT's `servicenode` row of `__mgmtnode` is left out on purpose: here the management node serves
//! no nodes, and the row would make it a service node that nodes can be moved to. So is
//! `site.auditskipcmds`, which in a fresh xCAT keeps every command out of the audit log.

use std::net::Ipv4Addr;

use mn_core::change::networks::Found;
use mn_core::draft::Draft;
use mn_core::table::schema::{NODELIST, POLICY, POSTSCRIPTS, SITE};
use mn_core::table::{Row, RowKey};

/// What is known of the host and the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    /// The management node's name.
    pub(super) name: String,
    /// The domain of the nodes.
    pub(super) domain: String,
    /// Where nodes and service nodes reach it.
    pub(super) master: Option<Ipv4Addr>,
    /// Its resolvers.
    pub(super) forwarders: Vec<String>,
    /// Its time zone.
    pub(super) timezone: String,
    /// Its networks.
    pub(super) networks: Vec<Found>,
}

/// Keys of the site table that are the same everywhere.
const SITE_DEFAULTS: [(&str, &str); 31] = [
    ("SNsyncfiledir", "/var/xcat/syncfiles"),
    ("auditnosyslog", "0"),
    ("blademaxp", "64"),
    ("cleanupxcatpost", "no"),
    ("consoleondemand", "no"),
    ("databaseloc", "/var/lib"),
    ("dhcplease", "43200"),
    ("dnshandler", "ddns"),
    ("enableASMI", "no"),
    ("fsptimeout", "0"),
    ("httpport", "80"),
    ("installdir", "/install"),
    ("ipmimaxp", "64"),
    ("ipmiretries", "3"),
    ("ipmitimeout", "2"),
    ("maxssh", "8"),
    ("nameservers", "<xcatmaster>"),
    ("nodesyncfiledir", "/var/xcat/node/syncfiles"),
    ("powerinterval", "0"),
    ("ppcmaxp", "64"),
    ("ppcretry", "3"),
    ("ppctimeout", "0"),
    ("sharedtftp", "1"),
    ("sshbetweennodes", "ALLGROUPS"),
    ("syspowerinterval", "0"),
    ("tftpdir", "/tftpboot"),
    ("useNmapfromMN", "no"),
    ("vsftp", "n"),
    ("xcatconfdir", "/etc/xcat"),
    ("xcatdport", "3001"),
    ("xcatiport", "3002"),
];

/// Commands that anyone may give: what nodes ask during their installation.
const OPEN_COMMANDS: [(&str, &str); 11] = [
    ("2", "getbmcconfig"),
    ("2.1", "remoteimmsetup"),
    ("2.3", "lsxcatd"),
    ("3", "nextdestiny"),
    ("4", "getdestiny"),
    ("4.4", "getpostscript"),
    ("4.5", "getcredentials"),
    ("4.6", "syncfiles"),
    ("4.7", "litefile"),
    ("4.8", "litetree"),
    ("4.9", "getadapter"),
];

/// Puts all rows of a fresh site.
pub(super) fn fill(draft: &mut Draft, fresh: &Fresh) {
    site(draft, fresh);
    policy(draft, &fresh.name);
    let row =
        Row::new().with("postscripts", "syslog,remoteshell,syncfiles").with("postbootscripts", "otherpkgs");
    draft.put_row(POSTSCRIPTS, &RowKey::one("xcatdefaults"), row);
    draft.put_row(POSTSCRIPTS, &RowKey::one("service"), Row::new().with("postscripts", "servicenode"));
    draft.put_row(NODELIST, &RowKey::one(&fresh.name), Row::new().with("groups", "__mgmtnode"));
    fresh.networks.iter().for_each(|network| network.put(draft));
}

fn site(draft: &mut Draft, fresh: &Fresh) {
    let master = fresh.master.map(|master| master.to_string()).unwrap_or_default();
    let forwarders = fresh.forwarders.join(",");
    let own = [
        ("domain", fresh.domain.as_str()),
        ("master", &master),
        ("forwarders", &forwarders),
        ("timezone", &fresh.timezone),
    ];
    for (key, value) in SITE_DEFAULTS.into_iter().chain(own).filter(|(_, value)| !value.is_empty()) {
        draft.put_row(SITE, &RowKey::one(key), Row::new().with("value", value));
    }
}

fn policy(draft: &mut Draft, name: &str) {
    let mut put = |priority: &str, row: Row| draft.put_row(POLICY, &RowKey::one(priority), row);
    put("1", Row::new().with("name", "root").with("rule", "allow"));
    put("1.2", Row::new().with("name", name).with("rule", "trusted"));
    for (priority, command) in OPEN_COMMANDS {
        put(priority, Row::new().with("commands", command).with("rule", "allow"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::Revision;
    use mn_core::model::Model;
    use mn_core::table::Tables;

    #[test]
    fn a_fresh_site_can_be_read_back() {
        let fresh = Fresh {
            name: "mn1".to_owned(),
            domain: "cluster.local".to_owned(),
            master: Some([10, 0, 0, 1].into()),
            forwarders: vec!["10.0.0.53".to_owned()],
            timezone: "Europe/Berlin".to_owned(),
            networks: vec![Found {
                host: "mn1".to_owned(),
                interface: "eth0".to_owned(),
                address: "10.0.0.1/24".parse().unwrap(),
                gateway: None,
                mtu: None,
            }],
        };
        let mut draft = Draft::new(&Model::new(Tables::new(), Revision::ZERO));
        fill(&mut draft, &fresh);
        let model = draft.model();
        assert_eq!(model.site("domain"), Some("cluster.local"));
        assert_eq!(model.site("master"), Some("10.0.0.1"));
        assert_eq!(model.site("dhcplease"), Some("43200"));
        assert_eq!(model.network_of([10, 0, 0, 9].into()).unwrap().name.as_str(), "10_0_0_0-255_255_255_0");
        assert!(model.is_member("mn1", "__mgmtnode") && model.service_nodes().is_empty());
    }
}
