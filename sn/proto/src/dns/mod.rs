//! DNS (RFC 1034, 1035): names and addresses of the slice, and who may ask for the rest.
//!
//! A service node is authoritative for the site's domain, the domains of its networks and nodes,
//! and the reverse zones of its networks. It answers every node of the slice, whatever its role:
//! a node in the middle of a move must not lose its resolver, and names do not change with an
//! owner. What is in none of its zones is forwarded for clients on its own networks.
//!
//! - [`View`] is the slice as answers that are encoded already, in one hash map by name.
//! - [`answer()`] is a packet in and a [`Verdict`] out: bytes to send, a question to forward, or
//!   silence. It has no memory.
//!
//! Deliberately absent: zone transfer and update (the slice is the only way in), DNSSEC, and
//! AAAA records (the slice has no IPv6 addresses of nodes; the answer is "no data").
//!
//! **Invariants**: no packet panics; nothing is answered to a response, so that two servers never
//! talk to each other for ever; a name that is not there costs hash lookups only, as one that is.

mod answer;
mod build;
mod name;
pub mod view;
mod wire;

pub use self::answer::{Transport, Verdict, answer};
pub use self::view::View;

#[cfg(test)]
mod tests;
