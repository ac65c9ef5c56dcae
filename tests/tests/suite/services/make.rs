//! `makedns`, `makedhcp`, `makehosts`, `makenetworks` beside service nodes that serve: what they
//! report is what a node is told, and a service node that cannot be reached is no success.

use std::fs;
use std::net::Ipv4Addr;

use serde_json::Value;
use tests::client::lookup;
use tests::cluster::{Cluster, NETWORK};
use tests::net::cable;
use tests::process::Run;
use tests::{Result, sandbox, wait};

use super::{SN1, SN2};

/// Two nodes, owned by sn1 with sn2 behind it; both have booted.
fn cluster() -> Result<Cluster> {
    let mut cluster = Cluster::lay(2, 2)?;
    cluster.start_all()?;
    for node in &cluster.nodes {
        node.boot()?;
    }
    Ok(cluster)
}

/// What a command that succeeds reports, record by record.
fn records(cluster: &Cluster, line: &str) -> Result<Vec<Value>> {
    Ok(serde_json::from_str(&cluster.ok(line)?)?)
}

fn texts(value: &Value) -> Vec<String> {
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The address of a service node.
fn server(cluster: &Cluster, name: &str) -> Result<Ipv4Addr> {
    let found = cluster.service_nodes.iter().find(|sn| sn.name == name);
    found.map(|sn| sn.ip).ok_or_else(|| format!("{name:?} is no service node").into())
}

/// Waits until the management node knows whether a service node is there.
fn await_link(cluster: &Cluster, number: usize, connected: bool) -> Result<()> {
    let name = &cluster.service_nodes[number].name;
    let is_so = || {
        let states: Vec<Value> = serde_json::from_str(&cluster.command("lsslice --json").ok()?.out).ok()?;
        let state = states.iter().find(|state| state["service_node"] == name.as_str())?;
        (state["connected"] == connected).then_some(())
    };
    wait::until(format!("the link of {name} to be {connected}"), wait::LONG * 2, is_so)
}

#[test]
fn what_makedns_reports_is_what_every_service_node_answers() {
    sandbox::test("services::make::what_makedns_reports_is_what_every_service_node_answers", || {
        let cluster = cluster()?;
        cluster.ok("chdef n002 otherinterfaces=-bmc:10.77.9.2 hostnames=login")?;
        let said = cluster.command("makedns -n")?;
        assert!(said.status == 0 && said.out.ends_with("DNS setup is completed\n"), "{said:?}");
        assert_eq!(said.err, "");
        let reported = records(&cluster, "makedns --json compute")?;
        assert_eq!(reported.len(), 2, "{reported:?}");
        let host = &cluster.nodes[0].host;
        for record in &reported {
            let ip: Ipv4Addr = text(&record["ip"]).parse()?;
            assert_eq!(text(&record["network"]), NETWORK);
            let pool = texts(&record["service_nodes"]);
            assert_eq!(pool, ["sn1", "sn2"]);
            for sn in pool {
                let sn = server(&cluster, &sn)?;
                for name in texts(&record["names"]) {
                    let found = lookup::name(host, sn, &format!("{name}.cluster.test"))?;
                    let expected = if name == "n002-bmc" { "10.77.9.2".to_owned() } else { ip.to_string() };
                    assert_eq!(found, [expected], "{name} at {sn}");
                }
                let name = format!("{}.cluster.test", text(&record["node"]));
                assert_eq!(lookup::name(host, sn, &name)?, [ip.to_string()]);
                assert_eq!(lookup::address(host, sn, ip)?, [format!("{name}.")]);
            }
        }
        assert_eq!(texts(&reported[1]["names"]), ["login", "n002", "n002-bmc"]);
        for sn in &cluster.service_nodes {
            let found = lookup::address(host, sn.ip, Ipv4Addr::new(10, 77, 9, 2))?;
            assert_eq!(found, ["n002-bmc.cluster.test."], "{}", sn.name);
        }
        // A name that DNS cannot have is said, and harms none of the others.
        cluster.ok("chdef n002 hostnames=login,bad*name")?;
        let said = cluster.command("makedns n002")?;
        assert!(said.status == 0 && said.err.contains("bad*name is not answered"), "{said:?}");
        assert_eq!(lookup::name(host, cluster.service_nodes[0].ip, "login.cluster.test")?.len(), 1);
        // What is not served is not reported as served.
        cluster.ok("mkdef far groups=all ip=10.99.0.1 servicenode=sn1")?;
        let said = cluster.command("makedns far")?;
        assert!(said.out.contains("Ignoring host far"), "{said:?}");
        Ok(())
    });
}

#[test]
fn what_makedhcp_reports_is_what_a_node_is_given() {
    sandbox::test("services::make::what_makedhcp_reports_is_what_a_node_is_given", || {
        let cluster = cluster()?;
        cluster.ok("makedhcp -a")?;
        let agree = || -> Result<()> {
            for record in records(&cluster, "makedhcp -q compute --json")? {
                let node = cluster.nodes.iter().find(|node| node.name == text(&record["node"]));
                let node = node.ok_or("makedhcp names another node")?;
                assert_eq!(text(&record["hardware-address"]), node.mac.to_string());
                let lease = node.boot()?;
                assert_eq!(lease.ip(), text(&record["ip-address"]).parse().ok(), "{}", node.name);
                let owner = server(&cluster, text(&record["service_node"]))?;
                assert_eq!(lease.server(), Some(owner), "{}", node.name);
            }
            Ok(())
        };
        agree()?;
        cluster.ok("chdef n001 ip=10.77.1.77")?;
        cluster.ok("snmove n002 -d sn2")?;
        cluster.ok("makedhcp compute")?;
        let shown = cluster.ok("makedhcp -q n001")?;
        assert_eq!(shown, "n001: ip-address = 10.77.1.77, hardware-address = 52:54:00:77:00:01\n");
        agree()
    });
}

#[test]
fn a_service_node_that_is_cut_off_is_no_success() {
    sandbox::test("services::make::a_service_node_that_is_cut_off_is_no_success", || {
        let cluster = cluster()?;
        cluster.ok("makedhcp -a")?;
        cluster.ok("makedns")?;
        cable(&cluster.service_nodes[0].host, false)?;
        await_link(&cluster, 0, false)?;
        // Asked with --no-wait, it does not say so itself.
        cluster.ok("chdef n001 ip=10.77.1.88 --no-wait")?;
        for line in ["makedhcp n001", "makedhcp -a", "makedhcp -n", "makedns n001", "makedns"] {
            let said = cluster.command(line)?;
            assert_eq!(said.status, 1, "{line}: {said:?}");
            assert!(said.err.contains("sn1 does not hold what is defined now"), "{line}: {said:?}");
            assert!(!said.out.contains("DNS setup is completed"), "{line}: {said:?}");
        }
        // It is so: asked at its own host, it says what was.
        let sn1 = &cluster.service_nodes[0].host;
        assert_eq!(lookup::name(sn1, SN1, "n001.cluster.test")?, ["10.77.1.1"]);
        let host = &cluster.nodes[1].host;
        assert_eq!(lookup::name(host, SN2, "n001.cluster.test")?, ["10.77.1.88"], "sn2 has it");
        let said = cluster.command("makenetworks")?;
        assert!(said.err.contains("sn1 is not connected"), "{said:?}");
        // What sn2 owns is served by sn2, and of that there is nothing to say but that its other
        // service node is away.
        cluster.ok("chdef n002 servicenode=sn2,sn1 --no-wait")?;
        cluster.ok("makedhcp n002")?;
        let said = cluster.command("makedns n002")?;
        assert!(said.status == 0 && said.err.contains("is served by others of the pool"), "{said:?}");
        cable(&cluster.service_nodes[0].host, true)?;
        await_link(&cluster, 0, true)?;
        wait::until("sn1 to be current", wait::LONG, || cluster.ok("lsslice").ok())?;
        cluster.ok("makedhcp -a")?;
        cluster.ok("makedns")?;
        assert_eq!(lookup::name(sn1, SN1, "n001.cluster.test")?, ["10.77.1.88"]);
        assert_eq!(cluster.nodes[0].boot()?.ip(), Some([10, 77, 1, 88].into()));
        Ok(())
    });
}

#[test]
fn the_hosts_file_says_what_service_nodes_answer() {
    sandbox::test("services::make::the_hosts_file_says_what_service_nodes_answer", || {
        let cluster = cluster()?;
        let file = cluster.work.join("hosts");
        fs::write(&file, "127.0.0.1 localhost\n192.0.2.7 elsewhere\n")?;
        cluster.ok(&format!("makehosts --file {}", file.display()))?;
        let host = &cluster.nodes[0].host;
        let mut seen = 0;
        for line in fs::read_to_string(&file)?.lines().skip(2) {
            let mut words = line.split_whitespace();
            let ip = words.next().ok_or("an empty line")?;
            for name in words {
                assert_eq!(lookup::name(host, SN1, name)?, [ip], "{line}");
                seen += 1;
            }
        }
        assert_eq!(seen, 4, "two names of each node");
        assert!(fs::read_to_string(&file)?.starts_with("127.0.0.1 localhost\n192.0.2.7 elsewhere\n"));
        Ok(())
    });
}

#[test]
fn networks_that_service_nodes_are_on_become_definitions() {
    sandbox::test("services::make::networks_that_service_nodes_are_on_become_definitions", || {
        let cluster = cluster()?;
        let ip = |line: &str| {
            Run::new("ip").args(line.split(' ')).on(&cluster.service_nodes[1].host)?.ok().map(drop)
        };
        ip("link add eth1 type veth peer name eth1-peer")?;
        ip("link set eth1 up")?;
        ip("link set eth1-peer up")?;
        ip("address add 10.88.3.1/20 dev eth1")?;
        let shown = || cluster.ok("makenetworks -d").ok().filter(|text| text.contains("#From sn2."));
        let shown = wait::until("sn2 to report its network", wait::LONG, shown)?;
        assert!(
            shown.contains("10_88_0_0-255_255_240_0:\n    objtype=network\n    net=10.88.0.0\n"),
            "{shown}"
        );
        assert!(!cluster.ok("tabdump networks")?.contains("10.88.0.0"), "-d stores nothing");
        let records = records(&cluster, "makenetworks --json")?;
        assert!(records.iter().any(|record| text(&record["from"]) == "sn2"), "{records:?}");
        // A node of it is served there.
        cluster.ok("mkdef g001 groups=all ip=10.88.5.5 mac=52:54:00:88:00:01 servicenode=sn2")?;
        cluster.ok("makedhcp g001")?;
        assert_eq!(
            cluster.ok("makedhcp -q g001")?,
            "g001: ip-address = 10.88.5.5, hardware-address = 52:54:00:88:00:01\n"
        );
        let said = cluster.command("makedhcp n001")?;
        assert_eq!(said.status, 0, "{said:?}");
        // Of sn1, which is not on it, that is said.
        let said = cluster.command("chdef g001 servicenode=sn1")?;
        let said = format!("{}{}", said.err, cluster.command("makedhcp g001")?.err);
        assert!(said.contains("sn1 has no address on network 10_88_0_0-255_255_240_0"), "{said}");
        Ok(())
    });
}
