//! What the rack services say and decide: bytes and a slice in, bytes and actions out.
//!
//! The same file names mean the same thing in every service: `wire` is bytes ⇄ types, `view` is
//! the slice indexed for this service, `machine` (or `answer`, where there is no memory) is events
//! in and actions out. The sockets and files are in the crate `sn`.
//!
//! **Invariant**: pure. No socket, file, clock or random source; bytes from a network never panic.
#![forbid(unsafe_code)]

pub mod agent;
pub mod boot;
pub mod dhcp;
pub mod dns;
pub mod export;
pub mod http;
pub mod inbox;
pub mod ntp;
pub mod peer;
pub mod syslog;
pub mod tftp;
