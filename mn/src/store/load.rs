//! Opening a store: nothing is believed that is not verified.
//!
//! The order matters: the format version, then the head, then the end of the journal (each record
//! whole, each holding the digest of the one before it, the last one the head's), then what a cut
//! left undone, then the rows, whose set must have the digest that the head names.

use std::collections::BTreeMap;
use std::path::Path;

use common::id::{Digest, Revision, SnName};
use common::slice::Sum;
use mn_core::table::{RowKey, TableId, Tables};

use super::commit::{Overlay, lay_over};
use super::engine::{self, Engine, Writes};
use super::format::{self, Base, Body, Damage, FORMAT, Head, Record, WrittenRow};
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
    let end = verify(&engine.reader(), base, start, head.revision, |record| {
        if record.revision > head.applied {
            lay_over(&mut overlay, &record.edits, record.revision);
        }
    })?;
    match end {
        Some(chain) if chain != head.chain => {
            Err(StoreError::DamagedRecord { revision: head.revision, damage: Damage::Misplaced })
        }
        _ => Ok(overlay),
    }
}

/// Checks the records after one revision up to another: each whole, each holding the digest of the
/// one before; the first of the journal the digest that was kept of what is forgotten. Gives the
/// digest of the last, none where there is no record.
pub(super) fn verify(
    db: &sled::Db,
    base: &Base,
    after: Revision,
    last: Revision,
    mut each: impl FnMut(&Record),
) -> Result<Option<Digest>, StoreError> {
    let mut chain = (after == base.revision).then_some(base.chain);
    let mut revision = after;
    while revision < last {
        revision = revision.next();
        let damaged = |damage| StoreError::DamagedRecord { revision, damage };
        let (record, digest) = engine::record(db, revision)?.ok_or_else(|| damaged(Damage::NotWhole))?;
        if chain.is_some_and(|chain| record.previous != chain) {
            return Err(damaged(Damage::Misplaced));
        }
        chain = Some(digest);
        each(&record);
    }
    Ok(chain)
}

impl Store {
    /// Reads all rows and counts the set of them.
    fn read_rows(&mut self) -> Result<Tables, StoreError> {
        let mut tables = Tables::new();
        let mut pending: Option<(Vec<u8>, Vec<u8>)> = None;
        for item in self.engine.reader().scan_prefix(key::ROWS) {
            let (key, value) = item.map_err(|source| StoreError::Sled { doing: "read the rows", source })?;
            let Some((base, number)) = key::split_part(&key) else {
                return Err(StoreError::DamagedRow {
                    what: "a row's key".to_owned(),
                    damage: Damage::NotWhole,
                });
            };
            match pending.as_mut() {
                Some((of, bytes)) if number > 0 && of == base => bytes.extend_from_slice(&value),
                _ => {
                    if let Some((base, bytes)) = pending.replace((base.to_vec(), value.to_vec())) {
                        self.take_row(&mut tables, &base, &bytes)?;
                    }
                }
            }
        }
        if let Some((base, bytes)) = pending {
            self.take_row(&mut tables, &base, &bytes)?;
        }
        Ok(tables)
    }

    fn take_row(&mut self, tables: &mut Tables, base: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let damaged = |damage| StoreError::DamagedRow { what: describe(base), damage };
        let (written, content) = format::unseal::<WrittenRow>(bytes).map_err(damaged)?;
        let (table, row) = key::table_and_row(base).ok_or_else(|| damaged(Damage::Unreadable))?;
        let table = TableId::named(table).map_err(|_| damaged(Damage::Unreadable))?;
        self.rows.add(&format::member(base, &content));
        tables.load(table, RowKey::one(row), written.into_row());
        Ok(())
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
