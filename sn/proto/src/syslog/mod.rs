//! What the syslog receiver understands: where a message ends, whose it is, how urgent it is.
//!
//! | module | what |
//! |---|---|
//! | [`frame`] | messages out of a TCP stream (RFC 6587) |
//! | [`parse`] | the priority, and the rest as it came (RFC 3164, RFC 5424) |
//! | [`route`] | the sender's address to its node; the slice, indexed for that |
//!
//! A line is filed by the address it came from, never by what it says: a host name inside a
//! message is the sender's word, and many senders get it wrong. So nothing here has to take a
//! message apart, and a message that follows no RFC is as good as any other.

pub mod frame;
pub mod parse;
pub mod route;

pub use frame::Framer;
pub use parse::{Line, file_line};
pub use route::View;

/// The longest line that is kept, in bytes. RFC 5424 §6.1 wants 2,048 at least; this is what a
/// [`common::wire::push::LogLine`] may hold.
pub const MAX_LINE: usize = 8 * 1024;

/// What ends a line that was longer than [`MAX_LINE`].
pub const CUT_MARK: &[u8] = b" [cut by drover]";

/// Cuts a line to [`MAX_LINE`] with [`CUT_MARK`] at its end.
pub fn cut(line: &mut Vec<u8>) {
    if line.len() > MAX_LINE {
        line.truncate(MAX_LINE - CUT_MARK.len());
        line.extend_from_slice(CUT_MARK);
    }
}
