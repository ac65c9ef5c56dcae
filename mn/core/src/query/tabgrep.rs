//! `tabgrep`: the tables that say something of a node.

use serde_json::json;

use crate::command::Tabgrep;
use crate::model::Model;
use crate::table::{Row, schema};
use crate::talk::{Context, Line, warning};
use crate::target::range;

/// Answers; gives the exit status. A table is named when one of the nodes has a row in it, or one
/// of their groups has and it is inherited.
pub(super) fn answer(model: &Model, args: &Tabgrep, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let found = match range::nodes(model, &args.nodes) {
        Ok(found) => found,
        Err(refusal) => {
            out(Line::Err(refusal.render("Error")));
            return 1;
        }
    };
    found.warnings.iter().for_each(|text| out(Line::Err(warning(context, text))));
    let tables = schema::TABLES.iter().filter(|table| !table.own && table.column("node").is_some());
    for table in tables {
        let has_row = |name: &str| {
            if table.is_of_nodes() {
                model.tables().rows_under(table.id(), name).any(|(_, row)| row.is_live())
            } else {
                let says_it = |row: &Row| row.is_live() && row.cell("node") == Some(name);
                model.tables().rows(table.id()).any(|(_, row)| says_it(row))
            }
        };
        let is_there = found
            .nodes
            .iter()
            .map(common::id::NodeName::as_str)
            .any(|node| has_row(node) || (table.is_inherited() && model.groups_of(node).any(has_row)));
        if is_there {
            out(match context.view.json {
                true => Line::Record(json!({"table": table.name})),
                false => Line::Out(table.name.to_owned()),
            });
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Range;

    #[test]
    fn own_rows_and_inherited_ones_count_and_those_of_others_do_not() {
        let model = crate::fixture::model(
            "nodelist n1 groups=a
             nodelist n2 groups=b
             nodehm a mgt=ipmi
             noderes b netboot=pxe
             switch n1/s1/1 vlan=3
             discoverydata u1 node=n1
             agent n1 connected=sn1",
        );
        let args = Tabgrep { nodes: Range::new("n1") };
        let mut said = Vec::new();
        let status = answer(&model, &args, &Context::default(), &mut |line| said.push(format!("{line:?}")));
        assert_eq!(status, 0);
        assert_eq!(
            said,
            [r#"Out("discoverydata")"#, r#"Out("nodehm")"#, r#"Out("nodelist")"#, r#"Out("switch")"#]
        );
    }
}
