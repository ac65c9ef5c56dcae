//! `updatenode`: what is to run on nodes, and on which.
//!
//! The plan is pure; `mn::operate` carries it through the owners to the agents and collects one
//! result a node.

use std::collections::BTreeMap;

use common::id::{NodeName, SnName};
use common::report::Refusal;
use common::slice::Script;
use common::wire::work::{SyncFile, Work};

use super::Updatenode;
use crate::derive;
use crate::model::Model;

/// How long one script may take where nothing else is said, in seconds.
pub const TIMEOUT_SECONDS: u32 = 600;

/// Nodes of one owner that get the same work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The pool, owner first: who is to carry it, in the order in which to try.
    pub pool: Vec<SnName>,
    /// The nodes.
    pub nodes: Vec<NodeName>,
    /// What they do.
    pub work: Work,
}

/// Plans an `updatenode`; `sync` gives the files that an image's list brings to a node.
///
/// # Errors
/// Everything that is wrong, all at once: unknown nodes, unknown scripts, nodes without an owner.
pub fn plan(
    model: &Model,
    arguments: &Updatenode,
    sync: &dyn Fn(&NodeName) -> Result<Vec<SyncFile>, Refusal>,
) -> Result<Vec<Batch>, Vec<Refusal>> {
    let nodes = arguments.nodes.expand(model).map_err(|refusal| vec![refusal])?;
    // No action is all of them, as xCAT has it.
    let everything = arguments.scripts.is_none() && !arguments.sync && !arguments.settle;
    let mut refusals = Vec::new();
    let named = match &arguments.scripts {
        Some(words) if !words.is_empty() => Some(scripts(model, words, &mut refusals)),
        _ => None,
    };
    let mut batches: BTreeMap<(Vec<SnName>, Vec<u8>), Batch> = BTreeMap::new();
    for node in nodes {
        let pool = derive::pool_of(model, &node);
        if pool.is_empty() {
            let refusal = Refusal::new("has no service node to carry the work").about(&node);
            refusals.push(refusal.attempt(format!("chdef {node} servicenode=SN")));
            continue;
        }
        let files = if everything || arguments.sync { sync(&node) } else { Ok(Vec::new()) };
        let files = files.unwrap_or_else(|refusal| {
            refusals.push(refusal.about(&node));
            Vec::new()
        });
        let scripts = match &named {
            Some(scripts) => scripts.clone(),
            None if everything || arguments.scripts.is_some() => derive::scripts_of(model, &node),
            None => Vec::new(),
        };
        let timeout_seconds = arguments.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        let work = Work { sync: files, scripts, settle: arguments.settle || everything, timeout_seconds };
        // Plain data always encodes; equal work has equal bytes.
        let key = (pool.clone(), postcard::to_stdvec(&work).unwrap_or_default());
        batches.entry(key).or_insert_with(|| Batch { pool, nodes: Vec::new(), work }).nodes.push(node);
    }
    if refusals.is_empty() { Ok(batches.into_values().collect()) } else { Err(refusals) }
}

/// The scripts of `-P`, each of which must be a file; an item may carry arguments.
fn scripts(model: &Model, words: &[String], refusals: &mut Vec<Refusal>) -> Vec<Script> {
    let mut scripts = Vec::new();
    for word in words {
        let mut parts = word.split_whitespace();
        let name = parts.next().unwrap_or_default();
        match derive::script_hash(model, name) {
            Some(hash) => {
                let arguments = parts.map(str::to_owned).collect();
                scripts.push(Script { name: name.to_owned(), arguments, hash });
            }
            None => {
                let refusal = Refusal::new(format!("there is no script {name:?}"));
                refusals.push(
                    refusal.attempt(format!("put it into tree/install/postscripts/{name} of the mn folder")),
                );
            }
        }
    }
    scripts
}
