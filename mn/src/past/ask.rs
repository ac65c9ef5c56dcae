//! Questions about the past, each answered line by line from a thread of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::id::Revision;
use common::report::Refusal;
use mn_core::audit::Entry;
use mn_core::command::{Diff, Explain, History as Asked, Query, When};
use mn_core::model::Model;
use mn_core::past::{self, Names};
use mn_core::query;
use mn_core::table::schema::TABLES;
use mn_core::table::{RowKey, TableId};
use mn_core::talk::Line;
use tracing::error;

use super::pace::Pace;
use super::show::{Chosen, Event};
use super::{fault, model, revision, setter, times};
use crate::audit;
use crate::ground::Ground;
use crate::store::{History, StoreError};

/// Answers a question as it would have been answered then; gives the exit status.
pub(crate) async fn at(ground: &Ground, when: When, query: Query) -> u8 {
    match query {
        Query::Explain(args) => return explain(ground, args, Some(when)).await,
        Query::History(_) | Query::Diff(_) => {
            let refusal = Refusal::new("--at means nothing here: this command is about the past itself");
            return ground.refuse(&[refusal.attempt("mn history A..B, or mn diff A..B")]).await;
        }
        Query::Lsslice(_) => {
            let refusal = Refusal::new("what service nodes held is not kept")
                .because("the history knows definitions, not what was delivered")
                .attempt("lsslice without --at, or mn history for what was changed");
            return ground.refuse(&[refusal]).await;
        }
        _ => {}
    }
    let log = match query.is_about_audit() {
        false => None,
        true => match ground.site.audit.chosen(|entry| !entry.skipped && was_given(entry, when)).await {
            Ok(entries) => Some(entries),
            Err(refusal) => return ground.refuse(&[refusal]).await,
        },
    };
    let (context, daemon) = (ground.context.clone(), ground.site.daemon());
    let states = ground.site.states.clone();
    answer(ground, move |history, now, out, _| {
        let mut model = model(&states, history, &now, when)?;
        if let Some(entries) = log {
            model = Arc::new(audit::lay_in(&model, &entries));
        }
        if let Query::Lsmn(args) = query {
            query::lsmn(&model, &daemon, args, &context, out);
            return Ok(0);
        }
        Ok(query::answer(&model, &query, &context, out))
    })
    .await
}

/// Whether a command had been given then.
fn was_given(entry: &Entry, when: When) -> bool {
    match when {
        When::Time(time) => entry.at <= time,
        When::Revision(revision) => entry.seen <= revision,
    }
}

/// Runs `explain`; gives the exit status.
pub(crate) async fn explain(ground: &Ground, args: Explain, when: Option<When>) -> u8 {
    let (context, states) = (ground.context.clone(), ground.site.states.clone());
    answer(ground, move |history, now, out, _| {
        let model = match when {
            Some(when) => model(&states, history, &now, when)?,
            None => now,
        };
        let times = times(&args.zone, context.view.json);
        let mut walk = history.walk();
        let mut failed = None;
        let mut setters = |table: TableId, key: &RowKey, column: &str| {
            let found = setter(&mut walk, (table, key, column), model.revision());
            found.map_err(|error| failed = Some(error)).ok().flatten()
        };
        let status = past::explain::answer(&model, &args, &context, (&mut setters, &times), out);
        failed.map_or(Ok(status), |error| Err(fault(&error)))
    })
    .await
}

/// Runs `diff`; gives the exit status.
pub(crate) async fn diff(ground: &Ground, args: Diff) -> u8 {
    let context = ground.context.clone();
    answer(ground, move |history, now, out, pace| {
        past::diff::tables(&args.tables)?;
        let names = args.objects.as_ref().map(|range| past::names(&now, range)).transpose()?;
        let end =
            |when: Option<When>, otherwise| when.map_or(Ok(otherwise), |when| revision(history, &now, when));
        let oldest = history.oldest().map_err(|error| fault(&error))?;
        let from = end(args.span.from, Revision::new(oldest.value().saturating_sub(1)))?;
        let to = end(args.span.to, now.revision())?;
        let (first, last) = (from.min(to), from.max(to));
        let total = last.value() - first.value();
        let edits = history.between_with(first, last, |at| pace.at(at.value() - first.value(), total));
        let mut edits = edits.map_err(|error| fault(&error))?;
        if from > to {
            edits = edits.iter().map(mn_core::table::Edit::inverse).collect();
        }
        past::diff::show(&edits, &args, names.as_ref(), &context, out);
        Ok(0)
    })
    .await
}

/// Runs `history`; gives the exit status.
pub(crate) async fn history(ground: &Ground, args: Asked) -> u8 {
    let context = ground.context.clone();
    let log = if args.is_about_commands() { Some(ground.site.audit.back().await) } else { None };
    answer(ground, move |history, now, out, pace| {
        past::diff::tables(&args.tables)?;
        let times = times(&args.zone, context.view.json);
        if let Some(number) = args.one {
            let deed = super::show::one(history, &now, number)?;
            past::list::one(&deed, args.stat, &context, &times, out);
            return Ok(0);
        }
        let names = args.objects.as_ref().map(|range| past::names(&now, range)).transpose()?;
        let chosen = Chosen::new(history, &now, (&args, &context.server), names.as_ref(), log, pace)?;
        let table = past::list::Table::new(now.revision(), &context);
        table.head().into_iter().for_each(&mut *out);
        chosen.each(pace, |event| {
            out(match event {
                Event::Deed(deed, entry) => table.line(deed, entry.as_deref(), &times),
                Event::Given(entry) => table.given(entry, &times),
            });
        })?;
        Ok(0)
    })
    .await
}

/// How many revisions completion offers.
const OFFERED: usize = 20;

/// The newest revisions that begin with these digits, each with its command; gives the exit status.
pub(crate) async fn revisions(ground: &Ground, prefix: String) -> u8 {
    answer(ground, move |history, now, out, _| {
        // Looked for among so many only: a tab must not read the whole journal.
        let first = Revision::new(now.revision().value().saturating_sub(10_000));
        let revisions = (first.value().max(1)..=now.revision().value()).rev().map(Revision::new);
        let fitting = revisions
            .filter(|revision| revision.to_string().starts_with(&prefix))
            .filter_map(|revision| history.brief(revision).ok().flatten())
            .filter(|brief| brief.author != "mn");
        for brief in fitting.take(OFFERED) {
            let deed = super::deed_in_brief(brief);
            out(Line::Out(format!("{}\t{}", deed.revision, deed.command())));
        }
        Ok(0)
    })
    .await
}

/// Answers on a thread that may block; a refusal is said and recorded nowhere, as for all questions.
async fn answer(
    ground: &Ground,
    make: impl FnOnce(&History, Arc<Model>, &mut dyn FnMut(Line), &mut Pace) -> Result<u8, Refusal>
    + Send
    + 'static,
) -> u8 {
    let (history, now, command) =
        (ground.site.book.history().clone(), ground.model(), ground.command().to_owned());
    let answer = move |out: &mut dyn FnMut(Line), progress| {
        make(&history, now, out, &mut Pace::new(progress)).unwrap_or_else(|refusal| {
            out(Line::Err(refusal.render(&command)));
            1
        })
    };
    ground.replies.stream(answer).await
}

/// The revisions that touched a row of one of these objects, from `first` to `last`.
pub(super) fn touching(
    history: &History,
    now: &Model,
    names: &Names,
    (first, last): (Revision, Revision),
    pace: &mut Pace,
) -> Result<BTreeSet<Revision>, StoreError> {
    let mut wanted = Vec::new();
    for table in TABLES.iter().map(mn_core::table::Table::id) {
        let mut rows = BTreeSet::new();
        for name in names.iter() {
            rows.extend(history.rows_under(table, name)?);
        }
        if let Some(column) = past::naming_column(table) {
            let named = now.tables().rows(table).filter(|(_, row)| {
                row.cell(column).is_some_and(|name| names.iter().any(|known| known == name))
            });
            rows.extend(named.map(|(key, _)| key.clone()));
        }
        wanted.extend(rows.into_iter().map(|row| (table, row)));
    }
    let total = last.value().saturating_sub(first.value());
    history.touching(wanted, (first, last), |at| pace.at(last.value().saturating_sub(at.value()), total))
}

/// Says in the log that a part of the history is damaged.
pub(super) fn report(damage: &StoreError) {
    error!(
        error = %common::report::chain(damage),
        "a part of the history is damaged; definitions are not concerned, and history --prune takes it out"
    );
}
