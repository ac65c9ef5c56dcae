//! What a command changes: the planners.
//!
//! A command is planned on a [`Draft`] of the newest model, object by object; an object that is
//! refused is rolled back and the others stay (xCAT's way; `--atomic` makes it all or nothing).
//! What is left becomes a [`Change`] on a named revision, and the text to say once it is durable.
//!
//! Nothing here waits, sends or stores: `mn` commits the change and prints the [`Outcome`].
//!
//! [`Change`]: crate::draft::Change
//! [`Draft`]: crate::draft::Draft

pub(crate) mod define;
pub(crate) mod delete;
mod diff;
pub mod networks;
pub(crate) mod nodes;
pub mod nodeset;
pub mod nodestat;
mod outcome;
pub mod ownership;
mod rename;
pub(crate) mod rows;
pub mod snmove;
pub mod updatenode;
pub(crate) mod verify;
pub(crate) mod write;

pub(crate) use self::diff::attribute_name;
pub use self::diff::{Difference, cell_differences, differences};
pub use self::outcome::Outcome;
pub use self::rows::rebased;

#[cfg(test)]
mod tests;
