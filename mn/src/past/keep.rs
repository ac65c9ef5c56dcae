//! How long history is kept, and that what is kept is sound.
//!
//! `site.historydays` and `site.historycount` bound it; without them it is a million revisions,
//! which a start reads in the background within seconds. What is older than the bounds is forgotten
//! once an hour.

use std::time::Duration;

use common::id::Revision;
use mn_core::change::Outcome;
use mn_core::command::{Forget, When};
use mn_core::draft::Change;
use mn_core::model::Model;
use mn_core::talk::Talk;
use runtime::supervise::BoxError;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ask::report;
use super::{fault, local};
use crate::ground::{Ground, perform};
use crate::store::book::{Book, BookError};
use crate::store::{History, IDLE, States};

/// How often the bounds are looked at.
const LOOK: Duration = Duration::from_secs(3600);

/// How many revisions are kept where nobody says.
const COUNT: u64 = 1_000_000;

/// Checks the journal once, then keeps it within its bounds until `stop`; lets go of earlier states
/// that nobody looks at any more.
///
/// # Errors
/// When the daemon's writer has ended.
pub(crate) async fn keep(book: Book, states: States, stop: CancellationToken) -> Result<(), BoxError> {
    let (history, newest) = (book.history().clone(), book.read().revision());
    let checked = tokio::task::spawn_blocking(move || history.verify(newest)).await?;
    checked.unwrap_or_else(|damage| report(&damage));
    loop {
        let (history, model) = (book.history().clone(), book.read());
        let last = tokio::task::spawn_blocking(move || bound(&history, &model)).await?;
        match last {
            Ok(None) => {}
            Ok(Some(last)) => match book.forget(last).await {
                Ok(0) => {}
                Ok(count) => info!(count, through = %last, "old history was forgotten"),
                // Said already, and tried again in an hour.
                Err(BookError::NoRoom) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => report(&error),
        }
        let looked = runtime::clock::now();
        while runtime::clock::now().since(looked) < LOOK {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(IDLE) => states.forget(),
            }
        }
    }
}

/// The last revision that is past the bounds.
fn bound(history: &History, model: &Model) -> Result<Option<Revision>, crate::store::StoreError> {
    let number = |key: &str| {
        let text = model.site(key)?.trim();
        text.parse::<u64>().map_err(|_| warn!(key, text, "a setting of the site is no number")).ok()
    };
    let count = number("historycount").unwrap_or(COUNT).max(1);
    let mut last = model.revision().value().saturating_sub(count);
    if let Some(days) = number("historydays").filter(|days| *days > 0) {
        let before = runtime::clock::unix_seconds().saturating_sub(days.saturating_mul(86_400));
        last = last.max(history.at_time(before, model.revision())?.value());
    }
    Ok((last >= history.oldest()?.value()).then_some(Revision::new(last)))
}

/// Runs `history --prune`; gives the exit status.
pub(crate) async fn forget(ground: &Ground, args: Forget) -> u8 {
    let (history, now) = (ground.site.book.history().clone(), ground.model());
    let before = args.before;
    let found = tokio::task::spawn_blocking(move || {
        // A revision is kept itself; of a time, the state then is kept, and what came after it.
        let first_kept = match (before, super::revision(&history, &now, before)?) {
            (When::Time(_), state) => state.next().min(now.revision()),
            (When::Revision(_), revision) => revision,
        };
        let oldest = history.oldest().map_err(|error| fault(&error))?;
        let begins = history.brief(first_kept.max(oldest)).map_err(|error| fault(&error))?;
        Ok((first_kept, oldest, begins.map(|brief| brief.at)))
    });
    let (first_kept, oldest, at) = match found.await {
        Ok(Ok(found)) => found,
        Ok(Err(refusal)) => return ground.refuse(&[refusal]).await,
        Err(_) => return 1,
    };
    let last = Revision::new(first_kept.value().saturating_sub(1));
    let count = (last.value() + 1).saturating_sub(oldest.value());
    let context = ground.context.clone();
    let dry_run = args.mode.dry_run;
    let since = at.map(local).unwrap_or_default();
    let status = perform(ground, args.mode, move |_| {
        let mut talk = Talk::new(&context);
        let forgets = if dry_run { "Would forget" } else { "Forgets" };
        talk.info(format!("{forgets} {count} revisions; the history begins at {first_kept}, {since}."));
        talk.record(|| json!({"forgotten": count, "oldest": first_kept.value()}));
        let outcome: Outcome = talk.finish(None::<Change>);
        outcome
    })
    .await;
    if status != 0 || dry_run || count == 0 {
        return status;
    }
    match ground.site.book.forget(last).await {
        Ok(_) => 0,
        Err(error) => ground.fault(&error).await,
    }
}
