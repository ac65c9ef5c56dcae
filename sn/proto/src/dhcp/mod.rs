//! DHCP for IPv4: addresses, options and boot files for the nodes of a rack (RFC 2131, 2132, 3046,
//! 4578, 6842).
//!
//! For a node of the slice the slice is the lease: nothing is written when it is answered, and a
//! service node that takes over knows all leases of its nodes already. Only addresses for
//! strangers, out of a network's dynamic ranges, are state ([`lease`]).
//!
//! It does not do DHCPv6, BOOTP clients without a message type, hardware other than Ethernet, or
//! answers by a backup while the owner is silent.
//!
//! **Invariants**
//! - A node is found by its hardware address, never by a client identifier: firmware, iPXE and the
//!   operating system send different ones, and a client can make one up.
//! - Only the owner answers a node, and only the owner refuses it (NAK). Of a node that another
//!   service node owns, and of a stranger, nothing is ever refused: after a move the node renews
//!   with the old owner, hears nothing, rebinds by broadcast, and the new owner acknowledges.
//! - An address for a stranger is on disk before the stranger is told that it may use it.

pub mod lease;
pub mod machine;
mod node;
mod options;
mod pxe;
mod stranger;
pub mod view;
pub mod wire;

#[cfg(test)]
mod tests;
