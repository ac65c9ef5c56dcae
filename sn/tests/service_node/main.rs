//! The program `sn` with a management node, agents and peers that say whatever a test wants.

mod agents;
mod fake;
mod pool;
mod slices;
