//! The rows of a table that may say something of a node, looked up once for whoever reads many of its
//! columns.

use super::Model;
use super::value::Value;
use crate::table::{Row, TableId};

/// Rows of a table with one row a node: the node's own, then its groups', in the order in which they
/// count.
#[derive(Clone, Debug)]
pub(crate) struct RowsOf<'a> {
    model: &'a Model,
    table: TableId,
    node: &'a str,
    rows: Vec<&'a Row>,
}

impl Model {
    /// The rows of `table` that may say something of a node. Of a table with several rows a node it
    /// has none: [`Model::cell`] reads those.
    pub(crate) fn rows_of<'a>(&'a self, table: TableId, node: &'a str) -> RowsOf<'a> {
        if self.tables.count(table) == 0 {
            return RowsOf { model: self, table, node, rows: Vec::new() };
        }
        let groups = self.inherited.has_any(table).then(|| self.groups_of(node));
        let names = std::iter::once(node).chain(groups.into_iter().flatten());
        let rows = names.filter_map(|name| self.tables.row(table, name)).filter(|row| row.is_live());
        RowsOf { model: self, table, node, rows: rows.collect() }
    }
}

impl<'a> RowsOf<'a> {
    /// What a column holds for the node, as [`Model::cell`] says.
    pub(crate) fn cell(&self, column: &str) -> Option<Value<'a>> {
        self.model.cell_among(self.table, self.node, column, self.rows.iter().copied())
    }

    /// The same as text of its own; none where it is not set.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        self.cell(column).map(Value::into_owned).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::model;
    use crate::table::schema::{HOSTS, NODERES};

    #[test]
    fn rows_at_hand_say_what_the_model_says() {
        let model = model(
            "site hierarchicalattrs value=netboot\n nodelist n1 groups=a,b\n nodelist n2 groups=b\n \
             noderes n1 netboot=pxe xcatmaster=m+=NEXTRECORD disable=0\n noderes a xcatmaster=x netboot=xnba tftpserver=t disable=1\n \
             noderes b xcatmaster=y nfsserver=|n(.)|s$1| netboot=grub2\n hosts n2 ip=10.0.0.2",
        );
        for node in ["n1", "n2", "n3"] {
            for table in [NODERES, HOSTS] {
                let rows = model.rows_of(table, node);
                for column in ["node", "netboot", "xcatmaster", "nfsserver", "tftpserver", "ip"] {
                    assert_eq!(rows.cell(column), model.cell(table, node, column), "{node} {table}.{column}");
                }
            }
        }
        assert_eq!(model.rows_of(NODERES, "n1").text("xcatmaster").as_deref(), Some("my"));
    }
}
