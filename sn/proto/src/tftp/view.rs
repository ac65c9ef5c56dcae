//! The slice indexed for TFTP: which client may read which file.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use common::id::{Digest, MacAddr};
use common::slice::{Entry, Key as SliceKey, Net, Node, Role, Site, Slice};

use super::path::{ROOT, clean};
use crate::boot::{self, Key};

/// Where the boot image of GRUB for one node is asked for; the images themselves are named by
/// their architecture, `boot/grub2/grub2.x86_64`.
const GRUB_OF_NODE: &str = "boot/grub2/grub2-";
const GRUB_IMAGE: &str = "boot/grub2/grub2.";

/// What TFTP answers from.
#[derive(Debug, Default)]
pub struct View {
    on: bool,
    site: Option<Site>,
    networks: Vec<Net>,
    /// Static files by their path below `tftpboot/`.
    files: BTreeMap<String, Stored>,
    nodes: HashMap<String, Arc<Node>>,
    by_mac: HashMap<MacAddr, Arc<Node>>,
    by_ip: HashMap<Ipv4Addr, Arc<Node>>,
}

/// A file in the content store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Of its content.
    pub hash: Digest,
    /// Its length, in bytes.
    pub size: u64,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A boot file, written just now.
    Generated(String),
    /// A file in the content store.
    Stored(Stored),
}

impl View {
    /// Indexes a slice.
    ///
    /// # Errors
    /// None today; all views have the same shape.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        match slice.entry(&SliceKey::Services) {
            Some(Entry::Services(services)) if services.tftp => {}
            _ => return Ok(Self::default()),
        }
        let mut view = Self {
            on: true,
            site: slice.site().cloned(),
            networks: slice.networks().map(|network| network.net).collect(),
            ..Self::default()
        };
        for entry in slice.entries() {
            match entry {
                Entry::File(file) => {
                    if let Some(path) = file.path.as_str().strip_prefix(ROOT) {
                        let stored = Stored { hash: file.hash, size: file.size };
                        view.files.insert(path.to_owned(), stored);
                    }
                }
                Entry::Node(node) => view.put(node),
                _ => {}
            }
        }
        Ok(view)
    }

    /// Whether the service is switched on (`servicenode.tftpserver`).
    pub const fn is_on(&self) -> bool {
        self.on
    }

    fn put(&mut self, node: &Node) {
        let node = Arc::new(node.clone());
        self.nodes.insert(node.name.as_str().to_owned(), Arc::clone(&node));
        for interface in node.own_interfaces() {
            if interface.mac != MacAddr::NONE {
                self.by_mac.insert(interface.mac, Arc::clone(&node));
            }
            if let Some(ip) = interface.ip {
                self.by_ip.insert(ip, Arc::clone(&node));
            }
        }
    }

    /// The file that a client asks for; none when there is no such file for this client.
    pub fn open(&self, client: Ipv4Addr, name: &[u8]) -> Option<Content> {
        let path = clean(name)?;
        let path = path.as_str();
        // A file that an administrator put there comes before a generated one.
        if let Some(stored) = self.files.get(path) {
            return Some(Content::Stored(*stored));
        }
        if path.starts_with(GRUB_OF_NODE) {
            return self.grub_image().map(Content::Stored);
        }
        let (format, key) = boot::file_name(path)?;
        let node = match key {
            Key::Name(name) => self.nodes.get(name.as_str()),
            Key::Mac(mac) => self.by_mac.get(&mac),
            Key::Ip(ip) => self.by_ip.get(&ip),
        }?;
        if node.role != Role::Owner || !self.may_be(client, node) {
            return None;
        }
        boot::render(node, self.site.as_ref()?, format, None).map(Content::Generated)
    }

    /// Whether a client may be the node: it has one of its addresses, or one of a served network
    /// that is no node's (such as a first address out of a range for strangers).
    fn may_be(&self, client: Ipv4Addr, node: &Node) -> bool {
        match self.by_ip.get(&client) {
            Some(holder) => holder.name == node.name,
            None => self.networks.iter().any(|net| net.contains(&client)),
        }
    }

    /// x86_64 where there are several: what other firmware needs comes under its own name.
    fn grub_image(&self) -> Option<Stored> {
        let usual = self.files.get("boot/grub2/grub2.x86_64");
        let any = || self.files.range(GRUB_IMAGE.to_owned()..).next();
        let any = || any().filter(|(path, _)| path.starts_with(GRUB_IMAGE)).map(|(_, stored)| stored);
        usual.or_else(any).copied()
    }
}

#[cfg(test)]
mod tests;
