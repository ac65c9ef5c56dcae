//! What the tests of several services share: a small slice on loopback addresses.

use std::time::Duration;

use common::id::{Digest, Epoch, MacAddr};
use common::slice::{
    Boot, Entry, Export, File, Interface, JoinSecret, Netboot, Network, Node, PoolMember, Role, Servers,
    Services, Site, Slice,
};

use crate::content;

/// A slice with the nodes n1 (127.0.0.1) and n2 (127.0.0.2) on the network 127.0.0.0/24, with all
/// services switched on.
pub(crate) fn slice() -> Slice {
    slice_with(|_, _| {})
}

/// The same, with changes.
pub(crate) fn slice_with(change: impl FnOnce(&mut Site, &mut Services)) -> Slice {
    let mut site = Site {
        domain: "cluster".to_owned(),
        forwarders: Vec::new(),
        lease_seconds: 600,
        http_port: 80,
        agent_port: 7701,
        logs_stay: false,
        authority: [0xab; 32],
    };
    let (sn, dhcp_interfaces) = ("sn1".parse().unwrap(), Vec::new());
    let (dhcp, tftp, http, dns, ntp, syslog, nfs) = (true, true, true, true, true, true, true);
    let mut services = Services { sn, dhcp, tftp, http, dns, ntp, syslog, nfs, dhcp_interfaces };
    change(&mut site, &mut services);
    let mut slice = Slice::new();
    let entries = [Entry::Site(site), Entry::Services(services), network(), node("n1", 1), node("n2", 2)];
    entries.into_iter().for_each(|entry| slice.put(entry).unwrap());
    slice
}

/// Puts a file into the slice, and its content below the daemon's folder `dir`.
pub(crate) fn put_file(slice: &mut Slice, dir: &std::path::Path, path: &str, bytes: &[u8]) {
    let hash = Digest::of(bytes);
    let content = content::path(dir, &hash);
    std::fs::create_dir_all(content.parent().unwrap()).unwrap();
    std::fs::write(content, bytes).unwrap();
    slice
        .put(Entry::File(File {
            path: path.parse().unwrap(),
            hash,
            size: bytes.len() as u64,
            executable: false,
        }))
        .unwrap();
}

/// Puts an export of the directory `path` into the slice.
pub(crate) fn put_export(slice: &mut Slice, pseudo: &str, path: &str, writable: bool) {
    let clients = vec!["127.0.0.0/24".parse().unwrap()];
    let export = Export { pseudo: pseudo.to_owned(), path: path.parse().unwrap(), writable, clients };
    slice.put(Entry::Export(export)).unwrap();
}

/// Asks until the answer is there, for ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited ten seconds in vain until {what}");
}

fn network() -> Entry {
    Entry::Network(Network {
        name: "mgt".parse().unwrap(),
        net: "127.0.0.0/24".parse().unwrap(),
        gateway: None,
        server: None,
        dynamic: Vec::new(),
        nameservers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: "cluster".to_owned(),
        mtu: None,
    })
}

fn node(name: &str, last: u8) -> Entry {
    let master = [127, 0, 0, 11].into();
    let ip = Some([127, 0, 0, last].into());
    let mac = MacAddr::new([0x52, 0x54, 0, 0, 0, last]);
    Entry::Node(Box::new(Node {
        name: name.parse().unwrap(),
        role: Role::Owner,
        epoch: Epoch::new(1),
        pool: vec![PoolMember { sn: "sn1".parse().unwrap(), address: master }],
        interfaces: vec![Interface { mac, host: name.to_owned(), ip, network: None }],
        servers: Servers {
            master,
            next_server: master,
            nfs_server: master,
            router: None,
            router_is_master: false,
            nameservers: Vec::new(),
            ntp: Vec::new(),
            log: None,
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Kernel {
            state: "shell".to_owned(),
            image: None,
            kernel: "tftpboot/kernel".parse().unwrap(),
            initrd: None,
            cmdline: String::new(),
        },
        scripts: Vec::new(),
        join: Some(JoinSecret([7; 16])),
        agent_key: None,
        rests: false,
    }))
}
