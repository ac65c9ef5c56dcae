//! A change as a person reads it: one line for each attribute, old and new.
//!
//! ```text
//! n1: servicenode: sn1,sn2 -> sn2,sn1
//! n1: xcatmaster: sn1e -> sn2e
//! ```

use serde_json::{Value, json};

use crate::table::scope::{self, shown};
use crate::table::{Edit, attribute};

/// One cell before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The object: the first column of the row's name.
    pub object: String,
    /// The attribute of nodes, where the column is one; else `table.column`.
    pub attribute: String,
    /// What it was; none where it was not set.
    pub before: Option<&'a str>,
    /// What it becomes.
    pub after: Option<&'a str>,
    /// Whether it is a password or a key: then it is only said whether there is one.
    pub secret: bool,
}

/// The cells that edits change, in the order of table, row and column; key columns say nothing new
/// and are left out, except where nothing else is there to say.
pub fn differences(edits: &[Edit]) -> Vec<Difference<'_>> {
    edits.iter().flat_map(cell_differences).map(|(_, difference)| difference).collect()
}

impl Difference<'_> {
    /// One line of text.
    pub fn text(&self) -> String {
        let show = |value| self.shown(value).unwrap_or("(unset)");
        format!("{}: {}: {} -> {}", self.object, self.attribute, show(self.before), show(self.after))
    }

    /// The same as JSON.
    pub fn record(&self) -> Value {
        let (before, after) = (self.shown(self.before), self.shown(self.after));
        json!({"object": self.object, "attribute": self.attribute, "before": before, "after": after})
    }

    fn shown<'b>(&self, value: Option<&'b str>) -> Option<&'b str> {
        value.map(|value| if self.secret { "<secret>" } else { value })
    }
}

/// The cells that one edit changes, each with its column, as [`differences`] gives them. Secrets are
/// not shown.
pub fn cell_differences(edit: &Edit) -> Vec<(&'static str, Difference<'_>)> {
    let schema = edit.table.table();
    let difference = |column: &'static str| Difference {
        object: edit.key.to_string(),
        attribute: attribute_name(edit, column),
        before: edit.before.as_ref().and_then(|row| row.cell(column)),
        after: edit.after.as_ref().and_then(|row| row.cell(column)),
        secret: scope::is_secret(edit.table, edit.key.as_str(), column),
    };
    let all = schema.columns.iter().map(|column| difference(column.name)).zip(&schema.columns);
    let changed: Vec<_> = all.filter(|(difference, _)| difference.before != difference.after).collect();
    let is_plain = changed.iter().any(|(_, column)| !schema.key.contains(&column.name));
    changed
        .into_iter()
        .filter(|(_, column)| !is_plain || !schema.key.contains(&column.name))
        .map(|(difference, column)| {
            let shown = |value: Option<_>| value.map(|value| shown(edit.table, column.name, value));
            let (before, after) = (shown(difference.before), shown(difference.after));
            (column.name, Difference { before, after, ..difference })
        })
        .collect()
}

/// What a column is called: the attribute of nodes, where it is one; else `table.column`.
pub(crate) fn attribute_name(edit: &Edit, column: &str) -> String {
    ["node", "network", "osimage", "route", "policy", "group"]
        .into_iter()
        .find_map(|kind| attribute::of_column(kind, edit.table, column))
        .map_or_else(|| format!("{}.{column}", edit.table), |attribute| attribute.name.to_owned())
}
