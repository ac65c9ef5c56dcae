//! Tables of xCAT, as `dumpxCATdb` writes them: a file of comma-separated values for each.
//!
//! Rows come as they are, disabled ones and those of groups with templates too. Left out, and told:
//! what the old system *saw* or *did* (logs, tokens, the status of nodes, what the next boot brings
//! and the boot files that `nodeset` wrote), its own address, and what is no table or column. Rows
//! that belong to no node and no group are taken, and told.

use std::collections::{BTreeMap, BTreeSet};

use crate::csv;
use crate::exchange::incoming::{Place, Reading};
use crate::exchange::subject::Subject;
use crate::table::{Row, RowKey, TableId, schema, scope};

/// Names in tables of nodes that are neither a node's nor a group's.
const OTHERS: [&str; 2] = ["xcatdefaults", "service"];

/// Columns that `nodeset` writes, and which would hold against what is derived here.
const WRITTEN: [(&str, &[&str]); 1] = [("bootparams", &["kernel", "initrd", "kcmdline"])];

/// Reads the files of a folder, each called as its table.
pub(crate) fn read(files: &[(String, String)]) -> Reading {
    let mut taker = Taker::default();
    for (file, text) in files {
        taker.file(file, text);
    }
    taker.finish()
}

#[derive(Debug, Default)]
struct Taker {
    reading: Reading,
    /// What is left out by the column: the file and what, with the reason and how often.
    passed: BTreeMap<(String, String), (&'static str, usize)>,
    /// Nodes and groups.
    names: BTreeSet<String>,
}

impl Taker {
    fn file(&mut self, file: &str, text: &str) {
        let whole = Place::new(file, 0);
        let name = file.strip_suffix(".csv").unwrap_or(file);
        let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
        // Of most tables a dump has the header alone, and there is nothing to say of them.
        let why = match TableId::named(name) {
            Ok(table) if scope::is_definition(table) => return self.table(table, file, text),
            _ if lines == 0 => return,
            Ok(_) if lines == 1 => "its one line is what the old system saw or did".to_owned(),
            Ok(_) => format!("its {lines} lines are what the old system saw or did"),
            Err(_) => "there is no such table".to_owned(),
        };
        self.reading.note(whole, name, why);
    }

    fn table(&mut self, table: TableId, file: &str, text: &str) {
        match csv::read_known(table, text.as_bytes()) {
            Ok((sheet, unknown)) => {
                for column in unknown {
                    self.reading.note(Place::new(file, 1), column, format!("{table} has no such column"));
                }
                let mut seen = BTreeSet::new();
                for record in sheet.records {
                    // The header is the first line, and the one after it is 0 there.
                    let line = usize::try_from(record.line).unwrap_or(usize::MAX).saturating_add(2);
                    self.row(table, Place::new(file, line), &record.row, &mut seen);
                }
            }
            Err(errors) => {
                for error in errors {
                    self.reading.fault(Place::new(file, 0), table.name(), error.to_string());
                }
            }
        }
    }

    fn row(&mut self, table: TableId, place: Place, row: &Row, seen: &mut BTreeSet<RowKey>) {
        let key = row.key(table);
        let what = || format!("{table} {key}");
        let is_odd = |(_, value): (&str, &str)| value.contains(['\0', RowKey::SEPARATOR]);
        if key.parts().all(str::is_empty) {
            return self.reading.note(place, table.name(), "the row has no key");
        }
        if row.cells().any(is_odd) {
            return self.reading.note(place, what(), "a control character cannot be kept");
        }
        if !seen.insert(key.clone()) {
            return self.reading.note(place, what(), "it is the second row of this key");
        }
        if table == schema::SITE && key.as_str() == "master" {
            let why = "the address of this management node stays; chdef -t site master=… sets it";
            return self.reading.note(place, what(), why);
        }
        let mut attributes = Vec::new();
        for (column, value) in row.cells() {
            let written =
                WRITTEN.iter().any(|(of, columns)| *of == table.name() && columns.contains(&column));
            let why = match () {
                () if scope::is_state(table, column) => "it is state of the old system",
                () if written => "nodeset writes it, and derives it here",
                () => {
                    attributes.push((column.to_owned(), value.to_owned()));
                    continue;
                }
            };
            let passed = (place.file.clone(), format!("column {column}"));
            self.passed.entry(passed).or_insert((why, 0)).1 += 1;
        }
        if table == schema::NODELIST && row.is_live() {
            self.names.insert(key.to_string());
            let groups = row.cell("groups").unwrap_or_default();
            self.names.extend(crate::model::split(groups).map(str::to_owned));
        }
        if table == schema::NODEGROUP {
            self.names.insert(key.to_string());
        }
        let is_bare = attributes.iter().all(|(column, _)| table.table().key.contains(&column.as_str()));
        // Of a row of state nothing is left to take; one that is there by its name stays.
        if !is_bare || row.cells().count() == attributes.len() || table == schema::NODELIST {
            self.reading.add(place, Subject::Row { table, key }, attributes);
        }
    }

    fn finish(mut self) -> Reading {
        for ((file, what), (why, times)) in std::mem::take(&mut self.passed) {
            self.reading.note(Place::new(&file, 0), what, format!("{why} ({times} rows)"));
        }
        let Self { mut reading, names, .. } = self;
        let orphans = reading.incoming.iter().filter_map(|one| {
            let Subject::Row { table, key } = &one.subject else { return None };
            let owner = key.parts().next().filter(|_| table.table().key.first() == Some(&"node"))?;
            let is_known = names.contains(owner) || OTHERS.contains(&owner) || *table == schema::NODELIST;
            (!is_known).then(|| (one.place.clone(), one.subject.to_string(), owner.to_owned()))
        });
        for (place, what, owner) in orphans.collect::<Vec<_>>() {
            reading.remark(place, what, format!("taken, but {owner} is no node and no group of the dump"));
        }
        reading
    }
}
