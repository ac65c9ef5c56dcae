//! Noderanges: the texts that name nodes, in xCAT's grammar.
//!
//! `n1,n3-n5` · `n[01-10]` · `f[1-2]n[1-8]` · `n1+4` · `/n.*` · `rack1@gpu` · `all,-rack2` ·
//! `(a,b)@c` · `^FILE` · `nodehm.mgt==ipmi` · `n*`.
//!
//! A text is [parsed](parse) into steps over one accumulated set, and each word of it is looked up
//! as a node, a group, a selection, and only then by its [`shape`]. Steps are taken left to right;
//! what is excluded goes last, so that it cannot come back, except from parentheses, which act at
//! once. Names are sorted by their bytes.
//!
//! Decided on purpose, where xCAT is silent, ambiguous or wrong:
//!
//! * What gives no nodes silently (`n3-n1`, `n[01-3]`, an unknown column, a file that cannot be
//!   read) still does, with a warning.
//! * `/a|b` stays as it is: the anchors bind one alternative each; parentheses never reach it.
//! * `-^FILE` and `@^FILE` exclude and intersect, and unknown names are reported wherever in the
//!   file they stand. xCAT adds the file's nodes, and forgets the names.
//! * `(a)@(b)` within a list is two parentheses, and `^FILE@b` a file and a word, as they are alone;
//!   xCAT refuses the one and looks for a file of that name for the other.
//! * A selection holds for a node when it does for any of its rows, where a table may have several
//!   (`switch`); xCAT agrees.
//! * `*` and `?` stand for any text and any character in names of nodes, where xCAT knows no such
//!   name.
//! * One range means at most [`MOST_NAMES`] names, and the whole does a bounded amount of work. Whoever
//!   asks may set a lower bound ([`Options::max`], `--max-nodes`); there is none by default.
//! * A bare number is one of `node`, unless the operator's environment says otherwise
//!   (`XCAT_NODE_PREFIX`, `XCAT_NODE_SUFFIX`), which xCAT heeds without its daemon alone.
//!
//! Files are read by the caller, as this crate is pure; a path never comes near a shell.

mod advice;
mod expand;
mod fold;
mod glob;
mod parse;
mod select;
mod shape;

use common::id::NodeName;

pub use self::fold::fold;
pub use self::select::{Comparison, Selection};
use crate::model::Model;

/// The most names that the ranges of one noderange may spell: more than twice the nodes of the largest
/// site.
pub const MOST_NAMES: usize = 250_000;

/// How many unknown names an error lists.
const LISTED: usize = 500;

/// What a bare number is a number of, where nobody says otherwise: `17` is `node17`.
pub const PREFIX: &str = "node";

/// How a noderange is read.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Whether names must exist; otherwise an unknown name is a new one.
    pub verify: bool,
    /// Whether `site.excludenodes` is left out.
    pub exclude_nodes: bool,
    /// The most nodes it may mean.
    pub max: usize,
    /// What stands before a bare number.
    pub prefix: &'a str,
    /// What stands behind it.
    pub suffix: &'a str,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { verify: true, exclude_nodes: true, max: usize::MAX, prefix: PREFIX, suffix: "" }
    }
}

/// What a noderange means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The nodes, sorted by the bytes of their names; new names among them where they need not
    /// exist.
    pub nodes: Vec<NodeName>,
    /// Words that are neither nodes nor groups, in the order they were met; where names need not
    /// exist, words that no node may be called.
    pub missing: Vec<String>,
    /// What is probably not meant.
    pub warnings: Vec<String>,
}

/// Why a noderange means nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoderangeError {
    /// Words are neither nodes nor groups.
    #[error("Invalid nodes and/or groups in noderange: {}", listed(.0))]
    Unknown(Vec<String>),
    /// A parenthesis is not closed, or not opened.
    #[error("Unbalanced parentheses in noderange")]
    Unbalanced,
    /// A regular expression is none.
    #[error("Invalid regular expression {text}, check the noderange syntax.")]
    Pattern {
        /// The word.
        text: String,
        /// What is wrong with it.
        #[source]
        source: regex::Error,
    },
    /// A range spells too many names.
    #[error("{0} means more than {MOST_NAMES} names")]
    TooManyNames(String),
    /// There are more nodes than wanted.
    #[error("the noderange means {count} nodes, more than the {max} allowed")]
    TooManyNodes {
        /// How many.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// It would take too long.
    #[error("the noderange asks for too much work; name fewer groups or expressions at once")]
    TooMuchWork,
    /// Parentheses or files are nested too deep.
    #[error("the noderange is nested too deep")]
    TooDeep,
}

/// The nodes that a text means.
///
/// ```
/// use common::id::Revision;
/// use mn_core::model::Model;
/// use mn_core::noderange::{NoderangeError, Options, expand, fold};
/// use mn_core::table::Tables;
///
/// // Of nodes that are still to be made, names are enough.
/// let model = Model::new(Tables::default(), Revision::default());
/// let made = Options { verify: false, ..Options::default() };
/// let found = expand("f[1-2]n[01-03],-f1n02", &model, made, &|_| None)?;
/// assert_eq!(fold(found.nodes.iter().map(|node| node.as_str())), "f1n[01,03],f2n[01-03]");
/// # Ok::<(), NoderangeError>(())
/// ```
///
/// # Errors
/// When a name is unknown, and whatever else makes the whole command fail.
pub fn expand(
    text: &str,
    model: &Model,
    options: Options<'_>,
    files: &dyn Fn(&str) -> Option<String>,
) -> Result<Expansion, NoderangeError> {
    let mut found = expand_known(text, model, options, files)?;
    if found.missing.is_empty() {
        return Ok(found);
    }
    Err(NoderangeError::Unknown(std::mem::take(&mut found.missing)))
}

/// The nodes that a text means, without those that are unknown: for commands that warn of
/// [`Expansion::missing`] and go on.
///
/// # Errors
/// When it cannot be read, or means too much.
pub fn expand_known(
    text: &str,
    model: &Model,
    options: Options<'_>,
    files: &dyn Fn(&str) -> Option<String>,
) -> Result<Expansion, NoderangeError> {
    let found = expand::expand(text, model, options, files)?;
    if found.nodes.len() > options.max {
        return Err(NoderangeError::TooManyNodes { count: found.nodes.len(), max: options.max });
    }
    Ok(found)
}

/// The names with commas between, as many as anybody reads.
fn listed(names: &[String]) -> String {
    let mut text = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(",");
    if let Some(more) = names.len().checked_sub(LISTED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod plain_tests;
#[cfg(test)]
mod tests;
