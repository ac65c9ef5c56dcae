//! The nodes that a noderange of a command means.

use common::id::NodeName;
use common::report::Refusal;

use super::Range;
use crate::model::Model;
use crate::query::range;

impl Range {
    /// The nodes, sorted; all of them exist.
    ///
    /// # Errors
    /// When a name is unknown or the text cannot be read; the words are xCAT's.
    pub fn expand(&self, model: &Model) -> Result<Vec<NodeName>, Refusal> {
        let names = range::nodes(model, self).map_err(Refusal::new)?;
        Ok(names.iter().filter_map(|name| model.node(name)).cloned().collect())
    }
}
