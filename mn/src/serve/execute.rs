//! A command is carried out: a question on a snapshot, a change through the writer, an operation in
//! steps.

use std::sync::Arc;

use common::report::Refusal;
use mn_core::Read;
use mn_core::audit::Entry;
use mn_core::command::{Asked, Command, Mode, Query, What};
use mn_core::model::Model;
use mn_core::query;
use tokio::task::JoinError;

use super::{lsmn, lsslice, prune};
use crate::ground::{Ground, perform};
use crate::operate;
use crate::store::book::BookError;
use crate::{audit, past};

/// Carries out what is asked; gives the exit status.
pub(super) async fn execute(ground: &Ground, asked: Asked) -> u8 {
    match asked {
        Asked::Query(Query::Lsslice(args)) => lsslice::run(ground, args).await,
        Asked::Query(Query::Diff(args)) => past::diff(ground, args).await,
        Asked::Query(Query::Explain(args)) => past::explain(ground, args, None).await,
        Asked::Query(Query::Lsmn(args)) => lsmn::run(ground, args).await,
        Asked::Query(Query::History(args)) => past::history(ground, args).await,
        Asked::Query(Query::Names(args)) if args.what == What::Revisions => {
            past::revisions(ground, args.prefix).await
        }
        Asked::Query(query) => ask(ground, query).await,
        Asked::Past(when, query) => past::at(ground, when, query).await,
        Asked::Change(command) => change(ground, command).await,
        Asked::Operate(operation) => operate::run(ground, operation).await,
    }
}

/// Answers a question from a snapshot.
async fn ask(ground: &Ground, query: Query) -> u8 {
    let (model, context) = match read_logs(ground, &query).await {
        Ok(model) => (model, ground.context.clone()),
        Err(refusal) => return ground.refuse(&[refusal]).await,
    };
    ground.replies.stream(move |out, _| query::answer(&model, &query, &context, out)).await
}

/// The model, with the audit log in it where the question is about that.
async fn read_logs(ground: &Ground, query: &Query) -> Result<Arc<Model>, Refusal> {
    if query.is_about_audit() { with_audit(ground, |entry| !entry.skipped).await } else { Ok(ground.model()) }
}

/// The model with the entries of the audit log in it that are wanted.
pub(super) async fn with_audit(
    ground: &Ground,
    is_wanted: impl Fn(&Entry) -> bool,
) -> Result<Arc<Model>, Refusal> {
    let entries = ground.site.audit.chosen(is_wanted).await?;
    Ok(Arc::new(audit::lay_in(&ground.model(), &entries)))
}

async fn change(ground: &Ground, command: Command) -> u8 {
    let mode = mode(&command);
    if matches!(command, Command::Nodeset(_)) {
        // What it arms must be what is in the tree now.
        ground.site.content.rescan().await;
    }
    if prune::is_for_audit(&command) {
        return prune::prune(ground, command).await;
    }
    let Ok((command, read)) = read_files(command).await else { return ground.fault(&BookError::Bug).await };
    let context = ground.context.clone();
    perform(ground, mode, move |model| mn_core::plan_read(model, &command, read, &context)).await
}

/// The command with what its files say: read before the writer is asked, who would have to wait.
async fn read_files(command: Command) -> Result<(Command, Read), JoinError> {
    if !Read::is_needed(&command) {
        return Ok((command, Read::default()));
    }
    tokio::task::spawn_blocking(move || {
        let read = Read::of(&command);
        (command, read)
    })
    .await
}

const fn mode(command: &Command) -> Mode {
    match command {
        Command::Mkdef(args) | Command::Chdef(args) => args.mode,
        Command::Apply(args) => args.mode,
        Command::Import(args) => args.mode,
        Command::Rmdef(args) => args.mode,
        Command::Nodeadd(args) | Command::Nodech(args) | Command::Nodegrpch(args) => args.mode,
        Command::Noderm(args) => args.mode,
        Command::Nodeset(args) => args.mode,
        Command::RestoreDb(args) => args.mode,
        Command::Tabch(args) => args.mode,
        Command::Tabprune(args) => args.mode,
        Command::Tabrestore(args) => args.mode,
    }
}
