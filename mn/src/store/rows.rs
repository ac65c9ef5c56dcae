//! Reading all rows: most of what a start costs, so that it is done on several threads, table by
//! table.
//!
//! What is read is verified: each row by its own checksum here, the set of all by its [`Sum`], which the
//! caller compares with the head's.

use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::id::Digest;
use common::slice::Sum;
use mn_core::table::{Gathering, RowKey, TableId, Tables, schema};

use super::format::{self, Damage, ReadRow};
use super::load::wholes;
use super::pending::Overlay;
use super::{StoreError, key};

/// The most threads that read.
const READERS: usize = 4;

/// The rows of a stretch of keys.
#[derive(Debug, Default)]
struct Stretch {
    rows: Gathering,
    sum: Sum,
}

impl Stretch {
    /// Reads the rows from `from` on up to `to`; those that are pending instead of what stands in their
    /// places.
    fn read(db: &sled::Db, pending: &Overlay, from: &[u8], to: &[u8]) -> Result<Self, StoreError> {
        let mut stretch = Self::default();
        wholes(db.range(from..to), "read the rows", &mut |base, bytes| match pending.get(base) {
            Some(_) => Ok(()),
            None => stretch.take(base, bytes),
        })?;
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        for (base, left) in pending.range::<[u8], _>(bounds) {
            left.content.iter().try_for_each(|content| stretch.take(base, content))?;
        }
        Ok(stretch)
    }

    fn take(&mut self, base: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let damaged = |damage| StoreError::DamagedRow { what: describe(base), damage };
        let (read, content): (ReadRow, Digest) = format::unseal(bytes).map_err(damaged)?;
        let (table, row) = key::table_and_row(base).ok_or_else(|| damaged(Damage::Unreadable))?;
        let table = TableId::named(table).map_err(|_| damaged(Damage::Unreadable))?;
        self.sum.add(&format::member(base, &content));
        self.rows.take(table, RowKey::one(row), read.into_row());
        Ok(())
    }
}

/// Reads all rows, and counts the set of them.
pub(super) fn read(db: &sled::Db, pending: &Overlay) -> Result<(Tables, Sum), StoreError> {
    let bounds = bounds();
    let next = AtomicUsize::new(0);
    let reader = || {
        let mut read = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(from), Some(to)) = (bounds.get(at), bounds.get(at + 1)) else { return Ok(read) };
            read.push((at, Stretch::read(db, pending, from, to)?));
        }
    };
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(READERS);
    let mut stretches = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..count).map(|_| scope.spawn(reader)).collect();
        let mut all = Vec::new();
        for reader in readers {
            // A reader panics only where this one would.
            let read: Result<Vec<_>, StoreError> =
                reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.extend(read?);
        }
        Ok::<_, StoreError>(all)
    })?;
    stretches.sort_unstable_by_key(|(at, _)| *at);
    let (mut gathering, mut sum) = (Gathering::default(), Sum::default());
    for (_, stretch) in stretches {
        sum.join(&stretch.sum);
        gathering.join(stretch.rows);
    }
    Ok((gathering.finish(), sum))
}

/// Where the stretches begin and end: at each table that is known, and all rows in between.
fn bounds() -> Vec<Vec<u8>> {
    let first = key::ROWS.to_vec();
    let after = key::ROWS.iter().map(|byte| byte + 1).collect();
    let mut bounds: Vec<Vec<u8>> = schema::TABLES.iter().map(|table| key::rows(table.id())).collect();
    bounds.extend([first, after]);
    bounds.sort_unstable();
    bounds
}

/// The row for a person.
fn describe(base: &[u8]) -> String {
    match key::table_and_row(base) {
        Some((table, row)) => format!("row {} of table {table}", RowKey::one(row)),
        None => "a row's key".to_owned(),
    }
}
