//! What the management node knows and decides.
//!
//! Rows of text tables are the truth ([`table`]); everything else is a view on them: nodes with
//! their inherited values ([`model`]), the names a noderange means ([`noderange`]), what a command
//! changes ([`change`]) or shows ([`query`]), how definitions come in and go out ([`exchange`]), who
//! may ask for what ([`policy`]), what each service node holds ([`mod@derive`]) and whether it has it
//! yet ([`delivery`]), and what follows for names, addresses and networks ([`make`]).
//!
//! **Invariant**: this crate is pure: commands and snapshots in, changes and text out.
#![forbid(unsafe_code)]

pub mod audit;
pub mod change;
pub mod csv;
pub mod delivery;
pub mod derive;
pub mod exchange;
pub mod make;
pub mod model;
pub mod noderange;
pub mod past;
pub mod policy;
pub mod query;
pub mod table;
pub mod template;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod fixture;
