//! The management node's hosts file: which lines the definitions ask for ([`wanted()`]), and how the
//! file becomes one that has them ([`edit`]).
//!
//! A line is `ADDRESS NODE NODE.DOMAIN OTHERS`. Lines about other addresses and names are kept byte
//! for byte, whatever is in them; a line that is wanted stands where the line stood that it
//! replaces, so that doing it again changes nothing.

mod file;
mod line;
mod nics;
mod wanted;

#[cfg(test)]
mod tests;

pub use self::file::{Edited, delete, edit};
pub use self::line::{Entry, Style};
pub use self::wanted::{Wanted, wanted};
