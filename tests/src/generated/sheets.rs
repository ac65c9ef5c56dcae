//! Tables as comma-separated values: one for `tabrestore`, a folder for `import xcat`.

use mn_core::csv;
use mn_core::table::schema::{TABLES, Table};

use super::site::word;
use crate::chance::Chance;

/// What stands in cells.
const CELLS: [&str; 12] = [
    "",
    "n1",
    "all,compute",
    "10.1.0.7",
    "52:54:00:00:00:07",
    "ipmi",
    "a \"\"quote\"\"",
    "over\nlines",
    "|n(\\d+)|x($1)|",
    "1",
    "é",
    ",,",
];

/// The tables of a dump that say most.
const DUMPED: [&str; 8] = ["nodelist", "hosts", "mac", "noderes", "nodehm", "networks", "osimage", "site"];

/// The text of a table; which one, the reader knows by its first line.
pub(super) fn table(chance: &mut Chance) -> String {
    let table = &TABLES[chance.index(TABLES.len())];
    let most = if chance.one_in(60) { 2000 } else { 8 };
    sheet(table, chance, most)
}

/// Tables of a dump, in the order of [`names`].
pub(super) fn database(chance: &mut Chance) -> Vec<String> {
    let table = |name: &&str| TABLES.iter().find(|table| table.name == *name);
    DUMPED.iter().filter_map(table).map(|table| sheet(table, chance, 12)).collect()
}

/// The names of the files of a dump.
pub(super) fn names() -> Vec<String> {
    DUMPED.iter().map(|name| format!("{name}.csv")).collect()
}

fn sheet(table: &Table, chance: &mut Chance, rows: u64) -> String {
    let mut text = csv::header(table) + "\n";
    for _ in 0..chance.below(rows) {
        let cells: Vec<String> =
            table.columns.iter().map(|column| cell(table, column.name, chance)).collect();
        text.push_str(&cells.join(","));
        text.push_str(chance.of(&["\n", "\n", "\n", "\r\n", " \n"]));
    }
    text
}

fn cell(table: &Table, column: &str, chance: &mut Chance) -> String {
    if table.key.first().is_some_and(|key| *key == column) {
        return format!("\"{}\"", word(chance));
    }
    match chance.below(4) {
        0 | 1 => String::new(),
        2 => format!("\"{}\"", chance.of(&CELLS)),
        _ => chance.of(&["1", "x", "10.1.0.7", ""]).to_owned(),
    }
}
