//! What the boot HTTP server says: which file, which part of it, to whom (RFC 9110).
//!
//! | module | what |
//! |---|---|
//! | [`path`] | the request's target as a path in the served tree |
//! | [`range`] | which part of a file is wanted, and whether the client has it already |
//! | [`view`] | the slice, indexed for these questions |
//! | [`mod@answer`] | the answer, as plain data |
//!
//! Bytes on the connection are a library's business; whether a file's content is on the disk yet
//! is the shell's. There is no directory listing, and nothing can be uploaded.

pub mod answer;
pub mod path;
pub mod range;
pub mod view;

pub use answer::{Answer, Body, Request, answer};
pub use view::View;
