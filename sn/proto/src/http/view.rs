//! The slice, indexed for HTTP: files by path, nodes by what a boot file or a client is known by.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use common::id::{Digest, Generation, MacAddr, NodeName};
use common::slice::{Entry, FilePath, Net, Node, Role, Site, Slice};
use common::wire::join::{Kind, Token};

use crate::boot;

/// A file of the served tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Of its content.
    pub hash: Digest,
    /// Its length, in bytes.
    pub size: u64,
}

/// Who a client is, by its address alone.
#[derive(Clone, Copy, Debug)]
pub enum Client<'a> {
    /// A node of the slice, whatever this service node is to it.
    Node(&'a Node),
    /// An address of a served network that no node has: firmware in a dynamic range, a person.
    Guest,
    /// This machine.
    Local,
    /// Anyone else, or an address that two nodes claim.
    Foreign,
}

/// What HTTP knows of the slice.
#[derive(Clone, Debug, Default)]
pub struct View {
    on: bool,
    site: Option<Site>,
    networks: Vec<Net>,
    files: HashMap<FilePath, Served>,
    nodes: HashMap<NodeName, Arc<Node>>,
    macs: HashMap<MacAddr, Arc<Node>>,
    /// None where two nodes claim the address: neither is believed.
    addresses: HashMap<Ipv4Addr, Option<Arc<Node>>>,
    generation: Option<Generation>,
}

impl View {
    /// The view of a slice.
    ///
    /// # Errors
    /// None today; the signature is that of every service.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        let mut view = Self { site: slice.site().cloned(), ..Self::default() };
        for entry in slice.entries() {
            match entry {
                Entry::Services(services) => view.on = services.http,
                Entry::Network(network) => view.networks.push(network.net),
                Entry::File(file) => {
                    view.files.insert(file.path.clone(), Served { hash: file.hash, size: file.size });
                }
                Entry::Node(node) => view.put_node(node),
                Entry::Site(_) | Entry::Host(_) | Entry::Image(_) | Entry::Export(_) | Entry::Peer(_) => {}
            }
        }
        Ok(view)
    }

    /// The same view, saying in every answer which generation of the slice it came from.
    #[must_use]
    pub fn at(mut self, generation: Generation) -> Self {
        self.generation = Some(generation);
        self
    }

    fn put_node(&mut self, node: &Node) {
        let node = Arc::new(node.clone());
        for interface in node.own_interfaces() {
            if interface.mac != MacAddr::NONE {
                self.macs.entry(interface.mac).or_insert_with(|| Arc::clone(&node));
            }
            let Some(address) = interface.ip else { continue };
            match self.addresses.entry(address) {
                Slot::Vacant(slot) => {
                    slot.insert(Some(Arc::clone(&node)));
                }
                Slot::Occupied(mut slot) => {
                    if slot.get().as_ref().is_none_or(|other| other.name != node.name) {
                        slot.insert(None);
                    }
                }
            }
        }
        self.nodes.insert(node.name.clone(), node);
    }

    /// Whether the service is switched on.
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// The generation it was built from, where that is known.
    pub const fn generation(&self) -> Option<Generation> {
        self.generation
    }

    /// Who has this address.
    pub fn client(&self, address: Ipv4Addr) -> Client<'_> {
        match self.addresses.get(&address) {
            Some(Some(node)) => Client::Node(node),
            Some(None) => Client::Foreign,
            None if self.networks.iter().any(|net| net.contains(&address)) => Client::Guest,
            None if address.is_loopback() => Client::Local,
            None => Client::Foreign,
        }
    }

    /// The file under a path.
    pub fn file(&self, path: &str) -> Option<Served> {
        self.files.get(path).copied()
    }

    /// The generated boot file under a path, for this client; none where there is none for it.
    ///
    /// Only the owner of a node hands out its boot files, and only to the node itself or to a
    /// guest: firmware asks from an address of a dynamic range before the node has its own.
    /// The join token is for the node's own address alone.
    pub fn boot_file(&self, path: &str, client: Client<'_>) -> Option<String> {
        let (format, key) = boot::file_name(path.strip_prefix("tftpboot/")?)?;
        let node = match &key {
            boot::Key::Name(name) => self.nodes.get(name.as_str())?,
            boot::Key::Mac(mac) => self.macs.get(mac)?,
            boot::Key::Ip(address) => self.addresses.get(address)?.as_ref()?,
        };
        if node.role != Role::Owner {
            return None;
        }
        let site = self.site.as_ref()?;
        let token = match client {
            Client::Node(asker) if asker.name == node.name => token(node, site),
            Client::Guest => None,
            Client::Node(_) | Client::Local | Client::Foreign => return None,
        };
        boot::render(node, site, format, token.as_deref())
    }
}

/// The token with which a node's agent joins: its master first, then the rest of its pool.
fn token(node: &Node, site: &Site) -> Option<String> {
    let secret = node.join.clone()?;
    let mut addresses = vec![node.servers.master];
    for member in &node.pool {
        if !addresses.contains(&member.address) {
            addresses.push(member.address);
        }
    }
    // A token holds at most 16 (`common::wire::join`).
    let addresses =
        addresses.into_iter().take(16).map(|ip| SocketAddr::from((ip, site.agent_port))).collect();
    let token =
        Token { kind: Kind::Agent, name: node.name.clone(), addresses, authority: site.authority, secret };
    Some(token.to_string())
}
