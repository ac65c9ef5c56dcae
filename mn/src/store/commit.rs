//! Writing a group of transactions, so that a cut leaves all of the group or nothing.
//!
//! A small group is one sled batch: journal records, rows and head together. sled writes a batch
//! manifest in front and drops the whole batch on recovery unless all of it reached the disk; that
//! road was replayed under power cuts.
//!
//! A large group does not rely on it. It is staged: the journal records first, in small batches,
//! synced; then the head alone, which names them, synced: from here it is committed, and the asker
//! is answered. Its rows are [`Pending`](super::pending::Pending), and carried to their places behind
//! the answer, a step at a time ([`super::carry`]); groups that come meanwhile add theirs. Opening the
//! store drops records that no head names, and carries the rows of committed groups to the end. Both
//! ways the head is what counts, and it is one small value.

use common::id::{Digest, Revision};
use mn_core::table::Edit;

use super::engine::{self, Writes};
use super::format::{self, Head, WrittenRecord, WrittenRow};
use super::lookup::Lookup;
use super::pending::{Left, Overlay, Pieces, Place};
use super::{Commit, Store, StoreError, key};

/// The largest group that is written as one batch, in bytes: half a segment of sled's log, so
/// that a batch spans two segments at most.
pub(super) const ONE_BATCH: usize = 256 << 10;

/// Journal records that are to be written: sealed, each with its revision.
pub(super) type Records = Vec<(Revision, Vec<u8>)>;

impl Store {
    /// Commits a group of transactions in their order; on the disk when this returns.
    ///
    /// # Errors
    /// When there is no room, and nothing was written; or the disk refuses, and the store takes no
    /// more then.
    pub fn commit(&mut self, group: &[Commit]) -> Result<Vec<Revision>, StoreError> {
        if group.is_empty() {
            return Ok(Vec::new());
        }
        // NUL ends a row's key on the disk.
        let odd = |edit: &&Edit| edit.key.as_str().contains('\0');
        if let Some(edit) = group.iter().flat_map(|commit| &commit.edits).find(odd) {
            return Err(StoreError::OddKey { table: edit.table, key: edit.key.clone() });
        }
        let rows = group.iter().map(|commit| 1 + commit.edits.len()).sum::<usize>();
        self.engine.ensure_room(rows + self.pending.len())?;
        self.make_place()?;
        self.guarded(|store| store.write_group(group))
    }

    fn write_group(&mut self, group: &[Commit]) -> Result<Vec<Revision>, StoreError> {
        let (head, journal, overlay) = self.sealed(group)?;
        let records = journal.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        let rows = overlay.values().filter_map(|left| left.content.as_ref()).map(|c| c.len()).sum::<usize>();
        // What is written over rows that are pending must not stand in their places before them.
        let at_once = records + rows <= ONE_BATCH && self.pending.is_empty();
        let mut writes = Writes::default();
        if records <= ONE_BATCH {
            put_records(&mut writes, &journal);
        } else {
            self.stage(&journal)?;
        }
        self.head = head;
        if at_once {
            self.head.applied = self.head.revision;
            for (base, left) in &overlay {
                self.put_row(&mut writes, base, left)?;
            }
        }
        self.put_cursors(&mut writes, group);
        writes.put_sealed(key::HEAD, &self.head);
        self.engine.apply(writes)?;
        self.engine.sync()?;
        if !at_once {
            self.pending.add(overlay);
        }
        Ok(journal.into_iter().map(|(revision, _)| revision).collect())
    }

    /// What a group comes to: the head that names it, its records, and what it leaves of rows.
    fn sealed(&mut self, group: &[Commit]) -> Result<(Head, Records, Overlay), StoreError> {
        let mut head = self.head.clone();
        let mut journal = Records::with_capacity(group.len());
        let mut overlay = Overlay::new();
        for commit in group {
            head.revision = head.revision.next();
            let priors = self.lay_over(&mut overlay, &commit.edits, head.revision)?;
            let sealed = format::seal(&WrittenRecord::new(commit, head.revision, &priors, head.chain));
            head.chain = format::digest(&sealed);
            journal.push((head.revision, sealed));
        }
        for (base, left) in &overlay {
            if let Some(was) = &left.was {
                self.rows.remove(&format::member(base, was));
            }
            if let Some(is) = left.digest() {
                self.rows.add(&format::member(base, &is));
            }
        }
        head.rows = self.rows.digest();
        Ok((head, journal, overlay))
    }

    /// Lays edits over what earlier ones of the group leave; gives for each the revision that touched
    /// its row before.
    fn lay_over(
        &self,
        overlay: &mut Overlay,
        edits: &[Edit],
        by: Revision,
    ) -> Result<Vec<Revision>, StoreError> {
        let mut priors = Vec::with_capacity(edits.len());
        let mut pieces = Pieces::for_rows(edits.len());
        let mut looks = [(); 2].map(|()| Lookup::new(self.engine.reader(), edits.len()));
        for edit in edits {
            let content =
                edit.after.as_ref().map(|row| pieces.keep(&format::seal(&WrittenRow::new(row, by))));
            let base = key::row(edit.table, &edit.key);
            if let Some(left) = overlay.get_mut(base.as_slice()) {
                priors.push(left.by);
                (left.content, left.by) = (content, by);
                continue;
            }
            let (was, place, prior) = self.standing(&base, &mut looks)?;
            priors.push(prior.unwrap_or_default());
            overlay.insert(pieces.keep(&base), Left { content, by, was, place });
        }
        Ok(priors)
    }

    /// What there is of a row: the digest of its content, what stands in its place, and who touched it
    /// last.
    fn standing(
        &self,
        base: &[u8],
        [rows, graves]: &mut [Lookup; 2],
    ) -> Result<(Option<Digest>, Place, Option<Revision>), StoreError> {
        if let Some(left) = self.pending.rows().get(base) {
            return Ok((left.digest(), left.place, Some(left.by)));
        }
        // The digest is in the first part, and a row is nearly always one part.
        if let Some(first) = rows.get(key::part(base, 0))? {
            let place = Place::There { parts: format::parts_of(&first) };
            return Ok((Some(format::digest(&first)), place, format::touched_by(&first)));
        }
        let grave = graves.get(key::grave(base))?.and_then(|value| engine::grave_of(&value));
        Ok((None, Place::Gone { has_grave: grave.is_some() }, grave))
    }

    /// Writes the records of a large group, before any head names them.
    pub(super) fn stage(&self, journal: &[(Revision, Vec<u8>)]) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for (revision, sealed) in journal {
            let base = key::record(*revision);
            for (number, part) in engine::parts(sealed) {
                writes.put(&key::part(&base, number), part);
                if writes.bytes > ONE_BATCH {
                    self.engine.apply(std::mem::take(&mut writes))?;
                }
            }
        }
        self.engine.apply(writes)?;
        self.engine.sync()
    }

    fn put_cursors(&self, writes: &mut Writes, group: &[Commit]) {
        for (sn, cursor) in group.iter().filter_map(|commit| commit.cursor.as_ref()) {
            writes.put_sealed(&key::cursor(sn), cursor);
        }
    }
}

fn put_records(writes: &mut Writes, journal: &[(Revision, Vec<u8>)]) {
    for (revision, sealed) in journal {
        let base = key::record(*revision);
        for (number, part) in engine::parts(sealed) {
            writes.put(&key::part(&base, number), part);
        }
    }
}
