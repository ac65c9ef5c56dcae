//! A node in a slice: who answers for it, what it is told, what it boots.
//!
//! Everything is resolved already: the management node has followed groups, templates and
//! `<xcatmaster>`; a service node only looks things up.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::entry::FilePath;
use crate::id::{Digest, Epoch, ImageName, MacAddr, NetworkName, NodeName, SnName};

/// A node, as its service nodes know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// What this service node is to it.
    pub role: Role,
    /// The epoch in which that holds. Who sees a higher one elsewhere stops answering.
    pub epoch: Epoch,
    /// The service nodes that may serve it: the owner, then the backups in their order.
    pub pool: Vec<PoolMember>,
    /// Its network interfaces.
    pub interfaces: Vec<Interface>,
    /// The servers it is told of.
    pub servers: Servers,
    /// How its firmware boots from the network.
    pub netboot: Netboot,
    /// What its next boot gets.
    pub boot: Boot,
    /// Scripts that its agent runs when their list or content changes, in order.
    pub scripts: Vec<Script>,
    /// The secret with which its agent joins, once.
    pub join: Option<JoinSecret>,
    /// The BLAKE3 of the public key (SubjectPublicKeyInfo, DER) of its agent, once it has joined.
    /// An agent with another key is refused.
    pub agent_key: Option<Digest>,
    /// Whether the running node is left as it is until it boots (`snmove -i`).
    pub rests: bool,
}

impl Node {
    /// The first interface that has an address: the one it is known by.
    pub fn primary(&self) -> Option<&Interface> {
        self.own_interfaces().find(|interface| interface.ip.is_some())
    }

    /// Whether an interface is a name that DNS answers and nothing else: the address may be that of
    /// another machine (a management controller, say), and tells nothing of who speaks from it.
    pub fn is_name_alone(&self, interface: &Interface) -> bool {
        interface.mac == MacAddr::NONE && !interface.host.eq_ignore_ascii_case(self.name.as_str())
    }

    /// The interfaces by which the node itself is met.
    pub fn own_interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.iter().filter(|interface| !self.is_name_alone(interface))
    }

    /// The owner, the first of the pool.
    pub fn owner(&self) -> Option<&PoolMember> {
        self.pool.first()
    }
}

/// What a service node is to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It answers for the node.
    Owner,
    /// It has everything and answers nothing: a move to it is prepared.
    Held,
    /// It has everything and answers only what a backup may: names, time, log lines, the agent.
    Backup,
}

/// A service node of a node's pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolMember {
    /// Its name.
    pub sn: SnName,
    /// Its address on the node's side.
    pub address: Ipv4Addr,
}

/// A network interface of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its hardware address; [`MacAddr::NONE`] where the node has a name and an address alone.
    pub mac: MacAddr,
    /// The name that goes with it; the node's own, unless `mac=A!host` gives another.
    pub host: String,
    /// Its reserved address; none for `*NOIP*` (recognised as the node's, never answered).
    pub ip: Option<Ipv4Addr>,
    /// The network that the address is in.
    pub network: Option<NetworkName>,
}

/// The servers that a node is told of: by DHCP, by its boot script and by its agent alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Servers {
    /// The node's master: `xcatmaster`, else the owner's address on the node's network.
    pub master: Ipv4Addr,
    /// Where its firmware fetches boot files (`tftpserver`, else the master).
    pub next_server: Ipv4Addr,
    /// Where roots and large files come from (`nfsserver`, else the master).
    pub nfs_server: Ipv4Addr,
    /// Its default router.
    pub router: Option<Ipv4Addr>,
    /// Whether the router is the service node, so that a move changes it (`<xcatmaster>`).
    pub router_is_master: bool,
    /// Its resolvers, in order.
    pub nameservers: Vec<Ipv4Addr>,
    /// Its time servers, in order.
    pub ntp: Vec<Ipv4Addr>,
    /// Where it sends its log; none where `noderes.syslog=ignore`.
    pub log: Option<Ipv4Addr>,
    /// Its DNS domain.
    pub domain: String,
}

/// How the firmware of a node boots from the network (`noderes.netboot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Netboot {
    /// iPXE (`xnba`): a script by HTTP.
    Xnba,
    /// PXELINUX (`pxe`).
    Pxe,
    /// GRUB 2 (`grub2`, `grub2-http`, `grub2-tftp`).
    Grub2,
    /// Petitboot (`petitboot`).
    Petitboot,
}

/// What the next boot of a node gets (`nodeset`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Boot {
    /// No boot file and no lease for its firmware (`nodeset offline`).
    Offline,
    /// Its own disk (`nodeset boot`).
    Disk,
    /// A kernel.
    Kernel {
        /// What is booted, for people and for `nodeset stat`: `netboot rhels9-x86_64-compute`,
        /// `install …`, `shell`.
        state: String,
        /// The image, unless it is the rescue shell.
        image: Option<ImageName>,
        /// The kernel, in the served tree.
        kernel: FilePath,
        /// The initial RAM disk, in the served tree.
        initrd: Option<FilePath>,
        /// All kernel arguments except those that Drover adds (`BOOTIF`, the join secret).
        cmdline: String,
    },
}

/// A script that an agent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its name, a file below `install/postscripts`.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Of its content.
    pub hash: Digest,
}

/// A one-time secret. It is not shown by `Debug`, so that it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JoinSecret(pub [u8; 16]);

impl std::fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinSecret(…)")
    }
}
