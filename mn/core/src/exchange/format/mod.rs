//! What other systems write, read into [`super::definitions`].
//!
//! Each reader is a pure function of text: it never panics, takes time linear in the text, and says
//! of every line what it means or that it does not know.

pub(crate) mod perceus;
