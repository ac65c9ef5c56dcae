use common::id::Epoch;
use common::slice::{Boot, File, Interface, Netboot, Network, PoolMember, Servers, Services};

use super::*;

fn node(number: u8, role: Role) -> Entry {
    let server = Ipv4Addr::new(10, 0, 0, 1);
    let interface = Interface {
        mac: MacAddr::new([2, 0, 0, 0, 0, number]),
        host: format!("n{number}"),
        ip: Some(Ipv4Addr::new(10, 0, 0, number)),
        network: Some("rack".parse().unwrap()),
    };
    Entry::Node(Box::new(Node {
        name: format!("n{number}").parse().unwrap(),
        role,
        epoch: Epoch::ZERO,
        pool: vec![PoolMember { sn: "sn1".parse().unwrap(), address: server }],
        interfaces: vec![interface],
        servers: Servers {
            master: server,
            next_server: server,
            nfs_server: server,
            router: None,
            router_is_master: false,
            nameservers: Vec::new(),
            ntp: Vec::new(),
            log: None,
            domain: String::new(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }))
}

fn view(tftp: bool) -> View {
    let mut slice = Slice::new();
    let mut put = |entry| slice.put(entry).unwrap();
    put(Entry::Services(Services {
        sn: "sn1".parse().unwrap(),
        dhcp: true,
        tftp,
        http: true,
        dns: true,
        ntp: true,
        syslog: true,
        nfs: true,
        dhcp_interfaces: Vec::new(),
    }));
    put(Entry::Site(Site {
        domain: "cluster".to_owned(),
        forwarders: Vec::new(),
        lease_seconds: 600,
        http_port: 80,
        agent_port: 1,
        logs_stay: false,
        authority: [0; 32],
    }));
    put(Entry::Network(Network {
        name: "rack".parse().unwrap(),
        net: "10.0.0.0/24".parse().unwrap(),
        gateway: None,
        server: None,
        dynamic: Vec::new(),
        nameservers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: String::new(),
        mtu: None,
    }));
    for (path, size) in
        [("tftpboot/undionly.kpxe", 7), ("tftpboot/boot/grub2/grub2.x86_64", 8), ("install/x", 9)]
    {
        put(Entry::File(File {
            path: path.parse().unwrap(),
            hash: Digest::of(path.as_bytes()),
            size,
            executable: false,
        }));
    }
    put(node(11, Role::Owner));
    put(node(12, Role::Owner));
    put(node(13, Role::Backup));
    View::build(&slice).unwrap()
}

/// What a client at 10.0.0.`client` gets: the first comment, or the size.
fn get(client: u8, name: &str) -> String {
    match view(true).open(Ipv4Addr::new(10, 0, 0, client), name.as_bytes()) {
        None => "not found".to_owned(),
        Some(Content::Stored(stored)) => format!("{} bytes", stored.size),
        Some(Content::Generated(text)) => boot::state_of(&text).unwrap().to_owned(),
    }
}

#[test]
fn a_node_reads_its_own_boot_file_under_all_its_names() {
    for name in [
        "xcat/xnba/nodes/n11",
        "/xcat/xnba/nodes/n11.uefi",
        "pxelinux.cfg/01-02-00-00-00-00-0b",
        "pxelinux.cfg/0A00000B",
        "/tftpboot/boot/grub2/grub.cfg-01-02-00-00-00-00-0b",
        "petitboot/n11",
    ] {
        assert_eq!(get(11, name), "boot", "{name}");
        assert_eq!(get(12, name), "not found", "{name} of another node");
    }
}

#[test]
fn who_may_be_the_node_is_an_address_of_a_network_that_is_no_other_nodes() {
    assert_eq!(get(200, "petitboot/n11"), "boot");
    let far = Ipv4Addr::new(192, 168, 0, 11);
    assert_eq!(view(true).open(far, b"petitboot/n11"), None);
}

#[test]
fn a_backup_has_no_boot_files() {
    assert_eq!(get(13, "petitboot/n13"), "not found");
}

#[test]
fn static_files_are_those_below_tftpboot() {
    assert_eq!(get(11, "undionly.kpxe"), "7 bytes");
    assert_eq!(get(11, "/tftpboot/undionly.kpxe"), "7 bytes");
    assert_eq!(get(11, "boot/grub2/grub2-n11"), "8 bytes");
    for name in ["install/x", "/install/x", "../install/x", "undionly", "boot/grub2", ""] {
        assert_eq!(get(11, name), "not found", "{name}");
    }
}

#[test]
fn a_service_that_is_off_has_no_files() {
    assert_eq!(view(false).open(Ipv4Addr::new(10, 0, 0, 11), b"undionly.kpxe"), None);
}
