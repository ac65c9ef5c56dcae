//! DNS: what dig is told of the cluster's names, of other names, and of none.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tests::client::lookup::{Reply, ask};
use tests::sandbox;
use tests::server::NameServer;

use super::{SN1, booted_rack};

/// What the site's own name server says of every name.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

/// Response code, whether it is said with authority, and the answers.
fn short(reply: &Reply) -> (&str, bool, Vec<&str>) {
    let authority = reply.flags.split(' ').any(|flag| flag == "aa");
    (&reply.code, authority, reply.answers.iter().map(String::as_str).collect())
}

#[test]
fn the_clusters_names_are_answered_with_authority() {
    sandbox::test("services::dns::the_clusters_names_are_answered_with_authority", || {
        let cluster = booted_rack(2)?;
        cluster.ok("chdef n002 otherinterfaces=-bmc:10.77.9.2 hostnames=login")?;
        let host = &cluster.nodes[0].host;
        for (words, answers) in [
            (&["n002.cluster.test", "A"][..], &["10.77.1.2"][..]),
            (&["n002.cluster.test", "A", "+tcp"], &["10.77.1.2"]),
            (&["N002.Cluster.TEST", "A"], &["10.77.1.2"]),
            (&["n002", "A"], &["10.77.1.2"]),
            (&["n002.cluster.test", "ANY", "+notcp"], &["10.77.1.2"]),
            (&["-x", "10.77.1.2"], &["n002.cluster.test."]),
            (&["-x", "10.77.1.2", "+tcp"], &["n002.cluster.test."]),
            (&["n002.cluster.test", "A", "+noedns"], &["10.77.1.2"]),
            (&["sn1.cluster.test", "A"], &["10.77.0.11"]),
            (&["-x", "10.77.0.11"], &["sn1.cluster.test."]),
            (&["n002.cluster.test", "AAAA"], &[]),
            (&["n002.cluster.test", "MX"], &[]),
        ] {
            let reply = ask(host, SN1, words)?;
            assert_eq!(short(&reply), ("NOERROR", true, answers.to_vec()), "{words:?}: {}", reply.text);
        }
        Ok(())
    });
}

#[test]
fn a_name_that_is_not_there_is_denied_with_the_zones_soa() {
    sandbox::test("services::dns::a_name_that_is_not_there_is_denied_with_the_zones_soa", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        for (words, zone) in [
            (&["nobody.cluster.test", "A"][..], "cluster.test."),
            (&["nobody.cluster.test", "A", "+tcp"], "cluster.test."),
            (&["-x", "10.77.9.9"], "77.10.in-addr.arpa."),
        ] {
            let reply = ask(host, SN1, words)?;
            assert_eq!(short(&reply), ("NXDOMAIN", true, vec![]), "{}", reply.text);
            let has_soa = reply.text.lines().any(|line| line.starts_with(zone) && line.contains("SOA"));
            assert!(has_soa, "{}", reply.text);
        }
        Ok(())
    });
}

#[test]
fn a_new_name_is_known_when_the_command_returns() {
    sandbox::test("services::dns::a_new_name_is_known_when_the_command_returns", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        assert_eq!(ask(host, SN1, &["n009.cluster.test"])?.code, "NXDOMAIN");
        cluster.ok("mkdef n009 groups=all ip=10.77.1.9 servicenode=sn1")?;
        assert_eq!(ask(host, SN1, &["n009.cluster.test"])?.answers, ["10.77.1.9"]);
        cluster.ok("rmdef n009")?;
        assert_eq!(ask(host, SN1, &["n009.cluster.test"])?.code, "NXDOMAIN");
        Ok(())
    });
}

#[test]
fn other_names_are_asked_of_the_sites_name_server() {
    sandbox::test("services::dns::other_names_are_asked_of_the_sites_name_server", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        let site = cluster.guest("ns", None, Some([10, 77, 0, 53].into()))?;
        let _server = NameServer::start(&site.host, Some(ELSEWHERE))?;
        // The first of the two is not there: it costs time and no answer.
        for forwarders in ["10.77.0.53", "10.77.0.54,10.77.0.53"] {
            cluster.ok(&format!("chdef -t site forwarders={forwarders}"))?;
            for words in [&["www.example.com"][..], &["www.example.net", "+tcp"]] {
                let reply = ask(host, SN1, words)?;
                let answer = ELSEWHERE.to_string();
                assert_eq!(short(&reply), ("NOERROR", false, vec![answer.as_str()]), "{}", reply.text);
            }
        }
        assert_eq!(ask(host, SN1, &["nobody.cluster.test"])?.code, "NXDOMAIN", "ours are not forwarded");
        assert_eq!(ask(host, SN1, &["www.example.org", "+norecurse"])?.code, "REFUSED");
        Ok(())
    });
}

#[test]
fn a_dead_forwarder_costs_seconds_and_not_the_clusters_names() {
    sandbox::test("services::dns::a_dead_forwarder_costs_seconds_and_not_the_clusters_names", || {
        let cluster = booted_rack(1)?;
        let host = &cluster.nodes[0].host;
        let site = cluster.guest("ns", None, Some([10, 77, 0, 53].into()))?;
        let _mute = NameServer::start(&site.host, None)?;
        // One that is there and says nothing; one that is not there; none.
        for (forwarders, code) in [("10.77.0.53", "SERVFAIL"), ("10.77.0.54", "SERVFAIL"), ("", "REFUSED")] {
            cluster.ok(&format!("chdef -t site forwarders={forwarders}"))?;
            let start = Instant::now();
            let reply = ask(host, SN1, &["www.example.com"])?;
            assert_eq!(reply.code, code, "{forwarders:?}");
            assert!(start.elapsed() < Duration::from_secs(7), "{forwarders:?}: {:?}", start.elapsed());
            assert_eq!(ask(host, SN1, &["n001.cluster.test"])?.answers, ["10.77.1.1"]);
        }
        Ok(())
    });
}

#[test]
fn a_foreigner_cannot_use_it_as_a_resolver() {
    sandbox::test("services::dns::a_foreigner_cannot_use_it_as_a_resolver", || {
        let cluster = booted_rack(1)?;
        let site = cluster.guest("ns", None, Some([10, 77, 0, 53].into()))?;
        let _server = NameServer::start(&site.host, Some(ELSEWHERE))?;
        cluster.ok("chdef -t site forwarders=10.77.0.53")?;
        let foreigner = cluster.foreigner()?;
        for words in [&["www.example.com"][..], &["www.example.com", "+tcp"]] {
            let reply = ask(&foreigner.host, SN1, words)?;
            assert_eq!(short(&reply), ("REFUSED", false, vec![]), "{}", reply.text);
        }
        Ok(())
    });
}
