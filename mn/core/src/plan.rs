//! Who plans which command: the one place that knows all planners.

mod read;

pub use self::read::Read;
use crate::change::{Outcome, define, delete, nodes, nodeset, rows};
use crate::command::Command;
use crate::exchange;
use crate::model::Model;
use crate::talk::Context;

/// Plans a command on a model.
pub fn plan(model: &Model, command: &Command, context: &Context) -> Outcome {
    plan_read(model, command, Read::default(), context)
}

/// The same, of a command whose files may be [read](Read::of).
pub fn plan_read(model: &Model, command: &Command, read: Read, context: &Context) -> Outcome {
    match command {
        Command::Apply(args) => exchange::apply::plan(model, args, &read.definitions(args), context),
        Command::Import(args) => exchange::import::plan(model, args, read.incoming(args), context),
        Command::Mkdef(args) => define::plan(model, define::Verb::Make, args, read.stanzas(args), context),
        Command::Chdef(args) => define::plan(model, define::Verb::Change, args, read.stanzas(args), context),
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
