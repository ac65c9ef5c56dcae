//! The nodes that a noderange of a command means.

use common::id::NodeName;
use common::report::Refusal;

use crate::command::Range;
use crate::model::Model;
use crate::target::range;

/// The nodes of a noderange, and what is odd in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The nodes, sorted; all of them exist.
    pub nodes: Vec<NodeName>,
    /// What is probably not meant: shown to the operator, and nothing else.
    pub warnings: Vec<String>,
}

impl Range {
    /// The nodes, and what is odd in the text.
    ///
    /// # Errors
    /// When a name is unknown or the text cannot be read; the words are xCAT's.
    pub fn expand(&self, model: &Model) -> Result<Chosen, Refusal> {
        let found = range::nodes(model, self)?;
        let nodes = found.nodes.iter().filter_map(|name| model.node(name.as_str())).cloned().collect();
        Ok(Chosen { nodes, warnings: found.warnings })
    }
}
