//! Reading the journal while the writer writes.

use std::ops::RangeInclusive;

use common::id::Revision;
use mn_core::table::{Edit, Tables};

use super::{Record, StoreError, engine};

/// A reader of the journal. Costs nothing to clone; never waits for a commit.
#[derive(Clone, Debug)]
pub struct History {
    db: sled::Db,
}

impl History {
    pub(super) const fn new(db: sled::Db) -> Self {
        Self { db }
    }

    /// The transaction of a revision; none where there is none.
    ///
    /// It may be one that is being written this moment. Who must not show that bounds the revision
    /// by the model's.
    ///
    /// # Errors
    /// When the record is damaged or the disk refuses.
    pub fn record(&self, revision: Revision) -> Result<Option<Record>, StoreError> {
        Ok(engine::record(&self.db, revision)?.map(|(record, _)| record))
    }

    /// The transactions of a range, oldest first, read one by one as they are asked for.
    pub fn range(
        &self,
        revisions: RangeInclusive<Revision>,
    ) -> impl Iterator<Item = Result<Record, StoreError>> {
        let (first, last) = revisions.into_inner();
        let numbers = first.value().max(1)..=last.value();
        numbers.map_while(|number| self.record(Revision::new(number)).transpose())
    }

    /// The tables as they were at `revision`, from those at `now`, which is later.
    ///
    /// # Errors
    /// When a record between is damaged or the disk refuses.
    pub fn tables_at(&self, now: (Revision, &Tables), revision: Revision) -> Result<Tables, StoreError> {
        let mut tables = now.1.clone();
        for number in (revision.value() + 1..=now.0.value()).rev() {
            let Some(record) = self.record(Revision::new(number))? else { continue };
            record.edits.iter().rev().map(Edit::inverse).for_each(|edit| tables.apply(&edit));
        }
        Ok(tables)
    }
}
