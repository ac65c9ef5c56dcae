//! The registry of object attributes: what the definition commands call a column, and when.
//!
//! One attribute may be several columns, told apart by another attribute: `bmc` is `ipmi.bmc`
//! where `mgt=ipmi` and `openbmc.bmc` where `mgt=openbmc`. Its text is its column's. Read once from
//! `attributes.txt`, which is compiled in.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::schema::{self, Table, TableId};

/// One attribute of one type of object, in one column.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The type of object: node, group, network, ...
    pub object: &'static str,
    /// What the definition commands call it.
    pub name: &'static str,
    /// Its table.
    pub table: TableId,
    /// Its column there.
    pub column: &'static str,
    /// When it is this column; always where there is none.
    pub condition: Option<Condition>,
    /// Which row: each column with what it must hold.
    pub row: Vec<(&'static str, Selector)>,
    /// What it means.
    pub doc: &'static str,
}

/// "Only if another attribute has one of these values."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The other attribute, of the same object.
    pub attribute: &'static str,
    /// The values it may have.
    pub values: Vec<&'static str>,
}

impl Condition {
    /// Whether what the other attribute holds fulfils it: one of the values is a word of it
    /// (`nodetype=ppc,osi` is a `ppc` too).
    pub fn holds(&self, held: &str) -> bool {
        let is_edge = |beside: Option<char>| beside.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let has_word = |word: &str| {
            held.match_indices(word).any(|(at, found)| {
                let (before, after) = (held.get(..at), held.get(at + found.len()..));
                is_edge(before.and_then(|text| text.chars().next_back()))
                    && is_edge(after.and_then(|text| text.chars().next()))
            })
        };
        self.values.iter().any(|word| has_word(word))
    }
}

/// What a column must hold for a row to be the object's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The object's name.
    Name,
    /// This text.
    Text(&'static str),
}

/// A type of object.
#[derive(Debug)]
pub struct ObjectType {
    /// What `-t` calls it.
    pub name: &'static str,
    /// The attribute that names an object.
    pub key: &'static str,
    /// Its attributes in the order of the registry; one name may be there more than once, under
    /// different conditions.
    pub attributes: Vec<Attribute>,
    /// Where in `attributes` each name is: a node has some 200 of them, and each attribute of each
    /// of 100,000 nodes is looked up several times by a command.
    by_name: HashMap<&'static str, Vec<usize>>,
    /// Where in `attributes` the first is that a column is.
    by_column: HashMap<(TableId, &'static str), usize>,
}

/// What must be looked at again when a column changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// Addresses handed out.
    Dhcp,
    /// Names answered.
    Dns,
    /// Boot files and boot answers.
    Boot,
    /// What the agent on the node sets up.
    Agent,
    /// Exported folders.
    Export,
    /// Who serves the node.
    Owner,
}

static OBJECTS: LazyLock<BTreeMap<&'static str, ObjectType>> =
    LazyLock::new(|| parse(include_str!("attributes.txt")));

/// All types of objects, sorted by name.
pub fn object_types() -> impl Iterator<Item = &'static ObjectType> {
    OBJECTS.values()
}

/// A type of object; none where there is no such type.
pub fn object_type(name: &str) -> Option<&'static ObjectType> {
    OBJECTS.get(name)
}

/// The columns that an attribute may be, in the order in which their conditions are tried.
pub fn named(object: &str, name: &str) -> impl Iterator<Item = &'static Attribute> {
    object_type(object).into_iter().flat_map(|kind| {
        let places = kind.by_name.get(name).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|at| kind.attributes.get(*at))
    })
}

/// The attribute that a column is for a type of object; none where it has no name of its own.
pub fn of_column(object: &str, table: TableId, column: &str) -> Option<&'static Attribute> {
    let kind = object_type(object)?;
    // The registry's own text: the map lives as long as the program, and its keys must.
    let column = table.table().column(column)?.name;
    kind.attributes.get(*kind.by_column.get(&(table, column))?)
}

/// Attribute names of a type of object that look like `text`, nearest first, at most three.
pub fn nearest(object: &str, text: &str) -> Vec<&'static str> {
    let attributes = object_type(object).map_or(&[][..], |kind| &kind.attributes);
    super::nearest::names(text, attributes.iter().map(|attribute| attribute.name))
}

impl ObjectType {
    /// Finds out where each attribute is.
    fn index(&mut self) {
        for (at, attribute) in self.attributes.iter().enumerate() {
            self.by_name.entry(attribute.name).or_default().push(at);
            self.by_column.entry((attribute.table, attribute.column)).or_insert(at);
        }
    }
}

impl Attribute {
    /// What must be looked at again when it changes.
    pub fn touches(&self) -> &'static [Touch] {
        touches(self.table, self.column)
    }
}

/// What must be looked at again when a column changes; nothing where it is only kept.
pub fn touches(table: TableId, column: &str) -> &'static [Touch] {
    use Touch::{Agent, Boot, Dhcp, Dns, Export, Owner};
    match (table.name(), column) {
        (_, "comments") => &[],
        ("nodelist", "node" | "groups" | "disable") => &[Owner, Dhcp, Dns, Boot, Agent],
        ("mac", _) => &[Dhcp, Boot],
        ("hosts" | "nics", _) => &[Dhcp, Dns, Boot, Agent],
        ("networks", _) => &[Dhcp, Dns, Boot, Agent],
        ("noderes", "servicenode") => &[Owner, Dhcp, Dns, Boot, Agent],
        ("noderes", "xcatmaster") => &[Dhcp, Boot, Agent],
        ("noderes", "nfsserver" | "nfsdir") => &[Boot, Export],
        ("noderes", "tftpserver" | "netboot" | "installnic" | "primarynic" | "proxydhcp") => &[Dhcp, Boot],
        ("noderes", "tftpdir") => &[Boot],
        ("noderes", "nameservers") => &[Dhcp, Agent],
        ("noderes", "monserver" | "routenames" | "syslog") | ("postscripts" | "routes" | "prescripts", _) => {
            &[Agent]
        }
        ("bootparams" | "chain" | "nodetype", _) => &[Boot],
        ("osimage" | "linuximage", _) => &[Boot, Agent, Export],
        ("statelite" | "litefile" | "litetree", _) => &[Boot, Export],
        ("servicenode", _) => &[Owner, Dhcp, Dns, Boot, Export],
        ("site", _) => &[Dhcp, Dns, Boot, Agent],
        _ => &[],
    }
}

/// Reads the registry. A line that says nothing is left out here and found by the test.
fn parse(text: &'static str) -> BTreeMap<&'static str, ObjectType> {
    let mut objects: BTreeMap<&'static str, ObjectType> = BTreeMap::new();
    let mut like: Vec<(&'static str, &'static str)> = Vec::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix("  ") {
            if let Some(other) = line.strip_prefix("like ") {
                like.push((current, other));
            } else if let Some(attribute) = parse_attribute(current, line)
                && let Some(kind) = objects.get_mut(current)
            {
                kind.attributes.push(attribute);
            }
        } else if let Some((name, key)) = line.strip_prefix("object ").and_then(|l| l.split_once(' ')) {
            current = name;
            let (by_name, by_column) = (HashMap::new(), HashMap::new());
            objects.insert(name, ObjectType { name, key, attributes: Vec::new(), by_name, by_column });
        }
    }
    for (name, other) in like {
        let more = objects.get(other).map_or_else(Vec::new, |kind| kind.attributes.clone());
        if let Some(kind) = objects.get_mut(name) {
            let more = more.into_iter().filter(|a| a.table != schema::NODELIST);
            kind.attributes.extend(more.map(|a| Attribute { object: name, ..a }));
        }
    }
    objects.values_mut().for_each(ObjectType::index);
    objects
}

/// `NAME TABLE.COLUMN [if A=V|V] [row COLUMN=TEXT...]`
fn parse_attribute(object: &'static str, line: &'static str) -> Option<Attribute> {
    let (line, row) = line.split_once(" row ").map_or((line, None), |(line, row)| (line, Some(row)));
    let (line, condition) = line.split_once(" if ").map_or((line, None), |(line, c)| (line, Some(c)));
    let (name, (table, column)) = line.split_once(' ').and_then(|(n, at)| Some((n, at.split_once('.')?)))?;
    let table: &'static Table = TableId::named(table).ok()?.table();
    let doc = table.column(column)?.doc;
    let condition = match condition {
        Some(text) => {
            let (attribute, values) = text.split_once('=')?;
            Some(Condition { attribute, values: values.split('|').collect() })
        }
        None => None,
    };
    let row = match row {
        Some(text) => text.split(' ').map(parse_selector).collect::<Option<Vec<_>>>()?,
        None => vec![(*table.key.first()?, Selector::Name)],
    };
    Some(Attribute { object, name, table: table.id(), column, condition, row, doc })
}

fn parse_selector(text: &'static str) -> Option<(&'static str, Selector)> {
    let (column, value) = text.split_once('=')?;
    Some((column, if value == "@" { Selector::Name } else { Selector::Text(value) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_registry_was_understood() {
        let text = include_str!("attributes.txt");
        let lines = text.lines().filter(|l| l.starts_with("  ") && !l.starts_with("  like ")).count();
        let group = object_type("group").unwrap().attributes.iter();
        let inherited = group.filter(|a| a.table != schema::NODEGROUP).count();
        let all: usize = object_types().map(|kind| kind.attributes.len()).sum();
        assert_eq!(all, lines + inherited);
        assert_eq!(object_types().count(), 23);
        for attribute in object_types().flat_map(|kind| &kind.attributes) {
            for (column, _) in &attribute.row {
                assert!(attribute.table.table().column(column).is_some(), "{attribute:?}");
            }
        }
    }

    #[test]
    fn a_conditional_attribute_has_a_column_for_each_condition() {
        let found: Vec<_> =
            named("node", "bmc").map(|a| (a.table.name(), a.condition.clone().unwrap().values)).collect();
        assert_eq!(found, [("ipmi", vec!["ipmi"]), ("openbmc", vec!["openbmc"])]);
    }

    #[test]
    fn a_group_has_the_attributes_of_nodes_but_not_of_the_node_list() {
        assert!(named("group", "servicenode").next().is_some_and(|a| a.object == "group"));
        assert!(named("group", "status").next().is_none() && named("group", "wherevals").next().is_some());
    }

    #[test]
    fn the_row_of_an_attribute_may_need_more_than_the_name() {
        let row = |object, name| named(object, name).next().unwrap().row.clone();
        assert_eq!(row("node", "ip"), [("node", Selector::Name)]);
        assert_eq!(row("network", "gateway"), [("netname", Selector::Name)]);
        assert_eq!(row("node", "passwd.HMC"), [("hcp", Selector::Name), ("username", Selector::Text("HMC"))]);
    }

    #[test]
    fn a_misspelt_attribute_is_answered_with_the_nearest() {
        assert_eq!(nearest("node", "servicnode").first(), Some(&"servicenode"));
        assert_eq!(nearest("node", "xyzzyplugh"), Vec::<&str>::new());
    }
}
