//! The service node: sockets, files, the slice journal and supervision around `sn-proto`.
//!
//! **Invariant**: a service node serves its last journalled slice before it has spoken to anyone.
#![forbid(unsafe_code)]

pub mod agents;
pub mod cli;
pub mod config;
pub mod content;
pub mod daemon;
pub mod dhcp;
pub mod dns;
pub mod export;
pub mod http;
pub mod interfaces;
pub mod link;
pub mod ntp;
pub mod peers;
mod places;
pub mod service;
pub mod slice;
pub mod status;
pub mod syslog;
#[cfg(test)]
mod testing;
pub mod tftp;
pub mod udp;
pub mod upstream;
