//! Opening a store: nothing is believed that is not verified.
//!
//! The order matters: the format version, then the head, then the end of the journal (each record
//! whole, each holding the digest of the one before it, the last one the head's), then the rows, over
//! which is laid what was not carried to its place: their set must have the digest that the head
//! names.

use std::collections::BTreeMap;
use std::path::Path;

use common::id::{Revision, SnName};

use super::carry::lay_again;
use super::engine::{self, Engine, Writes};
use super::format::{self, Base, Body, Damage, FORMAT, Head};
use super::pending::{Overlay, Pending};
use super::{Loaded, Store, StoreError, key, rows};

/// How many records at the end of the journal are checked before a store opens. The rest is history
/// alone: it is checked beside the running daemon ([`super::History::verify`]), so that years of it do
/// not make a start slow, nor damage in it prevent one.
const END: u64 = 10_000;

/// No more are checked after so many bytes of them: a record of a large command has many megabytes, and
/// reading them back is a part of a start that nothing else of it needs.
const END_BYTES: usize = 4 << 20;

pub(super) fn open(dir: &Path) -> Result<(Store, Loaded), StoreError> {
    if !dir.join("db").exists() {
        return Err(StoreError::Absent(dir.to_owned()));
    }
    let engine = runtime::disk::open_store(dir, || Engine::open(dir), StoreError::is_full)?;
    check_format(&engine)?;
    let head = read_head(&engine)?;
    drop_unnamed_records(&engine, &head)?;
    let base = engine::base(&engine.reader())?;
    verify_end(&engine, &base, &head)?;
    let pending = Pending::default();
    pending.add(uncarried(&engine, &head)?);
    let unswept = has_forgotten(&engine, &base)?;
    let (tables, rows) = rows::read(&engine.reader(), &pending.rows())?;
    let store = Store { engine, head, base, pending, unswept, rows, broken: false };
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
        engine.apply(writes)?;
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

/// Checks the end of the journal, from the head back: each record whole, and what the one after it says
/// that it is.
fn verify_end(engine: &Engine, base: &Base, head: &Head) -> Result<(), StoreError> {
    let db = engine.reader();
    let (mut chain, mut bytes) = (head.chain, 0);
    let mut revision = head.revision;
    for _ in 0..END {
        let damaged = |damage| StoreError::DamagedRecord { revision, damage };
        if revision <= base.revision {
            let is_begin = chain == base.chain;
            return if is_begin { Ok(()) } else { Err(damaged(Damage::Misplaced)) };
        }
        let sealed = engine::sealed(&db, &key::record(revision))?;
        let sealed = sealed.ok_or_else(|| damaged(Damage::NotWhole))?;
        let (found, previous, digest) = format::link(&sealed).map_err(damaged)?;
        if found != revision || digest != chain {
            return Err(damaged(Damage::Misplaced));
        }
        chain = previous;
        bytes += sealed.len();
        if bytes > END_BYTES {
            break;
        }
        revision = Revision::new(revision.value().saturating_sub(1));
    }
    Ok(())
}

/// What the records leave whose rows were not all carried to their places.
fn uncarried(engine: &Engine, head: &Head) -> Result<Overlay, StoreError> {
    let mut overlay = Overlay::new();
    let mut revision = head.applied;
    while revision < head.revision {
        revision = revision.next();
        let damaged = || StoreError::DamagedRecord { revision, damage: Damage::NotWhole };
        let (record, _) = engine::record(&engine.reader(), revision)?.ok_or_else(damaged)?;
        lay_again(&mut overlay, &record);
    }
    Ok(overlay)
}

/// Checks the records up to a revision: each whole, each holding the digest of the one before; the
/// first of the journal the digest that was kept of what is forgotten.
///
/// What a record's edits are is not read: their bytes are those that were written, and there may be
/// millions of them.
pub(super) fn verify(db: &sled::Db, base: &Base, last: Revision) -> Result<(), StoreError> {
    let (mut revision, mut chain) = (base.revision, base.chain);
    let records = key::record(base.revision.next())..key::record(last.next());
    wholes(db.range(records), "read the journal", &mut |at, sealed| {
        revision = revision.next();
        let damaged = |damage| StoreError::DamagedRecord { revision, damage };
        if at != key::record(revision) {
            return Err(damaged(Damage::NotWhole));
        }
        let (found, previous, digest) = format::link(sealed).map_err(damaged)?;
        if found != revision || previous != chain {
            return Err(damaged(Damage::Misplaced));
        }
        chain = digest;
        Ok(())
    })?;
    if revision < last {
        return Err(StoreError::DamagedRecord { revision: revision.next(), damage: Damage::NotWhole });
    }
    Ok(())
}

/// What is done with a thing of the store: what its keys begin with, and its sealed bytes.
pub(super) type Take<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Hands over what stands in a part of the store, in order: what each thing's keys begin with, and
/// its parts put together.
pub(super) fn wholes(items: sled::Iter, doing: &'static str, take: &mut Take<'_>) -> Result<(), StoreError> {
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
