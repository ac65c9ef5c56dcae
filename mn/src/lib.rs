//! The management node: the daemon (`mn serve`) and the operators' commands, in one multi-call
//! binary.
//!
//! | module | what |
//! |---|---|
//! | [`store`] | what must not be lost: rows, journal, numbers; one writer, snapshots for all |
//!
//! **Invariant**: this crate never names `sn`; they meet in `common`'s types and in bytes on QUIC.
#![forbid(unsafe_code)]

pub mod logs;
pub mod store;
