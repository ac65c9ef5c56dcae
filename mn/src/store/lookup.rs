//! Looking up many keys, one after the other.
//!
//! The edits of a large command come in the order of their rows. So a search from the root for each
//! is most often spared: what is near is walked to.

use sled::IVec;

use super::StoreError;

/// How far is walked before a search is cheaper.
const NEAR: usize = 16;

/// Looks up keys.
pub(super) struct Lookup {
    db: sled::Db,
    /// How many keys are going to be asked for: a few are searched.
    is_walked: bool,
    walk: Option<sled::Iter>,
    /// The key that was asked for last; nothing stands between it and `ahead`.
    last: Vec<u8>,
    ahead: Option<(IVec, IVec)>,
}

impl Lookup {
    /// For so many keys.
    pub(super) fn new(db: sled::Db, keys: usize) -> Self {
        Self { db, is_walked: keys > NEAR, walk: None, last: Vec::new(), ahead: None }
    }

    /// The value under `key`.
    pub(super) fn get(&mut self, key: Vec<u8>) -> Result<Option<IVec>, StoreError> {
        let reading = |source| StoreError::Sled { doing: "read", source };
        if !self.is_walked {
            return self.db.get(key).map_err(reading);
        }
        let mut near = if self.last <= key { NEAR } else { 0 };
        while let (Some(walk), true) = (&mut self.walk, near > 0 && is_before(&self.ahead, &key)) {
            self.ahead = walk.next().transpose().map_err(reading)?;
            near -= 1;
        }
        if self.walk.is_none() || near == 0 {
            let mut walk = self.db.range(key.as_slice()..);
            self.ahead = walk.next().transpose().map_err(reading)?;
            self.walk = Some(walk);
        }
        let found = self.ahead.as_ref().filter(|(at, _)| *at == key).map(|(_, value)| value.clone());
        self.last = key;
        Ok(found)
    }
}

fn is_before(ahead: &Option<(IVec, IVec)>, key: &[u8]) -> bool {
    ahead.as_ref().is_some_and(|(at, _)| at.as_ref() < key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_walked_to_is_what_is_searched(
            there in prop::collection::btree_set(any::<u8>(), 0..200),
            asked in prop::collection::vec(any::<u8>(), NEAR + 1..300),
            sorted: bool,
        ) {
            let db = sled::Config::new().temporary(true).open().unwrap();
            for key in &there {
                db.insert([*key], &[*key]).unwrap();
            }
            let mut asked = asked;
            if sorted {
                asked.sort_unstable();
            }
            let mut lookup = Lookup::new(db, asked.len());
            for key in asked {
                let found = lookup.get(vec![key]).unwrap();
                prop_assert_eq!(found.is_some(), there.contains(&key));
            }
        }
    }
}
