//! Reading the journal while the writer writes.
//!
//! Times are looked up as if they rose with the revisions; where a clock was set back, what is found
//! is some revision of about that time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use common::id::Revision;
use mn_core::draft::merged;
use mn_core::table::{Edit, Row, RowKey, TableId};

use super::page::{Found, Page};
use super::pending::Pending;
use super::{Brief, Record, StoreError, engine, key, load};

/// How many edits are gathered before those of one row become one.
const MERGED: usize = 50_000;

/// A reader of the journal. Costs nothing to clone; never waits for a commit.
#[derive(Clone, Debug)]
pub struct History {
    db: sled::Db,
    /// Rows that do not stand in their places yet. Looked at before those that do: a row leaves here
    /// when it stands there.
    pending: Pending,
}

/// One time that a row was touched.
#[derive(Clone, Debug)]
pub struct Touch {
    /// The transaction.
    pub record: Arc<Brief>,
    /// What the row was.
    pub before: Option<Row>,
    /// What it became.
    pub after: Option<Row>,
}

impl History {
    pub(super) const fn new(db: sled::Db, pending: Pending) -> Self {
        Self { db, pending }
    }

    /// The first revision whose transaction is kept. The state that it found is known too: it is the
    /// oldest that can be asked for.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn oldest(&self) -> Result<Revision, StoreError> {
        Ok(engine::base(&self.db)?.revision.next())
    }

    /// The transaction of a revision; none where there is none, or it is forgotten.
    ///
    /// It may be one that is being written this moment. Who must not show that bounds the revision
    /// by the model's.
    ///
    /// # Errors
    /// When the record is damaged or the disk refuses.
    pub fn record(&self, revision: Revision) -> Result<Option<Record>, StoreError> {
        Ok(engine::record(&self.db, revision)?.map(|(record, _)| record))
    }

    /// The same without its edits, which may be hundreds of thousands.
    ///
    /// # Errors
    /// When the record is damaged or the disk refuses.
    pub fn brief(&self, revision: Revision) -> Result<Option<Brief>, StoreError> {
        engine::brief(&self.db, revision)
    }

    /// The revisions within a span that touched any of these rows. Each record is read once, however
    /// many of the rows it touched; `at` hears of each, and ends the search by saying no.
    ///
    /// # Errors
    /// When a record is damaged or the disk refuses.
    pub fn touching(
        &self,
        rows: impl IntoIterator<Item = (TableId, RowKey)>,
        (first, last): (Revision, Revision),
        mut at: impl FnMut(Revision) -> bool,
    ) -> Result<BTreeSet<Revision>, StoreError> {
        let mut next: BTreeMap<Revision, Vec<(TableId, RowKey)>> = BTreeMap::new();
        for (table, row) in rows {
            if let Some(revision) = self.last_touch(table, &row)? {
                next.entry(revision).or_default().push((table, row));
            }
        }
        let mut found = BTreeSet::new();
        while let Some((revision, rows)) = next.pop_last() {
            if revision < first || !at(revision) {
                break;
            }
            let Some(page) = engine::page(&self.db, revision)? else { continue };
            let damaged = |damage| StoreError::DamagedRecord { revision, damage };
            for (table, row) in rows {
                let Some(touch) = page.find(table, &row).map_err(damaged)? else { continue };
                if revision <= last {
                    found.insert(revision);
                }
                // A chain only ever leads back.
                if touch.prior > Revision::ZERO && touch.prior < revision {
                    next.entry(touch.prior).or_default().push((table, row));
                }
            }
        }
        Ok(found)
    }

    /// The transactions of a range, read one by one as they are asked for; from either end.
    pub fn range(
        &self,
        revisions: RangeInclusive<Revision>,
    ) -> impl DoubleEndedIterator<Item = Result<Record, StoreError>> {
        let (first, last) = revisions.into_inner();
        let numbers = first.value().max(1)..=last.value();
        numbers.filter_map(|number| self.record(Revision::new(number)).transpose())
    }

    /// The newest revision, `newest` at most, that was committed at this time or before; the one
    /// before the oldest where all are later. Reads as many records as their number has digits in
    /// base two.
    ///
    /// # Errors
    /// When a record is damaged or the disk refuses.
    pub fn at_time(&self, time: u64, newest: Revision) -> Result<Revision, StoreError> {
        let (mut low, mut high) = (self.oldest()?.value().saturating_sub(1), newest.value());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.brief(Revision::new(middle))? {
                Some(record) if record.at > time => high = middle - 1,
                _ => low = middle,
            }
        }
        Ok(Revision::new(low))
    }

    /// What was changed between two revisions, each row once, in the order of table and row.
    ///
    /// # Errors
    /// When a record between is damaged or the disk refuses.
    pub fn between(&self, from: Revision, to: Revision) -> Result<Vec<Edit>, StoreError> {
        self.between_with(from, to, |_| true)
    }

    /// The same; `at` hears of each revision that is read, and ends it by saying no. What is in memory at
    /// once is no more than twice what comes out, however often the same rows were changed.
    ///
    /// # Errors
    /// When a record between is damaged or the disk refuses.
    pub fn between_with(
        &self,
        from: Revision,
        to: Revision,
        mut at: impl FnMut(Revision) -> bool,
    ) -> Result<Vec<Edit>, StoreError> {
        let (mut edits, mut most) = (Vec::new(), MERGED);
        for record in self.range(from.next()..=to) {
            let record = record?;
            if !at(record.revision) {
                break;
            }
            edits.extend(record.edits);
            if edits.len() > most {
                edits = merged(edits);
                most = edits.len() * 2 + MERGED;
            }
        }
        Ok(merged(edits))
    }

    /// Checks the records up to `newest`: each whole, each holding the digest of the one before it.
    /// Reads all of them.
    ///
    /// # Errors
    /// What is damaged.
    pub fn verify(&self, newest: Revision) -> Result<(), StoreError> {
        let base = engine::base(&self.db)?;
        load::verify(&self.db, &base, newest)
    }

    /// The keys of a table's rows whose first part is `first`: those that are there, and those that
    /// were removed since the journal begins.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn rows_under(&self, table: TableId, first: &str) -> Result<BTreeSet<RowKey>, StoreError> {
        let mut found = BTreeSet::new();
        for end in ["\0", "\u{1f}"] {
            let base = key::row(table, &RowKey::one(&format!("{first}{end}")));
            // Without the NUL that ends a key: what is looked for is its beginning.
            let prefix = base.strip_suffix(&[0]).unwrap_or(&base);
            let pending = self.pending.under(prefix);
            let rows = pending.iter().filter_map(|base| key::table_and_row(base));
            found.extend(rows.map(|(_, row)| RowKey::one(row)));
            for item in self.db.scan_prefix(prefix) {
                let (key, _) = item.map_err(|source| StoreError::Sled { doing: "read the rows", source })?;
                let base = key::split_part(&key).map(|(base, _)| base);
                found.extend(base.and_then(key::table_and_row).map(|(_, row)| RowKey::one(row)));
            }
            for item in self.db.scan_prefix(key::grave(prefix)) {
                let (key, _) = item.map_err(|source| StoreError::Sled { doing: "read the rows", source })?;
                let row = [key::ROWS, key.get(key::GRAVES.len()..).unwrap_or_default()].concat();
                found.extend(key::table_and_row(&row).map(|(_, row)| RowKey::one(row)));
            }
        }
        Ok(found)
    }

    /// The revision that last touched a row, which may be gone; none where nothing did, or that is
    /// forgotten.
    fn last_touch(&self, table: TableId, row: &RowKey) -> Result<Option<Revision>, StoreError> {
        let base = key::row(table, row);
        match self.pending.last_touch(&base) {
            Some(revision) => Ok(Some(revision)),
            None => engine::last_touch(&self.db, &base),
        }
    }

    /// For walking through the histories of single rows.
    pub const fn walk(&self) -> Walk<'_> {
        Walk { history: self, known: BTreeMap::new(), size: 0 }
    }
}

/// Walks through the histories of rows: each row's changes form a chain, so that it costs these
/// changes, however many there are in all. Rows of one object were often touched together, so records
/// are kept as long as they are few.
#[derive(Debug)]
pub struct Walk<'a> {
    history: &'a History,
    known: BTreeMap<Revision, Arc<Page>>,
    /// How many bytes they take.
    size: usize,
}

/// How many bytes of records a walk keeps in memory.
const KEPT: usize = 64 << 20;

impl Walk<'_> {
    /// Looks at the times that a row was touched, newest first, from `newest` back to what is
    /// forgotten, until `look` finds something.
    ///
    /// # Errors
    /// When a record is damaged or the disk refuses.
    pub fn find<T>(
        &mut self,
        table: TableId,
        row: &RowKey,
        newest: Revision,
        mut look: impl FnMut(&Touch) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut next = self.history.last_touch(table, row)?;
        while let Some(revision) = next {
            let Some(page) = self.page(revision)? else { return Ok(None) };
            let damaged = |damage| StoreError::DamagedRecord { revision, damage };
            let Some(Found { before, after, prior }) = page.find(table, row).map_err(damaged)? else {
                return Ok(None);
            };
            let touch = Touch { before, after, record: Arc::clone(page.brief()) };
            if revision <= newest
                && let Some(found) = look(&touch)
            {
                return Ok(Some(found));
            }
            // A chain only ever leads back.
            next = (prior > Revision::ZERO && prior < revision).then_some(prior);
        }
        Ok(None)
    }

    fn page(&mut self, revision: Revision) -> Result<Option<Arc<Page>>, StoreError> {
        if let Some(known) = self.known.get(&revision) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(page) = engine::page(&self.history.db, revision)?.map(Arc::new) else { return Ok(None) };
        if self.size > KEPT {
            self.known.clear();
            self.size = 0;
        }
        self.size += page.size();
        self.known.insert(revision, Arc::clone(&page));
        Ok(Some(page))
    }
}
