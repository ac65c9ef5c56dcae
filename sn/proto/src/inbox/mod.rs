//! How a service node takes in its slice: which push is applied, which is refused, and in which
//! order a new slice is checked, journalled, switched to and acknowledged.
//!
//! [`Machine`] decides; `sn::slice` verifies signatures, builds the views, writes the journal and
//! switches. The machine never sees a signature's key, a file or a clock.
//!
//! **Invariants**
//! - A slice older than the one held is refused; an equal generation with another digest is an
//!   alarm and changes nothing.
//! - A slice is switched to only after every service has checked it *and* it is on disk.
//! - What is held always has the digest of its stamp.

mod machine;

pub use machine::{Action, Event, Held, Limits, Machine};

#[cfg(test)]
mod tests;
