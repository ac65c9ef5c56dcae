//! Links: QUIC connections between parties that have shown certificates of one authority.
//!
//! [`identity`] is who one is (a file with key, certificate and authority); [`authority`] issues
//! certificates and is the management node's alone; [`endpoint`] listens and connects;
//! [`connection`] is a link that stands; [`stream`] carries frames, here and on unix sockets;
//! [`join`] turns a stranger with a token into a member; [`token`] is where that comes from.
//!
//! **Invariants**: a [`connection::Link`] exists only after the peer's certificate passed the
//! ordinary chain check against the one pinned authority and its [`identity::Role`] was read. No
//! early data (0-RTT) and no session tickets, so that every link proves its key anew. A peer's
//! certificate, however odd, is an error and never a panic.
//!
//! A **dialed link proves nothing until the first answer**: in TLS 1.3 the client is done before
//! the server has looked at the client's certificate, so `connect` succeeds even for a client that
//! the server is about to refuse. Treat it as usable once something has been received on it.

pub mod authority;
mod certificate;
pub mod connection;
mod crowd;
pub mod endpoint;
mod error;
pub mod identity;
pub mod join;
pub mod stream;
mod tls;
pub mod token;

pub use error::LinkError;

#[cfg(test)]
mod tests;
