//! The registry of tables and columns.
//!
//! It is read once from `tables.txt`, which is compiled in, so that there is one list to read and
//! to change; a test holds that every line of it was understood. What the definition commands call
//! a column is [`super::attribute`]'s.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A table of the registry: its place among all names. Stored and sent by name, so that the registry
/// may grow; in memory a number, as each cell that is read asks for its table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u8);

/// What the registry says of a table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of a dump.
    pub columns: Vec<Column>,
    /// The names of its key columns.
    pub key: Vec<&'static str>,
    /// What it is for.
    pub doc: &'static str,
    /// Whether it is Drover's own: xCAT has no such table, and no dump for xCAT may hold it.
    pub own: bool,
    /// How edits and queries name it.
    id: TableId,
    /// See [`Table::is_inherited`] and [`Table::is_of_nodes`]: asked for each cell that is read.
    inherited: bool,
    of_nodes: bool,
}

/// What the registry says of a column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// There is no such table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no table {0:?}")]
pub struct NoTable(pub String);

/// The registry.
const TEXT: &str = include_str!("tables.txt");

/// How many tables there are.
const COUNT: usize = 81;

/// The names of all tables, sorted: known when this is compiled, so that constants are numbers.
const NAMES: [&str; COUNT] = names(TEXT);

/// All tables, in the order of [`NAMES`].
pub static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| parse(TEXT));

/// Stands for a table that is not in the registry; no [`TableId`] names one (a test holds that the
/// constants do not), so nothing ever shows it.
static NONE: Table = Table {
    name: "",
    columns: Vec::new(),
    key: Vec::new(),
    doc: "",
    own: true,
    id: TableId(u8::MAX),
    inherited: false,
    of_nodes: false,
};

macro_rules! tables {
    ($($constant:ident $name:literal)*) => {
        $(
            #[doc = concat!("The table `", $name, "`.")]
            pub const $constant: TableId = TableId(place($name));
        )*
        #[cfg(test)]
        const CONSTANTS: &[TableId] = &[$($constant),*];
    };
}

tables! {
    AGENT "agent" AUDITLOG "auditlog" BOOTPARAMS "bootparams" CHAIN "chain" EVENTLOG "eventlog"
    FILE "file" HOSTS "hosts" JOINTOKEN "jointoken" LINUXIMAGE "linuximage" MAC "mac"
    MEMBER "member" MONITORING "monitoring" MONSETTING "monsetting" MOVE "move"
    MOVENODE "movenode" NETWORKS "networks"
    NICS "nics" NODEGROUP "nodegroup" NODEHM "nodehm" NODELIST "nodelist" NODERES "noderes"
    NODETYPE "nodetype" OSIMAGE "osimage" OWNERSHIP "ownership" PASSWD "passwd" POLICY "policy"
    POSTSCRIPTS "postscripts" PRESCRIPTS "prescripts" ROUTES "routes" SERVICENODE "servicenode"
    SITE "site" SNADDRESS "snaddress"
}

impl TableId {
    /// The table of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, NoTable> {
        let place = NAMES.binary_search(&name).ok().and_then(|place| u8::try_from(place).ok());
        place.map(Self).ok_or_else(|| NoTable(name.to_owned()))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// What the registry says of it.
    pub fn table(self) -> &'static Table {
        TABLES.get(usize::from(self.0)).unwrap_or(&NONE)
    }
}

impl Table {
    /// How edits and queries name it.
    pub const fn id(&self) -> TableId {
        self.id
    }

    /// A column; none where it has no such column.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether its rows belong to nodes, so that the rows of groups are inherited.
    ///
    /// `nodelist` says which nodes and groups there are; nothing of it is inherited. Tables whose
    /// column `node` is not the first of the key (logs) or that are Drover's own are not of nodes.
    pub const fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Whether the first column of its key names nodes. A few tables of xCAT call that column after
    /// what the nodes in it are: switches, management modules, virtual machines' masters.
    pub const fn is_of_nodes(&self) -> bool {
        self.of_nodes
    }
}

/// The names of the tables that the registry describes, sorted.
const fn names(text: &'static str) -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let (mut count, mut rest) = (0, text.as_bytes());
    while !rest.is_empty() {
        let (line, behind) = cut(rest, b'\n');
        let (kind, described) = cut(line, b' ');
        if is_same(kind, b"table") || is_same(kind, b"own") {
            assert!(count < COUNT, "there are more tables in tables.txt than COUNT");
            let (name, _) = cut(described, b' ');
            let mut at = count;
            while at > 0 && is_before(name, names[at - 1].as_bytes()) {
                names[at] = names[at - 1];
                at -= 1;
            }
            if let Ok(name) = std::str::from_utf8(name) {
                names[at] = name;
            }
            count += 1;
        }
        rest = behind;
    }
    assert!(count == COUNT, "there are fewer tables in tables.txt than COUNT");
    names
}

/// The place of a name among [`NAMES`]; beyond all of them where it is none, which the test of the
/// constants finds.
const fn place(name: &str) -> u8 {
    let mut place = 0;
    while (place as usize) < COUNT && !is_same(NAMES[place as usize].as_bytes(), name.as_bytes()) {
        place += 1;
    }
    place
}

/// What stands before a byte, and what behind it.
const fn cut(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    let mut end = 0;
    while end < text.len() && text[end] != at {
        end += 1;
    }
    let (before, rest) = text.split_at(end);
    match rest.split_first() {
        Some((_, behind)) => (before, behind),
        None => (before, rest),
    }
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && !is_before(a, b) && !is_before(b, a)
}

const fn is_before(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

/// Reads the registry. A line that says nothing is left out here and found by the test.
fn parse(text: &'static str) -> Vec<Table> {
    let mut common: Vec<Column> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(column) = line.strip_prefix("  ") {
            let (name, doc) = column.split_once(' ').unwrap_or((column, ""));
            let mut column = Column { name, doc: doc.trim() };
            let Some(table) = tables.last_mut() else {
                common.push(column);
                continue;
            };
            if column.doc.is_empty() {
                column.doc = common.iter().find(|c| c.name == name).map_or("", |c| c.doc);
            }
            table.columns.push(column);
        } else if let [kind @ ("table" | "own"), name, key, doc] =
            line.splitn(4, ' ').collect::<Vec<_>>().as_slice()
        {
            let (key, own): (Vec<&str>, _) = (key.split(',').collect(), *kind == "own");
            let named_otherwise =
                matches!(*name, "kvm_masterdata" | "mpa" | "ppcdirect" | "ppchcp" | "switches" | "vmmaster");
            let of_nodes = named_otherwise || key.first() == Some(&"node");
            let Ok(id) = TableId::named(name) else { continue };
            let inherited = of_nodes && !own && id != NODELIST;
            tables.push(Table { name, columns: Vec::new(), key, doc, own, id, inherited, of_nodes });
        }
    }
    for table in &mut tables {
        if !table.own && table.column("disable").is_none() {
            table.columns.extend(common.iter().filter(|c| matches!(c.name, "comments" | "disable")));
        }
    }
    tables.sort_by_key(|table| table.name);
    tables
}

// By hand, as the derived form takes a `&'static str` to be lent by the bytes it is read from.
impl Serialize for TableId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TableId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl std::str::FromStr for TableId {
    type Err = NoTable;
    fn from_str(name: &str) -> Result<Self, NoTable> {
        Self::named(name)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_registry_was_understood() {
        let text = include_str!("tables.txt");
        let heads = text.lines().filter(|l| l.starts_with("table ") || l.starts_with("own ")).count();
        assert_eq!((heads, TABLES.len()), (81, 81));
        for table in TABLES.iter() {
            assert!(!table.doc.is_empty(), "{} has no text", table.name);
            for key in &table.key {
                assert!(table.column(key).is_some(), "{} has no column {key}", table.name);
            }
            for column in &table.columns {
                assert!(!column.doc.is_empty(), "{}.{} has no text", table.name, column.name);
                let same = table.columns.iter().filter(|c| c.name == column.name).count();
                assert_eq!(same, 1, "{}.{} is there twice", table.name, column.name);
            }
        }
        assert!(TABLES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(TABLES.iter().filter(|table| !table.own).count(), 73, "xCAT has 73 tables");
    }

    #[test]
    fn names_and_tables_have_the_same_places() {
        assert!(TABLES.iter().map(|table| table.name).eq(NAMES));
        assert!(
            TABLES
                .iter()
                .all(|table| table.id().name() == table.name && table.id().table().name == table.name)
        );
        assert!(TableId::named("").is_err() && TableId::named("zzz").is_err());
    }

    #[test]
    fn every_constant_names_a_table() {
        for id in CONSTANTS {
            assert_eq!(id.table().name, id.name());
        }
    }

    #[test]
    fn a_dump_of_networks_starts_with_the_name_though_the_key_is_the_address() {
        let table = NETWORKS.table();
        assert_eq!(table.key, ["net", "mask"]);
        assert!(table.columns.iter().map(|c| c.name).take(3).eq(["netname", "net", "mask"]));
        assert!(table.columns.iter().rev().map(|c| c.name).take(2).eq(["disable", "comments"]));
    }

    #[test]
    fn the_nodes_themselves_inherit_nothing() {
        assert!(NODERES.table().is_inherited() && POSTSCRIPTS.table().is_inherited());
        assert!(!NODELIST.table().is_inherited() && !SITE.table().is_inherited());
        assert!(!OWNERSHIP.table().is_inherited(), "an epoch is the node's own");
        let switches = TableId::named("switches").unwrap().table();
        assert!(switches.is_inherited() && !SITE.table().is_of_nodes() && NODELIST.table().is_of_nodes());
    }

    #[test]
    fn a_table_that_is_not_there_is_refused_by_name() {
        assert_eq!(TableId::named("nosuch").unwrap_err().to_string(), "there is no table \"nosuch\"");
        assert_eq!(TableId::named("mac"), Ok(MAC));
    }
}
