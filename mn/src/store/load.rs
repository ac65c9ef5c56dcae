//! Opening a store: nothing is believed that is not verified.
//!
//! The order matters: the format version, then the head, then the end of the journal (each record
//! whole, each holding the digest of the one before it, the last one the head's), then what a cut
//! left undone, then the rows, whose set must have the digest that the head names.

use std::collections::BTreeMap;
use std::path::Path;

use common::id::{Digest, Revision, SnName};
use common::slice::Sum;
use mn_core::table::{Gathering, RowKey, TableId, Tables};

use super::commit::{Overlay, lay_over};
use super::engine::{self, Engine, Writes};
use super::format::{self, Base, Body, Damage, FORMAT, Head, ReadRow};
use super::{Loaded, Store, StoreError, key};

/// How many records at the end of the journal are checked before a store opens. The rest is history
/// alone: it is checked beside the running daemon ([`super::History::verify`]), so that years of it do
/// not make a start slow, nor damage in it prevent one.
const END: u64 = 10_000;

pub(super) fn open(dir: &Path) -> Result<(Store, Loaded), StoreError> {
    if !dir.join("db").exists() {
        return Err(StoreError::Absent(dir.to_owned()));
    }
    let engine = runtime::disk::open_store(dir, || Engine::open(dir), StoreError::is_full)?;
    check_format(&engine)?;
    let head = read_head(&engine)?;
    drop_unnamed_records(&engine, &head)?;
    let base = engine::base(&engine.reader())?;
    let unfinished = verify_end(&engine, &base, &head)?;
    let unswept = has_forgotten(&engine, &base)?;
    let mut store = Store { engine, head, base, unswept, rows: Sum::default(), broken: false };
    if store.head.applied < store.head.revision {
        store.carry_out(&unfinished)?;
    }
    let tables = store.read_rows()?;
    if store.rows.digest() != store.head.rows {
        return Err(StoreError::DamagedSet(store.head.revision));
    }
    let loaded = Loaded {
        tables,
        revision: store.head.revision,
        generations: by_service_node(&store.engine, key::GENERATIONS, "the generation")?,
        cursors: by_service_node(&store.engine, key::CURSORS, "the cursor")?,
    };
    Ok((store, loaded))
}

fn check_format(engine: &Engine) -> Result<(), StoreError> {
    let value = engine.get(key::FORMAT)?.ok_or(StoreError::DamagedHead(Damage::NotWhole))?;
    let bytes: [u8; 4] = value.as_ref().try_into().map_err(|_| StoreError::DamagedHead(Damage::NotWhole))?;
    match u32::from_be_bytes(bytes) {
        found if found > FORMAT => Err(StoreError::Newer { found }),
        _ => Ok(()),
    }
}

fn read_head(engine: &Engine) -> Result<Head, StoreError> {
    let value = engine.get(key::HEAD)?.ok_or(StoreError::DamagedHead(Damage::NotWhole))?;
    format::unseal(&value).map(|(head, _)| head).map_err(StoreError::DamagedHead)
}

/// Takes out records that were staged and never committed.
fn drop_unnamed_records(engine: &Engine, head: &Head) -> Result<(), StoreError> {
    let mut writes = Writes::default();
    for item in engine.reader().range(key::record(head.revision.next())..) {
        let (key, _) = item.map_err(|source| StoreError::Sled { doing: "read the journal", source })?;
        if !key.starts_with(key::JOURNAL) {
            break;
        }
        writes.remove(&key);
    }
    if writes.bytes > 0 {
        engine.apply(writes.batch)?;
        engine.sync()?;
    }
    Ok(())
}

/// Whether a sweep was cut short.
fn has_forgotten(engine: &Engine, base: &Base) -> Result<bool, StoreError> {
    let mut first = engine.reader().range(key::record(Revision::ZERO)..key::record(base.revision.next()));
    let first = first.next().transpose();
    Ok(first.map_err(|source| StoreError::Sled { doing: "read the journal", source })?.is_some())
}

/// Checks the end of the journal; returns the rows of the records that are not yet applied.
fn verify_end(engine: &Engine, base: &Base, head: &Head) -> Result<Overlay, StoreError> {
    let mut overlay = Overlay::new();
    let start = Revision::new(head.revision.value().saturating_sub(END)).min(head.applied).max(base.revision);
    let end = verify(&engine.reader(), base, start, head.revision, |revision, sealed| {
        if revision > head.applied {
            let (record, _) = engine::opened(revision, sealed)?;
            lay_over(&mut overlay, &record.edits, revision);
        }
        Ok(())
    })?;
    match end {
        Some(chain) if chain != head.chain => {
            Err(StoreError::DamagedRecord { revision: head.revision, damage: Damage::Misplaced })
        }
        _ => Ok(overlay),
    }
}

/// Checks the records after one revision up to another: each whole, each holding the digest of the
/// one before; the first of the journal the digest that was kept of what is forgotten. Hands over the
/// sealed bytes of each, and gives the digest of the last, none where there is no record.
///
/// What a record's edits are is not read: their bytes are those that were written, and there may be
/// millions of them.
pub(super) fn verify(
    db: &sled::Db,
    base: &Base,
    after: Revision,
    last: Revision,
    mut each: impl FnMut(Revision, &[u8]) -> Result<(), StoreError>,
) -> Result<Option<Digest>, StoreError> {
    let mut chain = (after == base.revision).then_some(base.chain);
    let mut revision = after;
    let records = key::record(after.next())..key::record(last.next());
    wholes(db.range(records), "read the journal", &mut |at, sealed| {
        revision = revision.next();
        let damaged = |damage| StoreError::DamagedRecord { revision, damage };
        if at != key::record(revision) {
            return Err(damaged(Damage::NotWhole));
        }
        let (found, previous, digest) = format::link(sealed).map_err(damaged)?;
        if found != revision || chain.is_some_and(|chain| previous != chain) {
            return Err(damaged(Damage::Misplaced));
        }
        chain = Some(digest);
        each(revision, sealed)
    })?;
    if revision < last {
        return Err(StoreError::DamagedRecord { revision: revision.next(), damage: Damage::NotWhole });
    }
    Ok(chain)
}

/// What is done with a thing of the store: what its keys begin with, and its sealed bytes.
type Take<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Hands over what stands in a part of the store, in order: what each thing's keys begin with, and
/// its parts put together.
fn wholes(items: sled::Iter, doing: &'static str, take: &mut Take<'_>) -> Result<(), StoreError> {
    let (mut base, mut bytes) = (Vec::new(), Vec::new());
    for item in items {
        let (key, value) = item.map_err(|source| StoreError::Sled { doing, source })?;
        let split = key::split_part(&key);
        let (of, number) = split
            .ok_or_else(|| StoreError::DamagedRow { what: "a key".to_owned(), damage: Damage::NotWhole })?;
        if number == 0 || of != base {
            if !base.is_empty() {
                take(&base, &bytes)?;
            }
            base.clear();
            base.extend_from_slice(of);
            bytes.clear();
        }
        bytes.extend_from_slice(&value);
    }
    if base.is_empty() { Ok(()) } else { take(&base, &bytes) }
}

impl Store {
    /// Reads all rows and counts the set of them.
    fn read_rows(&mut self) -> Result<Tables, StoreError> {
        let mut gathering = Gathering::default();
        let rows = self.engine.reader().scan_prefix(key::ROWS);
        wholes(rows, "read the rows", &mut |base, bytes| {
            let damaged = |damage| StoreError::DamagedRow { what: describe(base), damage };
            let (read, content) = format::unseal::<ReadRow>(bytes).map_err(damaged)?;
            let (table, row) = key::table_and_row(base).ok_or_else(|| damaged(Damage::Unreadable))?;
            let table = TableId::named(table).map_err(|_| damaged(Damage::Unreadable))?;
            self.rows.add(&format::member(base, &content));
            gathering.take(table, RowKey::one(row), read.into_row());
            Ok(())
        })?;
        Ok(gathering.finish())
    }
}

/// The row for a person.
fn describe(base: &[u8]) -> String {
    match key::table_and_row(base) {
        Some((table, row)) => format!("row {} of table {table}", RowKey::one(row)),
        None => "a row's key".to_owned(),
    }
}

fn by_service_node<T: Body>(
    engine: &Engine,
    prefix: &[u8],
    what: &str,
) -> Result<BTreeMap<SnName, T>, StoreError> {
    let mut found = BTreeMap::new();
    for item in engine.reader().scan_prefix(prefix) {
        let (key, value) = item.map_err(|source| StoreError::Sled { doing: "read", source })?;
        let damaged = |damage| StoreError::DamagedRow { what: format!("{what} of a service node"), damage };
        let sn = key::service_node(&key).ok_or_else(|| damaged(Damage::Unreadable))?;
        let (value, _) = format::unseal(&value).map_err(damaged)?;
        found.insert(sn, value);
    }
    Ok(found)
}
