//! Rows of text: the one form in which the management node keeps what it knows.
//!
//! Tables and columns are xCAT's, each described once in the registry ([`schema`], and
//! [`attribute`] for what the definition commands call them), plus a few of Drover's own for what xCAT has no table for (moves,
//! ownership epochs, files, tokens). All of them change by [`Edit`]s alone, so that history, undo,
//! `--at` and the store know one thing.
//!
//! A [`Tables`] is a snapshot: cloning it costs nothing, and changing the clone leaves the
//! original as it was (persistent maps).

pub mod attribute;
pub mod nearest;
mod row;
pub mod schema;
pub mod scope;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

use arcstr::ArcStr;
use common::id::NodeName;
use imbl::ordmap::DiffItem;
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

pub use self::attribute::Attribute;
pub use self::row::{Cells, Row};
pub use self::schema::{Column, Table, TableId};

/// The key columns of a row, joined by [`RowKey::SEPARATOR`] where there are several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowKey(ArcStr);

impl RowKey {
    /// What stands between the parts of a key of several columns (ASCII unit separator).
    pub const SEPARATOR: char = '\u{1f}';

    /// The key of a row whose key is one column.
    pub fn one(part: &str) -> Self {
        Self(part.into())
    }

    /// The key of a row whose key is several columns.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let parts: Vec<&str> = parts.into_iter().collect();
        Self(parts.join("\u{1f}").into())
    }

    /// The key columns' values.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The whole as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The node of this name, in the same memory; none where it is no name.
    pub fn node(&self) -> Option<NodeName> {
        self.0.clone().try_into().ok()
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace(Self::SEPARATOR, ","))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::borrow::Borrow<str> for RowKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One row before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The table.
    pub table: TableId,
    /// The row.
    pub key: RowKey,
    /// What it was; none where there was no row.
    pub before: Option<Row>,
    /// What it becomes; none where the row goes.
    pub after: Option<Row>,
}

impl Edit {
    /// The edit that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }
}

/// All tables at one revision.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// By table; a table without rows may be absent.
    tables: OrdMap<TableId, OrdMap<RowKey, Row>>,
    /// How many rows of a table were put in since it was laid out: what they take is loose memory.
    loose: OrdMap<TableId, usize>,
}

impl Tables {
    /// No rows at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// A row.
    pub fn row(&self, table: TableId, key: &str) -> Option<&Row> {
        visited();
        self.tables.get(&table)?.get(key)
    }

    /// The rows of a table in the order of their keys.
    pub fn rows(&self, table: TableId) -> impl Iterator<Item = (&RowKey, &Row)> {
        self.tables.get(&table).into_iter().flat_map(OrdMap::iter).inspect(|_| visited())
    }

    /// The rows whose first key column is `first`, in the order of their keys.
    pub fn rows_under<'a, 'f>(
        &'a self,
        table: TableId,
        first: &'f str,
    ) -> impl Iterator<Item = (&'a RowKey, &'a Row)> + use<'a, 'f> {
        let rows = self.tables.get(&table);
        let from = (Bound::Included(first), Bound::Unbounded);
        let rows = rows.into_iter().flat_map(move |rows| rows.range::<_, str>(from));
        // The separator sorts before every character that a name may hold, so nothing of another
        // name stands between.
        rows.inspect(|_| visited()).take_while(move |(key, _)| key.parts().next() == Some(first))
    }

    /// How many rows a table has.
    pub fn count(&self, table: TableId) -> usize {
        self.tables.get(&table).map_or(0, OrdMap::len)
    }

    /// The tables that have a row or had one.
    pub fn ids(&self) -> impl Iterator<Item = TableId> {
        self.tables.keys().copied()
    }

    /// Puts a row, in place of what was there.
    pub fn load(&mut self, table: TableId, key: RowKey, row: Row) {
        let rows = self.tables.entry(table).or_default();
        if let Some(place) = rows.get_mut(key.as_str()) {
            *place = row;
            return;
        }
        let key = self.shared(key);
        self.tables.entry(table).or_default().insert(key, row);
    }

    /// Lays the tables out anew of which a good part was put in since that was done last, in as little
    /// memory as they need: rows that were put in one after the other leave a table half empty, and
    /// their texts lie wherever there was room. Costs no more than putting these rows in did.
    pub(crate) fn tighten(&mut self) {
        /// Fewer rows than this, or than this part of their table, are not worth it.
        const ROWS: usize = 1_000;
        const PART: usize = 8;
        let is_loose = |(table, loose): &(&TableId, &usize)| **loose >= ROWS.max(self.count(**table) / PART);
        let loose: Vec<TableId> = self.loose.iter().filter(is_loose).map(|(table, _)| *table).collect();
        for table in loose {
            self.loose.remove(&table);
            if let Some(rows) = self.tables.get_mut(&table) {
                let mut all: Vec<_> = rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
                row::lay_together(all.iter_mut().map(|(_, row)| row));
                *rows = dense_map(all);
            }
        }
    }

    /// Carries out an edit. What was there before is the planner's to have looked at.
    pub fn apply(&mut self, edit: &Edit) {
        match &edit.after {
            Some(row) => {
                self.load(edit.table, edit.key.clone(), row.clone());
                *self.loose.entry(edit.table).or_default() += 1;
            }
            None => {
                if let Some(rows) = self.tables.get_mut(&edit.table) {
                    rows.remove(&edit.key);
                }
            }
        }
    }

    /// What has to be done to `before` to make these tables of it. Costs what differs.
    pub fn edits_since(&self, before: &Self) -> Vec<Edit> {
        let none = OrdMap::new();
        let ids: BTreeSet<TableId> = self.ids().chain(before.ids()).collect();
        let mut edits = Vec::new();
        for table in ids {
            let [old, new] = [before, self].map(|tables| tables.tables.get(&table).unwrap_or(&none));
            edits.extend(old.diff(new).map(|item| {
                let (key, before, after) = match item {
                    DiffItem::Add(key, row) => (key, None, Some(row)),
                    DiffItem::Remove(key, row) => (key, Some(row), None),
                    DiffItem::Update { old, new } => (new.0, Some(old.1), Some(new.1)),
                };
                Edit { table, key: key.clone(), before: before.cloned(), after: after.cloned() }
            }));
        }
        edits
    }

    /// The same key, in the memory of a table that has it already: a node is in some seven tables,
    /// and its name need be kept once.
    fn shared(&self, key: RowKey) -> RowKey {
        let known = [schema::NODELIST, schema::HOSTS, schema::MAC]
            .into_iter()
            .find_map(|table| self.tables.get(&table)?.get_key_value(&key));
        known.map_or(key, |(known, _)| known.clone())
    }
}

/// Counts a row that is looked at, in the tests of what commands cost.
#[inline]
pub(crate) fn visited() {
    #[cfg(test)]
    visits::note();
}

/// How many rows a test's act looks at, on this thread.
#[cfg(test)]
pub(crate) mod visits {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn note() {
        COUNT.set(COUNT.get() + 1);
    }

    /// The rows that `act` looks at.
    pub(crate) fn of(act: impl FnOnce()) -> u64 {
        let before = COUNT.get();
        act();
        COUNT.get() - before
    }
}

/// Rows as they are loaded from the store, laid out in as little memory as they need.
#[derive(Debug, Default)]
pub struct Gathering {
    rows: BTreeMap<TableId, Gathered>,
}

/// The rows of one table.
#[derive(Debug, Default)]
struct Gathered {
    rows: Vec<(RowKey, Row)>,
    /// How many of them have their texts together.
    together: usize,
    /// How long the texts of the others are, in bytes.
    apart: usize,
}

impl Gathered {
    fn take(&mut self, key: RowKey, row: Row) {
        self.apart += row.size();
        self.rows.push((key, row));
        if self.apart >= row::PIECE {
            self.lay_together();
        }
    }

    fn lay_together(&mut self) {
        row::lay_together(self.rows.iter_mut().skip(self.together).map(|(_, row)| row));
        (self.together, self.apart) = (self.rows.len(), 0);
    }
}

impl Gathering {
    /// Takes a row; of two of one key, the later counts.
    pub fn take(&mut self, table: TableId, key: RowKey, row: Row) {
        self.rows.entry(table).or_default().take(key, row);
    }

    /// Takes all rows of another, as if they were taken one by one.
    pub fn join(&mut self, other: Self) {
        for (table, mut gathered) in other.rows {
            gathered.lay_together();
            let all = self.rows.entry(table).or_default();
            if all.rows.is_empty() {
                *all = gathered;
            } else {
                all.lay_together();
                all.rows.append(&mut gathered.rows);
                all.together = all.rows.len();
            }
        }
    }

    /// The tables. Much of a start, so that each large one is laid out on a thread of its own.
    pub fn finish(mut self) -> Tables {
        /// The rows for which a thread is worth its start.
        const WORTH: usize = 5_000;
        self.rows.values_mut().for_each(Gathered::lay_together);
        let mut rows: BTreeMap<TableId, Vec<(RowKey, Row)>> =
            self.rows.into_iter().map(|(table, gathered)| (table, gathered.rows)).collect();
        for rows in rows.values_mut() {
            if !rows.is_sorted_by(|(a, _), (b, _)| a < b) {
                *rows = std::mem::take(rows).into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
            }
        }
        let nodes = rows.get(&schema::NODELIST).into_iter().flatten();
        let nodes: Vec<RowKey> = nodes.map(|(key, _)| key.clone()).collect();
        let lay_out = |mut rows: Vec<(RowKey, Row)>| {
            share(&mut rows, &nodes);
            dense_map(rows)
        };
        std::thread::scope(|scope| {
            let (large, small): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(_, rows)| rows.len() >= WORTH);
            let large: Vec<_> =
                large.into_iter().map(|(table, rows)| (table, scope.spawn(|| lay_out(rows)))).collect();
            let mut tables: OrdMap<TableId, OrdMap<RowKey, Row>> =
                small.into_iter().map(|(table, rows)| (table, lay_out(rows))).collect();
            for (table, thread) in large {
                // It panics only where this one would.
                let rows = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                tables.insert(table, rows);
            }
            Tables { tables, ..Tables::default() }
        })
    }
}

/// Puts keys in the memory of those that are known already: a node is in some seven tables, and its
/// name need be kept once. Both are sorted.
fn share(rows: &mut [(RowKey, Row)], known: &[RowKey]) {
    let mut known = known.iter().peekable();
    for (key, _) in rows {
        while known.next_if(|known| *known < key).is_some() {}
        if let Some(same) = known.peek().filter(|known| **known == key) {
            *key = (*same).clone();
        }
    }
}

/// A map of sorted entries with full leaves. Put in one after the other, each would be split in
/// halves that are never filled; so every second entry is put in first, and the others fill up.
pub(crate) fn dense_map<K: Ord + Clone, V: Clone>(sorted: Vec<(K, V)>) -> OrdMap<K, V> {
    let mut map = OrdMap::new();
    let mut left = Vec::with_capacity(sorted.len() / 2);
    for (at, entry) in sorted.into_iter().enumerate() {
        if at % 2 == 0 {
            map.insert(entry.0, entry.1);
        } else {
            left.push(entry);
        }
    }
    map.extend(left);
    map
}

/// A set of values with full leaves, as [`dense_map`].
pub(crate) fn dense_set<T: Ord + Clone>(mut values: Vec<T>) -> OrdSet<T> {
    values.sort_unstable();
    values.dedup();
    let mut set = OrdSet::new();
    let mut left = Vec::with_capacity(values.len() / 2);
    for (at, value) in values.into_iter().enumerate() {
        if at % 2 == 0 {
            set.insert(value);
        } else {
            left.push(value);
        }
    }
    set.extend(left);
    set
}

impl Row {
    /// The key of the row in a table: what its key columns hold, in the registry's order.
    pub fn key(&self, table: TableId) -> RowKey {
        RowKey::of(table.table().key.iter().map(|column| self.cell(column).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_and_its_inverse_leave_the_tables_as_they_were() {
        let row = Row::new().with("node", "n1").with("mac", "52:54:00:00:00:01");
        let edit =
            Edit { table: schema::MAC, key: row.key(schema::MAC), before: None, after: Some(row.clone()) };
        let mut tables = Tables::new();
        let before = tables.clone();
        tables.apply(&edit);
        assert_eq!((tables.row(schema::MAC, "n1"), before.row(schema::MAC, "n1")), (Some(&row), None));
        tables.apply(&edit.inverse());
        assert_eq!((tables.row(schema::MAC, "n1"), tables.count(schema::MAC)), (None, 0));
    }

    #[test]
    fn a_table_is_laid_out_anew_once_a_good_part_of_it_is_new() {
        let change = |tables: &mut Tables, count: usize, value: &str| {
            for at in 0..count {
                let row = Row::new().with("node", &format!("n{at:05}")).with("mac", value);
                tables.apply(&Edit {
                    table: schema::MAC,
                    key: row.key(schema::MAC),
                    before: None,
                    after: Some(row),
                });
            }
            tables.tighten();
        };
        let are_together = |tables: &Tables| {
            let row = |key| tables.row(schema::MAC, key).unwrap();
            row("n00000").lies_with(row("n00001"))
        };
        let mut tables = Tables::new();
        change(&mut tables, 16_000, "a");
        assert!(are_together(&tables));
        change(&mut tables, 1_999, "b");
        assert!(!are_together(&tables), "too few for so large a table");
        let before = tables.clone();
        change(&mut tables, 1, "b");
        assert!(are_together(&tables));
        assert!(tables.edits_since(&before).is_empty());
    }

    #[test]
    fn gathered_rows_share_the_memory_of_a_nodes_name() {
        let (mut gathering, mut other) = (Gathering::default(), Gathering::default());
        let key = |at: usize| RowKey::one(&format!("n{at}"));
        for at in (0..6_000).rev() {
            gathering.take(schema::NODELIST, key(at), Row::new().with("groups", "all"));
            gathering.take(schema::MAC, key(at), Row::new().with("mac", "old"));
            gathering.take(schema::MAC, key(at), Row::new().with("mac", "new"));
        }
        gathering.take(schema::MAC, RowKey::one("rack1"), Row::new().with("mac", "x"));
        other.take(schema::MAC, RowKey::one("rack2"), Row::new().with("mac", "y"));
        other.take(schema::HOSTS, key(0), Row::new().with("ip", "10.0.0.1"));
        gathering.join(other);
        let tables = gathering.finish();
        assert_eq!((tables.count(schema::NODELIST), tables.count(schema::MAC)), (6_000, 6_002));
        assert_eq!(tables.row(schema::HOSTS, "n0").and_then(|row| row.cell("ip")), Some("10.0.0.1"));
        let shared = tables.rows(schema::NODELIST).all(|(name, _)| {
            let mut rows = tables.rows_under(schema::MAC, name.as_str());
            rows.next()
                .is_some_and(|(key, row)| ArcStr::ptr_eq(&key.0, &name.0) && row.cell("mac") == Some("new"))
        });
        assert!(shared);
    }

    #[test]
    fn a_dense_layout_holds_the_same() {
        for size in [0, 1, 2, 3, 100, 1001] {
            let values: Vec<usize> = (0..size).collect();
            assert!(dense_set(values.clone()).iter().eq(&values));
            assert!(dense_map(values.iter().map(|v| (*v, ())).collect()).keys().eq(&values));
        }
    }

    #[test]
    fn a_key_of_several_columns_is_in_the_order_of_the_registry() {
        let row = Row::new().with("mask", "255.0.0.0").with("net", "10.0.0.0").with("netname", "mgt");
        let key = row.key(schema::NETWORKS);
        assert!(key.parts().eq(["10.0.0.0", "255.0.0.0"]) && key.to_string() == "10.0.0.0,255.0.0.0");
    }
}
