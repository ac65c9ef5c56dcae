//! Forgetting the start of the journal, so that it does not grow for ever.
//!
//! One small value says where the journal begins, and what its first record must hold of the one
//! before it; so what is kept is verified as before. Once that value is on the disk the rest is
//! forgotten; taking it out ([`Store::sweep`]) may be cut short anywhere and goes on later, after
//! the next opening too.

use common::id::Revision;

use super::engine::{self, Writes};
use super::format::{Base, Damage};
use super::{Store, StoreError, key};

/// How many keys one step of sweeping takes out: some milliseconds, for which a commit may wait.
const STEP: usize = 2_000;

impl Store {
    /// Where the journal begins: the first revision whose record is kept.
    pub const fn oldest(&self) -> Revision {
        self.base.revision.next()
    }

    /// Forgets the journal up to `last`, on the disk when this returns; gives how many records that
    /// are. The newest record always stays. What is forgotten is taken out by [`Store::sweep`].
    ///
    /// # Errors
    /// When there is no room, or the disk refuses; the store takes no more then.
    pub fn forget(&mut self, last: Revision) -> Result<u64, StoreError> {
        let newest_to_go = Revision::new(self.head.revision.value().saturating_sub(1));
        let last = last.min(newest_to_go);
        let count = last.value().saturating_sub(self.base.revision.value());
        if count == 0 {
            return Ok(0);
        }
        let damaged = || StoreError::DamagedRecord { revision: last, damage: Damage::NotWhole };
        let (_, chain) = engine::record(&self.engine.reader(), last)?.ok_or_else(damaged)?;
        // Rows that do not stand in their places are made anew from the journal where the daemon ends.
        self.settle()?;
        self.engine.ensure_room(0)?;
        let base = Base { revision: last, chain };
        self.guarded(|store| {
            let mut writes = Writes::default();
            writes.put_sealed(key::BASE, &base);
            store.engine.apply(writes)?;
            store.engine.sync()?;
            store.base = base;
            store.unswept = true;
            Ok(count)
        })
    }

    /// Whether something that is forgotten is still to be taken out.
    pub const fn is_unswept(&self) -> bool {
        self.unswept
    }

    /// Takes out some of what is forgotten. Nothing depends on when that reaches the disk.
    ///
    /// # Errors
    /// When there is no room, and nothing was written; or the disk refuses, and the store takes no
    /// more then.
    pub fn sweep(&mut self) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        let mut left = STEP;
        let db = self.engine.reader();
        let reading = |source| StoreError::Sled { doing: "read the journal", source };
        for item in db.range(key::record(Revision::ZERO)..key::record(self.base.revision.next())).take(left) {
            let (key, _) = item.map_err(reading)?;
            writes.remove(&key);
            left -= 1;
        }
        // The graves come last, all at once: there is one for each row that was removed for good.
        if left > 0 {
            for item in db.scan_prefix(key::GRAVES) {
                let (key, value) = item.map_err(reading)?;
                if engine::grave_of(&value).is_none_or(|by| by <= self.base.revision) {
                    writes.remove(&key);
                }
            }
        }
        if writes.bytes > 0 {
            self.engine.ensure_room(1)?;
        }
        self.guarded(|store| {
            store.engine.apply(writes)?;
            store.unswept = left == 0;
            if store.unswept { Ok(()) } else { store.engine.sync() }
        })
    }
}
