//! Where things stand in the one sled tree: a letter for the kind, then what tells them apart.
//!
//! | key | value |
//! |---|---|
//! | `m` `format` | the format version, four bytes, readable by every version for ever |
//! | `m` `head` | [`Head`](super::format::Head): the last revision and what proves it |
//! | `m` `base` | [`Base`](super::format::Base): where the journal begins; absent while it is whole |
//! | `r` table `\0` row key `\0` part | a part of a row |
//! | `x` table `\0` row key `\0` | the revision that removed a row which is not there |
//! | `j` revision part | a part of a journal record |
//! | `g` service node | the generation and digest of its slice |
//! | `c` service node | how far its reports and log lines are stored |
//!
//! Numbers are big-endian, so that the order of the keys is the order of the numbers. One tree,
//! because sled's batches are atomic within a tree and its flushes are of the whole store anyway.

use common::id::{Revision, SnName};
use mn_core::table::{RowKey, TableId};

/// The longest value, in bytes; longer things are cut into parts.
///
/// sled writes a whole leaf as one message and puts a message over 128 KiB (a quarter of a
/// segment) into a file of its own, a blob, which was not proven to survive a power cut. A leaf
/// is split above 16 items and may gain 3 by a merge: 20 × (4 KiB + a key) stays far below.
pub(super) const MAX_VALUE: usize = 4096;

/// The bytes of a part's number at the end of a key.
const PART: usize = 4;

pub(super) const FORMAT: &[u8] = b"mformat";
pub(super) const HEAD: &[u8] = b"mhead";
pub(super) const BASE: &[u8] = b"mbase";
pub(super) const ROWS: &[u8] = b"r";
pub(super) const GRAVES: &[u8] = b"x";
pub(super) const JOURNAL: &[u8] = b"j";
pub(super) const GENERATIONS: &[u8] = b"g";
pub(super) const CURSORS: &[u8] = b"c";

/// What the keys of a table's rows begin with.
pub(super) fn rows(table: TableId) -> Vec<u8> {
    [ROWS, table.name().as_bytes()].concat()
}

/// What the keys of all parts of a row begin with.
pub(super) fn row(table: TableId, key: &RowKey) -> Vec<u8> {
    [ROWS, table.name().as_bytes(), b"\0", key.as_str().as_bytes(), b"\0"].concat()
}

/// The key of what is left of the row whose parts begin with `base`.
pub(super) fn grave(base: &[u8]) -> Vec<u8> {
    [GRAVES, base.get(ROWS.len()..).unwrap_or_default()].concat()
}

/// What the keys of all parts of a journal record begin with.
pub(super) fn record(revision: Revision) -> Vec<u8> {
    let mut bytes = JOURNAL.to_vec();
    bytes.extend_from_slice(&revision.value().to_be_bytes());
    bytes
}

/// The key of a part of what begins with `base`.
pub(super) fn part(base: &[u8], number: u32) -> Vec<u8> {
    [base, &number.to_be_bytes()].concat()
}

/// The base and the number of a part's key.
pub(super) fn split_part(key: &[u8]) -> Option<(&[u8], u32)> {
    key.split_last_chunk::<PART>().map(|(base, number)| (base, u32::from_be_bytes(*number)))
}

/// The table's name and the row's key in the base of a row's key.
pub(super) fn table_and_row(base: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(base.strip_prefix(ROWS)?).ok()?;
    text.strip_suffix('\0')?.split_once('\0')
}

/// The key of a service node's generation.
pub(super) fn generation(sn: &SnName) -> Vec<u8> {
    [GENERATIONS, sn.as_str().as_bytes()].concat()
}

/// The key of a service node's cursor.
pub(super) fn cursor(sn: &SnName) -> Vec<u8> {
    [CURSORS, sn.as_str().as_bytes()].concat()
}

/// The service node in the key of a generation or a cursor.
pub(super) fn service_node(key: &[u8]) -> Option<SnName> {
    std::str::from_utf8(key.get(1..)?).ok()?.parse().ok()
}
