//! Rows that are committed and do not stand in their places yet.
//!
//! A large group is committed by its journal records and the head; its rows are carried to their
//! places behind the answer. Until then they are here, where the writer and whoever reads the history
//! look first. Nothing here need be kept: opening the store makes it anew from the journal.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use common::id::{Digest, Revision};

use super::format;

/// What committed groups leave of rows, by the base of their keys.
pub(super) type Overlay = BTreeMap<Bytes, Left>;

/// What committed groups leave of a row.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// Its sealed content; none where the row goes.
    pub(super) content: Option<Bytes>,
    /// The last revision that touched it.
    pub(super) by: Revision,
    /// The digest of its content before the group; none where there was no row.
    pub(super) was: Option<Digest>,
    /// What stands in its place.
    pub(super) place: Place,
}

/// What stands in the place of a row, which may be older than what there is of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody has looked: the store is being opened.
    Unknown,
    /// Nothing, or what is left of a row that was removed.
    Gone { has_grave: bool },
    /// A row of so many parts.
    There { parts: u32 },
}

impl Left {
    /// The digest of what it leaves.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.content.as_deref().map(format::digest)
    }
}

/// Makes the bytes of an overlay, those of many rows in one piece of memory.
///
/// They are let go a few rows at a time, and each time sled takes memory that it keeps: from what was
/// one piece it takes one end, and from a hundred thousand places it would take a little everywhere, so
/// that none of them could be given back.
#[derive(Debug)]
pub(super) struct Pieces {
    now: BytesMut,
    /// How long the next piece is, in bytes.
    next: usize,
}

impl Pieces {
    /// For about so many rows.
    pub(super) fn for_rows(rows: usize) -> Self {
        /// What a row takes with its key, mostly, and the longest piece.
        const ROW: usize = 256;
        const LONGEST: usize = 1 << 16;
        Self { now: BytesMut::new(), next: rows.saturating_mul(ROW).min(LONGEST) }
    }

    /// The same bytes, in a piece.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Bytes {
        if self.now.capacity() < bytes.len() {
            self.now = BytesMut::with_capacity(self.next.max(bytes.len()));
        }
        self.now.extend_from_slice(bytes);
        self.now.split().freeze()
    }
}

/// The rows that are to be carried to their places. Shared between the writer and the readers of the
/// history; cheap to clone. Its lock is held for some milliseconds at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending(Arc<Mutex<Overlay>>);

impl Pending {
    /// The rows, for the writer's next step. Only the writer changes them.
    pub(super) fn rows(&self) -> MutexGuard<'_, Overlay> {
        // Whoever panicked with it was reading, or putting one whole row after the other.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether every row stands in its place.
    pub(super) fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// Takes what a group leaves, over what earlier ones left.
    pub(super) fn add(&self, group: Overlay) {
        let mut rows = self.rows();
        if rows.is_empty() {
            *rows = group;
        } else {
            rows.extend(group);
        }
    }

    /// Forgets the first rows: they stand in their places.
    pub(super) fn drop_first(&self, count: usize) {
        let mut rows = self.rows();
        (0..count).for_each(|_| drop(rows.pop_first()));
    }

    /// The revision that last touched a row; none where the row is not here.
    pub(super) fn last_touch(&self, base: &[u8]) -> Option<Revision> {
        self.rows().get(base).map(|left| left.by)
    }

    /// The bases that begin with `prefix`.
    pub(super) fn under(&self, prefix: &[u8]) -> Vec<Bytes> {
        let rows = self.rows();
        let from = rows.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        from.map(|(base, _)| base).take_while(|base| base.starts_with(prefix)).cloned().collect()
    }
}
