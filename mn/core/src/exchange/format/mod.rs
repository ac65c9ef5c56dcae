//! What other systems write, read into [`super::incoming`] and [`super::definitions`].
//!
//! Each reader is a pure function of text: it never panics, takes time linear in the text, bounds how
//! deep it goes, and says of whatever it does not take why.

pub(crate) mod ethers;
pub(crate) mod hosts;
pub(crate) mod isc;
pub(crate) mod perceus;
pub(crate) mod warewulf;
pub(crate) mod xcat;
