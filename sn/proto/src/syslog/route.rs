//! The sender's address to its node.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use common::id::NodeName;
use common::slice::{Entry, Slice};

/// What the syslog receiver knows of the slice.
///
/// Every node of the slice is heard, whatever this service node is to it: a line that comes to a
/// backup, or to a new owner before its time, is kept all the same.
#[derive(Clone, Debug, Default)]
pub struct View {
    on: bool,
    forwards: bool,
    senders: HashMap<Ipv4Addr, NodeName>,
}

impl View {
    /// The view of a slice.
    ///
    /// # Errors
    /// None today; the signature is that of every service.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        let mut view = Self { forwards: slice.site().is_some_and(|site| !site.logs_stay), ..Self::default() };
        for entry in slice.entries() {
            match entry {
                Entry::Services(services) => view.on = services.syslog,
                Entry::Node(node) => {
                    let addresses = node.own_interfaces().filter_map(|interface| interface.ip);
                    // Where two nodes claim an address, the first keeps it: its lines are not lost.
                    addresses.for_each(|ip| {
                        view.senders.entry(ip).or_insert_with(|| node.name.clone());
                    });
                }
                _ => {}
            }
        }
        Ok(view)
    }

    /// Whether the service is switched on.
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Whether lines are forwarded to the management node (`site.svloglocal` is off).
    pub const fn forwards(&self) -> bool {
        self.forwards
    }

    /// The node with this address.
    pub fn node(&self, sender: Ipv4Addr) -> Option<&NodeName> {
        self.senders.get(&sender)
    }
}
