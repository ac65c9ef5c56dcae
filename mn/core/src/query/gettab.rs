//! `gettab`: cells of the row that is meant, as they are stored: nothing inherited, no template
//! replaced.

use serde_json::json;

use crate::command::Gettab;
use crate::model::Model;
use crate::table::scope::shown;
use crate::table::{Row, TableId, nearest};
use crate::talk::{Context, Line, error};

/// Answers `gettab`; gives the exit status.
pub(super) fn answer(model: &Model, args: &Gettab, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let mut tables: Vec<(TableId, Vec<&str>)> = Vec::new();
    for (table, column) in &args.columns {
        let found = match check(table, column, &args.keys) {
            Ok(found) => found,
            Err(text) => {
                out(Line::Err(error(context, &text)));
                return 1;
            }
        };
        match tables.iter_mut().find(|(known, _)| *known == found) {
            Some((_, columns)) if columns.contains(&column.as_str()) => {}
            Some((_, columns)) => columns.push(column),
            None => tables.push((found, vec![column])),
        }
    }
    let is_terse = args.columns.len() == 1 && !args.header;
    for (table, columns) in tables {
        let Some(row) = first(model, table, &args.keys, &columns) else { continue };
        for column in columns {
            let value = row.cell(column).map(|value| shown(table, column, value));
            if context.view.json {
                out(Line::Record(json!({"table": table.name(), "column": column, "value": value})));
            } else if is_terse {
                out(Line::Out(value.unwrap_or_default().to_owned()));
            } else {
                out(Line::Out(format!("{table}.{column}: {}", value.unwrap_or_default())));
            }
        }
    }
    0
}

/// The table, where it has the column and all columns of the selection.
fn check(table: &str, column: &str, keys: &[(String, String)]) -> Result<TableId, String> {
    let found = TableId::named(table).ok();
    let columns = || found.iter().flat_map(|table| &table.table().columns).map(|column| column.name);
    if let Some((key, _)) = keys.iter().find(|(key, _)| !columns().any(|column| column == key)) {
        return Err(nearest::hinted(
            format!("Unknown key {key} to {table}"),
            &nearest::names(key, columns()),
        ));
    }
    match found {
        Some(found) if columns().any(|known| known == column) => Ok(found),
        _ => {
            let text = format!("{table}.{column} not a valid table.column description");
            Err(nearest::hinted(text, &nearest::names(column, columns())))
        }
    }
}

/// The first row that counts, is meant, and has something of what is asked.
fn first<'a>(
    model: &'a Model,
    table: TableId,
    keys: &[(String, String)],
    columns: &[&str],
) -> Option<&'a Row> {
    let is_meant = |row: &&Row| {
        row.is_live()
            && keys.iter().all(|(column, value)| row.cell(column).unwrap_or_default() == value)
            && columns.iter().any(|column| row.cell(column).is_some())
    };
    // Most ask for the row of a node or a key of the site.
    if let ([column], [(named, value)]) = (table.table().key.as_slice(), keys)
        && column == named
    {
        return model.tables().row(table, value).filter(is_meant);
    }
    model.tables().rows(table).map(|(_, row)| row).find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Query, Tabdump};
    use crate::fixture;

    #[test]
    fn the_secret_of_a_token_is_shown_to_nobody() {
        let model = fixture::model(
            "jointoken operator/kim secret=abc123 made=1\njointoken node/n1 secret=def456 made=2",
        );
        let ask = |query: Query| {
            let mut said = Vec::new();
            crate::query::answer(&model, &query, &Context::default(), &mut |line| said.push(line));
            format!("{said:?}")
        };
        let cell = |column: &str| Gettab {
            keys: vec![("name".to_owned(), "kim".to_owned())],
            columns: vec![("jointoken".to_owned(), column.to_owned())],
            ..Gettab::default()
        };
        assert!(ask(Query::Gettab(cell("secret"))).contains("hidden"));
        assert!(ask(Query::Gettab(cell("made"))).contains('1'));
        let dump = |select: &[&str]| {
            let select = select.iter().map(|word| (*word).to_owned()).collect();
            ask(Query::Tabdump(Tabdump { table: Some("jointoken".to_owned()), select, ..Tabdump::default() }))
        };
        assert!(dump(&[]).contains("hidden") && !dump(&[]).contains("abc123"));
        assert!(dump(&["made==1"]).contains("kim"));
        assert!(!dump(&["secret=~abc%"]).contains("kim"), "nor found out by asking");
    }
}
