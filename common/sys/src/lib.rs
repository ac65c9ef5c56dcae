//! System calls that have no safe wrapper in the crates we use: one safe function each.
//!
//! The only crate of the workspace that may say `unsafe`. Deliberately without any decision: what a
//! number means to a service is the service's to say.
#![deny(unsafe_op_in_unsafe_fn)]

mod clock_state;
mod memory;

pub use clock_state::{ClockError, ClockState, Leap, clock_state};
pub use memory::{give_back_memory, keep_large_apart, share_arenas};
