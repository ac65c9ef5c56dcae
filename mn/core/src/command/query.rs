//! The questions: what is answered from one snapshot and changes nothing.

use serde::{Deserialize, Serialize};

use super::Export;
use super::past::{Diff, Explain, History};
use super::show::{DumpDb, Gettab, Lsdef, Lsmn, Lsslice, Names, Nodels, Noderange, Tabdump, Tabgrep};
use crate::table::schema::AUDITLOG;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// What is different between two states. Answered by the daemon, which has the journal.
    Diff(Diff),
    /// Why values are what they are. Answered by the daemon, which has the journal.
    Explain(Explain),
    /// Revisions. Answered by the daemon, which has the journal.
    History(History),
    /// Whole tables, for files.
    DumpDb(DumpDb),
    /// Cells of one row, found by what it holds.
    Gettab(Gettab),
    /// Definitions of objects.
    Lsdef(Lsdef),
    /// Names that begin with a text.
    Names(Names),
    /// Names and columns of nodes.
    Nodels(Nodels),
    /// A table as it is stored.
    Tabdump(Tabdump),
    /// What service nodes hold. Answered by the daemon, which knows the links: see [`crate::query::SliceState`].
    Lsslice(Lsslice),
    /// What a noderange means.
    Noderange(Noderange),
    /// The tables that say something of nodes.
    Tabgrep(Tabgrep),
    /// The site's definitions as text.
    Export(Export),
    /// The management node as it was. Answered by the daemon, which knows its own part.
    Lsmn(Lsmn),
}

impl Query {
    /// Whether it is about the audit log, which is no part of the model: the daemon lays it in.
    pub fn is_about_audit(&self) -> bool {
        let name = AUDITLOG.name();
        match self {
            Self::DumpDb(args) => args.all,
            Self::Gettab(args) => args.columns.iter().any(|(table, _)| table == name),
            Self::Lsdef(args) => args.types.iter().any(|kind| kind == name),
            Self::Tabdump(args) => args.table.as_deref() == Some(name) && !args.describe,
            _ => false,
        }
    }
}
