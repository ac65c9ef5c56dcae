//! Definitions in and out: `export`, `apply` and `import`.
//!
//! Formats in ([`mod@format`] and [`text`]), [`definitions`] between, and planners that write them to a
//! draft: [`apply`] makes the objects that a file names exactly what it says, [`import`] adds what
//! another system knew to what is here. [`export`] writes what [`view`] sees, in the text that
//! `apply` reads.
//!
//! **Invariants**: what is exported and applied to an empty site exports the same again; what one
//! [`subject`] holds no other does; a command here changes everything that it names or nothing.

pub(crate) mod apply;
pub(crate) mod definitions;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod import;
pub(crate) mod incoming;
pub(crate) mod subject;
mod text;
pub(crate) mod verdict;
mod view;
mod write;

#[cfg(test)]
mod import_tests;
#[cfg(test)]
mod tests;

pub use self::format::isc::includes;
