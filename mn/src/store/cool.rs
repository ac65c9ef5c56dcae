//! Making sled's cache shrink to its bound, once much was read or written.
//!
//! sled keeps its bound late: its cache has 256 parts, and each looks at what it holds after 64
//! accesses. So after a start, which reads every row, or a large group, some 16,000 pages more than
//! the bound stay in memory for as long as nobody asks for anything. Here a thousand pages are each
//! read 64 times, one after the other: pages are dealt out to the parts in turn, so that every part
//! looks at what it holds, and what is left waiting is one page a part.
//!
//! Nothing depends on it but memory (`docs/decisions/0021-memory.md`).

use super::{Store, StoreError, key};

/// How many rows are read: a page has 8 to 16, so these are on a thousand pages of a large store.
const ROWS: usize = 8_192;

/// How often each is read: the rows of a page together more often than a part waits for.
const TIMES: usize = 9;

/// How many rows one step reads: a millisecond, for which a commit may wait.
const STEP: usize = 128;

/// How far the cache has been made to shrink.
#[derive(Debug)]
pub struct Cooling {
    next: Vec<u8>,
    left: usize,
}

impl Default for Cooling {
    fn default() -> Self {
        Self { next: key::ROWS.to_vec(), left: ROWS }
    }
}

impl Store {
    /// Goes a step further; says whether that was the last.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn cool(&self, cooling: &mut Cooling) -> Result<bool, StoreError> {
        let db = self.engine.reader();
        let rows = db.range(cooling.next.as_slice()..).keys().take(STEP.min(cooling.left));
        let mut read = 0;
        for row in rows {
            let row = row.map_err(|source| StoreError::Sled { doing: "read", source })?;
            (0..TIMES).try_for_each(|_| self.engine.get(&row).map(drop))?;
            read += 1;
            cooling.next = row.to_vec();
        }
        // The least key after the last one.
        cooling.next.push(0);
        cooling.left = cooling.left.saturating_sub(STEP);
        Ok(read < STEP || cooling.left == 0)
    }
}

#[cfg(test)]
mod tests {
    use mn_core::table::{Edit, Row, RowKey, schema};

    use super::*;
    use crate::store::Commit;

    /// How many steps cooling a store of so many rows takes.
    fn steps(rows: usize) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        let edit = |at| {
            let key = RowKey::one(&format!("n{at}"));
            let row = Row::new().with("node", key.as_str());
            Edit { table: schema::NODELIST, key, before: None, after: Some(row) }
        };
        Store::create(&dir, &Commit { edits: (0..rows).map(edit).collect(), ..Commit::default() }).unwrap();
        let (mut store, _) = Store::open(&dir).unwrap();
        store.settle().unwrap();
        let mut cooling = Cooling::default();
        let mut steps = 1;
        while !store.cool(&mut cooling).unwrap() {
            steps += 1;
        }
        steps
    }

    #[test]
    fn a_store_of_any_size_is_cooled_in_bounded_steps() {
        assert_eq!((steps(0), steps(STEP - 1), steps(STEP * 3 + 1)), (1, 1, 4));
        assert_eq!(steps(ROWS + STEP * 2), ROWS / STEP);
    }
}
