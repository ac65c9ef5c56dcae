//! What `makedns` and `makedhcp` say of definitions, with what service nodes answered.

use std::fmt::Write as _;

use common::id::SnName;

use super::*;
use crate::change::Outcome;
use crate::command::{DhcpTask, Makedhcp, Makedns, Range};
use crate::fixture::{self, CLUSTER};
use crate::model::Model;
use crate::talk::{Context, Line};

const ODD: &str = "
    networks 10.0.9.0/255.255.255.0 netname=far dynamicrange=10.0.9.100-10.0.9.200
    nodelist bare groups=odd
    nodelist alone groups=odd
    nodelist lost groups=odd
    nodelist inside groups=odd
    nodelist nowhere groups=odd
    nodelist bad groups=odd
    hosts bare ip=10.0.0.120
    hosts alone ip=10.0.0.121
    hosts inside ip=10.0.9.150
    hosts nowhere ip=10.7.0.1
    hosts bad ip=10.0.0.122
    mac alone mac=52:54:00:00:00:21
    mac lost mac=52:54:00:00:00:22
    mac inside mac=52:54:00:00:00:23
    mac nowhere mac=52:54:00:00:00:24
    mac bad mac=52:54:00:00:00:2g
    noderes inside servicenode=sn1";

fn context() -> Context {
    Context { server: "mn".to_owned(), ..Context::default() }
}

fn said(outcome: Outcome) -> String {
    let mut text = String::new();
    for line in outcome.lines {
        let _ = match line {
            Line::Out(line) => writeln!(text, "{line}"),
            Line::Err(line) => writeln!(text, "err {line}"),
            Line::Record(value) => writeln!(text, "json {value}"),
        };
    }
    let _ = write!(text, "status {}", outcome.status);
    text
}

/// The answers where those that are named are away.
fn answers(asked: &std::collections::BTreeSet<SnName>, away: &[&str]) -> Answers {
    let answer = |sn: &SnName| away.contains(&sn.as_str()).then(|| "it is not connected".to_owned());
    asked.iter().map(|sn| (sn.clone(), answer(sn))).collect()
}

fn dhcp(model: &Model, what: DhcpTask, nodes: &str, away: &[&str]) -> String {
    let nodes = (!nodes.is_empty()).then(|| Range::new(nodes));
    let args = Makedhcp { what, nodes, verbose: false };
    match dhcp::Survey::new(model, &args, &context()) {
        Err(outcome) => said(outcome),
        Ok(survey) => {
            let answers = answers(&survey.service_nodes, away);
            said(survey.report(model, &args, &answers, &context()))
        }
    }
}

fn dns(model: &Model, args: Makedns, away: &[&str]) -> String {
    match dns::Survey::new(model, &args, &context()) {
        Err(outcome) => said(outcome),
        Ok(survey) => {
            let answers = answers(&survey.service_nodes, away);
            said(survey.report(model, &args, &answers, &context()))
        }
    }
}

#[test]
fn a_reservation_is_shown_as_xcat_does() {
    let model = fixture::model(&format!(
        "{CLUSTER}\nmac n2 mac=52:54:00:00:00:02|52:54:00:00:00:09!sn1e|52:54:00:00:00:0a!*NOIP*"
    ));
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Query, "n1,n2", &[]), @r"
    n1: ip-address = 10.0.0.101, hardware-address = 52:54:00:00:00:01
    n2: ip-address = 10.0.0.102, hardware-address = 52:54:00:00:00:02
    sn1e: ip-address = 10.0.0.21, hardware-address = 52:54:00:00:00:09
    status 0
    ");
}

#[test]
fn nodes_that_are_complete_and_served_are_no_news() {
    let model = fixture::model(CLUSTER);
    assert_eq!(dhcp(&model, DhcpTask::Nodes, "n1-n4", &[]), "status 0");
    assert_eq!(dhcp(&model, DhcpTask::Nodes, "", &[]), "status 0");
}

#[test]
fn what_is_missing_in_the_definitions_is_said_in_xcats_words() {
    let model = fixture::model(&format!("{CLUSTER}{ODD}"));
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Nodes, "odd", &[]), @r"
    err Error: [mn]: Hierarchy requested, therefore networks.dhcpserver must be set for net=10.0.9.0
    err Error: [mn]: Invalid mac address 52:54:00:00:00:2g for bad
    err Warning: [mn]: Unable to find mac address for bare
    err Error: [mn]: Node inside has IP 10.0.9.150 which is inside the DHCP dynamic range. Move the node IP outside the dynamic range or adjust the range in the networks table.
    err Warning: [mn]: The hostname lost of node lost could not be resolved.
    err Warning: [mn]: nowhere: 10.7.0.1 is on no network that is defined, so nothing is reserved
      try      makenetworks, or mkdef -t network
    err Warning: [mn]: alone is named no service node: nobody of this cluster gives DHCP
      try      chdef alone servicenode=SERVICENODE
    status 1
    ");
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Nodes, "nosuch", &[]), @r"
    err Error: Invalid nodes and/or groups in noderange: nosuch
      try      nodels, to see the nodes; lsdef -t group, to see the groups
    status 1
    ");
}

#[test]
fn a_service_node_that_is_behind_is_one_line_whatever_it_owns() {
    let mut text = CLUSTER.to_owned();
    for at in 10..20 {
        let _ = write!(
            text,
            "\nnodelist x{at} groups=x\nhosts x{at} ip=10.0.0.{at}\nmac x{at} mac=52:54:00:00:01:{at}\nnoderes x{at} servicenode=sn2"
        );
    }
    let model = fixture::model(&text);
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Nodes, "", &["sn2"]), @r"
    err Error: [mn]: n4, x10, x11, x12, x13 and 6 more are served as before, if at all: sn2 does not hold what is defined now: it is not connected
      try      lsslice sn2
    status 1
    ");
}

#[test]
fn who_cannot_serve_is_named_with_what_to_do() {
    let model = fixture::model(&format!(
        "{CLUSTER}
        nodelist sn3 groups=cold
        servicenode sn3 tftpserver=1
        hosts sn3 ip=10.0.0.13
        noderes n1 servicenode=sn3
        networks 10.8.0.0/255.255.255.0 netname=mgt8
        hosts n2 ip=10.8.0.2"
    ));
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Nodes, "n1,n2", &[]), @r"
    err Error: [mn]: n2 is not served: sn1 has no address on network mgt8
      try      another servicenode, or give sn1 an address there
    err Error: [mn]: n1 is not served: sn3 gives no DHCP
      try      chdef sn3 setupdhcp=1
    status 1
    ");
}

#[test]
fn networks_are_looked_at_whole() {
    let model = fixture::model(&format!(
        "{CLUSTER}
        networks 10.1.0.0/255.255.255.0 netname=a gateway=10.9.9.9 dynamicrange=10.1.0.5-10.1.0.9 dhcpserver=n1
        networks 10.2.0.0/255.255.255.0 netname=b dynamicrange=10.2.0.5-10.2.0.9 dhcpserver=sn2"
    ));
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Networks, "", &["sn1"]), @r"
    err Warning: [mn]: No dynamic range specified for 10.0.0.0. If hardware discovery is being used, a dynamic range is required.
    err Error: [mn]: Specified gateway 10.9.9.9 is not valid for 10.1.0.0/255.255.255.0, must be on same network
    err Error: [mn]: the dynamic range of a is given out by nobody: dhcpserver=n1 is no service node that gives DHCP
      try      chdef -t network a dhcpserver=sn1
    err Error: [mn]: sn1 does not hold what is defined now: it is not connected
      try      lsslice sn1
    status 1
    ");
}

#[test]
fn nothing_is_deleted_and_how_it_goes_is_said() {
    let model = fixture::model(CLUSTER);
    insta::assert_snapshot!(dhcp(&model, DhcpTask::Delete, "n1,n2", &[]), @r"
    err Warning: [mn]: nothing is deleted: the reservations of n1 and 1 more are what their definitions say
      try      rmdef n1, chdef n1 mac=, or nodeset n1 offline, after which it is not answered
    status 0
    ");
}

#[test]
fn names_end_with_xcats_line() {
    let model = fixture::model(&format!("{CLUSTER}{ODD}"));
    let args = Makedns { nodes: Some(Range::new("n1,nowhere")), ..Makedns::default() };
    insta::assert_snapshot!(dns(&model, args, &["sn2"]), @r"
    Handling n1 in /etc/hosts.
    Handling nowhere in /etc/hosts.
    Ignoring host nowhere, it does not belong to any nets defined in networks table or the net it belongs to is configured to use an external nameserver.
    Getting reverse zones, this may take several minutes for a large cluster.
    Completed getting reverse zones.
    Updating DNS records, this may take several minutes for a large cluster.
    err Warning: [mn]: n1 is served by others of the pool: sn2 does not hold what is defined now: it is not connected
    Completed updating DNS records.
    DNS setup is completed
    status 0
    ");
}

#[test]
fn names_that_no_slice_has_are_not_told_as_answered() {
    let model = fixture::model(&CLUSTER.replace(
        "hosts n1 ip=10.0.0.101",
        "hosts n1 ip=10.0.0.101 hostnames=login,bad*name,ü otherinterfaces=-bmc:10.0.0.201",
    ));
    let args = Makedns { nodes: Some(Range::new("n1,n2")), ..Makedns::default() };
    let text = dns(&model, args, &[]);
    assert!(text.contains("err Warning: [mn]: bad*name and 1 more are not answered: no name"), "{text}");
    assert!(text.ends_with("status 0"), "{text}");
}

#[test]
fn servers_need_no_service_node_of_their_own() {
    let text = dns(&fixture::model(CLUSTER), Makedns::default(), &[]);
    assert!(text.contains("Handling sn1 in /etc/hosts.") && !text.contains("err "), "{text}");
}

#[test]
fn names_that_nobody_answers_are_no_success() {
    let model = fixture::model(CLUSTER);
    let args = Makedns { nodes: Some(Range::new("n1")), ..Makedns::default() };
    let text = dns(&model, args.clone(), &["sn1", "sn2"]);
    assert!(text.contains("Error: [mn]: n1 is served as before") && text.ends_with("status 1"), "{text}");
    assert!(!text.contains("DNS setup is completed"));
    // Its owner is whom a node asks: one that says what was is no success, whoever knows better.
    let text = dns(&model, args.clone(), &["sn1"]);
    assert!(text.contains("Error: [mn]: n1 is served as before") && text.ends_with("status 1"), "{text}");
    let model = fixture::model(&CLUSTER.replace("site domain value=cluster.test", ""));
    assert_eq!(dns(&model, args, &[]), "err Error: [mn]: domain not defined in site table\nstatus 1");
    let external = Makedns { external: true, ..Makedns::default() };
    assert!(dns(&fixture::model(CLUSTER), external, &[]).ends_with("status 1"));
}
