//! Who is being served, so that no client takes all the room and no request is served twice.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many transfers one address may have at a time. Firmware has one or two; what aborts without
/// a word leaves its transfer waiting for half a minute.
const MOST: usize = 32;

/// The clients that are being served. Clones share everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    active: Arc<Mutex<Active>>,
}

/// The ports of each client.
type Active = HashMap<Ipv4Addr, HashSet<u16>>;

impl Clients {
    /// A place for a transfer to this address and port; none when there is one already, or the
    /// address has too many.
    pub(super) fn enter(&self, client: SocketAddrV4) -> Option<Place> {
        let mut active = lock(&self.active);
        let ports = active.entry(*client.ip()).or_default();
        let enters = ports.len() < MOST && ports.insert(client.port());
        enters.then(|| Place { client, active: Arc::clone(&self.active) })
    }
}

/// Holds a transfer's place until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    client: SocketAddrV4,
    active: Arc<Mutex<Active>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut active = lock(&self.active);
        if let Some(ports) = active.get_mut(self.client.ip()) {
            ports.remove(&self.client.port());
            if ports.is_empty() {
                active.remove(self.client.ip());
            }
        }
    }
}

/// The map is whole after every line that changes it, so a panic elsewhere does no harm.
fn lock(active: &Mutex<Active>) -> MutexGuard<'_, Active> {
    active.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_transfer_a_port_and_a_bounded_number() {
        let clients = Clients::default();
        let client = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let first = clients.enter(client(1)).unwrap();
        assert!(clients.enter(client(1)).is_none());
        let rest: Vec<_> = (2..100).map_while(|port| clients.enter(client(port))).collect();
        assert_eq!(rest.len() + 1, MOST);
        drop(first);
        assert!(clients.enter(client(1)).is_some());
        drop(rest);
        assert!(lock(&clients.active).is_empty());
    }
}
