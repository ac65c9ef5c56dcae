//! What a daemon needs to live on a host: the clock ([`clock`]), supervised tasks ([`supervise`]),
//! logs ([`log`]), signals ([`signal`]), limits ([`limits`]), folders and files that survive a power cut ([`disk`]),
//! waiting between attempts ([`backoff`]), and links between members ([`link`]).
//!
//! **Invariant**: nothing here knows what the messages on a link mean; it moves frames between
//! parties whose identity it has checked.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod clock;
pub mod disk;
pub mod limits;
pub mod link;
pub mod log;
pub mod signal;
pub mod supervise;
