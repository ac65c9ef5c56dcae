//! What the management node knows and decides.
//!
//! Rows of text tables are the truth ([`table`]); everything else is a view on them: nodes with
//! their inherited values ([`model`]), the names a noderange means ([`noderange`]), what the
//! definitions say of a node ([`mod@node`]), who has joined ([`member`]). What is asked is plain data ([`command`]); it changes
//! something ([`change`], by the one road of [`plan()`]) or shows it ([`query`]), in the words of
//! [`talk`]. Definitions come in and go out ([`exchange`]), history is told ([`past`]), [`policy`] says
//! who may ask for what; what each service node holds is derived ([`mod@derive`]) and followed until it
//! has it ([`delivery`]); [`make`] says what follows for names, addresses and networks.
//!
//! **Invariant**: this crate is pure: commands and snapshots in, changes and text out. No two of its
//! modules need each other.
#![forbid(unsafe_code)]

pub mod audit;
pub mod change;
pub mod command;
pub mod csv;
pub mod delivery;
pub mod derive;
pub mod draft;
pub mod exchange;
pub mod make;
pub mod member;
pub mod model;
pub mod moves;
pub mod node;
pub mod noderange;
mod object;
pub mod past;
mod plan;
pub mod policy;
pub mod query;
pub mod table;
pub mod talk;
pub mod target;
pub mod template;

pub use self::plan::{Read, plan, plan_read};

#[cfg(test)]
mod cost;
#[cfg(test)]
mod fixture;
