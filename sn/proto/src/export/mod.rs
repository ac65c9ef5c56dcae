//! What NFS exports follow from a slice, and how servers are told of them.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | the exports of a slice, with stable numbers, and the files below them |
//! | [`render`] | NFS-Ganesha's configuration and the arguments of `exportfs` |
//!
//! Serving NFS is the business of a server that the host has. Nothing here reads a configuration:
//! what a server is told is made from values that were checked, so that it cannot be malformed.

pub mod plan;
pub mod render;

pub use plan::{Placing, Plan, View};
