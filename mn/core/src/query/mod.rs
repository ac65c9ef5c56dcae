//! What a command shows: answers from one snapshot, produced line by line so that the definitions
//! of 100,000 nodes are never one string.

pub(crate) mod column;
mod dumpdb;
mod gather;
mod gettab;
mod lsdef;
mod lsmn;
mod lsslice;
mod names;
pub(crate) mod nodels;
mod noderange;
pub(crate) mod object;
pub(crate) mod range;
pub(crate) mod select;
mod tabdump;
mod tabgrep;

pub(crate) use self::tabdump::shown;
use common::id::{Generation, Revision, SnName};
use serde::{Deserialize, Serialize};

pub use self::lsmn::{Daemon, Lsmn, show as lsmn};
pub use self::names::{Names, What};
pub use self::noderange::{Form, Noderange};
pub use self::tabgrep::Tabgrep;
use crate::change::{Context, Line, Range};
use crate::exchange::Export;
use crate::model::Model;
use crate::past::{Diff, Explain, History};
use crate::table::schema::AUDITLOG;
pub use dumpdb::DumpDb;
pub use gettab::Gettab;

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
    /// What service nodes hold. Answered by the daemon, which knows the links: see [`SliceState`].
    Lsslice(Lsslice),
    /// What a noderange means.
    Noderange(Noderange),
    /// The tables that say something of nodes.
    Tabgrep(Tabgrep),
    /// The site's definitions as text.
    Export(Export),
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

/// The arguments of `lsdef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lsdef {
    /// `-t`: object types; empty means node.
    pub types: Vec<String>,
    /// `-o` or the operand: a noderange for nodes, else names.
    pub objects: Option<Range>,
    /// `-a`: every type.
    pub all: bool,
    /// `-l`: long.
    pub long: bool,
    /// `-s`: short.
    pub short: bool,
    /// `-c`: `name: attr=value` lines.
    pub compress: bool,
    /// `-i`: these attributes alone.
    pub attributes: Option<Vec<String>>,
    /// `-w`: selections, all of which must hold.
    pub select: Vec<String>,
    /// `-z`: as a stanza file.
    pub stanza: bool,
    /// `-S`: hidden nodes too.
    pub hidden: bool,
    /// `--nics`: the interface attributes alone.
    pub nics: bool,
    /// `--osimage`: with the attributes of the node's image.
    pub osimage: bool,
    /// `-V`: with table, key and column.
    pub verbose: bool,
    /// `--template`: these templates in the place of objects; all of them where none is named.
    pub template: Option<Vec<String>>,
}

/// The arguments of `nodels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodels {
    /// Which nodes; none means all.
    pub nodes: Option<Range>,
    /// Columns, tables and criteria, as typed.
    pub words: Vec<String>,
    /// `-b`: say where an inherited value comes from.
    pub blame: bool,
    /// `-H`: always name the column.
    pub header: bool,
    /// `-S`: hidden nodes too.
    pub hidden: bool,
}

/// The arguments of `tabdump`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabdump {
    /// The table; none means the names of all.
    pub table: Option<String>,
    /// `-d`: what tables or columns mean.
    pub describe: bool,
    /// `-w`: selections of rows, all of which must hold.
    pub select: Vec<String>,
    /// `-n`: the last rows of a log table.
    pub last: Option<u64>,
    /// `--own`: without a table, the names of Drover's own tables instead of xCAT's.
    pub own: bool,
}

/// The arguments of `lsslice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lsslice {
    /// Which service nodes; empty means all.
    pub service_nodes: Vec<String>,
}

/// Answers from a model; gives the exit status.
///
/// [`Query::Lsslice`] is not answered here: what service nodes acknowledged is no part of the
/// model. The daemon gathers [`SliceState`]s and calls [`lsslice()`].
pub fn answer(model: &Model, query: &Query, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    match query {
        Query::DumpDb(args) => dumpdb::answer(model, args, out),
        Query::Gettab(args) => gettab::answer(model, args, context, out),
        Query::Lsdef(args) => lsdef::answer(model, args, context, out),
        Query::Names(args) => names::answer(model, args, out),
        Query::Nodels(args) => nodels::answer(model, args, context, out),
        Query::Noderange(args) => noderange::answer(model, args, context, out),
        Query::Tabdump(args) => tabdump::answer(model, args, context, out),
        Query::Tabgrep(args) => tabgrep::answer(model, args, context, out),
        Query::Export(args) => crate::exchange::export::answer(model, args, context, out),
        // Answered by the daemon: what service nodes hold and what was is no part of a model.
        Query::Diff(_) | Query::Explain(_) | Query::History(_) => 1,
        Query::Lsslice(_) => lsslice(&[], context, out),
    }
}

/// What the daemon knows of one service node's slice, for `lsslice`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SliceState {
    /// Which.
    pub service_node: SnName,
    /// Whether its link is up.
    pub connected: bool,
    /// The generation it should hold.
    pub desired: Generation,
    /// The generation it last acknowledged; none when it never did.
    pub acknowledged: Option<Generation>,
    /// The digest of the acknowledged slice, in hex.
    pub digest: Option<String>,
    /// How many nodes it answers for as their owner.
    pub owned: usize,
    /// How many nodes it holds as a backup or for a move.
    pub held: usize,
    /// Services that could not apply the slice, with the reason.
    pub faults: Vec<(String, String)>,
    /// The revision from which the desired slice was made.
    pub revision: Revision,
}

/// Shows what service nodes hold, one line each; status 1 where one of them is behind or faulty.
pub fn lsslice(states: &[SliceState], context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    lsslice::show(states, context, out)
}
