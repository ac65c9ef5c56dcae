//! Who is answered.

use std::net::Ipv4Addr;

use common::slice::{Entry, Key, Net, Slice};

/// The slice as NTP sees it: whether to answer, and whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    on: bool,
    networks: Vec<Net>,
}

impl View {
    /// Indexes a slice.
    ///
    /// # Errors
    /// None today; the signature is that of every service's view.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        let on = matches!(slice.entry(&Key::Services), Some(Entry::Services(services)) if services.ntp);
        Ok(Self { on, networks: slice.networks().map(|network| network.net).collect() })
    }

    /// Whether NTP is served at all (`servicenode.ntpserver`).
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Whether this client is answered: it is on a network of the slice or on this machine.
    pub fn serves(&self, client: Ipv4Addr) -> bool {
        self.on && (client.is_loopback() || self.networks.iter().any(|net| net.contains(&client)))
    }
}
