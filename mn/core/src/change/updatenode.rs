//! `updatenode`: what is to run on nodes, and on which.
//!
//! The plan is pure; `mn::operate` carries it through the owners to the agents and collects one
//! result a node.

use std::collections::BTreeMap;

use common::id::{NodeName, SnName};
use common::report::Refusal;
use common::slice::Script;
use common::wire::work::{SyncFile, Work};

use crate::command::Updatenode;
use crate::model::Model;
use crate::node;
use crate::target::Chosen;

/// How long one script may take where nothing else is said, in seconds.
pub const TIMEOUT_SECONDS: u32 = 600;

/// Nodes of one owner that get the same work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The pool, owner first: who is to carry it, in the order in which to try. Never empty.
    pub pool: Vec<SnName>,
    /// The nodes.
    pub nodes: Vec<NodeName>,
    /// What they do.
    pub work: Work,
}

/// What an `updatenode` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Who does what.
    pub batches: Vec<Batch>,
    /// What is probably not meant, for the operator; it stops nothing.
    pub warnings: Vec<String>,
}

/// Plans an `updatenode`; `sync` gives the files that an image's list brings to a node.
///
/// # Errors
/// Everything that is wrong, all at once: unknown nodes, unknown scripts, nodes without an owner.
pub fn plan(
    model: &Model,
    arguments: &Updatenode,
    sync: &dyn Fn(&NodeName) -> Result<Vec<SyncFile>, Refusal>,
) -> Result<Plan, Vec<Refusal>> {
    let Chosen { nodes, warnings } = arguments.nodes.expand(model).map_err(|refusal| vec![refusal])?;
    // No action is all of them, as xCAT has it.
    let everything = arguments.scripts.is_none() && !arguments.sync && !arguments.settle;
    let mut refusals = Vec::new();
    let named = match arguments.scripts.as_deref().filter(|words| !words.is_empty()) {
        Some(words) => named(model, words).map_err(|found| refusals.extend(found)).ok(),
        None => None,
    };
    let settle = arguments.settle || everything || named.as_ref().is_some_and(|named| named.settle);
    let mut batches: BTreeMap<(Vec<SnName>, Vec<u8>), Batch> = BTreeMap::new();
    for node in nodes {
        let pool = node::pool_of(model, &node);
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
            Some(named) => named.scripts.clone(),
            None if everything || arguments.scripts.is_some() => node::scripts_of(model, &node),
            None => Vec::new(),
        };
        let timeout_seconds = arguments.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        let work = Work { sync: files, scripts, settle, timeout_seconds };
        // Plain data always encodes; equal work has equal bytes.
        let key = (pool.clone(), postcard::to_stdvec(&work).unwrap_or_default());
        batches.entry(key).or_insert_with(|| Batch { pool, nodes: Vec::new(), work }).nodes.push(node);
    }
    let batches = batches.into_values().collect();
    if refusals.is_empty() { Ok(Plan { batches, warnings }) } else { Err(refusals) }
}

/// What xCAT has scripts for and an agent does by itself, as a part of its desired state.
const BUILT_IN: [&str; 3] = ["syslog", "setupntp", "mkresolvconf"];

/// What the words of a `-P` mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The scripts to run.
    scripts: Vec<Script>,
    /// Whether the desired state is to be brought, which does what the rest of them say.
    settle: bool,
}

/// Reads a `-P`: each word is a script in the served tree, which may carry arguments, or one of
/// xCAT's that an agent does by itself.
///
/// # Errors
/// One refusal for each script that is not there.
pub(crate) fn named(model: &Model, words: &[String]) -> Result<Named, Vec<Refusal>> {
    let (mut named, mut refusals) = (Named::default(), Vec::new());
    for word in words {
        let mut parts = word.split_whitespace();
        let name = parts.next().unwrap_or_default();
        match node::script_hash(model, name) {
            Some(hash) => {
                let arguments = parts.map(str::to_owned).collect();
                named.scripts.push(Script { name: name.to_owned(), arguments, hash });
            }
            None if BUILT_IN.contains(&name) => named.settle = true,
            None => {
                // xCAT's words; the folder is the one of the served tree.
                let text = format!("The postscript /install/postscripts/{name} does not exist.");
                refusals.push(Refusal::new(text).attempt(format!(
                    "put it into the management node's folder as tree/install/postscripts/{name}"
                )));
            }
        }
    }
    if refusals.is_empty() { Ok(named) } else { Err(refusals) }
}
