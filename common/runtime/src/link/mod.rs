//! Links: QUIC connections between parties that have shown certificates of one authority.
//!
//! [`identity`] is who one is (a folder with key, certificate and authority); [`authority`] issues
//! certificates and is the management node's alone; [`endpoint`] listens and connects; [`stream`]
//! carries frames; [`join`] turns a stranger with a token into a member.

pub mod authority;
pub mod endpoint;
pub mod identity;
pub mod join;
pub mod stream;
