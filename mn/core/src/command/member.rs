//! The arguments of the commands about who belongs to the cluster: `mn token create`, `mn operator`.

use serde::{Deserialize, Serialize};

/// The arguments of `mn token create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreate {
    /// The service node, or the operator.
    pub name: String,
    /// `--address`: where it finds the management node (`IP:PORT`, or an address alone); empty for
    /// the site's master.
    pub addresses: Vec<String>,
    /// `--define`: define the node and its `servicenode` row where they are missing.
    pub define: bool,
    /// `--operator`: it is for an operator on another machine.
    pub operator: bool,
}

/// The arguments of `mn operator`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// `rm NAME`: the one who is to go; none shows them all.
    pub remove: Option<String>,
}
