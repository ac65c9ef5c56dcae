//! What is said on the links, and how it is framed.
//!
//! | module | between | opened by |
//! |---|---|---|
//! | [`join`] | a stranger and the management node, or its service node | the stranger |
//! | [`push`] | management node and service node | the service node |
//! | [`agent`] | service node and node agent | the agent |
//! | [`peer`] | two service nodes of a pool | either |
//! | [`content`] | who needs a file and who has it | who needs it |
//! | [`operator`] | an operator's command and the management node | the command |
//!
//! A member may open several streams on one link; the first frame of each is an [`Opening`], which
//! says what the stream is for.
//!
//! Every message is a frame ([`frame`]): a length, then `postcard`. Enums are only appended to,
//! and the first message of each link carries [`PROTOCOL`]: a side that reads a higher number
//! than its own answers with its own, and both speak the lower (N reads N−1).

use serde::{Deserialize, Serialize};

pub mod agent;
pub mod content;
pub mod frame;
pub mod join;
pub mod operator;
pub mod peer;
pub mod push;
pub mod work;

/// The version of the messages in this crate.
pub const PROTOCOL: u32 = 1;

/// ALPN of a link between members, who have certificates.
pub const ALPN_MEMBER: &[u8] = b"drover/1";
/// ALPN of a link on which a stranger joins.
pub const ALPN_JOIN: &[u8] = b"drover-join/1";

/// The UDP port on which the management node listens for service nodes and operators.
pub const MN_PORT: u16 = 7700;
/// The UDP port on which a service node listens for agents and for its pool.
pub const SN_PORT: u16 = 7701;

/// The longest list of nodes, names or lines in one message. Longer ones are sent in parts.
pub const MAX_LIST: usize = 4096;

/// The first frame of every stream that a member opens: what the stream is for. Strangers who join
/// send none; there, [`ALPN_JOIN`] says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// The one conversation of this link, in the messages of whom it is between: [`push`],
    /// [`agent`] or [`peer`]. A second one on a link ends the first.
    Control,
    /// One file; [`content::Fetched`] answers.
    Fetch(content::Fetch),
    /// One command of an operator; [`operator::Reply`]s answer.
    Command(operator::Request),
    /// The wish of a member for a certificate that lasts longer; [`join::JoinAnswer`] answers.
    Renew(Renew),
}

/// The wish for a new certificate of the key that this link was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// The public key (SubjectPublicKeyInfo, DER).
    pub public_key: Vec<u8>,
}
