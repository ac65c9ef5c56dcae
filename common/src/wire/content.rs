//! Large content by its hash, on a stream of its own: one [`Fetch`], one [`Fetched`], then bytes.

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// "Send me this content from there on."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// Of the whole content.
    pub hash: Digest,
    /// How much of it the asker has, in bytes.
    pub offset: u64,
}

/// The answer, before the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetched {
    /// The rest follows: this many bytes, to the end of the stream.
    Bytes(u64),
    /// It is not here.
    Absent,
}
