use common::id::{Epoch, MacAddr};
use common::slice::{Interface, Netboot, PoolMember, Role, Servers};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

fn site() -> Site {
    Site {
        domain: "cluster".to_owned(),
        forwarders: Vec::new(),
        lease_seconds: 43_200,
        http_port: 80,
        agent_port: 4,
        logs_stay: false,
        authority: [0; 32],
    }
}

fn node(boot: Boot) -> Node {
    let server = Ipv4Addr::new(10, 0, 0, 1);
    Node {
        name: "n1".parse().unwrap(),
        role: Role::Owner,
        epoch: Epoch::ZERO,
        pool: vec![PoolMember { sn: "sn1".parse().unwrap(), address: server }],
        interfaces: vec![Interface {
            mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 1]),
            host: "n1".to_owned(),
            ip: Some(Ipv4Addr::new(10, 0, 0, 101)),
            network: Some("rack".parse().unwrap()),
        }],
        servers: Servers {
            master: server,
            next_server: server,
            nfs_server: server,
            router: None,
            router_is_master: false,
            nameservers: vec![server],
            ntp: vec![server],
            log: Some(server),
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot,
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }
}

fn kernel() -> Boot {
    Boot::Kernel {
        state: "netboot rhels9-x86_64-compute".to_owned(),
        image: None,
        kernel: "tftpboot/xcat/osimage/c 1/kernel".parse().unwrap(),
        initrd: Some("tftpboot/xcat/osimage/c 1/initrd.gz".parse().unwrap()),
        cmdline: "console=ttyS0,115200\n quiet a;b".to_owned(),
    }
}

fn text(boot: Boot, format: Format) -> String {
    render(&node(boot), &site(), format, None).unwrap()
}

#[test]
fn ipxe_loads_the_kernel_from_the_owner() {
    let text = render(&node(kernel()), &site(), Format::Ipxe, Some("T0K")).unwrap();
    assert_snapshot!(text, @r"
    #!ipxe
    #netboot rhels9-x86_64-compute
    kernel --name kernel http://10.0.0.1/tftpboot/xcat/osimage/c%201/kernel initrd=initrd console=ttyS0,115200 quiet a;b drover.token=T0K BOOTIF=01-${netX/mac:hexhyp} || goto failed
    initrd --name initrd http://10.0.0.1/tftpboot/xcat/osimage/c%201/initrd.gz || goto failed
    boot || goto failed
    :failed
    echo drover: the kernel could not be loaded; starting again in 10 seconds
    sleep 10
    reboot
    ");
}

#[test]
fn the_port_is_named_only_when_it_is_not_the_usual_one() {
    let site = Site { http_port: 8080, ..site() };
    let text = render(&node(kernel()), &site, Format::IpxeUefi, None).unwrap();
    assert!(text.contains(" http://10.0.0.1:8080/tftpboot/"), "{text}");
    assert!(!text.contains("drover.token"), "{text}");
}

#[test]
fn pxelinux_loads_by_tftp() {
    assert_snapshot!(text(kernel(), Format::Pxelinux), @r"
    #netboot rhels9-x86_64-compute
    DEFAULT drover
    LABEL drover
      KERNEL /xcat/osimage/c 1/kernel
      INITRD /xcat/osimage/c 1/initrd.gz
      APPEND console=ttyS0,115200 quiet a;b
      IPAPPEND 2
    ");
}

#[test]
fn grub_sees_no_command_in_an_argument() {
    assert_snapshot!(text(kernel(), Format::Grub2), @r"
    #netboot rhels9-x86_64-compute
    set default=0
    set timeout=1
    menuentry 'netboot rhels9-x86_64-compute' {
      linux '(tftp,10.0.0.1)/xcat/osimage/c 1/kernel' console=ttyS0,115200 quiet 'a;b' BOOTIF=01-52-54-00-00-00-01
      initrd '(tftp,10.0.0.1)/xcat/osimage/c 1/initrd.gz'
    }
    ");
}

#[test]
fn petitboot_loads_by_http() {
    assert_snapshot!(text(kernel(), Format::Petitboot), @r"
    #netboot rhels9-x86_64-compute
    default drover
    label drover
      kernel http://10.0.0.1/tftpboot/xcat/osimage/c%201/kernel
      initrd http://10.0.0.1/tftpboot/xcat/osimage/c%201/initrd.gz
      append console=ttyS0,115200 quiet a;b BOOTIF=01-52-54-00-00-00-01
    ");
}

const FORMATS: [Format; 5] =
    [Format::Ipxe, Format::IpxeUefi, Format::Pxelinux, Format::Grub2, Format::Petitboot];

#[test]
fn the_state_reads_back_from_every_format() {
    for format in FORMATS {
        assert_eq!(state_of(&text(kernel(), format)), Some("netboot rhels9-x86_64-compute"), "{format:?}");
        assert_eq!(state_of(&text(Boot::Disk, format)), Some("boot"), "{format:?}");
        assert_eq!(render(&node(Boot::Offline), &site(), format, None), None, "{format:?}");
    }
}

#[test]
fn a_disk_boot_leaves_the_network() {
    assert_eq!(
        text(Boot::Disk, Format::Ipxe),
        "#!ipxe\n#boot\nsanboot --no-describe --drive 0x80 ||\nexit\n"
    );
    assert_eq!(text(Boot::Disk, Format::IpxeUefi), "#!ipxe\n#boot\nexit\n");
}

#[test]
fn paths_name_nodes_as_in_xcat() {
    let name = |name: &str| Key::Name(name.to_owned());
    let mac = || Key::Mac(MacAddr::new([0x52, 0x54, 0, 0, 0, 0xab]));
    let ip = || Key::Ip(Ipv4Addr::new(10, 77, 0, 103));
    for (path, want) in [
        ("xcat/xnba/nodes/n1", Some((Format::Ipxe, name("n1")))),
        ("/tftpboot/xcat/xnba/nodes/n1.uefi", Some((Format::IpxeUefi, name("n1")))),
        ("pxelinux.cfg/01-52-54-00-00-00-ab", Some((Format::Pxelinux, mac()))),
        ("pxelinux.cfg/0A4D0067", Some((Format::Pxelinux, ip()))),
        ("pxelinux.cfg/0A4D006", None),
        ("pxelinux.cfg/default", None),
        ("/boot/grub2/grub.cfg-01-52-54-00-00-00-AB", Some((Format::Grub2, mac()))),
        ("boot/grub2/grub.cfg-0a4d0067", Some((Format::Grub2, ip()))),
        ("boot/grub2/grub.cfg", None),
        ("petitboot/n1", Some((Format::Petitboot, name("n1")))),
        ("petitboot/", None),
        ("xcat/xnba/nodes/a/b", None),
        ("undionly.kpxe", None),
    ] {
        assert_eq!(file_name(path), want, "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_panics(path in "\\PC{0,40}") {
        let _ = file_name(&path);
    }

    #[test]
    fn no_attribute_starts_a_line(cmdline in "(\\PC|[\n\r\t]){0,60}", state in "(\\PC|\n){0,20}") {
        let boot = Boot::Kernel { state, image: None, kernel: "k".parse().unwrap(), initrd: None, cmdline };
        for format in FORMATS {
            let lines = text(boot.clone(), format).lines().count();
            let plain = Boot::Kernel {
                state: "s".to_owned(), image: None, kernel: "k".parse().unwrap(), initrd: None,
                cmdline: "c".to_owned(),
            };
            prop_assert_eq!(lines, text(plain, format).lines().count());
        }
    }
}
