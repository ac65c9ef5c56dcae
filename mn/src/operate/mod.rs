//! Commands of several steps: they change, wait for service nodes, ask them, and change again.
//!
//! What each step is, is decided in `mn_core`; here it is carried out, on a [`Ground`]. No step holds
//! anything across a wait: each plans anew on the newest model, so that a command that is cut off
//! leaves a state from which it can be repeated.

mod agent;
mod errand;
pub(crate) mod makehosts;
mod makenetworks;
mod nodestat;
mod operator;
mod served;
pub mod snmove;
mod speaker;
mod sync;
mod token;
mod updatenode;

use mn_core::command::Operation;

use crate::ground::Ground;
use crate::past;

/// Carries out an operation; gives the exit status.
pub(crate) async fn run(ground: &Ground, operation: Operation) -> u8 {
    match operation {
        Operation::Makedhcp(args) => served::dhcp(ground, args).await,
        Operation::Makedns(args) => served::dns(ground, args).await,
        Operation::Makehosts(args) => makehosts::run(ground, args).await,
        Operation::Makenetworks(args) => makenetworks::run(ground, args).await,
        Operation::Forget(args) => past::forget(ground, args).await,
        Operation::Nodestat(args) => nodestat::run(ground, args).await,
        Operation::Operator(args) => operator::run(ground, args).await,
        Operation::TokenCreate(args) => token::run(ground, args).await,
        Operation::Undo(args) => past::undo(ground, args).await,
        Operation::Updatenode(args) => updatenode::run(ground, args).await,
        Operation::Snmove(args) => snmove::run(ground, args).await,
    }
}
