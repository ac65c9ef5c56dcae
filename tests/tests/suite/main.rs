//! All system tests, in one program: each in a sandbox of its own.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "tests run on the machine's own clock")]

mod agents;
mod audit;
mod cli;
mod durability;
mod exchange;
mod harness;
mod nodes;
mod operators;
mod policy;
mod rehearsal;
mod scenarios;
mod security;
mod services;
mod snmove;
mod tables;
