//! `dumpxCATdb`: whole tables of one revision, for the files of a folder.
//!
//! The answer is records alone, for the command that writes the files: `{"table": NAME}` begins a
//! file, `{"text": …}` is the next piece of it, `{"skipped": NAME}` a table that is left out. No
//! piece is long, so that no side ever holds a table.

use serde_json::json;

use crate::command::DumpDb;
use crate::csv;
use crate::model::Model;
use crate::table::schema::{FILE, TABLES};
use crate::talk::Line;

/// How long a piece may become before it is sent, in bytes.
const PIECE: usize = 32 << 10;

/// Answers `dumpxCATdb`.
pub(super) fn answer(model: &Model, args: &DumpDb, out: &mut dyn FnMut(Line)) -> u8 {
    let skip = args.skip.as_deref().or_else(|| model.site("skiptables")).unwrap_or_default();
    let skip: Vec<&str> = skip.split(',').collect();
    // The list of files is made anew from the tree.
    for table in TABLES.iter().filter(|table| !table.own || args.full && table.id() != FILE) {
        if skip.contains(&table.name) || !args.all && matches!(table.name, "auditlog" | "eventlog") {
            out(Line::Record(json!({"skipped": table.name})));
            continue;
        }
        out(Line::Record(json!({"table": table.name})));
        let mut text = csv::header(table) + "\n";
        for (_, row) in model.tables().rows(table.id()) {
            text.push_str(&csv::write_plain(table, row));
            text.push('\n');
            if text.len() >= PIECE {
                out(Line::Record(json!({"text": std::mem::take(&mut text)})));
            }
        }
        out(Line::Record(json!({"text": text})));
    }
    0
}
