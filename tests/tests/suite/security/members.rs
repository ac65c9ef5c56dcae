//! Who shows no certificate, or one that is not its own, gets a refusal and nothing else.

use std::fs;
use std::net::SocketAddrV4;

use common::wire::agent::FromAgent;
use common::wire::push::{FromSn, Hello};
use common::wire::{ALPN_JOIN, ALPN_MEMBER, MN_PORT, Opening, PROTOCOL, SN_PORT, frame};
use nix::sys::signal::Signal;
use runtime::link::identity::Role;
use tests::attack::quic::{self, Card, Heard};
use tests::cluster::{Cluster, MN_IP};
use tests::net::Host;
use tests::process::Run;
use tests::{Result, sandbox, wait};

use super::{all_is_well, thief};

/// What a service node says first.
fn hello_of_a_service_node() -> Result<Vec<u8>> {
    let hello =
        Hello { protocol: PROTOCOL, version: "x".to_owned(), holds: None, addresses: vec![], series: 1 };
    Ok([frame::encode(&Opening::Control)?, frame::encode(&FromSn::Hello(hello))?].concat())
}

/// What an agent says first.
fn hello_of_an_agent() -> Result<Vec<u8>> {
    let hello = FromAgent::Hello { protocol: PROTOCOL, epoch: Default::default(), settled: None };
    Ok([frame::encode(&Opening::Control)?, frame::encode(&hello)?].concat())
}

/// Calls a member's port and gives the words of the refusal.
fn refusal(host: &Host, to: SocketAddrV4, card: Option<&Card>, words: &[u8]) -> Result<String> {
    match quic::call(host, to, card, ALPN_MEMBER, words)? {
        Heard::Refused(why) => Ok(why),
        other => Err(format!("{to} did not refuse: {other:?}").into()),
    }
}

#[test]
fn who_has_no_certificate_of_this_cluster_is_refused_everywhere() {
    sandbox::test("security::members::who_has_no_certificate_of_this_cluster_is_refused_everywhere", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let thief = thief(&cluster)?;
        let elsewhere = |name: &str, role| Card::foreign(&cluster.work.join(name), &role);
        let sn1 = elsewhere("foreign-sn", Role::ServiceNode("sn1".parse()?))?;
        let mn = elsewhere("foreign-mn", Role::ManagementNode)?;
        let n001 = elsewhere("foreign-agent", Role::Agent("n001".parse()?))?;
        let ports = [
            (SocketAddrV4::new(MN_IP, MN_PORT), hello_of_a_service_node()?),
            (SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT), hello_of_an_agent()?),
        ];
        for (port, words) in ports {
            let why = refusal(&thief, port, None, &words)?;
            assert!(why.contains("certificate"), "{port}: {why}");
            for foreign in [&sn1, &mn, &n001] {
                let why = refusal(&thief, port, Some(foreign), &words)?;
                assert!(why.contains("the cryptographic handshake failed"), "{port}: {why}");
            }
            let why = quic::call(&thief, port, None, b"h3", &words)?;
            assert!(matches!(&why, Heard::Refused(_)), "{port}: {why:?}");
            // The door for strangers says nothing to who brings no token.
            let said = quic::call(&thief, port, None, ALPN_JOIN, &words)?;
            assert!(!matches!(&said, Heard::Answered(bytes) if bytes.len() > 1000), "{port}: {said:?}");
        }
        Ok(())
    });
}

#[test]
fn a_members_certificate_opens_only_its_own_doors() {
    sandbox::test("security::members::a_members_certificate_opens_only_its_own_doors", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let agent = Card::stolen(&cluster.nodes[0].folder().join("agent"))?;
        let (n001, sn1) = (&cluster.nodes[0].host, SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT));
        let mn = SocketAddrV4::new(MN_IP, MN_PORT);
        let why = refusal(n001, mn, Some(&agent), &hello_of_a_service_node()?)?;
        assert!(why.contains("agents speak to their service node"), "{why}");
        // An agent that says what a service node says is no better served at its own service node.
        let heard = quic::call(n001, sn1, Some(&agent), ALPN_MEMBER, &hello_of_a_service_node()?)?;
        assert!(!matches!(heard, Heard::Answered(_)), "{heard:?}");
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn an_agent_with_another_nodes_certificate_is_refused() {
    sandbox::test("security::members::an_agent_with_another_nodes_certificate_is_refused", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        let [own, other] = [0, 1].map(|number| cluster.nodes[number].folder().join("agent"));
        cluster.nodes[1].stop_agent(Signal::SIGKILL)?;
        fs::remove_dir_all(&other)?;
        Run::new("cp").arg("-a").arg(&own).arg(&other).here()?.ok()?;
        cluster.start_agent(1, None)?;
        let sn1 = &cluster.service_nodes[0];
        let noticed = || sn1.said().contains("refused an agent").then_some(());
        wait::until("sn1 to notice the thief", wait::LONG, noticed)?;
        all_is_well(&cluster, "n001-is-itself")?;
        // n002's agent is n002's agent or nobody.
        wait::until("n002 to be without an agent", wait::LONG, || {
            let said = cluster.command("updatenode n002 -P hello").ok()?;
            assert!(said.status == 1 && !said.out.contains("n001-is-itself"), "{said:?}");
            // Its own agent was killed a moment ago, which takes its time to be noticed.
            said.err.contains("n002: Error: its agent is not connected").then_some(())
        })
    });
}

#[test]
fn a_certificate_from_before_a_new_join_is_refused() {
    sandbox::test("security::members::a_certificate_from_before_a_new_join_is_refused", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let (sn1, mn) =
            (SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT), SocketAddrV4::new(MN_IP, MN_PORT));
        let agent = cluster.nodes[0].folder().join("agent");
        let old_agent = Card::stolen(&agent)?;
        let old_sn = Card::stolen(&cluster.service_nodes[0].dir)?;
        // The node is installed anew and joins again.
        cluster.nodes[0].stop_agent(Signal::SIGKILL)?;
        fs::remove_dir_all(&agent)?;
        let token = cluster.nodes[0].script(cluster.service_nodes[0].ip)?.token;
        cluster.start_agent(0, token.as_deref())?;
        wait::until("n001 to answer", wait::LONG, || cluster.ok("updatenode n001 -s").ok())?;
        let why = refusal(&cluster.nodes[0].host, sn1, Some(&old_agent), &hello_of_an_agent()?)?;
        assert!(why.contains("not the certificate that was given to this node last"), "{why}");
        // The same for the service node.
        cluster.stop_sn(0, Signal::SIGTERM)?;
        cluster.join_again(0)?;
        let why = refusal(&cluster.service_nodes[0].host, mn, Some(&old_sn), &hello_of_a_service_node()?)?;
        assert!(why.contains("another machine has joined under this name"), "{why}");
        wait::until("n001 to be back", wait::LONG, || cluster.ok("updatenode n001 -s").ok())?;
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn a_copied_service_node_is_noticed_and_harms_nobody_for_long() {
    sandbox::test("security::members::a_copied_service_node_is_noticed_and_harms_nobody_for_long", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let copy = cluster.work.join("copy");
        Run::new("cp").arg("-a").arg(&cluster.service_nodes[0].dir).arg(&copy).here()?.ok()?;
        let run = Run::new(cluster.programs().path("sn")).arg("serve").env("DROVER_DIR", &copy);
        let mut thief = run.spawn(&thief(&cluster)?, &cluster.work.join("copy.log"))?;
        let alarm = || {
            let said = fs::read_to_string(cluster.work.join("mn.log")).ok()?;
            said.contains("connected from another address").then_some(())
        };
        wait::until("mn to notice the copy", wait::LONG, alarm)?;
        thief.end(Signal::SIGKILL)?;
        // The real one connects again by itself.
        wait::until("sn1 to be back", wait::LONG, || cluster.ok("lsslice sn1").ok())?;
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn a_removed_node_is_refused_at_once() {
    sandbox::test("security::members::a_removed_node_is_refused_at_once", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        let card = Card::stolen(&cluster.nodes[1].folder().join("agent"))?;
        cluster.ok("rmdef n002")?;
        let sn1 = SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT);
        refusal(&cluster.nodes[1].host, sn1, Some(&card), &hello_of_an_agent()?)?;
        all_is_well(&cluster, "afterwards")
    });
}
