//! Carrying committed rows to their places, behind the answers.
//!
//! Nothing depends on when this is done: the journal has the rows, and opening the store carries on.
//! It is done a step at a time, so that whoever asks for a change meanwhile waits for one step.
//!
//! **Invariant**: a head that calls a revision applied reaches the disk after the rows of it.

use super::commit::ONE_BATCH;
use super::engine::{self, Writes};
use super::format::{self, Grave, Record, WrittenRow};
use super::pending::{Left, Overlay, Pieces, Place};
use super::{Store, StoreError, key};

/// How many rows a step carries: a commit may have to wait for so many.
const STEP: usize = if cfg!(test) { 7 } else { 1_000 };

/// How many rows may be pending before another group is taken, some 400 bytes each: those of one
/// command on a whole site of 100,000 nodes may, so that the next one need not wait for them.
const MOST: usize = 250_000;

impl Store {
    /// Whether committed rows are still to be carried to their places.
    pub fn is_unsettled(&self) -> bool {
        self.head.applied < self.head.revision
    }

    /// Carries some committed rows to their places.
    ///
    /// # Errors
    /// When there is no room, and nothing was written; or the disk refuses, and the store takes no
    /// more then.
    pub fn carry(&mut self) -> Result<(), StoreError> {
        if !self.is_unsettled() {
            return Ok(());
        }
        self.engine.ensure_room(self.pending.len().min(STEP))?;
        self.guarded(Self::step)
    }

    /// Carries all committed rows to their places.
    ///
    /// # Errors
    /// As [`Store::carry`].
    pub fn settle(&mut self) -> Result<(), StoreError> {
        while self.is_unsettled() {
            self.carry()?;
        }
        Ok(())
    }

    /// Carries rows where more are pending than may be.
    pub(super) fn make_place(&mut self) -> Result<(), StoreError> {
        while self.pending.len() > MOST {
            self.carry()?;
        }
        Ok(())
    }

    /// Carries some rows; with the last ones, says so in the head.
    fn step(&mut self) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        let mut count = 0;
        for (base, left) in self.pending.rows().iter().take(STEP) {
            self.put_row(&mut writes, base, left)?;
            count += 1;
            if writes.bytes > ONE_BATCH {
                break;
            }
        }
        self.engine.apply(writes)?;
        self.pending.drop_first(count);
        if !self.pending.is_empty() {
            return Ok(());
        }
        self.engine.sync()?;
        self.head.applied = self.head.revision;
        let mut writes = Writes::default();
        writes.put_sealed(key::HEAD, &self.head);
        // Not synced: where it is lost, the next opening carries the same rows once more.
        self.engine.apply(writes)
    }

    /// Puts a row in its place, where something with more parts may stand; where it goes, who did
    /// that stays. Doing it twice does no harm.
    pub(super) fn put_row(&self, writes: &mut Writes, base: &[u8], left: &Left) -> Result<(), StoreError> {
        let mut kept = 0;
        for (number, part) in left.content.as_deref().into_iter().flat_map(engine::parts) {
            writes.put(&key::part(base, number), part);
            kept = number + 1;
        }
        let (parts, has_grave) = match left.place {
            Place::There { parts } => (parts, false),
            Place::Gone { has_grave } => (0, has_grave),
            Place::Unknown => match self.engine.get(&key::part(base, 0))? {
                Some(first) => (format::parts_of(&first), false),
                None => (0, true),
            },
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
}

/// Lays the edits of a record that was committed over what earlier ones leave; what stands in the
/// places of its rows is not looked at.
pub(super) fn lay_again(overlay: &mut Overlay, record: &Record) {
    let mut pieces = Pieces::for_rows(record.edits.len());
    for edit in &record.edits {
        let by = record.revision;
        let content = edit.after.as_ref().map(|row| pieces.keep(&format::seal(&WrittenRow::new(row, by))));
        let left = Left { content, by, was: None, place: Place::Unknown };
        overlay.insert(pieces.keep(&key::row(edit.table, &edit.key)), left);
    }
}
