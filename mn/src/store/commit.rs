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
use super::format::{self, Grave, WrittenRecord, WrittenRow};
use super::{Commit, Store, StoreError, key};

/// The largest group that is written as one batch, in bytes: half a segment of sled's log, so
/// that a batch spans two segments at most.
const ONE_BATCH: usize = 256 << 10;

/// What a group leaves of rows, by the base of their keys.
pub(super) type Overlay = BTreeMap<Vec<u8>, Left>;

/// What a group leaves of a row.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// Its sealed content; none where the row goes.
    content: Option<Vec<u8>>,
    /// The last revision of the group that touched it.
    by: Revision,
    /// What was there before the group.
    old: Old,
}

/// What was there of a row before a group.
#[derive(Clone, Copy, Debug)]
enum Old {
    /// Nobody has looked: the store is being opened.
    Unknown,
    /// Nothing, or what is left of a row that was removed.
    Gone { has_grave: bool },
    /// A row.
    There { digest: Digest, parts: u32 },
}

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
            let priors = self.priors(&mut overlay, &commit.edits)?;
            let sealed = format::seal(&WrittenRecord::new(commit, head.revision, &priors, head.chain));
            head.chain = format::digest(&sealed);
            journal.push((head.revision, sealed));
            lay_over(&mut overlay, &commit.edits, head.revision);
        }
        self.count(&overlay);
        head.rows = self.rows.digest();

        let size = journal.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            + overlay.values().filter_map(|left| left.content.as_ref()).map(Vec::len).sum::<usize>();
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
        for (base, left) in overlay {
            self.put_row(&mut writes, base, left)?;
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

    /// For each edit, the revision that touched its row before; what the group has not touched yet
    /// is looked up and laid into the overlay as it stands.
    fn priors(&self, overlay: &mut Overlay, edits: &[Edit]) -> Result<Vec<Revision>, StoreError> {
        let mut priors = Vec::with_capacity(edits.len());
        for edit in edits {
            let base = key::row(edit.table, &edit.key);
            if let Some(left) = overlay.get(&base) {
                priors.push(left.by);
                continue;
            }
            let (old, by) = self.old(&base)?;
            let by = by.unwrap_or_default();
            priors.push(by);
            overlay.insert(base, Left { content: None, by, old });
        }
        Ok(priors)
    }

    /// What there is of a row, and who touched it last. The digest is in the first part, and a row is
    /// nearly always one part.
    fn old(&self, base: &[u8]) -> Result<(Old, Option<Revision>), StoreError> {
        if let Some(first) = self.engine.get(&key::part(base, 0))? {
            let old = Old::There { digest: format::digest(&first), parts: format::parts_of(&first) };
            return Ok((old, format::touched_by(&first)));
        }
        let grave = self.engine.grave(base)?;
        Ok((Old::Gone { has_grave: grave.is_some() }, grave))
    }

    /// Keeps the set of all rows, whose digest the head names.
    fn count(&mut self, overlay: &Overlay) {
        for (base, left) in overlay {
            if let Old::There { digest, .. } = &left.old {
                self.rows.remove(&format::member(base, digest));
            }
            if let Some(new) = &left.content {
                self.rows.add(&format::member(base, &format::digest(new)));
            }
        }
    }

    fn put_rows(&self, writes: &mut Writes, overlay: &Overlay) -> Result<(), StoreError> {
        overlay.iter().try_for_each(|(base, left)| self.put_row(writes, base, left))
    }

    /// Puts a row in place of what was there, which may have had more parts; where it goes, who did
    /// that stays.
    fn put_row(&self, writes: &mut Writes, base: &[u8], left: &Left) -> Result<(), StoreError> {
        let mut kept = 0;
        for (number, part) in left.content.as_deref().into_iter().flat_map(engine::parts) {
            writes.put(&key::part(base, number), part);
            kept = number + 1;
        }
        let old = match left.old {
            Old::Unknown => self.old(base)?.0,
            known => known,
        };
        let (parts, has_grave) = match old {
            Old::There { parts, .. } => (parts, false),
            Old::Gone { has_grave } => (0, has_grave),
            Old::Unknown => (0, true),
        };
        for number in kept..parts {
            writes.remove(&key::part(base, number));
        }
        if left.content.is_none() {
            writes.put_sealed(&key::grave(base), &Grave(left.by));
        } else if has_grave {
            writes.remove(&key::grave(base));
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

/// Lays edits over what earlier ones of the group left.
pub(super) fn lay_over(overlay: &mut Overlay, edits: &[Edit], by: Revision) {
    for edit in edits {
        let content = edit.after.as_ref().map(|row| format::seal(&WrittenRow::new(row, by)));
        let base = key::row(edit.table, &edit.key);
        let old = overlay.get(&base).map_or(Old::Unknown, |left| left.old);
        overlay.insert(base, Left { content, by, old });
    }
}
