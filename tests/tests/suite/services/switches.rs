//! Each service can be switched off per service node, and on again.

use std::net::UdpSocket;
use std::time::Duration;

use tests::client::dhcp::{Firmware, offers};
use tests::client::lookup;
use tests::client::transfer::{self, Transport};
use tests::cluster::Node;
use tests::{Result, sandbox, wait};

use super::{SN1, booted_rack};

/// Switches a service off and on, and sees each time whether `answers`.
///
/// A command returns when the slice is in force; a port that is to be given back or bound anew
/// takes some milliseconds more.
fn off_and_on(switch: &str, answers: impl Fn(&Node) -> Result<bool>) -> Result<()> {
    let cluster = booted_rack(1)?;
    let node = &cluster.nodes[0];
    let await_answer = |wanted: bool| {
        let what = format!("{switch}: an answer to be {wanted}");
        wait::until(what, wait::LONG, || (answers(node).ok()? == wanted).then_some(()))
    };
    await_answer(true)?;
    cluster.ok(&format!("chdef sn1 {}", switch.replace(',', "=0 ") + "=0"))?;
    await_answer(false)?;
    cluster.ok(&format!("chdef sn1 {}", switch.replace(',', "=1 ") + "=1"))?;
    await_answer(true)
}

/// Whether the site could run a server of its own on this port now.
fn is_free(cluster: &tests::cluster::Cluster, port: u16) -> bool {
    cluster.service_nodes[0].host.enter(|| Ok(UdpSocket::bind(("0.0.0.0", port)).is_ok())).unwrap_or(false)
}

#[test]
fn dhcp_is_switched_off_and_on() {
    sandbox::test("services::switches::dhcp_is_switched_off_and_on", || {
        off_and_on("setupdhcp", |node| {
            let found = offers(&node.host, node.mac, &Firmware::default(), Duration::from_millis(600))?;
            Ok(!found.is_empty())
        })
    });
}

#[test]
fn tftp_is_switched_off_and_on() {
    sandbox::test("services::switches::tftp_is_switched_off_and_on", || {
        off_and_on("setuptftp", |node| {
            // curl gives up by itself.
            let url = format!("tftp://{SN1}/xcat/xnba/nodes/n001");
            let to = node.root.with_file_name("file");
            Ok(transfer::http_file(&node.host, &url, &["--connect-timeout", "1"], &to).is_ok())
        })
    });
}

#[test]
fn http_is_switched_off_with_the_services_that_it_is_for() {
    sandbox::test("services::switches::http_is_switched_off_with_the_services_that_it_is_for", || {
        off_and_on("setuptftp,setupnfs", |node| Ok(node.script(SN1).is_ok()))
    });
}

#[test]
fn dns_is_switched_off_and_on() {
    sandbox::test("services::switches::dns_is_switched_off_and_on", || {
        off_and_on("setupnameserver", |node| {
            Ok(lookup::ask(&node.host, SN1, &["n001.cluster.test", "+time=1"]).is_ok())
        })
    });
}

#[test]
fn ntp_is_switched_off_and_on() {
    sandbox::test("services::switches::ntp_is_switched_off_and_on", || {
        off_and_on("setupntp", |node| Ok(lookup::seconds_since_1900(&node.host, SN1)?.is_some()))
    });
}

#[test]
fn syslog_is_switched_off_and_on() {
    sandbox::test("services::switches::syslog_is_switched_off_and_on", || {
        off_and_on("setupsyslog", |node| {
            Ok(transfer::log(&node.host, SN1, Transport::Tcp, "is anybody there").is_ok())
        })
    });
}

#[test]
fn a_site_may_run_its_own_servers_on_the_ports() {
    sandbox::test("services::switches::a_site_may_run_its_own_servers_on_the_ports", || {
        let cluster = booted_rack(1)?;
        let ports = [67, 69, 53, 123, 514];
        assert!(ports.iter().all(|port| !is_free(&cluster, *port)));
        cluster.ok("chdef sn1 setupdhcp=0 setuptftp=0 setupnameserver=0 setupntp=0 setupsyslog=0")?;
        for port in ports {
            let free = || is_free(&cluster, port).then_some(());
            wait::until(format!("port {port} to be free"), wait::LONG, free)?;
        }
        Ok(())
    });
}
