//! What a table says of a node, row by row: a node may hang on two switches.
//!
//! Most tables have one row a node, and [`Model::cell`] is all there is to ask. Where the key has
//! more columns, each row of the node is a record. A column that none of them sets is inherited: of
//! the first of the node's groups that sets it, each row once, so that several of them multiply the
//! records (xCAT's way). `+=NEXTRECORD` and `site.hierarchicalattrs` mean something in tables with
//! one row a node alone.

use super::value::{Origin, Value, evaluate};
use super::{Model, Sourced};
use crate::table::{Row, TableId};

/// The most records of one node: rows of groups multiply, and nobody reads further.
const MOST: usize = 1000;

/// What one row says of some columns, in the order in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a>(Vec<Option<Sourced<'a>>>);

impl<'a> Record<'a> {
    /// What a column holds; none where it is not set, or a template gave nothing.
    pub fn value(&self, index: usize) -> Option<&str> {
        self.sourced(index)?.value.as_deref()
    }

    /// The same with where it comes from.
    pub fn sourced(&self, index: usize) -> Option<&Sourced<'a>> {
        self.0.get(index)?.as_ref()
    }
}

impl Model {
    /// What a table says of a node in these columns: one record for each row; none where no row of
    /// it or its groups says anything. The key column of the node itself is its name, wherever the
    /// row is from.
    pub fn records<'a>(&'a self, table: TableId, node: &'a str, columns: &[&str]) -> Vec<Record<'a>> {
        let schema = table.table();
        let raw = if schema.key.len() == 1 {
            self.one_record(table, node, columns)
        } else {
            self.many_records(table, node, columns)
        };
        let names_node = |column: &str| schema.key.first() == Some(&column);
        raw.into_iter()
            .map(|Record(cells)| {
                let cells = cells.into_iter().zip(columns).map(|(cell, column)| match cell {
                    _ if names_node(column) => Some(named(node)),
                    cell => cell,
                });
                Record(cells.collect())
            })
            .collect()
    }

    fn one_record<'a>(&'a self, table: TableId, node: &str, columns: &[&str]) -> Vec<Record<'a>> {
        let is_there = |name: &str| self.tables().row(table, name).is_some_and(Row::is_live);
        let inherits = || table.table().is_inherited() && self.groups_of(node).any(is_there);
        if !(is_there(node) || inherits()) {
            return Vec::new();
        }
        vec![Record(columns.iter().map(|column| self.cell_source(table, node, column)).collect())]
    }

    fn many_records<'a>(&'a self, table: TableId, node: &str, columns: &[&str]) -> Vec<Record<'a>> {
        let read = |name: &str, origin: Origin<'a>| -> Vec<Record<'a>> {
            let live = self.tables().rows_under(table, name).filter(|(_, row)| row.is_live());
            let cell = |row: &'a Row, column: &str| {
                let stored = Value::Borrowed(row.cell(column)?);
                let value = evaluate(table, stored.clone(), node);
                Some(Sourced { value, stored, origins: vec![origin] })
            };
            live.map(|(_, row)| Record(columns.iter().map(|column| cell(row, column)).collect())).collect()
        };
        let mut records = read(node, Origin::Node);
        if !table.table().is_inherited() {
            return records;
        }
        for group in self.groups_of(node) {
            let is_open = |at: usize| records.iter().all(|record| record.sourced(at).is_none());
            let open: Vec<usize> = (0..columns.len()).filter(|at| is_open(*at)).collect();
            if open.is_empty() {
                break;
            }
            let mut inherited = read(group, Origin::Group(group));
            inherited.retain(|record| open.iter().any(|at| record.sourced(*at).is_some()));
            if records.is_empty() {
                records = inherited;
            } else if !inherited.is_empty() {
                records = multiplied(&records, &inherited, &open);
            }
            records.truncate(MOST);
        }
        records
    }
}

/// Each record with the open columns of each inherited one.
fn multiplied<'a>(records: &[Record<'a>], inherited: &[Record<'a>], open: &[usize]) -> Vec<Record<'a>> {
    let pairs = inherited.iter().flat_map(|from| records.iter().map(move |record| (from, record)));
    pairs
        .take(MOST)
        .map(|(from, record)| {
            let mut record = record.clone();
            for at in open {
                if let (Some(cell), Some(more)) = (record.0.get_mut(*at), from.0.get(*at)) {
                    cell.clone_from(more);
                }
            }
            record
        })
        .collect()
}

/// The column that names the node.
fn named(node: &str) -> Sourced<'_> {
    let name = Value::Borrowed(node);
    Sourced { value: Some(name.clone()), stored: name, origins: vec![Origin::Node] }
}

#[cfg(test)]
mod tests {
    use crate::fixture::model;
    use crate::table::{TableId, schema};

    #[track_caller]
    fn check(lines: &str, columns: &[&str], want: &[&[&str]]) {
        let model = model(&format!("nodelist n1 groups=a,b\n{lines}"));
        let records = model.records(TableId::named("switch").unwrap(), "n1", columns);
        let cells = |record: &super::Record<'_>| -> Vec<String> {
            (0..columns.len()).map(|at| record.value(at).unwrap_or("-").to_owned()).collect()
        };
        let found: Vec<Vec<String>> = records.iter().map(cells).collect();
        assert_eq!(found, want, "{lines}");
    }

    #[test]
    fn each_row_of_a_node_is_a_record() {
        check(
            "switch n1/s1/1 vlan=7\n switch n1/s2/2 vlan=8",
            &["node", "switch", "vlan"],
            &[&["n1", "s1", "7"], &["n1", "s2", "8"]],
        );
        check("", &["switch"], &[]);
    }

    #[test]
    fn what_no_row_sets_is_inherited_of_the_first_group_that_does() {
        check("switch n1/s1/1 vlan=7\n switch a/sa/9 interface=x", &["vlan", "interface"], &[&["7", "x"]]);
        check("switch a/sa/1 vlan=1\n switch b/sb/2 vlan=2", &["switch", "vlan"], &[&["sa", "1"]]);
    }

    #[test]
    fn rows_of_groups_multiply() {
        check(
            "switch n1/s1/1 vlan=7\n switch n1/s2/2 vlan=8\n switch a/sa/1 interface=x\n switch a/sb/2 interface=y",
            &["switch", "interface"],
            &[&["s1", "x"], &["s2", "x"], &["s1", "y"], &["s2", "y"]],
        );
    }

    #[test]
    fn a_table_of_one_row_a_node_gives_one_record_or_none() {
        let model = model("nodelist n1 groups=a\n nodehm a mgt=ipmi");
        let records = model.records(schema::NODEHM, "n1", &["node", "mgt", "power"]);
        assert_eq!(records.len(), 1);
        assert_eq!(
            (records[0].value(0), records[0].value(1), records[0].value(2)),
            (Some("n1"), Some("ipmi"), None)
        );
        assert!(model.records(schema::NODETYPE, "n1", &["os"]).is_empty());
    }
}
