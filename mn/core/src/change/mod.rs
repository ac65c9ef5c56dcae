//! What a command changes: the only place where a [`Change`] is made.
//!
//! A [`Command`] is planned on a [`Draft`] of the newest model, object by object; an object that
//! is refused is rolled back and the others stay (xCAT's way; `--atomic` makes it all or nothing).
//! What is left becomes a [`Change`] on a named revision, and the text to say once it is durable.
//!
//! Nothing here waits, sends or stores: `mn` commits the change and prints the [`Outcome`].

mod command;
pub(crate) mod define;
pub(crate) mod delete;
mod diff;
mod draft;
pub mod networks;
mod nodes;
pub mod nodeset;
pub mod nodestat;
mod outcome;
pub mod ownership;
mod range;
mod rename;
pub(crate) mod rows;
pub mod snmove;
pub(crate) mod stanza;
pub mod undo;
pub mod updatenode;
mod verify;
pub(crate) mod write;

pub use self::command::{
    Asked, Command, Define, Derivation, ListEdit, Mode, Nodech, Noderm, Nodeset, Nodestat, Operation,
    Operator, Range, Rmdef, Sent, Snmove, TokenCreate, Updatenode,
};
pub use self::command::{DhcpTask, Makedhcp, Makedns, Makehosts, Makenetworks};
pub use self::command::{Forget, Undo};
pub use self::diff::{Difference, cell_differences, differences};
pub use self::draft::{Change, Draft, Savepoint, merged};
pub use self::outcome::{Context, Line, Outcome, Talk, error, warning};
pub use self::range::Chosen;
pub use self::rows::{
    Assignment, Given, How, Prune, RestoreDb, Tabch, TabchAction, Tabprune, Tabrestore, rebased,
};

use crate::model::Model;

/// Plans a command on a model.
pub fn plan(model: &Model, command: &Command, context: &Context) -> Outcome {
    match command {
        Command::Apply(args) => crate::exchange::apply::plan(model, args, context),
        Command::Import(args) => crate::exchange::import::plan(model, args, context),
        Command::Mkdef(args) => define::plan(model, define::Verb::Make, args, context),
        Command::Chdef(args) => define::plan(model, define::Verb::Change, args, context),
        Command::Rmdef(args) => delete::plan(model, args, context),
        Command::Nodeadd(args) => nodes::add(model, args, context),
        Command::Nodech(args) => nodes::change(model, args, context),
        Command::Nodegrpch(args) => nodes::change_groups(model, args, context),
        Command::Noderm(args) => nodes::remove(model, args, context),
        Command::Nodeset(args) => nodeset::plan(model, args, context),
        Command::RestoreDb(args) => rows::database(model, args, context),
        Command::Tabch(args) => rows::tabch(model, args, context),
        Command::Tabprune(args) => rows::prune(model, args, context),
        Command::Tabrestore(args) => rows::table(model, args, context),
    }
}

#[cfg(test)]
mod tests;
