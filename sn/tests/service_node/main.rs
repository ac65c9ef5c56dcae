//! The program `sn` with a management node, agents and peers that say whatever a test wants.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agents;
mod fake;
mod pool;
mod slices;
