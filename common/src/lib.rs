//! The words every room of Drover shares: names and numbers ([`id`]), what a service node
//! holds ([`mod@slice`]), the messages on the wire ([`wire`]) and the one shape in which a
//! refusal is shown to a person ([`report`]).
//!
//! **Invariant**: this crate is pure. It names no runtime, socket, file, clock or random source,
//! and it decides nothing: `mn-core`, `sn-proto` and `node-agent::core` do.
//!
//! `mn` and `sn` never name each other's crates; what they share is here.
#![forbid(unsafe_code)]

pub mod id;
pub mod report;
pub mod slice;
pub mod wire;
