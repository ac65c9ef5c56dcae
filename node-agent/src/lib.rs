//! The small program on a compute node: it joins with a one-time token, follows the service node
//! that owns its node, brings the node to the desired state and says what it did.
//!
//! [`core`] decides; [`shell`] acts, with [`link`] for the links, [`apply`] for the node and
//! [`state`] for what must survive a restart. [`cli`] is the command line.
#![forbid(unsafe_code)]

pub mod apply;
pub mod cli;
pub mod content;
pub mod core;
pub mod link;
pub mod shell;
pub mod state;
