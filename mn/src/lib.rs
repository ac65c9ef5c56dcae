//! The management node: the daemon (`mn serve`) and the operators' commands, in one multi-call
//! binary.
//!
//! | module | what |
//! |---|---|
//! | [`applet`] | the commands: words in, a typed question out, the answer printed |
//! | [`client`] | how they reach the daemon |
//! | [`daemon`] | `mn init`, `mn serve` |
//! | [`serve`] | the daemon's side of the commands |
//! | [`render`] | answers as text or JSON |
//! | [`operate`] | commands of several steps |
//! | [`store`] | what must not be lost: rows, journal, numbers; one writer, snapshots for all |
//! | [`push`] | service nodes: who joins, what they shall hold, what they report |
//! | [`content`] | the tree of files that they serve |
//! | [`audit`] | who gave which command, and what became of it |
//! | [`logs`] | the nodes' log lines |
//! | [`token`] | who may join, and who has |
//!
//! **Invariant**: this crate never names `sn`; they meet in `common`'s types and in bytes on QUIC.
#![forbid(unsafe_code)]

pub mod applet;
pub mod audit;
pub mod client;
pub mod content;
pub mod daemon;
pub mod logs;
pub mod operate;
mod past;
pub mod push;
pub mod render;
pub mod serve;
pub mod store;
pub mod token;
