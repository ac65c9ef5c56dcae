//! Syslog: every line of a node lands in its own file and on the management node, once.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use tests::client::transfer::{self, Transport};
use tests::cluster::Cluster;
use tests::{Result, sandbox, wait};

use super::{SN1, booted_rack};

/// The file of a node at sn1 and its file on the management node.
fn files(cluster: &Cluster, node: &str) -> [PathBuf; 2] {
    [cluster.service_nodes[0].log_of(node), cluster.mn_dir().join("log").join(format!("{node}.log"))]
}

/// Waits until both files of a node hold `word`.
fn await_word(cluster: &Cluster, node: &str, word: &str) -> Result<()> {
    for file in files(cluster, node) {
        let seen = || fs::read_to_string(&file).ok()?.contains(word).then_some(());
        wait::until(format!("{word} in {}", file.display()), wait::LONG, seen)?;
    }
    Ok(())
}

#[test]
fn every_transport_and_format_lands_in_the_nodes_own_files() {
    sandbox::test("services::syslog::every_transport_and_format_lands_in_the_nodes_own_files", || {
        let cluster = booted_rack(2)?;
        for node in &cluster.nodes {
            for (transport, words) in [
                (Transport::Udp, &[][..]),
                (Transport::Udp, &["--rfc3164"]),
                (Transport::Udp, &["--rfc5424", "-p", "local3.crit"]),
                (Transport::Tcp, &[]),
                (Transport::Tcp, &["--rfc3164"]),
                (Transport::Tcp, &["--octet-count"]),
                (Transport::Tcp, &["--octet-count", "--rfc5424"]),
            ] {
                let line = format!("{transport:?}{} of {}", words.join(""), node.name);
                transfer::log_as(&node.host, SN1, transport, words, &line)?;
                await_word(&cluster, &node.name, &line)?;
            }
        }
        for (node, other) in [("n001", "n002"), ("n002", "n001")] {
            for file in files(&cluster, node) {
                assert!(!fs::read_to_string(&file)?.contains(&format!("of {other}")), "{}", file.display());
            }
        }
        Ok(())
    });
}

#[test]
fn a_stranger_writes_nowhere() {
    sandbox::test("services::syslog::a_stranger_writes_nowhere", || {
        let cluster = booted_rack(1)?;
        let guest = cluster.guest("guest", None, Some([10, 77, 8, 8].into()))?;
        for transport in [Transport::Udp, Transport::Tcp] {
            transfer::log(&guest.host, SN1, transport, "of a stranger")?;
            // A node's line by the same way, later: with it, the stranger's would be there.
            transfer::log(&cluster.nodes[0].host, SN1, transport, &format!("{transport:?} of n001"))?;
            await_word(&cluster, "n001", &format!("{transport:?} of n001"))?;
        }
        for folder in [cluster.service_nodes[0].dir.join("log"), cluster.mn_dir().join("log")] {
            let shown = |name: &String| !name.starts_with('.');
            let names = fs::read_dir(&folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let names: Vec<String> = names.filter(shown).collect();
            assert_eq!(names.len(), 1, "{names:?}");
            assert!(names[0].starts_with("n001"), "{names:?}");
        }
        Ok(())
    });
}

/// Lines that can be told apart.
fn lines(part: &str) -> Vec<String> {
    (0..500).map(|number| format!("{part}-{number:03}")).collect()
}

/// How often a file has each line of which the message is one word.
fn counts(file: &PathBuf) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(file)?.lines() {
        let word = line.rsplit(' ').next().unwrap_or_default();
        *counts.entry(word.to_owned()).or_insert(0) += 1;
    }
    Ok(counts)
}

#[test]
fn no_line_is_lost_or_doubled_while_the_management_node_is_down() {
    sandbox::test("services::syslog::no_line_is_lost_or_doubled_while_the_management_node_is_down", || {
        let mut cluster = booted_rack(1)?;
        let host = cluster.nodes[0].host.clone();
        let here = files(&cluster, "n001")[0].clone();
        let sent = |part: &str| -> Result<()> {
            transfer::log_all(&host, SN1, Transport::Tcp, &lines(part))?;
            let last = format!("{part}-499");
            let seen = || fs::read_to_string(&here).ok()?.contains(&last).then_some(());
            wait::until(format!("{last} in its file"), wait::LONG, seen)
        };
        // Killed while these are delivered.
        sent("before")?;
        cluster.stop_mn(Signal::SIGKILL)?;
        sent("down")?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        cluster.serve_sn(0)?;
        sent("alone")?;
        cluster.serve_mn()?;
        sent("back")?;
        // Lines are delivered in order: with the last of them, all are there that ever will be.
        transfer::log(&host, SN1, Transport::Tcp, "the-end")?;
        await_word(&cluster, "n001", "the-end")?;
        let parts = ["before", "down", "alone", "back"];
        let mut want: BTreeMap<String, usize> =
            parts.into_iter().flat_map(lines).map(|line| (line, 1)).collect();
        want.insert("the-end".to_owned(), 1);
        for file in files(&cluster, "n001") {
            let found = counts(&file)?;
            let wrong: Vec<_> = want
                .keys()
                .chain(found.keys())
                .filter(|line| want.get(*line) != found.get(*line))
                .map(|line| (line, found.get(line)))
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", file.display());
        }
        Ok(())
    });
}
