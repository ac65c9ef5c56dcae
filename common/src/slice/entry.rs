//! The kinds of entry in a slice, except the node, which has a file of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::node::Node;
use super::{EntryError, MAX_ENTRY};
use crate::id::{Digest, ImageName, NetworkName, NodeName, SnName};

/// An IPv4 network: address and prefix.
pub type Net = ipnet::Ipv4Net;

/// Where an entry stands in a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// The one site entry.
    Site,
    /// The one entry that says which services this service node runs.
    Services,
    /// A network.
    Network(NetworkName),
    /// A node.
    Node(NodeName),
    /// A name that is not a compute node of this slice: the management node, a service node.
    Host(String),
    /// An operating system image.
    Image(ImageName),
    /// A file by its path in the served tree.
    File(FilePath),
    /// An NFS export by its pseudo path.
    Export(String),
    /// Another service node of a pool that this one is in.
    Peer(SnName),
}

/// One thing that a service node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// What holds for the whole site.
    Site(Site),
    /// What this service node runs.
    Services(Services),
    /// A network on which it serves.
    Network(Network),
    /// A node it may serve.
    Node(Box<Node>),
    /// A name it answers.
    Host(Host),
    /// An image its nodes boot.
    Image(Image),
    /// A file it serves.
    File(File),
    /// A directory it exports.
    Export(Export),
    /// A service node it shares nodes with.
    Peer(Peer),
}

impl Entry {
    /// The key under which this entry stands.
    pub fn key(&self) -> Key {
        match self {
            Self::Site(_) => Key::Site,
            Self::Services(_) => Key::Services,
            Self::Network(network) => Key::Network(network.name.clone()),
            Self::Node(node) => Key::Node(node.name.clone()),
            Self::Host(host) => Key::Host(host.name.clone()),
            Self::Image(image) => Key::Image(image.name.clone()),
            Self::File(file) => Key::File(file.path.clone()),
            Self::Export(export) => Key::Export(export.pseudo.clone()),
            Self::Peer(peer) => Key::Peer(peer.sn.clone()),
        }
    }
}

/// How an entry is stored and sent. Variants are only appended; the golden bytes in the tests are
/// kept for ever.
#[derive(Serialize, Deserialize)]
enum Versioned<T> {
    V1(T),
}

pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    /// What most entries fit into, so that memory is asked for once.
    const USUAL: usize = 1024;
    // Encoding plain data into memory fails only where a sequence has no known length; none here.
    let bytes = postcard::to_extend(&Versioned::V1(entry), Vec::with_capacity(USUAL)).unwrap_or_default();
    if bytes.is_empty() || bytes.len() > MAX_ENTRY {
        return Err(EntryError::TooLong { key: entry.key(), len: bytes.len() });
    }
    Ok(bytes)
}

pub(super) fn decode(key: &Key, bytes: &[u8]) -> Result<Entry, EntryError> {
    if bytes.len() > MAX_ENTRY {
        return Err(EntryError::TooLong { key: key.clone(), len: bytes.len() });
    }
    match postcard::from_bytes(bytes) {
        Ok(Versioned::V1(entry)) => Ok(entry),
        Err(_) => Err(EntryError::Unreadable { key: key.clone() }),
    }
}

/// What holds for the whole site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The DNS domain of the nodes, without a dot at the end (`site.domain`).
    pub domain: String,
    /// DNS servers that answer what the slice does not (`site.forwarders`).
    pub forwarders: Vec<IpAddr>,
    /// How long a client may keep an address, in seconds (`site.dhcplease`).
    pub lease_seconds: u32,
    /// The TCP port of the boot HTTP server (`site.httpport`).
    pub http_port: u16,
    /// The UDP port on which a service node listens for its nodes' agents and for its pool.
    pub agent_port: u16,
    /// Whether a service node keeps its nodes' logs for itself (`site.svloglocal`); otherwise they
    /// are forwarded to the management node too.
    pub logs_stay: bool,
    /// The SHA-256 fingerprint of the authority, which a joining agent pins.
    pub authority: [u8; 32],
}

/// Which services this service node runs (the `servicenode` table).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "one independent switch a service, as in the table")]
pub struct Services {
    /// Whose entry this is.
    pub sn: SnName,
    /// DHCP (`dhcpserver`).
    pub dhcp: bool,
    /// TFTP (`tftpserver`).
    pub tftp: bool,
    /// Boot scripts and files by HTTP (`nfsserver`, as in xCAT, which sets up HTTP with it).
    pub http: bool,
    /// DNS (`nameserver`).
    pub dns: bool,
    /// NTP (`ntpserver`).
    pub ntp: bool,
    /// Syslog (`monserver`).
    pub syslog: bool,
    /// NFS export set-up (`nfsserver`).
    pub nfs: bool,
    /// Interfaces to serve DHCP on (`dhcpinterfaces`); empty for all that have a served network.
    pub dhcp_interfaces: Vec<String>,
}

/// A network on which the service node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// `networks.netname`.
    pub name: NetworkName,
    /// Its address and prefix (`net`, `mask`).
    pub net: Net,
    /// The router for clients without a node of their own (`gateway`).
    pub gateway: Option<Ipv4Addr>,
    /// This service node's own address on it, where the management node knows one.
    pub server: Option<Ipv4Addr>,
    /// Addresses for strangers, first and last of each range; empty unless this service node is
    /// the one that serves them (`dynamicrange`, `dhcpserver`).
    pub dynamic: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// DNS servers for strangers.
    pub nameservers: Vec<Ipv4Addr>,
    /// NTP servers for strangers.
    pub ntp_servers: Vec<Ipv4Addr>,
    /// The DNS domain (`domain`, else the site's).
    pub domain: String,
    /// The interface MTU to tell, in bytes.
    pub mtu: Option<u16>,
}

/// A name and its addresses, for DNS and for the agents' hosts files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The short name.
    pub name: String,
    /// Other names for the same addresses.
    pub aliases: Vec<String>,
    /// Its addresses; the first one is the one a reverse lookup is made for.
    pub addresses: Vec<IpAddr>,
}

/// What the service node must have to boot an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `osimage.imagename`.
    pub name: ImageName,
    /// The kernel, in the served tree.
    pub kernel: FilePath,
    /// The initial RAM disk, in the served tree.
    pub initrd: Option<FilePath>,
    /// Kernel arguments of the image.
    pub cmdline: String,
}

/// A file that the service node serves by TFTP and HTTP, named by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where clients find it.
    pub path: FilePath,
    /// Of its content.
    pub hash: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// Whether it may be run where it is mounted: somebody may on the management node. Who may read
    /// it is no part of it, since every node may.
    pub executable: bool,
}

/// A directory of the served tree, exported by NFS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The name under which clients mount it, such as `/install`.
    pub pseudo: String,
    /// The directory in the served tree.
    pub path: FilePath,
    /// Whether clients may write.
    pub writable: bool,
    /// Who may mount it.
    pub clients: Vec<Net>,
}

/// Another service node that shares nodes with this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub sn: SnName,
    /// Where it can be reached, best first.
    pub addresses: Vec<Ipv4Addr>,
}

/// A path in the served tree: relative, with `/` between parts that are not empty, `.` or `..`.
///
/// The same tree is served by TFTP (below `tftpboot/`), by HTTP (from its root) and by NFS.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(Arc<str>);

/// Why a text is not a path in the served tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path in the served tree; use parts with '/' between, none of them '.' or '..'")]
pub struct FilePathError(String);

impl FilePath {
    /// The path as text, without a `/` at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FilePath {
    type Err = FilePathError;

    /// Takes a `/` at the front and repeated `/`, as clients send them.
    fn from_str(text: &str) -> Result<Self, FilePathError> {
        let refuse = || FilePathError(text.chars().take(80).collect());
        if text.len() > 1024 || text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(refuse());
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | "..") || part.len() > 255) {
            return Err(refuse());
        }
        Ok(Self(parts.join("/").into()))
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;
    fn try_from(text: String) -> Result<Self, FilePathError> {
        text.parse()
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0.as_ref().to_owned()
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for FilePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}
