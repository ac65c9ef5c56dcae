//! What is a definition, and which of its values are secrets.
//!
//! Definitions are what somebody decided. What was merely seen or is on its way (what agents said,
//! tokens, moves, epochs, logs, the status of nodes, what the next boot brings) is *state*: it is
//! never exported, and neither `apply` nor `import` touches it.

use super::{TableId, schema};

/// Tables of xCAT's that hold nothing but state.
const STATE_TABLES: [&str; 6] =
    ["auditlog", "discoverydata", "eventlog", "performance", "taskstate", "token"];

/// Columns of state in tables of definitions.
const STATE_COLUMNS: [(&str, &[&str]); 2] = [
    (
        "nodelist",
        &[
            "status",
            "statustime",
            "appstatus",
            "appstatustime",
            "updatestatus",
            "updatestatustime",
            "primarysn",
        ],
    ),
    // `nodeset` writes them: a file that is applied a second time must not install a node anew.
    ("chain", &["currstate", "currchain"]),
];

/// Columns whose values nobody reads who was not given them.
const SECRETS: [(&str, &[&str]); 13] = [
    ("domain", &["adminpassword"]),
    ("ipmi", &["password"]),
    ("iscsi", &["passwd"]),
    ("mpa", &["password"]),
    ("openbmc", &["password"]),
    ("passwd", &["password"]),
    ("pdu", &["password", "community", "authkey", "privkey"]),
    ("ppcdirect", &["password"]),
    ("ppchcp", &["password"]),
    ("prodkey", &["key"]),
    ("switches", &["password", "sshpassword"]),
    ("vm", &["vidpassword"]),
    ("websrv", &["password"]),
];

/// Whether a table holds definitions at all.
pub fn is_definition(table: TableId) -> bool {
    !table.table().own && !STATE_TABLES.contains(&table.name())
}

/// Whether a column says how things are, not how they are to be.
pub fn is_state(table: TableId, column: &str) -> bool {
    STATE_COLUMNS.iter().any(|(known, columns)| *known == table.name() && columns.contains(&column))
}

/// Whether the value of a column is a secret. The settings of a site are told by their names.
pub fn is_secret(table: TableId, key: &str, column: &str) -> bool {
    if table.name() == "site" {
        let key = key.to_ascii_lowercase();
        return column == "value" && ["password", "passwd", "secret"].iter().any(|word| key.contains(word));
    }
    SECRETS.iter().any(|(known, columns)| *known == table.name() && columns.contains(&column))
}

/// Whether nobody is shown a column: with what a token holds anyone may become its member.
pub(crate) fn is_hidden(table: TableId, column: &str) -> bool {
    table == schema::JOINTOKEN && column == "secret"
}

/// A value, unless it is hidden.
pub(crate) fn shown<'a>(table: TableId, column: &str, value: &'a str) -> &'a str {
    if is_hidden(table, column) { "hidden" } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::TABLES;

    #[test]
    fn every_column_that_is_called_a_password_is_a_secret() {
        for table in TABLES.iter().filter(|table| is_definition(table.id())) {
            for column in &table.columns {
                let is_one = ["password", "passwd"].iter().any(|word| column.name.ends_with(word));
                assert!(
                    !is_one || is_secret(table.id(), "", column.name),
                    "{}.{} is readable",
                    table.name,
                    column.name
                );
            }
        }
        assert!(is_secret(schema::SITE, "omapiSecret", "value"));
        assert!(!is_secret(schema::SITE, "domain", "value"));
    }

    #[test]
    fn what_is_listed_exists() {
        for (table, column) in
            STATE_COLUMNS.iter().flat_map(|(t, columns)| columns.iter().map(move |c| (t, c)))
        {
            assert!(TableId::named(table).unwrap().table().column(column).is_some(), "{table}.{column}");
        }
        for table in STATE_TABLES {
            assert!(TableId::named(table).is_ok(), "{table}");
        }
    }
}
