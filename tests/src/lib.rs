//! Whole clusters on one machine: the harness of the rehearsal and of the system tests.
//!
//! | module | what it is for |
//! |---|---|
//! | [`sandbox`] | user, mount, pid and network namespaces of our own; nothing outlives them |
//! | [`net`] | hosts as network namespaces, joined by a bridge |
//! | [`process`] | daemons and commands inside a host |
//! | [`programs`], [`packages`] | our programs, and the clients that nobody here wrote |
//! | [`attack`] | what a hostile machine sends |
//! | [`mod@bench`] | what a large site costs |
//! | [`chance`], [`generated`] | inputs by the million, made by grammars, and what they cost |
//! | [`client`] | one question of one real client, and its answer |
//! | [`server`] | servers of others that ours work with |
//! | [`cluster`] | a management node, service nodes and compute nodes |
//! | [`fleet`] | the agents of a cluster |
//! | [`scenario`] | commands in, a transcript out |
//! | `still` | a recorded program brought to a standstill |
//! | [`stage`] | a cluster set up and ready, with files and guests |
//! | [`story`] | checks with names and times, told on a terminal or as JSON |
//! | [`kill`] | a daemon killed in the middle of a command |
//! | [`powerloss`] | what a disk may hold after a power cut, replayed |
//! | [`wait`] | until a condition holds, with a long limit |
//!
//! **Invariant**: traffic stays on loopback and in namespaces made here.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "tests run on the machine's own clock and threads")]

pub mod attack;
pub mod bench;
pub mod chance;
pub mod client;
pub mod cluster;
pub mod fleet;
pub mod generated;
pub mod kill;
pub mod net;
pub mod packages;
pub mod powerloss;
pub mod process;
pub mod programs;
pub mod rehearsal;
pub mod sandbox;
pub mod scenario;
pub mod server;
pub mod stage;
mod still;
pub mod story;
pub mod wait;

/// What goes wrong in a harness: said once, for a person.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// The result of a step of the harness.
pub type Result<T> = std::result::Result<T, Error>;
