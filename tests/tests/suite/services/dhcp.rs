//! DHCP: what dhclient, udhcpc and firmware are told, and who is told nothing.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::Result;
use tests::client::dhcp::{Client, Firmware};
use tests::client::transfer;
use tests::cluster::{Cluster, NETWORK};
use tests::process::Run;
use tests::sandbox;
use tests::wait;

use super::{SN1, SN2, offered, offered_nothing, rack};

#[test]
fn both_clients_are_told_all_that_their_node_needs() {
    sandbox::test("services::dhcp::both_clients_are_told_all_that_their_node_needs", || {
        let cluster = rack(2)?;
        for (node, client) in cluster.nodes.iter().zip([Client::Dhclient, Client::Udhcpc]) {
            assert_eq!(node.client, client);
            let lease = node.boot()?;
            let (ip, sn1) = (node.ip.to_string(), SN1.to_string());
            for (word, want) in [
                ("ip", ip.as_str()),
                ("server", &sn1),
                ("router", &sn1),
                ("dns", &sn1),
                ("ntp", &sn1),
                // udhcpc cannot be made to ask for it.
                ("log", if client == Client::Dhclient { &sn1 } else { "" }),
                ("next", &sn1),
                ("host", &node.name),
                ("domain", "cluster.test"),
            ] {
                assert_eq!(lease.word(word), want, "{word} of {lease:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_lease_is_renewed_with_the_server_that_gave_it() {
    sandbox::test("services::dhcp::a_lease_is_renewed_with_the_server_that_gave_it", || {
        let cluster = rack(1)?;
        let node = &cluster.nodes[0];
        let folder = cluster.work.join("renewal");
        std::fs::create_dir_all(&folder)?;
        let (lease, script) =
            (folder.join("lease"), concat!(env!("CARGO_MANIFEST_DIR"), "/assets/lease-script"));
        let client = Run::new("busybox").args(["udhcpc", "-i", "eth0", "-f", "-s", script]);
        let mut client = client.env("LEASE_FILE", &lease).spawn(&node.host, &folder.join("log"))?;
        let obtained = "lease of 10.77.1.1 obtained from 10.77.0.11";
        client.await_words(obtained)?;
        // By unicast, from the address that it has now.
        let pid = i32::try_from(client.pid().ok_or("udhcpc ended")?)?;
        kill(Pid::from_raw(pid), Signal::SIGUSR1)?;
        let renewed = || {
            let said = client.said();
            let (_, after) = said.split_once("sending renew to server 10.77.0.11")?;
            after.contains(obtained).then_some(())
        };
        wait::until("the renewal", wait::LONG, renewed)
    });
}

#[test]
fn a_network_may_name_servers_of_its_own() {
    sandbox::test("services::dhcp::a_network_may_name_servers_of_its_own", || {
        let cluster = rack(2)?;
        let own = "gateway=10.77.0.254 nameservers=10.77.0.53 ntpservers=10.77.0.123 domain=rack.test";
        cluster.ok(&format!("chdef -t network {NETWORK} {own}"))?;
        for node in &cluster.nodes {
            let lease = node.boot()?;
            let told = ["router", "dns", "ntp", "domain"].map(|word| lease.word(word));
            assert_eq!(told, ["10.77.0.254", "10.77.0.53", "10.77.0.123", "rack.test"], "{:?}", node.client);
        }
        Ok(())
    });
}

#[test]
fn each_interface_of_a_node_is_answered_for_itself() {
    sandbox::test("services::dhcp::each_interface_of_a_node_is_answered_for_itself", || {
        let cluster = rack(1)?;
        let node = &cluster.nodes[0];
        let [own, silent, other] = ["52:54:00:00:0a:01", "52:54:00:00:0a:02", "52:54:00:00:0a:03"];
        cluster.ok("chdef n001 otherinterfaces=-ib0:10.77.3.1")?;
        cluster.ok(&format!("chdef n001 mac={own}!n001|{silent}!*NOIP*|{other}!n001-ib0"))?;
        let system = Firmware::default();
        for (mac, ip) in [(own, node.ip), (other, Ipv4Addr::new(10, 77, 3, 1))] {
            let ips: Vec<Ipv4Addr> =
                offered(&node.host, mac.parse()?, &system)?.iter().map(|offer| offer.ip).collect();
            assert_eq!(ips, [ip], "{mac}");
        }
        offered_nothing(&node.host, silent.parse()?, &system)?;
        // What it was before is nobody's now.
        offered_nothing(&node.host, node.mac, &system)
    });
}

#[test]
fn a_stranger_gets_an_address_only_from_a_dynamic_range() {
    sandbox::test("services::dhcp::a_stranger_gets_an_address_only_from_a_dynamic_range", || {
        let mut cluster = rack(1)?;
        let strangers = [
            (cluster.guest("stranger1", Some("02:00:00:00:00:01".parse()?), None)?, Client::Dhclient),
            (cluster.guest("stranger2", Some("02:00:00:00:00:02".parse()?), None)?, Client::Udhcpc),
        ];
        for (stranger, client) in &strangers {
            assert_eq!(stranger.ask_for_lease(*client, Duration::from_secs(4))?, None, "{client:?}");
        }
        cluster
            .ok(&format!("chdef -t network {NETWORK} dynamicrange=10.77.200.1-10.77.200.9 dhcpserver=sn1"))?;
        let ask = |at: usize| -> Result<Ipv4Addr> {
            let (stranger, client) = &strangers[at];
            let lease = stranger.ask_for_lease(*client, Duration::from_secs(20))?;
            let lease = lease.ok_or("no lease came")?;
            assert_eq!(lease.server(), Some(SN1), "{client:?}");
            Ok(lease.ip().ok_or("a lease without an address")?)
        };
        let given = [ask(0)?, ask(1)?];
        let range = Ipv4Addr::new(10, 77, 200, 1)..=Ipv4Addr::new(10, 77, 200, 9);
        assert!(given[0] != given[1] && given.iter().all(|ip| range.contains(ip)), "{given:?}");
        cluster.stop_sn(0, Signal::SIGKILL)?;
        cluster.serve_sn(0)?;
        assert_eq!([ask(0)?, ask(1)?], given, "each keeps its address over a crash");
        Ok(())
    });
}

#[test]
fn a_node_is_answered_by_its_owner_alone() {
    sandbox::test("services::dhcp::a_node_is_answered_by_its_owner_alone", || {
        let mut cluster = Cluster::lay(3, 2)?;
        cluster.start_all()?;
        cluster.ok("chdef n002 servicenode=sn2")?;
        cluster.ok("chdef n003 servicenode=sn2,sn1")?;
        for (node, owner) in cluster.nodes.iter().zip([SN1, SN2, SN2]) {
            let offers = offered(&node.host, node.mac, &Firmware::default())?;
            let servers: Vec<Ipv4Addr> = offers.iter().map(|offer| offer.server).collect();
            assert_eq!(servers, [owner], "{}", node.name);
        }
        Ok(())
    });
}

/// What each kind of firmware is told to load first, by the node's `netboot`.
#[test]
fn each_firmware_gets_its_boot_file() {
    sandbox::test("services::dhcp::each_firmware_gets_its_boot_file", || {
        let cluster = rack(1)?;
        let node = &cluster.nodes[0];
        let file = |class: &str, architecture, user_class: Option<&str>| -> Result<String> {
            let user_class = user_class.map(str::to_owned);
            let firmware =
                Firmware { class: Some(class.to_owned()), architecture: Some(architecture), user_class };
            let found = offered(&node.host, node.mac, &firmware)?.pop().ok_or("no offer")?;
            assert_eq!((found.ip, found.next_server), (node.ip, SN1));
            Ok(found.file)
        };
        let script = format!("http://{SN1}/tftpboot/xcat/xnba/nodes/n001");
        let bios = "PXEClient:Arch:00000:UNDI:002001";
        let uefi = "PXEClient:Arch:00007:UNDI:003016";
        assert_eq!(file(bios, 0, None)?, "undionly.kpxe");
        assert_eq!(file(uefi, 7, None)?, "snponly.efi");
        assert_eq!(file("PXEClient:Arch:00011:UNDI:003000", 11, None)?, "arm64-efi/snponly.efi");
        assert_eq!(
            file("HTTPClient:Arch:00016:UNDI:003001", 16, None)?,
            format!("http://{SN1}/tftpboot/ipxe.efi")
        );
        assert_eq!(file(bios, 0, Some("iPXE"))?, script);
        assert_eq!(file(uefi, 7, Some("iPXE"))?, format!("{script}.uefi"));
        cluster.ok("chdef n001 netboot=pxe")?;
        assert_eq!(file(bios, 0, None)?, "pxelinux.0");
        cluster.ok("chdef n001 netboot=grub2")?;
        assert_eq!(file(uefi, 7, None)?, "boot/grub2/grub2-n001");
        Ok(())
    });
}

#[test]
fn the_boot_file_of_an_offer_is_there() {
    sandbox::test("services::dhcp::the_boot_file_of_an_offer_is_there", || {
        let cluster = rack(1)?;
        let node = &cluster.nodes[0];
        cluster.put("tftpboot/undionly.kpxe", b"a boot program")?;
        let firmware = Firmware { class: Some("PXEClient".to_owned()), ..Firmware::default() };
        let offer = offered(&node.host, node.mac, &firmware)?.pop().ok_or("no offer")?;
        node.boot()?;
        let to = node.root.with_file_name("program");
        wait::until("the program in the service node's tree", wait::LONG, || {
            transfer::tftp(&node.host, offer.next_server, &offer.file, &to).ok()?;
            (std::fs::read(&to).ok()? == b"a boot program").then_some(())
        })
    });
}
