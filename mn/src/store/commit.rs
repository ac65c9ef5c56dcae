//! Writing a group of transactions, so that a cut leaves all of the group or nothing.
//!
//! A small group is one sled batch: journal records, rows and head together. sled writes a batch
//! manifest in front and drops the whole batch on recovery unless all of it reached the disk; that
//! road was replayed under power cuts.
//!
//! A large group does not rely on it. It is staged: the journal records first, in small batches,
//! synced; then the head alone, which names them, synced: from here it is committed; then the
//! rows, in small batches. Opening the store drops records that no head names, and carries the rows
//! of a committed group to the end. Both ways the head is what counts, and it is one small value.

use std::collections::BTreeMap;

use common::id::{Digest, Revision};
use mn_core::table::Edit;

use super::engine::{self, Writes};
use super::format::{self, Record, WrittenRecord, WrittenRow};
use super::{Commit, Store, StoreError, key};

/// The largest group that is written as one batch, in bytes: half a segment of sled's log, so
/// that a batch spans two segments at most.
const ONE_BATCH: usize = 256 << 10;

/// The content of rows after a group, by the base of their keys; none where the row goes.
pub(super) type Overlay = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

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
        self.engine.ensure_room(group.iter().map(|commit| 1 + commit.edits.len()).sum())?;
        self.guarded(|store| store.write_group(group))
    }

    fn write_group(&mut self, group: &[Commit]) -> Result<Vec<Revision>, StoreError> {
        let mut head = self.head.clone();
        let mut journal = Vec::with_capacity(group.len());
        let mut overlay = Overlay::new();
        for commit in group {
            head.revision = head.revision.next();
            let sealed = seal_record(commit, head.revision, head.chain);
            head.chain = format::digest(&sealed);
            journal.push((head.revision, sealed));
            lay_over(&mut overlay, &commit.edits);
        }
        self.count(&overlay)?;
        head.rows = self.rows.digest();

        let size = journal.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            + overlay.values().flatten().map(Vec::len).sum::<usize>();
        if size <= ONE_BATCH {
            head.applied = head.revision;
            let mut writes = Writes::default();
            put_records(&mut writes, &journal);
            self.put_rows(&mut writes, &overlay)?;
            self.put_cursors(&mut writes, group);
            writes.put_sealed(key::HEAD, &head);
            self.engine.apply(writes.batch)?;
            self.engine.sync()?;
            self.head = head;
        } else {
            self.stage(&journal)?;
            let mut writes = Writes::default();
            self.put_cursors(&mut writes, group);
            writes.put_sealed(key::HEAD, &head);
            self.engine.apply(writes.batch)?;
            self.engine.sync()?;
            self.head = head;
            self.carry_out(&overlay)?;
        }
        Ok(journal.into_iter().map(|(revision, _)| revision).collect())
    }

    /// Writes the records of a large group, before any head names them.
    pub(super) fn stage(&self, journal: &[(Revision, Vec<u8>)]) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for (revision, sealed) in journal {
            let base = key::record(*revision);
            for (number, part) in engine::parts(sealed) {
                writes.put(&key::part(&base, number), part);
                if writes.bytes > ONE_BATCH {
                    self.engine.apply(std::mem::take(&mut writes).batch)?;
                }
            }
        }
        self.engine.apply(writes.batch)?;
        self.engine.sync()
    }

    /// Writes the rows of a large group that is committed, and says so in the head. Doing it twice
    /// does no harm: opening the store does what a cut left undone.
    pub(super) fn carry_out(&mut self, overlay: &Overlay) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for (base, content) in overlay {
            self.put_row(&mut writes, base, content.as_deref())?;
            if writes.bytes > ONE_BATCH {
                self.engine.apply(std::mem::take(&mut writes).batch)?;
            }
        }
        self.engine.apply(writes.batch)?;
        // The head that calls the rows applied must not reach the disk before they do.
        self.engine.sync()?;
        let mut writes = Writes::default();
        self.head.applied = self.head.revision;
        writes.put_sealed(key::HEAD, &self.head);
        self.engine.apply(writes.batch)?;
        self.engine.sync()
    }

    /// Keeps the set of all rows, whose digest the head names.
    fn count(&mut self, overlay: &Overlay) -> Result<(), StoreError> {
        for (base, content) in overlay {
            // The digest is in the first part, and a row is nearly always one part.
            if let Some(old) = self.engine.get(&key::part(base, 0))? {
                self.rows.remove(&format::member(base, &format::digest(&old)));
            }
            if let Some(new) = content {
                self.rows.add(&format::member(base, &format::digest(new)));
            }
        }
        Ok(())
    }

    fn put_rows(&self, writes: &mut Writes, overlay: &Overlay) -> Result<(), StoreError> {
        overlay.iter().try_for_each(|(base, content)| self.put_row(writes, base, content.as_deref()))
    }

    /// Puts a row in place of what was there, which may have had more parts.
    fn put_row(&self, writes: &mut Writes, base: &[u8], content: Option<&[u8]>) -> Result<(), StoreError> {
        let mut kept = 0;
        for (number, part) in content.into_iter().flat_map(engine::parts) {
            writes.put(&key::part(base, number), part);
            kept = number + 1;
        }
        if let Some(old) = self.engine.get(&key::part(base, 0))? {
            for number in kept..format::parts_of(&old) {
                writes.remove(&key::part(base, number));
            }
        }
        Ok(())
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

fn seal_record(commit: &Commit, revision: Revision, previous: Digest) -> Vec<u8> {
    format::seal(&WrittenRecord::from(&Record {
        revision,
        at: commit.at,
        author: commit.author.clone(),
        words: commit.words.clone(),
        note: commit.note.clone(),
        edits: commit.edits.clone(),
        previous,
    }))
}

/// Lays edits over what earlier ones of the group left.
pub(super) fn lay_over(overlay: &mut Overlay, edits: &[Edit]) {
    for edit in edits {
        let content = edit.after.as_ref().map(|row| format::seal(&WrittenRow::from(row)));
        overlay.insert(key::row(edit.table, &edit.key), content);
    }
}
