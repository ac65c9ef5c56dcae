//! How many connections that have proven nothing yet each address has, so that one machine cannot
//! take the places of all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most of one address: a boot storm of agents that share an address comes in turns, and three
/// more such machines are needed to take all places of a listener.
const MOST: usize = 64;

/// The count. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more connection of this address; none when it has as many as it may.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let mut counts = self.counts();
        let count = counts.entry(address).or_insert(0);
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }

    /// The map is whole after every line that changes it, so a panic elsewhere does no harm.
    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bounded_number_of_places_and_gives_them_back() {
        let crowd = Crowd::default();
        let [one, two] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let places: Vec<_> = std::iter::from_fn(|| crowd.take(one)).take(1000).collect();
        assert_eq!(places.len(), MOST);
        assert!(crowd.take(two).is_some());
        drop(places);
        assert!(crowd.take(one).is_some());
        assert!(crowd.counts().is_empty());
    }
}
