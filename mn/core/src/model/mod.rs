//! What the management node knows, at one revision.
//!
//! A [`Model`] is the tables and a few indexes over them: which nodes there are, who is in a group,
//! who has an address. Cloning one costs nothing, readers keep the one they have, and
//! [`Model::apply`] costs as much as the change touches.
//!
//! Everything read here is what holds *for a node*: its own row, what it inherits, templates
//! replaced ([`value`]). Rows as they stand are [`Model::tables`]'. What cannot be read (a network
//! without a mask) is left out here and reported by [`check`].
//!
//! **Invariant**: the indexes say what the tables say; a property test applies edits and compares
//! with a model that was built anew.

pub mod address;
pub mod check;
mod index;
mod inherited;
pub mod mac;
pub mod network;
mod record;
mod rows;
pub mod value;

use std::net::Ipv4Addr;
use std::sync::Arc;

use common::id::{NodeName, Revision, SnName};

use self::address::Address;
use self::index::Index;
use self::inherited::Inherited;
pub use self::mac::MacEntry;
pub use self::network::{Gateway, Network, Server};
pub use self::record::Record;
pub(crate) use self::rows::RowsOf;
pub use self::value::{Origin, Sourced, Value};
use crate::table::schema::{HOSTS, MAC, NICS, NODEGROUP, NODELIST, SITE};
use crate::table::{Edit, Row, RowKey, TableId, Tables};

/// The tables at one revision, and what is found in them.
#[derive(Clone, Debug)]
pub struct Model {
    tables: Tables,
    revision: Revision,
    index: Index,
    inherited: Inherited,
    networks: Arc<[Network]>,
    /// `site.hierarchicalattrs`: columns whose values are joined over groups, each with what
    /// stands between.
    joined: Arc<[(Box<str>, Box<str>)]>,
}

impl Model {
    /// The model of these tables.
    pub fn new(tables: Tables, revision: Revision) -> Self {
        let (index, inherited) = (Index::default(), Inherited::default());
        let (networks, joined) = (Arc::new([]), Arc::new([]));
        let mut model = Self { tables, revision, index, inherited, networks, joined };
        model.refresh_site();
        model.refresh_networks();
        model.refresh_index();
        model
    }

    /// Carries out edits, after which the model is of `revision`.
    pub fn apply(&mut self, edits: &[Edit], revision: Revision) {
        self.revision = revision;
        // Looked up before the rows change, and not on a copy of the model: of what a copy shares,
        // every edit would first have to make its own.
        let stale = index::Stale::of(self, edits);
        for edit in edits {
            self.tables.apply(edit);
        }
        if edits.iter().any(|edit| edit.table == network::TABLE) {
            self.refresh_networks();
        }
        if edits.iter().any(|edit| edit.table == SITE) && self.refresh_site() {
            self.refresh_index();
        } else {
            let mut index = std::mem::take(&mut self.index);
            let turned = index.list(edits);
            // First, as the index is of what holds for each node.
            self.inherited.follow(&self.tables, &index.groups, &turned, edits);
            index.update(stale, self);
            self.index = index;
        }
    }

    /// Lays out anew, in as little memory as they need, the tables of which a good part was put in since
    /// that was done last, and after edits that bring many nodes the indexes. Costs no more than
    /// carrying out the edits did.
    pub fn tighten(&mut self, edits: &[Edit]) {
        /// How many new nodes are worth it.
        const NODES: usize = 2_000;
        self.tables.tighten();
        let is_new = |edit: &&Edit| edit.table == NODELIST && edit.before.is_none();
        if edits.iter().filter(is_new).count() >= NODES {
            self.index.tighten();
        }
    }

    /// The same with rows of a log beside its own, of a table that nothing else looks at: logs are not
    /// in the store, and are laid in where a question is about them.
    #[must_use]
    pub fn with_log(&self, table: TableId, rows: impl IntoIterator<Item = (RowKey, Row)>) -> Self {
        let mut model = self.clone();
        rows.into_iter().for_each(|(key, row)| model.tables.load(table, key, row));
        model
    }

    /// The same as another revision: what a change leaves is numbered when it is committed.
    #[must_use]
    pub const fn numbered(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// The rows as they stand.
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The change that made it.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether there is a node of this name.
    pub fn has_node(&self, name: &str) -> bool {
        self.index.nodes.contains(name)
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<&NodeName> {
        self.index.nodes.get(name)
    }

    /// All nodes, sorted by the bytes of their names.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &NodeName> {
        self.index.nodes.iter().inspect(|_| crate::table::visited())
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.index.nodes.len()
    }

    /// The groups of a node, in the order of inheritance.
    pub fn groups_of(&self, node: &str) -> impl Iterator<Item = &str> {
        let row = self.tables.row(NODELIST, node).filter(|row| row.is_live());
        split(row.and_then(|row| row.cell("groups")).unwrap_or_default())
    }

    /// The nodes whose list of groups has this one, sorted.
    pub fn members(&self, group: &str) -> Vec<NodeName> {
        self.index.members(group).inspect(|_| crate::table::visited()).cloned().collect()
    }

    /// The members of a group as a set, which costs nothing to clone; none where it has none.
    pub fn member_set(&self, group: &str) -> Option<&imbl::OrdSet<NodeName>> {
        self.index.groups.get(group)
    }

    /// Whether a node is in a group.
    pub fn is_member(&self, node: &str, group: &str) -> bool {
        self.groups_of(node).any(|known| known == group)
    }

    /// Whether a group has members or a definition of its own.
    pub fn has_group(&self, group: &str) -> bool {
        self.index.groups.contains_key(group)
            || self.tables.row(NODEGROUP, group).is_some_and(|row| row.is_live())
    }

    /// The names of all groups, sorted.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        let defined = self.tables.rows(NODEGROUP).filter(|(_, row)| row.is_live());
        let mut names: Vec<&str> = defined.map(|(key, _)| key.as_str()).collect();
        names.extend(self.index.groups.keys().map(AsRef::as_ref));
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }

    /// A setting of the site; none where it is not set.
    pub fn site(&self, key: &str) -> Option<&str> {
        self.tables.row(SITE, key).filter(|row| row.is_live())?.cell("value")
    }

    /// All networks that can be read, the narrowest first, then by address.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// The narrowest network that an address is on.
    pub fn network_of(&self, address: Ipv4Addr) -> Option<&Network> {
        self.networks.iter().find(|network| network.net.contains(&address))
    }

    /// The network of this name.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name.as_str() == name)
    }

    /// The nodes that are service nodes: something of the table `servicenode` is set for them, by
    /// themselves or through a group, be it a 0.
    pub fn service_nodes(&self) -> Vec<SnName> {
        self.index.service.iter().map(SnName::from).collect()
    }

    /// Whether a node is a service node.
    pub fn is_service_node(&self, name: &str) -> bool {
        self.index.service.contains(name)
    }

    /// The nodes that name a service node in their pool, as owner or as backup, sorted.
    pub fn served_by(&self, sn: &str) -> impl Iterator<Item = &NodeName> {
        self.index.served_by(sn)
    }

    /// The words by which pools name their service nodes.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.index.pools()
    }

    /// The service nodes of a node in their order, the owner first (`noderes.servicenode`); empty
    /// for a node that the management node serves.
    pub fn pool(&self, node: &str) -> Vec<SnName> {
        let named = self.cell(crate::table::schema::NODERES, node, "servicenode").unwrap_or_default();
        split(&named).filter_map(|name| name.parse().ok()).collect()
    }

    /// The interfaces of a node that are in its `mac` attribute.
    pub fn macs(&self, node: &str) -> Vec<MacEntry> {
        self.cell(MAC, node, "mac").map_or_else(Vec::new, |text| mac::entries(&text))
    }

    /// The nodes that have a hardware address.
    pub fn nodes_with_mac(&self, mac: common::id::MacAddr) -> impl Iterator<Item = &NodeName> {
        self.index.with_mac(mac)
    }

    /// The nodes that have an address.
    pub fn nodes_with_ip(&self, address: Ipv4Addr) -> impl Iterator<Item = &NodeName> {
        self.index.with_ip(address)
    }

    /// The names and addresses of a node: its own first, then those of its other interfaces.
    pub fn addresses(&self, node: &str) -> Vec<Address> {
        fn cell<'a>(rows: &RowsOf<'a>, column: &str) -> Value<'a> {
            rows.cell(column).unwrap_or_default()
        }
        let (nics, hosts) = (self.rows_of(NICS, node), self.rows_of(HOSTS, node));
        let nics = address::Nics {
            ips: &cell(&nics, "nicips"),
            suffixes: &cell(&nics, "nichostnamesuffixes"),
            prefixes: &cell(&nics, "nichostnameprefixes"),
            aliases: &cell(&nics, "nicaliases"),
        };
        let hosts = address::Hosts {
            ip: &cell(&hosts, "ip"),
            names: &cell(&hosts, "hostnames"),
            others: &cell(&hosts, "otherinterfaces"),
        };
        address::all(node, &hosts, &nics)
    }

    /// The address of a node under its own name.
    pub fn ip(&self, node: &str) -> Option<Ipv4Addr> {
        address::first(&self.cell(HOSTS, node, "ip")?)
    }

    /// The addresses of a name: an address as it is written, a node, or another name of a node's
    /// interface; with or without the site's domain.
    pub fn resolve(&self, name: &str) -> Vec<Ipv4Addr> {
        if let Ok(address) = name.parse() {
            return vec![address];
        }
        let found = self.resolve_short(name);
        match self.short_name(name) {
            Some(short) if found.is_empty() => self.resolve_short(short),
            _ => found,
        }
    }

    /// A name without the site's domain; none where it is without.
    fn short_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        let domain = self.site("domain").filter(|domain| !domain.is_empty())?;
        name.strip_suffix(domain)?.strip_suffix('.')
    }

    /// The nodes of which an interface may be called so that is not called as the node is.
    pub(crate) fn nodes_called(&self, name: &str) -> impl Iterator<Item = &NodeName> {
        self.index.with_alias(name)
    }

    fn resolve_short(&self, name: &str) -> Vec<Ipv4Addr> {
        let mut found: Vec<Ipv4Addr> = Vec::new();
        let owner = self.index.nodes.get(name).into_iter();
        for node in owner.chain(self.index.with_alias(name)) {
            let addresses =
                self.addresses(node.as_str()).into_iter().filter(|address| address.is_called(name));
            for address in addresses.map(|address| address.ip) {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }

    fn refresh_index(&mut self) {
        let mut index = Index::listed(&self.tables);
        self.inherited = Inherited::of(&self.tables, &index.groups);
        index.fill(self);
        self.index = index;
    }

    fn refresh_networks(&mut self) {
        let rows = self.tables.rows(network::TABLE).filter(|(_, row)| row.is_live());
        let mut networks: Vec<Network> =
            rows.filter_map(|(_, row)| Some(network::read(row)?.network)).collect();
        networks.sort_by_key(|network| (std::cmp::Reverse(network.net.prefix_len()), network.net.addr()));
        self.networks = networks.into();
    }

    /// Reads `site.hierarchicalattrs`; says whether it changed.
    fn refresh_site(&mut self) -> bool {
        let text = self.site("hierarchicalattrs").unwrap_or_default();
        let joined: Arc<[(Box<str>, Box<str>)]> = split(text)
            .map(|item| {
                let (column, between) = item.split_once(':').unwrap_or((item, ","));
                let between = if between.trim().is_empty() { "," } else { between.trim() };
                (column.trim().into(), between.into())
            })
            .collect();
        let changed = joined != self.joined;
        self.joined = joined;
        changed
    }
}

/// The parts of a list with commas between; blanks around a part are not its own.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
