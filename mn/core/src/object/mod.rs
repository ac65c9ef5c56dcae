//! Objects on top of tables: which there are, and what their attributes hold.
//!
//! Nodes are read with what they inherit; every other object as its rows stand there, templates
//! unevaluated. Attributes that tables do not hold as such are made here: the members and the type
//! of a group, and the keys of the one `site` object.

pub(crate) mod column;
mod gather;
pub(crate) mod select;
pub(crate) mod shipped;
pub(crate) mod stanza;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use self::select::Selection;
use crate::model::Model;
use crate::object::gather::{Gathered, Gatherer};
use crate::table::attribute::{self, Attribute, ObjectType, Selector};
use crate::table::{Row, RowKey, TableId, schema};
use crate::template;

/// The one object of type `site`.
pub(crate) const CLUSTERSITE: &str = "clustersite";

/// An attribute of an object with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown<'a> {
    /// What it is called; `nicips.eth0` for one interface of a packed column.
    pub name: Cow<'a, str>,
    /// What it holds, never empty.
    pub value: Cow<'a, str>,
    /// Where it is kept: table, key column and column.
    pub place: Option<(TableId, &'static str, &'a str)>,
}

/// In how many rows the value of an attribute may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the node's row of a table, or in those of its groups.
    Inherited,
    /// In one of the node's rows of a table, or in those of its groups: a node may be at several
    /// switches, or have several accounts.
    Records,
    /// In the node's row alone.
    Own,
    /// In any that belong to the object.
    Rows,
}

impl Place {
    fn of(attribute: &Attribute) -> Self {
        let schema = attribute.table.table();
        // A few tables call the column that names the node after what the nodes in it are.
        let is_by_name = match attribute.row.as_slice() {
            [(column, Selector::Name)] => schema.key.first() == Some(column),
            _ => false,
        };
        match attribute.object == "node" && is_by_name {
            true if schema.is_inherited() && schema.key.len() == 1 => Self::Inherited,
            true if schema.is_inherited() => Self::Records,
            true if schema.key.as_slice() == ["node"] => Self::Own,
            _ => Self::Rows,
        }
    }
}

/// Reads objects of one type from one snapshot.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    model: &'a Model,
    kind: &'static ObjectType,
    /// The attributes of which a value may exist at all, by name.
    attributes: Vec<(&'static Attribute, Place)>,
    /// For nodes.
    gatherer: Gatherer<'a>,
    /// Where in `attributes` those are that are one cell of a node's row, by that cell.
    cells: HashMap<(TableId, &'static str), Vec<usize>>,
    /// Where the others are.
    others: Vec<usize>,
}

impl<'a> Reader<'a> {
    /// Looks which tables have rows, so that an object costs only what the site uses. With `only`,
    /// other attributes are not read.
    pub(crate) fn new(model: &'a Model, kind: &'static ObjectType, only: Option<&[String]>) -> Self {
        let is_used = |attribute: &&Attribute| model.tables().count(attribute.table) > 0;
        let is_wanted = |attribute: &&Attribute| {
            let base = |name: &str| {
                split_nic(name).map_or(name == attribute.name, |(base, _)| base == attribute.name)
            };
            attribute.name != kind.key
                && only.is_none_or(|only| only.iter().any(|name| base(name) || name == attribute.name))
        };
        let mut attributes: Vec<_> = kind.attributes.iter().filter(is_used).filter(is_wanted).collect();
        // Stable: of one name, the conditions stay in the registry's order.
        attributes.sort_by_key(|attribute| attribute.name);
        let mut cells: HashMap<_, Vec<usize>> = HashMap::new();
        let mut others = Vec::new();
        for (at, attribute) in attributes.iter().enumerate() {
            match Place::of(attribute) {
                Place::Rows | Place::Records => others.push(at),
                _ => cells.entry((attribute.table, attribute.column)).or_default().push(at),
            }
        }
        let tables: BTreeSet<TableId> = cells.keys().map(|(table, _)| *table).collect();
        let gatherer = Gatherer::new(model, tables.into_iter().collect());
        let attributes = attributes.into_iter().map(|attribute| (attribute, Place::of(attribute))).collect();
        Self { model, kind, attributes, gatherer, cells, others }
    }

    /// All set attributes of an object, by name.
    pub(crate) fn read(&self, name: &str) -> Vec<Shown<'a>> {
        match self.kind.name {
            "site" => self.read_site(),
            "group" => self.read_group(name),
            "monitoring" => self.read_monitor(name),
            _ => self.read_columns(name),
        }
    }

    /// The places of the attributes that may have a value: a node has one for few of the columns there
    /// are, and those that no row of it or its groups sets are passed over before anything dearer is
    /// asked.
    fn candidates(&self, gathered: Option<&Gathered<'a>>) -> Vec<usize> {
        let Some(gathered) = gathered else { return (0..self.attributes.len()).collect() };
        let cells = gathered.columns().filter_map(|cell| self.cells.get(&cell));
        let mut places: Vec<usize> = cells.flatten().chain(&self.others).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn read_columns(&self, name: &str) -> Vec<Shown<'a>> {
        let gathered = (self.kind.name == "node").then(|| self.gatherer.gather(name));
        let mut shown: Vec<Shown<'a>> = Vec::new();
        let candidates = self.candidates(gathered.as_ref());
        for (attribute, place) in candidates.into_iter().filter_map(|at| self.attributes.get(at)) {
            if shown.last().is_some_and(|last| last.name == attribute.name)
                || !is_met(self.model, attribute, name)
            {
                continue;
            }
            let (table, column) = (attribute.table, attribute.column);
            let value = match (&gathered, place) {
                (Some(rows), Place::Inherited) => {
                    self.model.cell_among(table, name, column, rows.rows(table))
                }
                (Some(rows), Place::Own) => {
                    let own = rows.own(table).filter(|row| row.is_live());
                    own.and_then(|row| row.cell(column)).map(Cow::Borrowed)
                }
                _ => self::column(self.model, attribute, name).map(Cow::Owned),
            };
            let Some(value) = value else { continue };
            let key = attribute.row.first().map_or("", |(column, _)| column);
            let place = Some((attribute.table, key, attribute.column));
            if attribute.table == schema::NICS {
                let packed = unpack(bare(&value));
                if !packed.is_empty() {
                    shown.extend(packed.into_iter().map(|(nic, value)| Shown {
                        name: format!("{}.{nic}", attribute.name).into(),
                        value: of_nic(self.kind, name, value).into(),
                        place,
                    }));
                    continue;
                }
            }
            shown.push(Shown { name: attribute.name.into(), value, place });
        }
        shown
    }

    fn read_site(&self) -> Vec<Shown<'a>> {
        let rows = self.model.tables().rows(schema::SITE).filter(|(_, row)| row.is_live());
        rows.filter_map(|(_, row)| {
            let (key, value) = (row.cell("key")?, row.cell("value")?);
            let place = Some((schema::SITE, "key", "value"));
            Some(Shown { name: key.into(), value: value.into(), place })
        })
        .collect()
    }

    /// A monitor's settings are attributes beside those that every monitor has.
    fn read_monitor(&self, name: &str) -> Vec<Shown<'a>> {
        let mut shown = self.read_columns(name);
        let rows = self.model.tables().rows_under(schema::MONSETTING, name).map(|(_, row)| row);
        shown.extend(rows.filter(|row| row.is_live()).filter_map(|row| {
            let (key, value) = (row.cell("key")?, row.cell("value")?);
            let place = Some((schema::MONSETTING, "name", "value"));
            Some(Shown { name: key.into(), value: value.into(), place })
        }));
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        shown
    }

    fn read_group(&self, name: &str) -> Vec<Shown<'a>> {
        let mut shown = self.read_columns(name);
        let mut put = |attribute: &'static str, value: String| {
            let place = Some((schema::NODEGROUP, "groupname", attribute));
            match shown.binary_search_by(|known| known.name.as_ref().cmp(attribute)) {
                Ok(at) => shown.get_mut(at).into_iter().for_each(|known| known.value = value.clone().into()),
                Err(at) => shown.insert(at, Shown { name: attribute.into(), value: value.into(), place }),
            }
        };
        put("members", members(self.model, name).join(","));
        shown
    }
}

/// Whether there is such an object.
pub(crate) fn exists(model: &Model, kind: &ObjectType, name: &str) -> bool {
    match kind.name {
        "node" => model.has_node(name),
        "group" => model.has_group(name),
        "site" => name == CLUSTERSITE,
        _ => key_attribute(kind).is_some_and(|key| !rows(model, key, name).is_empty()),
    }
}

/// The names of all objects of a type, sorted.
pub(crate) fn names(model: &Model, kind: &ObjectType) -> Vec<String> {
    match kind.name {
        "node" => model.nodes().map(ToString::to_string).collect(),
        "group" => model.group_names().map(ToString::to_string).collect(),
        "site" => vec![CLUSTERSITE.to_owned()],
        _ => {
            let Some(key) = key_attribute(kind) else { return Vec::new() };
            let live = model.tables().rows(key.table).filter(|(_, row)| row.is_live());
            let mut names: Vec<String> =
                live.filter_map(|(_, row)| row.cell(key.column)).map(str::to_owned).collect();
            names.sort_unstable();
            names.dedup();
            names
        }
    }
}

/// What an attribute of an object holds: the column whose condition is met.
pub(crate) fn value(model: &Model, kind: &ObjectType, object: &str, name: &str) -> Option<String> {
    if kind.name == "site" {
        return cell(model, schema::SITE, name, "value").map(str::to_owned);
    }
    if let Some((packed, nic)) = split_nic(name) {
        let packed = attribute::named(kind.name, packed).next()?;
        let value = column(model, packed, object)?;
        let mut interfaces = unpack(bare(&value)).into_iter();
        return interfaces.find(|(known, _)| *known == nic).map(|(_, value)| of_nic(kind, object, value));
    }
    match (kind.name, name) {
        ("monitoring", _) if attribute::named(kind.name, name).next().is_none() => {
            cell(model, schema::MONSETTING, RowKey::of([object, name]).as_str(), "value").map(str::to_owned)
        }
        ("group", "members") => Some(members(model, object).join(",")).filter(|members| !members.is_empty()),
        ("group", "grouptype") => {
            Some(cell(model, schema::NODEGROUP, object, "grouptype").unwrap_or("static").to_owned())
        }
        _ => attribute::named(kind.name, name)
            .filter(|attribute| is_met(model, attribute, object))
            .find_map(|attribute| column(model, attribute, object)),
    }
}

/// The members of a group: those that name it, or that its conditions select now.
pub(crate) fn members(model: &Model, group: &str) -> Vec<String> {
    let is_dynamic = cell(model, schema::NODEGROUP, group, "grouptype") == Some("dynamic");
    let wherevals = cell(model, schema::NODEGROUP, group, "wherevals").filter(|_| is_dynamic);
    match wherevals.map(select::parse_all) {
        Some(Ok(selections)) => selected(model, &selections),
        _ => model.members(group).into_iter().map(|node| node.to_string()).collect(),
    }
}

/// The nodes for which conditions hold, all of them.
pub(crate) fn selected(model: &Model, selections: &[Selection]) -> Vec<String> {
    let Some(kind) = attribute::object_type("node") else { return Vec::new() };
    let held = |node: &str, name: &str| match name {
        "node" => Some(node.to_owned()),
        _ => value(model, kind, node, name),
    };
    let holds =
        |node: &str| selections.iter().all(|s| held(node, &s.name).is_some_and(|value| s.holds(&value)));
    model.nodes().map(|node| node.as_str()).filter(|node| holds(node)).map(str::to_owned).collect()
}

/// What an object's own rows hold, nothing inherited and no template evaluated.
pub(crate) fn own(model: &Model, kind: &'static ObjectType, object: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for attribute in kind.attributes.iter().filter(|attribute| attribute.name != kind.key) {
        let is_known = found.iter().any(|(name, _)| name == attribute.name);
        if is_known || model.tables().count(attribute.table) == 0 || !is_met(model, attribute, object) {
            continue;
        }
        let rows = rows(model, attribute, object);
        if let Some(value) = rows.iter().find_map(|(_, row)| row.cell(attribute.column)) {
            found.push((attribute.name.to_owned(), value.to_owned()));
        }
    }
    found
}

/// The attribute that names objects of a type.
pub(crate) fn key_attribute(kind: &ObjectType) -> Option<&Attribute> {
    kind.attributes.iter().find(|attribute| attribute.name == kind.key)
}

/// Whether the condition of an attribute holds for an object.
pub(crate) fn is_met(model: &Model, attribute: &Attribute, object: &str) -> bool {
    let Some(condition) = &attribute.condition else { return true };
    let others = || attribute::named(attribute.object, condition.attribute);
    // `nodetype` of a power distribution unit is conditioned on itself; where there is another
    // column for it, that one decides.
    let has_free = others().any(|other| other.condition.is_none());
    let mut deciding = others().filter(|other| other.condition.is_none() == has_free);
    let held = deciding.find_map(|other| column(model, other, object));
    held.is_some_and(|held| condition.holds(&held))
}

/// What a column holds for an object, conditions aside.
pub(crate) fn column(model: &Model, attribute: &Attribute, object: &str) -> Option<String> {
    let joined = |mut values: Vec<&str>| {
        values.dedup();
        (!values.is_empty()).then(|| values.join(","))
    };
    match Place::of(attribute) {
        Place::Inherited => {
            model.cell(attribute.table, object, attribute.column).map(|value| value.to_string())
        }
        Place::Records => {
            let records = model.records(attribute.table, object, &[attribute.column]);
            joined(records.iter().filter_map(|record| record.value(0)).collect())
        }
        Place::Own | Place::Rows => {
            let rows = rows(model, attribute, object);
            joined(rows.iter().filter_map(|(_, row)| row.cell(attribute.column)).collect())
        }
    }
}

/// Whether an attribute is one cell of a table of nodes, which a node may inherit.
pub(crate) fn is_cell(attribute: &Attribute) -> bool {
    Place::of(attribute) == Place::Inherited
}

/// The live rows of an attribute's table that belong to an object.
pub(crate) fn rows<'a>(model: &'a Model, attribute: &Attribute, object: &str) -> Vec<(&'a RowKey, &'a Row)> {
    let wanted: Vec<(&str, &str)> =
        attribute.row.iter().map(|(column, selector)| (*column, text(*selector, object))).collect();
    let schema = attribute.table.table();
    let part = |column: &str| wanted.iter().find(|(known, _)| *known == column).map(|(_, value)| *value);
    let is_wanted =
        |row: &Row| row.is_live() && wanted.iter().all(|(column, value)| row.cell(column) == Some(value));
    match schema.key.first().and_then(|first| part(first)) {
        Some(first) => {
            model.tables().rows_under(attribute.table, first).filter(|(_, row)| is_wanted(row)).collect()
        }
        None => model.tables().rows(attribute.table).filter(|(_, row)| is_wanted(row)).collect(),
    }
}

/// What a selector asks a column to hold.
pub(crate) const fn text(selector: Selector, object: &str) -> &str {
    match selector {
        Selector::Name => object,
        Selector::Text(text) => text,
    }
}

/// A cell as it stands there.
pub(crate) fn cell<'a>(model: &'a Model, table: TableId, key: &str, column: &str) -> Option<&'a str> {
    model.tables().row(table, key).filter(|row| row.is_live())?.cell(column)
}

/// `nicips.eth0` is the interface `eth0` in the packed column `nicips`.
pub(crate) fn split_nic(name: &str) -> Option<(&str, &str)> {
    let (packed, nic) = name.split_once('.')?;
    (packed.starts_with("nic") && !nic.is_empty()).then_some((packed, nic))
}

/// A packed column that is a template as a whole, as groups have it, without its pattern:
/// `|node(\d+)|eth0!10.0.0.($1)|` shows what each interface gets.
fn bare(packed: &str) -> &str {
    let Some(inner) = packed.strip_prefix('|').and_then(|text| text.strip_suffix('|')) else { return packed };
    inner.split_once('|').map_or(inner, |(_, text)| text)
}

/// What one interface of a node gets, where that is a template of its own.
fn of_nic(kind: &ObjectType, object: &str, value: &str) -> String {
    if kind.name == "node" { template::value(value, object).into_owned() } else { value.to_owned() }
}

/// The interfaces of a packed column: `eth0!10.0.0.1|10.0.0.2,eth1!10.1.0.1`. Empty where it is
/// not packed.
pub(crate) fn unpack(packed: &str) -> Vec<(&str, &str)> {
    packed.split(',').filter_map(|item| item.trim().split_once('!')).collect()
}

/// The packed column with one interface set, or taken out by an empty value.
pub(crate) fn repack(packed: &str, nic: &str, value: &str) -> String {
    let mut items: Vec<(&str, &str)> = unpack(packed);
    match items.iter_mut().find(|(known, _)| *known == nic) {
        Some(item) => item.1 = value,
        None => items.push((nic, value)),
    }
    let items: Vec<String> = items
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(nic, value)| format!("{nic}!{value}"))
        .collect();
    items.join(",")
}

/// Whether a type of object has an attribute of this name. The site and monitors may have any.
pub(crate) fn is_known(kind: &ObjectType, name: &str) -> bool {
    if matches!(kind.name, "site" | "monitoring") {
        return !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    }
    let base = split_nic(name).map_or(name, |(packed, _)| packed);
    let mut known = attribute::named(kind.name, base);
    known.next().is_some_and(|attribute| base == name || attribute.table == schema::NICS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_interface_of_a_packed_column_is_set_alone() {
        assert_eq!(repack("eth0!1.1.1.1,eth1!2.2.2.2", "eth1", "3.3.3.3"), "eth0!1.1.1.1,eth1!3.3.3.3");
        assert_eq!(repack("eth0!1.1.1.1", "ib0", "9.9.9.9"), "eth0!1.1.1.1,ib0!9.9.9.9");
        assert_eq!(repack("eth0!1.1.1.1,eth1!2.2.2.2", "eth0", ""), "eth1!2.2.2.2");
        assert_eq!(repack("", "eth0", ""), "");
    }
}
