//! What follows from the definitions for names, addresses and networks: the `make…` commands.
//!
//! xCAT's write files that its daemons read. Here service nodes serve from their slices, so that
//! only the hosts file is written ([`hosts`]) and only networks are added ([`networks`]); for DNS and
//! DHCP the definitions are looked at for what is missing ([`served`]), and the daemon asks whether
//! the service nodes have them.

pub mod hosts;
