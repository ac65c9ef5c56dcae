//! How many connections each client of a TCP service has, so that one cannot take all.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of each client. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    most: usize,
    held: Arc<Mutex<HashMap<Ipv4Addr, usize>>>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    client: Ipv4Addr,
}

impl Places {
    /// At most `most` connections for each client at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// A place for one more connection of `client`; none when it has as many as it may.
    pub(crate) fn take(&self, client: Ipv4Addr) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(client).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            // Clients without a connection are forgotten: the map stays as small as the load.
            _ => {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_its_connection_ends() {
        let places = Places::new(2);
        let [a, b] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let first = places.take(a).unwrap();
        let _second = places.take(a).unwrap();
        assert!(places.take(a).is_none());
        let _other = places.take(b).unwrap();
        drop(first);
        assert!(places.take(a).is_some());
    }
}
