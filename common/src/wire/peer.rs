//! Between two service nodes of a pool, on one stream that either opens, over the rack's network.
//!
//! Each says which nodes it owns, and in which epoch. Who hears a higher epoch for a node than its
//! own falls silent for that node at once, and stays so until its slice says otherwise. So a
//! service node that was cut off from the management node, or was down during a move, learns from
//! its pool what it has lost before it answers (`docs/decisions/0003-who-falls-silent.md`).

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, NodeName};

/// What one service node of a pool tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The first message, from both sides.
    Hello {
        /// [`super::PROTOCOL`].
        protocol: u32,
    },
    /// These nodes are not yours, each since this epoch: I own them, or hold them for a move to me,
    /// whose old owner is released once the epoch is higher than its own, or they are a third's.
    /// Sent after `Hello` and whenever it changes, in parts of at most [`super::MAX_LIST`].
    Own(Vec<(NodeName, Epoch)>),
    /// All of my claims are sent; the other side answers [`PeerMessage::Heard`] with the number.
    End(u64),
    /// Your claims up to this number are obeyed.
    Heard(u64),
}
