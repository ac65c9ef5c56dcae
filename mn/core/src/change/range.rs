//! The nodes that a noderange of a command means.

use common::id::NodeName;
use common::report::Refusal;

use super::Range;
use crate::model::Model;
use crate::noderange::{self, Options};

impl Range {
    /// The nodes, sorted; all of them exist.
    ///
    /// # Errors
    /// When a name is unknown or the text cannot be read; the words are xCAT's.
    pub fn expand(&self, model: &Model) -> Result<Vec<NodeName>, Refusal> {
        let options = Options { verify: true, ..Options::default() };
        noderange::expand(&self.text, model, options, &|name| self.file(name))
            .map(|found| found.nodes)
            .map_err(|error| Refusal::new(error.to_string()))
    }
}
