//! `undo`: the revisions are read, and taking them back is planned and committed as any change.

use common::id::Revision;
use common::report::Refusal;
use mn_core::command::{Undo, When};
use mn_core::model::Model;
use mn_core::past::{Deed, undo};
use mn_core::table::{RowKey, TableId};

use super::{deed, fault, revision, setter};
use crate::ground::Ground;
use crate::ground::perform;
use crate::store::History;

/// How many rows an undo may be about: all of a large cluster, several times over.
const MOST: usize = 2_000_000;

/// Runs `undo`; gives the exit status.
pub(crate) async fn undo(ground: &Ground, args: Undo) -> u8 {
    let (history, now) = (ground.site.book.history().clone(), ground.model());
    let reading = tokio::task::spawn_blocking({
        let history = history.clone();
        move || deeds(&history, &now, &args)
    });
    let deeds = match ground.replies.patiently("reading the history", reading).await {
        Ok(Ok(deeds)) => deeds,
        Ok(Err(refusal)) => return ground.refuse(&[refusal]).await,
        // The thread panicked, which the log tells.
        Err(_) => return 1,
    };
    let context = ground.context.clone();
    perform(ground, args.mode, move |model| {
        let mut walk = history.walk();
        let mut later = |table: TableId, key: &RowKey, column: &str| {
            // What is being committed in this moment is not in the journal yet; the advice that goes
            // with the refusal leads there.
            setter(&mut walk, (table, key, column), model.revision()).ok().flatten()
        };
        undo::plan(model, &args, &deeds, &context, &mut later)
    })
    .await
}

/// The transactions that are to be taken back, oldest first.
fn deeds(history: &History, now: &Model, args: &Undo) -> Result<Vec<Deed>, Refusal> {
    let oldest = history.oldest().map_err(|error| fault(&error))?;
    let first = match args.span.from {
        Some(When::Time(time)) => {
            // What is forgotten is not silently left out.
            revision(history, now, When::Time(time))?;
            history.at_time(time.saturating_sub(1), now.revision()).map_err(|error| fault(&error))?.next()
        }
        Some(when) => revision(history, now, when)?.max(Revision::new(1)),
        None => return Err(Refusal::new("say where to begin").attempt("undo 812, or undo 810..812")),
    };
    let last = match args.span.to {
        Some(when) => revision(history, now, when)?,
        None if args.is_one => first,
        None => now.revision(),
    };
    if first < oldest {
        return Err(super::forgotten(history, oldest, &format!("revision {first}")));
    }
    if first == Revision::new(1) {
        return Err(Refusal::new("revision 1 made the management node; it cannot be taken back")
            .attempt("undo 2.., or a later one"));
    }
    if last < first {
        return Err(Refusal::new("the span is empty").because(format!("{last} is before {first}")));
    }
    let mut deeds = Vec::new();
    let mut rows = 0;
    for record in history.range(first..=last) {
        let deed = deed(record.map_err(|error| fault(&error))?);
        rows += deed.edits.len();
        if rows > MOST {
            return Err(Refusal::new(format!("this is about more than {MOST} rows"))
                .attempt("take back fewer revisions at once"));
        }
        deeds.push(deed);
    }
    Ok(deeds)
}
