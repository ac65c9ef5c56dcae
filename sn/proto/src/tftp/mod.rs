//! TFTP, to read only: boot files for firmware and boot loaders (RFC 1350, 2347, 2348, 2349, 7440).
//!
//! Static files come from the slice, by their content; boot files are written on request
//! ([`crate::boot`]). A transfer is a [`machine::Transfer`]: it says which blocks to send, and the
//! shell reads and sends them.
//!
//! It does not take files (a write request is refused), and it has no multicast (RFC 2090).
//!
//! **Invariants**
//! - Only the owner serves a node's boot file, and only to an address that may be the node's: TFTP
//!   has no other proof. A join secret is never in it.
//! - Nothing outside the slice is served, whatever the path says.

pub mod machine;
pub mod options;
pub mod path;
pub mod view;
pub mod wire;
