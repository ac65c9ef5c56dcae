//! NTP (RFC 5905): the time of this host, for the nodes of its networks.
//!
//! The host's clock is kept by whoever keeps it (chrony, as a rule); this is only the answering
//! side. What a reply claims comes from the kernel ([`Clock::from_kernel`]).
//!
//! Deliberately absent: every mode but client and server (a control or private request is never
//! answered), authentication, and "kiss of death" packets.
//!
//! **Invariants**: a reply is never longer than its request, so that nobody can use it to flood a
//! third; no packet panics; a stranger gets nothing.

mod answer;
mod clock;
pub mod view;

pub use self::answer::{Answer, LEN, answer};
pub use self::clock::{Clock, KernelClock, Leap, Timestamp};
pub use self::view::View;
