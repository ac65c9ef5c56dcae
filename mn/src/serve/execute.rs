//! A command is carried out: a question on a snapshot, a change through the writer, an operation in
//! steps.

use std::sync::Arc;

use common::id::Revision;
use common::report::Refusal;
use common::slice::Role;
use mn_core::Read;
use mn_core::audit::Entry;
use mn_core::command::{Asked, Command, Lsslice, Mode, Query, What};
use mn_core::delivery::Standing;
use mn_core::model::Model;
use mn_core::query::{self, SliceState};
use tokio::task::JoinError;

use super::{lsmn, prune};
use crate::ground::{Ground, perform};
use crate::operate;
use crate::push::{PeerView, View};
use crate::store::book::BookError;
use crate::{audit, past};

/// Carries out what is asked; gives the exit status.
pub(super) async fn execute(ground: &Ground, asked: Asked) -> u8 {
    match asked {
        Asked::Query(Query::Lsslice(args)) => lsslice(ground, &args).await,
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

async fn lsslice(ground: &Ground, args: &Lsslice) -> u8 {
    let delivery = &ground.site.delivery;
    // Just after its start the daemon does not know yet what each of them shall hold.
    let first = tokio::time::timeout(ground.site.wait, delivery.derived(Revision::new(1))).await;
    let view = first.ok().flatten().unwrap_or_else(|| delivery.view());
    let unknown = args.service_nodes.iter().find(|name| !view.peers.contains_key(name.as_str()));
    if let Some(name) = unknown {
        let refusal = Refusal::new("is no service node").about(name);
        return ground.refuse(&[refusal.attempt("lsslice, to see them all")]).await;
    }
    let states = states(&view, &args.service_nodes);
    let mut lines = Vec::new();
    let status = query::lsslice(&states, &ground.context, &mut |line| lines.push(line));
    let _ = ground.replies.lines(lines).await;
    status
}

fn states(view: &View, only: &[String]) -> Vec<SliceState> {
    let chosen =
        view.peers.iter().filter(|(sn, _)| only.is_empty() || only.iter().any(|name| name == sn.as_str()));
    chosen.map(|(sn, peer)| state(view, sn, peer)).collect()
}

fn state(view: &View, sn: &common::id::SnName, peer: &PeerView) -> SliceState {
    let owned = peer.outline.roles().filter(|role| *role == Role::Owner).count();
    let faults = match &peer.standing {
        Standing::Refused(reasons) => reasons.iter().map(|reason| fault(reason)).collect(),
        _ => Vec::new(),
    };
    SliceState {
        service_node: sn.clone(),
        connected: peer.is_connected(),
        desired: peer.stamp.as_ref().map(|stamp| stamp.generation).unwrap_or_default(),
        acknowledged: peer.held.as_ref().map(|held| held.generation),
        digest: peer.held.as_ref().map(|held| held.digest.to_string()),
        owned,
        held: peer.outline.roles().count() - owned,
        faults,
        revision: view.revision,
    }
}

/// A reason as a service node gives it: the service, then what it cannot do.
fn fault(reason: &str) -> (String, String) {
    let (service, text) = reason.split_once(':').unwrap_or(("slice", reason));
    (service.trim().to_owned(), text.trim().to_owned())
}
