//! What a command shows: answers from one snapshot, produced line by line so that the definitions
//! of 100,000 nodes are never one string.

mod dumpdb;
mod gettab;
mod lsdef;
mod lsmn;
mod lsslice;
mod names;
mod nodels;
mod noderange;
mod tabdump;
mod tabgrep;

use common::id::{Generation, Revision, SnName};
use serde::Serialize;

pub use self::lsmn::{Daemon, Links, show as lsmn};
use crate::command::Query;
use crate::exchange;
use crate::model::Model;
use crate::talk::{Context, Line};

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
        Query::Export(args) => exchange::export::answer(model, args, context, out),
        // Answered by the daemon: what service nodes hold and what was is no part of a model.
        Query::Diff(_) | Query::Explain(_) | Query::History(_) | Query::Lsmn(_) => 1,
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
