//! Warewulf 4's `nodes.conf`: profiles become groups, nodes nodes.
//!
//! A profile is a group with what Drover knows of it; a node is in the groups of its profiles, the
//! last first, because there the later profile wins and here the earlier group. Lists (kernel
//! arguments) and network devices are merged for each node as Warewulf does. What has no counterpart
//! (overlays, disks, resources, templates) is told key by key.

mod merge;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use self::merge::Profiles;
use self::yaml::Yaml;
use crate::exchange::incoming::{Place, Reading, node};
use crate::exchange::subject::Subject;
use crate::model::Model;

/// The settings of a profile or node that are taken, and as which attribute.
const TAKEN: [(&str, &str); 2] = [("image name", "provmethod"), ("container name", "provmethod")];

/// The settings of its `ipmi` that are taken.
const IPMI: [(&str, &str); 3] = [("ipaddr", "bmc"), ("username", "bmcusername"), ("password", "bmcpassword")];

/// Reads files of nodes.
pub(crate) fn read(model: &Model, files: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    for (file, text) in files {
        match yaml::parse(text) {
            Ok(tree) => {
                Taker { model, file, reading: &mut reading, passed: BTreeMap::new(), nets: BTreeSet::new() }
                    .take(&tree)
            }
            Err((line, why)) => {
                reading.fault(Place::new(file, line), "the file", format!("it is no YAML: {why}"))
            }
        }
    }
    reading
}

struct Taker<'a> {
    model: &'a Model,
    file: &'a str,
    reading: &'a mut Reading,
    /// Keys that mean nothing here: the line first, and how often.
    passed: BTreeMap<String, (usize, usize)>,
    nets: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
}

impl Taker<'_> {
    fn take(mut self, tree: &Yaml) {
        for (key, value) in
            tree.entries().iter().filter(|(key, _)| !matches!(key.as_str(), "nodes" | "nodeprofiles"))
        {
            self.pass(key, value.line);
        }
        let profiles = Profiles::new(tree.get("nodeprofiles"));
        for (name, profile) in tree.get("nodeprofiles").into_iter().flat_map(Yaml::entries) {
            self.profile(name, profile);
        }
        for (name, value) in tree.get("nodes").into_iter().flat_map(Yaml::entries) {
            self.node(name, value, &profiles);
        }
        for (key, (line, times)) in self.passed {
            self.reading.note(
                Place::new(self.file, line),
                key,
                format!("it means nothing here ({times} times)"),
            );
        }
    }

    fn pass(&mut self, key: &str, line: usize) {
        self.passed.entry(key.to_owned()).or_insert((line, 0)).1 += 1;
    }

    fn profile(&mut self, name: &str, profile: &Yaml) {
        let mut attributes = self.settings(profile);
        // Kernel arguments and devices are merged for each node.
        attributes.extend(text(profile, "comment").map(|text| ("usercomment".to_owned(), text)));
        attributes.push(("grouptype".to_owned(), "static".to_owned()));
        let subject = Subject::Object { kind: "group", name: name.to_owned() };
        self.reading.add(Place::new(self.file, profile.line), subject, attributes);
    }

    /// What a profile or node sets by one value each.
    fn settings(&mut self, of: &Yaml) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (key, value) in of.entries() {
            let taken = TAKEN.iter().find(|(known, _)| known == key);
            match (taken, key.as_str()) {
                (Some((_, attribute)), _) => found.push(((*attribute).to_owned(), value.text().to_owned())),
                (None, "ipmi") => self.ipmi(value, &mut found),
                (None, "kernel") => {
                    let others = value.entries().iter().filter(|(key, _)| key != "args");
                    others.for_each(|(key, value)| self.pass(&format!("kernel: {key}"), value.line));
                }
                (None, "network devices" | "profiles" | "comment" | "primary network") => {}
                (None, key) => self.pass(key, value.line),
            }
        }
        found.retain(|(_, value)| !value.is_empty());
        found
    }

    fn ipmi(&mut self, ipmi: &Yaml, found: &mut Vec<(String, String)>) {
        let before = found.len();
        for (key, value) in ipmi.entries() {
            match IPMI.iter().find(|(known, _)| known == key) {
                Some((_, attribute)) => found.push(((*attribute).to_owned(), value.text().to_owned())),
                None => self.pass(&format!("ipmi: {key}"), value.line),
            }
        }
        if found.len() > before {
            found.push(("mgt".to_owned(), "ipmi".to_owned()));
        }
    }

    fn node(&mut self, full: &str, value: &Yaml, profiles: &Profiles<'_>) {
        let place = Place::new(self.file, value.line);
        let name = full.split('.').next().unwrap_or_default();
        if name != full {
            let why = format!("it becomes {name}; the domain is the site's or its network's");
            self.reading.note(place.clone(), full, why);
        }
        let mut attributes = self.settings(value);
        attributes.extend(text(value, "comment").map(|text| ("usercomment".to_owned(), text)));
        let chain = profiles.of(value);
        for missing in &chain.missing {
            self.reading.note(
                place.clone(),
                format!("{name}: profile {missing}"),
                "there is no such profile",
            );
        }
        let groups: Vec<&str> = chain.names.iter().rev().copied().chain(["all"]).collect();
        attributes.push(("groups".to_owned(), groups.join(",")));
        attributes.push(("addkcmdline".to_owned(), chain.arguments(value).join(" ")));
        self.devices(name, &place, value, &chain, &mut attributes);
        attributes.retain(|(_, value)| !value.is_empty());
        // A node with a management address but no kind of it anywhere would be refused.
        self.reading.add(place, node(name), attributes);
    }

    /// The primary device is the node's own, the others are its `nics`.
    fn devices(
        &mut self,
        name: &str,
        place: &Place,
        value: &Yaml,
        chain: &merge::Chain<'_>,
        attributes: &mut Vec<(String, String)>,
    ) {
        let devices = chain.devices(value);
        let wanted = chain.primary(value);
        let primary = wanted
            .filter(|wanted| devices.contains_key(wanted))
            .or_else(|| devices.contains_key("default").then_some("default"))
            .or_else(|| devices.keys().next().copied());
        let (mut macs, mut ips, mut suffixes) = (Vec::new(), Vec::new(), Vec::new());
        for (device, settings) in &devices {
            let get = |key: &str| settings.get(key).copied().unwrap_or_default();
            let nic = Some(get("device")).filter(|nic| !nic.is_empty()).unwrap_or(device);
            let (ip, cidr) = get("ipaddr")
                .split_once('/')
                .map_or_else(|| (get("ipaddr"), None), |(ip, bits)| (ip, Some(bits)));
            let ip = if ip.is_empty() { get("ipcidr").split('/').next().unwrap_or_default() } else { ip };
            let is_primary = primary == Some(*device);
            if is_primary {
                attributes.push(("ip".to_owned(), ip.to_owned()));
                attributes.push(("primarynic".to_owned(), nic.to_owned()));
            } else if !ip.is_empty() {
                ips.push(format!("{nic}!{ip}"));
                suffixes.push(format!("{nic}!-{nic}"));
            }
            if !get("hwaddr").is_empty() {
                let owner = if is_primary {
                    String::new()
                } else if ip.is_empty() {
                    "!*NOIP*".to_owned()
                } else {
                    format!("!{name}-{nic}")
                };
                macs.push((!is_primary, format!("{}{owner}", get("hwaddr"))));
            }
            self.network(place, ip, cidr, &get);
            let others = settings.keys().filter(|key| {
                !matches!(
                    **key,
                    "device" | "ipaddr" | "ipcidr" | "hwaddr" | "netmask" | "gateway" | "mtu" | "prefix"
                )
            });
            let others: Vec<String> = others.map(|key| format!("network devices: {key}")).collect();
            others.iter().for_each(|key| self.pass(key, value.line));
        }
        macs.sort();
        let macs: Vec<String> = macs.into_iter().map(|(_, mac)| mac).collect();
        attributes.push(("mac".to_owned(), macs.join("|")));
        attributes.push(("nicips".to_owned(), ips.join(",")));
        attributes.push(("nichostnamesuffixes".to_owned(), suffixes.join(",")));
    }

    /// The network of an address, once.
    fn network<'y>(&mut self, place: &Place, ip: &str, cidr: Option<&str>, get: &dyn Fn(&str) -> &'y str) {
        let bits = cidr.and_then(|bits| bits.parse::<u8>().ok());
        let mask = match bits {
            Some(bits) => ipnet::Ipv4Net::new(Ipv4Addr::UNSPECIFIED, bits).ok().map(|net| net.netmask()),
            None => get("netmask").parse::<Ipv4Addr>().ok(),
        };
        let (Ok(ip), Some(mask)) = (ip.parse::<Ipv4Addr>(), mask) else { return };
        let Ok(net) = ipnet::Ipv4Net::with_netmask(ip, mask) else { return };
        let net = net.network();
        if !self.nets.insert((net, mask)) {
            return;
        }
        let known = self.model.tables().rows(crate::table::schema::NETWORKS).find(|(_, row)| {
            row.cell("net") == Some(&net.to_string()) && row.cell("mask") == Some(&mask.to_string())
        });
        if known.is_some() {
            return;
        }
        let mut attributes = vec![("net".to_owned(), net.to_string()), ("mask".to_owned(), mask.to_string())];
        attributes.push(("gateway".to_owned(), get("gateway").to_owned()));
        attributes.push(("mtu".to_owned(), get("mtu").to_owned()));
        attributes.retain(|(_, value)| !value.is_empty());
        let name = format!("{net}-{mask}").replace('.', "_");
        self.reading.add(place.clone(), Subject::Object { kind: "network", name }, attributes);
    }
}

fn text(of: &Yaml, key: &str) -> Option<String> {
    of.get(key).map(Yaml::text).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::format::shown;
    use crate::fixture;
    use proptest::prelude::*;

    const SAMPLE: &str = r#"
nodeprofiles:
  default:
    comment: for all
    image name: rocky9
    runtime overlay: [hosts]
    kernel:
      args: [quiet]
    ipmi:
      username: admin
      password: secret
    network devices:
      default:
        device: eth0
        netmask: 255.255.255.0
        gateway: 10.0.0.254
  gpu:
    profiles: [base]
    image name: rocky9-gpu
    kernel:
      args: [nomodeset, quiet]
nodes:
  n1:
    profiles: [default, gpu]
    ipmi:
      ipaddr: 10.9.0.1
    network devices:
      default:
        hwaddr: 52:54:00:00:00:01
        ipaddr: 10.0.0.1
      ib:
        device: ib0
        ipaddr: 10.1.0.1/16
        hwaddr: 52:54:00:00:00:11
    tags: {a: b}
  n2.cluster:
    profiles: [default, gpu, ~gpu]
    network devices:
      default: {ipaddr: 10.0.0.2}
"#;

    #[test]
    fn profiles_become_groups_and_lists_are_merged() {
        let reading = read(&fixture::model(""), &[("nodes.conf".to_owned(), SAMPLE.to_owned())]);
        insta::assert_snapshot!(shown(&reading), @r"
        nodes.conf:3 group default: provmethod=rocky9 bmcusername=admin bmcpassword=secret mgt=ipmi usercomment=for all grouptype=static
        nodes.conf:17 group gpu: provmethod=rocky9-gpu grouptype=static
        nodes.conf:23 network 10_0_0_0-255_255_255_0: net=10.0.0.0 mask=255.255.255.0 gateway=10.0.0.254
        nodes.conf:23 network 10_1_0_0-255_255_0_0: net=10.1.0.0 mask=255.255.0.0
        nodes.conf:23 node n1: bmc=10.9.0.1 mgt=ipmi groups=gpu,default,all addkcmdline=quiet nomodeset ip=10.0.0.1 primarynic=eth0 mac=52:54:00:00:00:01|52:54:00:00:00:11!n1-ib0 nicips=ib0!10.1.0.1 nichostnamesuffixes=ib0!-ib0
        nodes.conf:36 node n2: groups=default,all addkcmdline=quiet ip=10.0.0.2 primarynic=eth0
        not nodes.conf:23: n1: profile base: there is no such profile
        not nodes.conf:36: n2.cluster: it becomes n2; the domain is the site's or its network's
        not nodes.conf:36: n2: profile base: there is no such profile
        not nodes.conf:6: runtime overlay: it means nothing here (1 times)
        not nodes.conf:35: tags: it means nothing here (1 times)
        ");
    }

    proptest! {
        #[test]
        fn reading_never_panics(at in any::<prop::sample::Index>(), text in "[a-z~:{}\\[\\] \n-]{0,12}") {
            let mut sample = SAMPLE.to_owned();
            sample.insert_str(at.index(SAMPLE.len()), &text);
            let _ = read(&fixture::model(""), &[("f".to_owned(), sample)]);
        }
    }
}
