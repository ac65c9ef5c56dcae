//! What statements mean: scopes, hosts and subnets.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

use common::id::MacAddr;

use super::parse::{self, Statement};
use crate::exchange::incoming::{Place, Reading, node};
use crate::exchange::subject::Subject;
use crate::exchange::text::short;
use crate::model::Model;

/// How many files may be read, includes of includes counted.
const FILES: usize = 1000;

/// What is inherited, by statement or option.
#[derive(Clone, Debug, Default)]
struct Scope {
    /// Set for networks: by the file, a shared network, the subnet.
    network: BTreeMap<String, String>,
    /// Set for hosts: by a group or the host.
    host: BTreeMap<String, String>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Network,
    Host,
}

/// One node in the making.
#[derive(Debug)]
struct Found {
    place: Place,
    macs: Vec<String>,
    ip: Option<String>,
    others: Vec<String>,
    more: Vec<(String, String)>,
}

/// Takes what it can from statements.
#[derive(Debug)]
pub(super) struct Taker<'a> {
    model: &'a Model,
    files: HashMap<&'a str, &'a str>,
    reading: Reading,
    /// The file being read, and those that include it.
    open: Vec<&'a str>,
    read: usize,
    nodes: Vec<(String, Found)>,
    places: HashMap<String, usize>,
    /// Statements that mean nothing here: where first, and how often.
    passed: BTreeMap<String, (Place, usize)>,
}

impl<'a> Taker<'a> {
    pub(super) fn new(model: &'a Model, files: &'a [(String, String)]) -> Self {
        Self {
            model,
            files: files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
            reading: Reading::default(),
            open: Vec::new(),
            read: 0,
            nodes: Vec::new(),
            places: HashMap::new(),
            passed: BTreeMap::new(),
        }
    }

    /// Takes a whole file.
    pub(super) fn file(&mut self, name: &'a str) {
        self.scoped_file(name, &Scope::default(), Level::Network);
    }

    /// What was taken, and what not.
    pub(super) fn finish(mut self) -> Reading {
        for (name, found) in self.nodes {
            let mut attributes = found.more;
            attributes.push(("mac".to_owned(), found.macs.join("|")));
            attributes.push(("ip".to_owned(), found.ip.unwrap_or_default()));
            attributes.push(("otherinterfaces".to_owned(), found.others.join(",")));
            attributes.retain(|(_, value)| !value.is_empty());
            attributes.sort();
            self.reading.add(found.place, node(&name), attributes);
        }
        for (what, (place, times)) in self.passed {
            self.reading.note(place, what, format!("it means nothing here ({times} times)"));
        }
        self.reading
    }

    fn place(&self, line: usize) -> Place {
        Place::new(self.open.last().copied().unwrap_or_default(), line)
    }

    fn scoped_file(&mut self, name: &'a str, scope: &Scope, level: Level) {
        let Some(text) = self.files.get(name).copied() else { return };
        self.open.push(name);
        self.read += 1;
        let (statements, wrong) = parse::parse(text);
        for (line, why) in wrong {
            let place = self.place(line);
            self.reading.fault(place, "the file", why);
        }
        self.block(&statements, scope.clone(), level);
        self.open.pop();
    }

    /// Takes the statements of a block: first what it sets, wherever it stands, then what is in it.
    fn block(&mut self, statements: &[Statement], mut scope: Scope, level: Level) {
        for statement in statements {
            if let Some((name, value)) = setting(statement) {
                let settings = if level == Level::Host { &mut scope.host } else { &mut scope.network };
                settings.insert(name, value);
            }
        }
        for statement in statements {
            match statement.word(0) {
                "host" => self.host(statement, &scope),
                "group" => self.block(&statement.block, scope.clone(), Level::Host),
                "shared-network" => self.block(&statement.block, scope.clone(), Level::Network),
                "subnet" => self.subnet(statement, &scope),
                "include" => self.include(statement, &scope, level),
                _ if setting(statement).is_some() => {}
                _ => self.pass(statement),
            }
        }
    }

    fn include(&mut self, statement: &Statement, scope: &Scope, level: Level) {
        let name = statement.word(1);
        let known = self.files.keys().copied().find(|known| *known == name);
        let why = match known {
            None => "the file could not be read",
            Some(name) if self.open.contains(&name) => "it includes itself",
            Some(_) if self.read >= FILES => "too many files are included",
            Some(name) => return self.scoped_file(name, scope, level),
        };
        let place = self.place(statement.line);
        self.reading.note(place, format!("include {}", short(name)), why);
    }

    /// A statement that means nothing here.
    fn pass(&mut self, statement: &Statement) {
        let what = match statement.word(0) {
            "option" => format!("option {}", short(statement.word(1))),
            "allow" | "deny" | "ignore" => format!("{} {}", statement.word(0), short(statement.word(1))),
            word => short(word),
        };
        let place = self.place(statement.line);
        self.passed.entry(what).or_insert((place, 0)).1 += 1;
    }

    fn subnet(&mut self, statement: &Statement, scope: &Scope) {
        let place = self.place(statement.line);
        let parsed = (statement.word(1).parse::<Ipv4Addr>(), statement.word(3).parse::<Ipv4Addr>());
        let (Ok(net), Ok(mask)) = parsed else {
            return self.reading.note(
                place,
                short(&statement.words.join(" ")),
                "it is not `subnet NET netmask MASK`",
            );
        };
        let mut inner = scope.clone();
        let settings = statement.block.iter().filter_map(setting);
        inner.network.extend(settings);
        let mut ranges = Vec::new();
        self.ranges(&statement.block, &mut ranges);
        let mut attributes = vec![("net".to_owned(), net.to_string()), ("mask".to_owned(), mask.to_string())];
        for (name, attribute) in [
            ("routers", "gateway"),
            ("domain-name-servers", "nameservers"),
            ("ntp-servers", "ntpservers"),
            ("log-servers", "logservers"),
            ("domain-name", "domain"),
            ("interface-mtu", "mtu"),
            ("next-server", "tftpserver"),
        ] {
            if let Some(value) = inner.network.get(name) {
                let first = value.split(',').next().unwrap_or_default();
                let value = if attribute == "gateway" { first } else { value };
                attributes.push((attribute.to_owned(), value.to_owned()));
            }
        }
        attributes.push(("dynamicrange".to_owned(), ranges.join(",")));
        attributes.retain(|(_, value)| !value.is_empty());
        let same = self.model.tables().rows(crate::table::schema::NETWORKS).find(|(_, row)| {
            row.cell("net") == Some(&net.to_string()) && row.cell("mask") == Some(&mask.to_string())
        });
        let known = same.and_then(|(_, row)| row.cell("netname")).map(str::to_owned);
        let name = known.unwrap_or_else(|| format!("{net}-{mask}").replace('.', "_"));
        self.reading.add(place, Subject::Object { kind: "network", name }, attributes);
        self.block_of_subnet(&statement.block, inner);
    }

    /// What is in a subnet beside its ranges.
    fn block_of_subnet(&mut self, statements: &[Statement], scope: Scope) {
        let rest = statements.iter().filter(|statement| !matches!(statement.word(0), "range" | "pool"));
        let rest: Vec<Statement> = rest.cloned().collect();
        self.block(&rest, scope, Level::Network);
    }

    fn ranges(&mut self, statements: &[Statement], ranges: &mut Vec<String>) {
        for statement in statements {
            match statement.word(0) {
                "pool" => {
                    self.ranges(&statement.block, ranges);
                    let others = statement.block.iter().filter(|inner| inner.word(0) != "range");
                    others.for_each(|inner| self.pass(inner));
                }
                "range" => {
                    let words = statement.words.iter().skip(1).filter(|word| *word != "dynamic-bootp");
                    let words: Vec<&String> = words.collect();
                    let ends: Vec<Ipv4Addr> = words.iter().filter_map(|word| word.parse().ok()).collect();
                    match ends.as_slice() {
                        [low] if words.len() == 1 => ranges.push(format!("{low}-{low}")),
                        [low, high] if words.len() == 2 => ranges.push(format!("{low}-{high}")),
                        _ => {
                            let place = self.place(statement.line);
                            let what = short(&statement.words.join(" "));
                            self.reading.note(place, what, "it is not `range LOW HIGH`");
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn host(&mut self, statement: &Statement, scope: &Scope) {
        let mut settings = scope.host.clone();
        settings.extend(statement.block.iter().filter_map(setting));
        let declared = statement.word(1).split('.').next().unwrap_or_default().to_owned();
        let named = settings.get("host-name").and_then(|name| name.split('.').next()).map(str::to_owned);
        let name = named.filter(|name| !name.is_empty()).unwrap_or_else(|| declared.clone());
        let at = *self.places.entry(name.clone()).or_insert(self.nodes.len());
        if at == self.nodes.len() {
            let place = self.place(statement.line);
            let more = node_settings(&settings);
            let found = Found { place, macs: Vec::new(), ip: None, others: Vec::new(), more };
            self.nodes.push((name.clone(), found));
        }
        for inner in &statement.block {
            match (inner.word(0), inner.word(1)) {
                ("hardware", "ethernet") => self.hardware(inner, at, &name, &declared),
                ("hardware", _) => {
                    let place = self.place(inner.line);
                    self.reading.note(
                        place,
                        format!("{name}: {}", short(&inner.words.join(" "))),
                        "only Ethernet is served",
                    );
                }
                ("fixed-address", _) => self.address(inner, at, &name, &declared),
                _ if setting(inner).is_some() => {}
                _ => self.pass(inner),
            }
        }
    }

    fn hardware(&mut self, statement: &Statement, at: usize, name: &str, declared: &str) {
        let Ok(mac) = statement.word(2).parse::<MacAddr>() else {
            let place = self.place(statement.line);
            return self.reading.note(
                place,
                format!("{name}: {}", short(statement.word(2))),
                "it is no hardware address",
            );
        };
        if let Some((_, found)) = self.nodes.get_mut(at) {
            let is_first = found.macs.is_empty() || declared == name;
            found.macs.push(if is_first { mac.to_string() } else { format!("{mac}!{declared}") });
        }
    }

    fn address(&mut self, statement: &Statement, at: usize, name: &str, declared: &str) {
        for (index, word) in statement.words.iter().enumerate().skip(1) {
            let Ok(ip) = word.parse::<Ipv4Addr>() else {
                let place = self.place(statement.line);
                self.reading.note(
                    place,
                    format!("{name}: {}", short(word)),
                    "a name in the place of an address is not looked up",
                );
                continue;
            };
            let Some((_, found)) = self.nodes.get_mut(at) else { continue };
            match &found.ip {
                None => found.ip = Some(ip.to_string()),
                Some(_) if declared != name && index == 1 => found.others.push(format!("{declared}:{ip}")),
                Some(known) => {
                    let why = format!(
                        "its address is {known}; dhcpd chose by the network, give the others to nics"
                    );
                    let place = self.place(statement.line);
                    self.reading.note(place, format!("{name}: {ip}"), why);
                }
            }
        }
    }
}

/// The settings that are inherited, by name: options, and two statements.
fn setting(statement: &Statement) -> Option<(String, String)> {
    const OPTIONS: [&str; 7] = [
        "routers",
        "domain-name-servers",
        "ntp-servers",
        "log-servers",
        "domain-name",
        "interface-mtu",
        "host-name",
    ];
    match (statement.word(0), statement.word(1)) {
        (name @ ("next-server" | "filename"), _) => Some((name.to_owned(), statement.list(1))),
        ("option", name) if OPTIONS.contains(&name) && statement.word(2) != "=" => {
            Some((name.to_owned(), statement.list(2)))
        }
        // A netmask and a broadcast address follow from the subnet.
        ("option", name @ ("subnet-mask" | "broadcast-address")) => Some((name.to_owned(), String::new())),
        _ => None,
    }
}

/// What a host or its group sets for the node.
fn node_settings(settings: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(server) = settings.get("next-server") {
        found.push(("tftpserver".to_owned(), server.clone()));
    }
    let file =
        settings.get("filename").map(|path| path.rsplit('/').next().unwrap_or_default()).unwrap_or_default();
    let netboot = match file {
        _ if file.contains("pxelinux") => "pxe",
        _ if file.contains("grub") => "grub2",
        _ if file.contains("kpxe")
            || file.contains("ipxe")
            || file.contains("snponly")
            || file.contains("xnba") =>
        {
            "xnba"
        }
        _ => "",
    };
    if !netboot.is_empty() {
        found.push(("netboot".to_owned(), netboot.to_owned()));
    }
    found
}
