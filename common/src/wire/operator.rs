//! Between an operator's command and the management node: one [`Request`] (and the rest of its
//! command, where that is long), then [`Reply`]s until [`Reply::Done`].
//!
//! The command is parsed where the operator is (so that `--help` and wrong usage need no daemon)
//! and travels as bytes that only `mn` reads; see `mn::applet`.

use serde::{Deserialize, Serialize};

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`super::PROTOCOL`].
    pub protocol: u32,
    /// The words as typed, program name first: for the history, never parsed again.
    pub words: Vec<String>,
    /// The parsed command, `postcard` of a versioned enum of `mn`; its start, where it is long.
    pub command: Vec<u8>,
    /// How to show the answer.
    pub view: View,
    /// How many frames follow, each a `Vec<u8>` that goes on with `command`: a stanza file may be
    /// longer than a frame.
    pub parts: u32,
}

/// The longest command, in bytes, all of its parts together.
pub const MAX_COMMAND: usize = 256 << 20;

/// How much of a long command one frame carries, in bytes.
pub const PART: usize = 512 << 10;

/// How to show an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// JSON instead of text.
    pub json: bool,
    /// The width of the terminal in columns; none when standard output is no terminal.
    pub columns: Option<u16>,
    /// Whether colour is welcome.
    pub color: bool,
}

/// What the management node answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// For standard output, as it is.
    Out(String),
    /// For standard error, as it is.
    Err(String),
    /// How far a long command has come; shown on a terminal only.
    Progress {
        /// What is being done.
        label: String,
        /// Of `total`.
        done: u64,
        /// Zero when it is not known.
        total: u64,
    },
    /// The end, with the exit status.
    Done {
        /// 0 done, 1 refused or partly failed, 2 wrong usage; xCAT's commands keep xCAT's.
        status: u8,
    },
}
