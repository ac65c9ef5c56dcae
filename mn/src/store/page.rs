//! A record of the journal whose edits are looked up one by one.
//!
//! A command on every node of a large site makes a record of hundreds of thousands of rows, and the
//! history of one row wants one of them. The bytes stay as they are; where each edit stands is found
//! out once, and what is asked for is read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use common::id::Revision;
use mn_core::table::{Edit, Row, RowKey, TableId};

use super::format::{self, Brief, Damage};

/// A record, with an index of its edits.
#[derive(Debug)]
pub(super) struct Page {
    brief: Arc<Brief>,
    sealed: Vec<u8>,
    /// A hash of each edit's table and row, and where it stands; sorted, so that edits of one row
    /// stand in their order.
    places: Vec<(u64, u32)>,
}

/// What a record did to a row.
#[derive(Debug)]
pub(super) struct Found {
    /// What the row was.
    pub(super) before: Option<Row>,
    /// What it became.
    pub(super) after: Option<Row>,
    /// The revision that touched it before.
    pub(super) prior: Revision,
}

impl Page {
    /// Checks the sealed bytes of a record and finds its edits.
    pub(super) fn open(sealed: Vec<u8>) -> Result<Self, Damage> {
        let (brief, start) = format::brief(&sealed)?;
        let mut places = Vec::new();
        let mut rest = sealed.get(start..).unwrap_or_default();
        for _ in 0..brief.rows {
            let place = u32::try_from(sealed.len() - rest.len()).map_err(|_| Damage::Unreadable)?;
            let (edit, behind) = format::pass(rest)?;
            places.push((hash(edit.table, edit.key), place));
            rest = behind;
        }
        places.sort_unstable();
        Ok(Self { brief: Arc::new(brief), sealed, places })
    }

    /// What stands before the edits.
    pub(super) const fn brief(&self) -> &Arc<Brief> {
        &self.brief
    }

    /// How many bytes it takes.
    pub(super) const fn size(&self) -> usize {
        self.sealed.len() + self.places.len() * size_of::<(u64, u32)>()
    }

    /// What it did to a row; none where it did not touch it.
    pub(super) fn find(&self, table: TableId, row: &RowKey) -> Result<Option<Found>, Damage> {
        let wanted = hash(table.name(), row.as_str());
        let from = self.places.partition_point(|(hash, _)| *hash < wanted);
        let places = self.places.iter().skip(from).take_while(|(hash, _)| *hash == wanted);
        let mut found: Option<Found> = None;
        for (_, place) in places {
            let bytes = self.sealed.get(*place as usize..).unwrap_or_default();
            let (Edit { table: at, key, before, after }, prior) = format::read_edit(bytes)?;
            if at != table || key != *row {
                continue;
            }
            match &mut found {
                Some(found) => found.after = after,
                None => found = Some(Found { before, after, prior }),
            }
        }
        Ok(found)
    }
}

fn hash(table: &str, row: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, row).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use common::id::Digest;
    use mn_core::table::schema::{HOSTS, NODELIST};

    use super::super::Commit;
    use super::super::format::{WrittenRecord, seal};
    use super::*;

    fn edit(table: TableId, name: &str, before: Option<&str>, after: Option<&str>) -> Edit {
        let row = |value: &str| Row::new().with("node", name).with("comments", value);
        Edit { table, key: RowKey::one(name), before: before.map(row), after: after.map(row) }
    }

    #[test]
    fn each_edit_is_found_by_its_table_and_row() {
        let edits = vec![
            edit(HOSTS, "n1", None, Some("a")),
            edit(NODELIST, "n1", Some("b"), Some("c")),
            edit(HOSTS, "n2", Some("d"), None),
            // The same row twice in one record: what it was before both, and is after both.
            edit(HOSTS, "n1", Some("a"), Some("e")),
        ];
        let commit = Commit { edits: edits.clone(), author: "root".to_owned(), ..Commit::default() };
        let priors = [3, 4, 5, 9].map(Revision::new);
        let previous = Digest::from_bytes([0; 32]);
        let page =
            Page::open(seal(&WrittenRecord::new(&commit, Revision::new(10), &priors, previous))).unwrap();
        assert_eq!((page.brief().rows, page.brief().author.as_str()), (4, "root"));
        let find = |table, name| page.find(table, &RowKey::one(name)).unwrap();
        let found = find(HOSTS, "n1").unwrap();
        assert_eq!(
            (found.before, found.after, found.prior),
            (None, edits[3].after.clone(), Revision::new(3))
        );
        let found = find(NODELIST, "n1").unwrap();
        assert_eq!((&found.before, found.prior), (&edits[1].before, Revision::new(4)));
        assert!(find(HOSTS, "n2").unwrap().after.is_none());
        assert!(find(NODELIST, "n2").is_none() && find(HOSTS, "n3").is_none());
    }

    #[test]
    fn a_record_that_is_cut_off_is_damaged() {
        let commit = Commit { edits: vec![edit(HOSTS, "n1", None, Some("a"))], ..Commit::default() };
        let previous = Digest::from_bytes([0; 32]);
        let sealed = seal(&WrittenRecord::new(&commit, Revision::new(2), &[], previous));
        assert!(Page::open(sealed[..sealed.len() - 1].to_vec()).is_err());
    }
}
