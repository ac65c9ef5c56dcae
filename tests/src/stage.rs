//! A whole cluster, set up and ready: what most tests start from.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use common::id::MacAddr;

use crate::client::dhcp::{self, Client, Lease};
use crate::cluster::{Cluster, NETWORK};
use crate::net::{Host, Plan, rack};
use crate::process::Run;
use crate::{Result, wait};

/// Where the image `demo` has its files, below the management node's tree.
pub const IMAGE: &str = "tftpboot/xcat/osimage/demo";

/// Large enough that a boot moves some data, small enough for two hundred nodes.
const KERNEL_BYTES: usize = 4 << 20;

/// The kernel of the image `demo`.
pub fn kernel() -> Vec<u8> {
    bytes(KERNEL_BYTES)
}

/// Bytes of which no two parts are alike, so that a part in the wrong place is noticed.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64 / 8).flat_map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

impl Cluster {
    /// Starts the management node and all service nodes, and defines all nodes: owned by sn1, with
    /// the other service nodes behind it, sn1 as their gateway, the image `demo` for their next boot.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn start_all(&mut self) -> Result<()> {
        self.start_mn()?;
        for number in 0..self.service_nodes.len() {
            self.join(number)?;
        }
        self.define_image()?;
        self.ok(&format!("chdef -t network {NETWORK} gateway=<xcatmaster>"))?;
        self.command_with_input("mkdef -z", &self.stanzas())?.ok()?;
        self.ok("nodeset compute osimage=demo")?;
        self.await_ports()
    }

    /// Waits until every service node listens wherever it will.
    ///
    /// # Errors
    /// When one does not.
    pub fn await_ports(&self) -> Result<()> {
        for sn in &self.service_nodes {
            for port in [53, 80, 514] {
                let what = format!("port {port} of {}", sn.name);
                let open = || Ok(std::net::TcpStream::connect((sn.ip, port)).is_ok());
                wait::until(what, wait::LONG, || sn.host.enter(open).is_ok_and(|open| open).then_some(()))?;
            }
        }
        Ok(())
    }

    /// Defines the image `demo`, with its files.
    ///
    /// # Errors
    /// When the files cannot be written or the command fails.
    pub fn define_image(&self) -> Result<()> {
        self.put(&format!("{IMAGE}/vmlinuz"), &kernel())?;
        self.put(&format!("{IMAGE}/initrd.img"), b"an initial RAM disk")?;
        let words = "provmethod=netboot osvers=debian12 osarch=x86_64 profile=compute imagetype=linux";
        self.ok(&format!("mkdef -t osimage demo {words}")).map(drop)
    }

    /// Puts a file into the management node's tree, as an administrator does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, path: &str, content: &[u8]) -> Result<()> {
        let file = self.mn_dir().join("tree").join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // Under its name it appears whole.
        let new = file.with_extension("new-by-the-test");
        fs::write(&new, content)?;
        Ok(fs::rename(new, file)?)
    }

    /// One more host on the rack's wire, of which the cluster knows nothing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn guest(&self, name: &str, mac: Option<MacAddr>, address: Option<Ipv4Addr>) -> Result<Guest> {
        let addresses = address.map(|ip| (ip, 16)).into_iter().collect();
        let plan = Plan { name: name.to_owned(), mac, addresses };
        let host = rack("rack", &[plan])?.pop().ok_or("no host was made")?;
        Ok(Guest { host, folder: self.work.join("guests").join(name) })
    }

    /// A host outside of all networks of the cluster, which sn1 can reach and answer all the same.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn foreigner(&self) -> Result<Guest> {
        let guest = self.guest("foreigner", None, None)?;
        let route = |host: &Host, line: &str| Run::new("ip").args(line.split(' ')).on(host)?.ok().map(drop);
        route(&guest.host, "address add 192.0.2.9/24 dev eth0")?;
        for sn in &self.service_nodes {
            route(&guest.host, &format!("route add {} dev eth0", sn.ip))?;
            route(&sn.host, "route add 192.0.2.0/24 dev eth0")?;
        }
        Ok(guest)
    }
}

/// A host that is none of the cluster's.
#[derive(Debug)]
pub struct Guest {
    /// Where it is.
    pub host: Host,
    folder: std::path::PathBuf,
}

impl Guest {
    /// Asks for a lease; none where none came within `patience`.
    ///
    /// # Errors
    /// When the client cannot be run.
    pub fn ask_for_lease(&self, client: Client, patience: Duration) -> Result<Option<Lease>> {
        // Both clients say by their exit status alone that they gave up.
        match dhcp::boot(&self.host, client, &self.folder, patience) {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.to_string().starts_with("exit status") => Ok(None),
            Err(error) => Err(error),
        }
    }
}
