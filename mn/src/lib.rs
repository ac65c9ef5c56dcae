//! The management node: the daemon (`mn serve`) and the operators' commands, in one multi-call
//! binary.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the program's words: an applet, `mn` itself, completion |
//! | [`applet`] | the commands: words in, a typed question out, the answer printed |
//! | [`client`] | how they reach the daemon |
//! | [`render`] | answers as text or JSON |
//! | [`daemon`] | `mn init`, `mn serve` |
//! | [`door`] | the QUIC port: strangers, service nodes, operators |
//! | [`serve`] | where commands are heard, judged and carried out |
//! | [`operate`] | commands of several steps |
//! | [`past`] | the journal asked |
//! | [`ground`] | what every command stands on: the site, and the line to whoever asked |
//! | [`push`] | service nodes: who joins, what they shall hold, what they report |
//! | [`store`] | what must not be lost: rows, journal, numbers; one writer, snapshots for all |
//! | [`content`] | the tree of files that they serve |
//! | [`audit`] | who gave which command, and what became of it |
//! | [`logs`] | the nodes' log lines |
//! | [`token`] | who may join, and who has |
//! | [`host`] | what this machine says of itself |
//!
//! **Invariant**: this crate never names `sn`; they meet in `common`'s types and in bytes on QUIC.
//! No two of its modules need each other.
#![forbid(unsafe_code)]

pub mod applet;
pub mod audit;
pub mod cli;
pub mod client;
pub mod content;
pub mod daemon;
mod door;
pub mod ground;
mod host;
pub mod logs;
pub mod operate;
mod past;
pub mod push;
pub mod render;
pub mod serve;
pub mod store;
pub mod token;
