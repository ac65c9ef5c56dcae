//! What follows from the definitions for names and addresses: the `make…` commands, but
//! `makenetworks`, which changes definitions ([`crate::change::networks`]).
//!
//! xCAT's write files that its daemons read. Here service nodes serve from their slices, so that the
//! hosts file alone is written ([`hosts`]); for DNS ([`dns`]) and DHCP ([`dhcp`]) the definitions are
//! looked at for what is missing, and the daemon asks whether the service nodes hold them.

pub mod dhcp;
pub mod dns;
pub mod hosts;
mod served;

pub use self::served::Answers;

#[cfg(test)]
mod tests;
