//! What service nodes of a pool tell each other, and who falls silent for which node.
//!
//! [`Silence`] remembers the highest ownership epoch that was heard for each node. While it is
//! higher than the slice's, the slice that the services see says [`Role::Backup`] for that node:
//! it gets everything a backup gives and no answer that only an owner may give. [`Talk`] is one
//! conversation ([`common::wire::peer`]).
//!
//! **Invariants**
//! - A claim only ever silences; nothing a peer says makes this service node answer.
//! - What was silenced stays so, across restarts, until the slice has that epoch or a higher one.
//!
//! A claim is heard from any service node that the authority has certified, also from one that the
//! slice does not name: a node may have been moved to it while this one was cut off. The price is
//! that a stolen service node can silence others until the management node raises the epoch; it
//! can never make two answer.
//!
//! [`Role::Backup`]: common::slice::Role::Backup

mod silence;
mod talk;

pub use silence::{Heard, MAX_HEARD, Silence, claims};
pub use talk::{Reaction, Talk, TalkError};
