//! `snmove`, by the real command on real daemons: what becomes of definitions, which nodes go, who
//! answers afterwards, what the nodes do, and what happens when somebody dies.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::client::dhcp::{self, Firmware};
use tests::cluster::{Cluster, NETWORK, Node};
use tests::process::{Ended, Run};
use tests::{Result, sandbox, wait};

/// The attributes that a move may change, and their tables.
const ATTRIBUTES: [&str; 6] = [
    "noderes.servicenode",
    "noderes.xcatmaster",
    "noderes.tftpserver",
    "noderes.nfsserver",
    "noderes.monserver",
    "nodehm.conserver",
];

/// These attributes of a node, `-` for what is not set.
fn attributes(cluster: &Cluster, node: &str) -> Result<String> {
    let said = cluster.ok(&format!("nodels {node} {}", ATTRIBUTES.join(" ")))?;
    let value = |line: &str| line.rsplit_once(": ").map_or("", |(_, value)| value).to_owned();
    let values = said.lines().map(value).map(|value| if value.is_empty() { "-".to_owned() } else { value });
    Ok(values.collect::<Vec<_>>().join(" "))
}

/// Sets them.
fn define(cluster: &Cluster, node: &str, values: &str) -> Result<()> {
    let pairs = ATTRIBUTES.iter().zip(values.split(' ')).filter(|(_, value)| *value != "-");
    let words = pairs.map(|(name, value)| format!("{}={value}", name.rsplit('.').next().unwrap_or(name)));
    cluster.ok(&format!("chdef {node} {}", words.collect::<Vec<_>>().join(" "))).map(drop)
}

/// The tables that a move may touch, as they are dumped.
fn definitions(cluster: &Cluster) -> Result<String> {
    ["noderes", "nodehm", "nodelist", "chain", "networks", "hosts"]
        .iter()
        .map(|table| cluster.ok(&format!("tabdump {table}")))
        .collect()
}

/// The service node that answers this node's firmware, which is exactly one.
fn answering(cluster: &Cluster, node: &Node) -> Result<String> {
    let offers = dhcp::answers(&node.host, node.mac, &Firmware::default(), Duration::from_millis(700))?;
    let named = |ip| cluster.service_nodes.iter().find(|sn| sn.ip == ip).map_or("?", |sn| sn.name.as_str());
    let names: Vec<&str> = offers.iter().map(|offer| named(offer.server)).collect();
    Ok(names.join(","))
}

/// Fails unless the command ended with this status and said these words.
fn said(ended: &Ended, status: i32, words: &[&str]) -> Result<()> {
    let text = format!("{}{}", ended.out, ended.err);
    if ended.status == status && words.iter().all(|word| text.contains(word)) {
        return Ok(());
    }
    Err(format!("wanted {status} and {words:?}, got {}: {text}", ended.status).into())
}

fn signal(pid: Option<u32>, signal: Signal) -> Result<()> {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).ok_or("it does not run")?;
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// Cases T1 to T4, T9 and T10 of the reference, in one move of six nodes.
#[test]
fn attributes_become_what_xcat_makes_of_them() {
    sandbox::test("snmove::attributes_become_what_xcat_makes_of_them", || {
        let mut cluster = Cluster::lay(7, 3)?;
        cluster.start_all()?;
        cluster.ok("chdef sn1 otherinterfaces=sn1e:10.77.0.11")?;
        cluster.ok("chdef sn2 otherinterfaces=sn2e:10.77.0.12")?;
        let cases = [
            ("n001", "sn1,sn2 sn1e sn1e sn1e sn1,sn1e sn1", "sn2,sn1 sn2e sn2e sn2e sn2,sn2e sn2"),
            ("n002", "sn1,sn2 sn1e sn1e nas sn1,sn1e sn1", "sn2,sn1 sn2e sn2e nas sn2,sn2e sn2"),
            ("n003", "sn1,sn2 sn1e 10.77.0.11 sn1e - -", "sn2,sn1 sn2e sn2e sn2e - -"),
            ("n004", "sn1,sn3 sn1e - - - -", "sn2,sn1,sn3 sn2e - - - -"),
            ("n005", "sn1,sn2 sn1e - - sn1 -", "sn2,sn1 sn2e - - sn2 -"),
            ("n006", "sn1,sn2 - sn1e - - -", "sn2,sn1 sn2e sn1e - - -"),
            ("n007", "sn3,sn1 - - - - -", "sn3,sn1 - - - - -"),
        ];
        for (node, before, _) in cases {
            define(&cluster, node, before)?;
        }
        let before = definitions(&cluster)?;
        // T7: n007 has sn1 second only, and stays.
        said(&cluster.command("snmove -s sn1 -d sn2 -D sn2e")?, 0, &["6 nodes moved to sn2"])?;
        for (node, _, after) in cases {
            assert_eq!(attributes(&cluster, node)?, after, "{node}");
        }
        // T30; n004 was never of a pool with sn2, and n006 had no xcatmaster.
        cluster.ok("snmove n001-n006 -d sn1")?;
        assert_eq!(definitions(&cluster)?, before);
        Ok(())
    });
}

/// T5, T6, T11, T12, T17 and more: whatever is refused, nothing at all has changed.
#[test]
fn a_refused_move_changes_nothing_for_anyone() {
    sandbox::test("snmove::a_refused_move_changes_nothing_for_anyone", || {
        let mut cluster = Cluster::lay(3, 3)?;
        cluster.start_all()?;
        cluster.ok("chdef n003 servicenode=sn1")?;
        cluster.stop_sn(1, Signal::SIGKILL)?;
        wait::until("sn2 to be known as away", wait::LONG, || {
            cluster.command("lsslice sn2").ok()?.out.contains("down").then_some(())
        })?;
        let before = definitions(&cluster)?;
        let refused: [(&str, &[&str]); 13] = [
            ("snmove n003", &["n003", "no backup"]),
            ("snmove compute", &["n003", "no backup"]),
            ("snmove compute -d sn2", &["sn2 is not connected", "try"]),
            ("snmove compute -d sn2 -D 10.77.0.12", &["sn2 is not connected", "try"]),
            ("snmove n001 -d sn3 -i -P hello", &["-P and -i"]),
            ("snmove n001 -d sn3 -P nosuch", &["nosuch", "postscripts"]),
            ("snmove n001 -d sn3 -D 192.0.2.1", &["n001", "192.0.2.1", "not on network"]),
            ("snmove n001 -d sn3 -D 10.77.0.11", &["n001", "10.77.0.11 is sn1", "not sn3"]),
            ("snmove n001 -d sn3 -D 10.77.0.1", &["n001", "management node"]),
            ("snmove sn1 -d sn3", &["sn1", "not moved"]),
            ("snmove -s sn2 -d sn3", &["sn2 owns no nodes"]),
            ("snmove n001 n002 -d sn3", &["n002"]),
            ("snmove n002-n001 -d sn3", &["means no nodes", "counts down"]),
        ];
        for (line, words) in refused {
            said(&cluster.command(line)?, 1, words).map_err(|error| format!("{line}: {error}"))?;
        }
        assert_eq!(definitions(&cluster)?, before);
        assert_eq!(answering(&cluster, &cluster.nodes[0])?, "sn1");
        Ok(())
    });
}

/// T8: names mean themselves, in all their spellings.
#[test]
fn a_source_is_meant_exactly() {
    sandbox::test("snmove::a_source_is_meant_exactly", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all()?;
        // To a regular expression, `s.1` is sn1.
        said(&cluster.command("snmove -s s.1 -d sn2")?, 1, &["s.1 is not a service node"])?;
        for source in ["sn1.cluster.test", "10.77.0.11"] {
            said(&cluster.command(&format!("snmove -s {source} -d sn2"))?, 0, &["2 nodes moved"])?;
            cluster.ok("snmove -s sn2 -d sn1")?;
        }
        Ok(())
    });
}

/// T21, T18, T19 and the scripts: what a running node is like after a move.
#[test]
fn a_running_node_follows_in_everything() {
    sandbox::test("snmove::a_running_node_follows_in_everything", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all_with_agents()?;
        let body = "#!/bin/sh\necho $NODE $1 >>$ROOT/ran\n";
        cluster.put("install/postscripts/hello", body.as_bytes())?;
        let gateways = |cluster: &Cluster| -> Result<Vec<String>> {
            let route = |node: &Node| Run::new("ip").args(["route", "show", "default"]).on(&node.host)?.ok();
            cluster.nodes.iter().map(route).collect()
        };
        let line = "snmove -s sn1 -d sn2 --postscripts hello,syslog";
        said(&cluster.command(line)?, 0, &["2 nodes moved to sn2", "2 agents repointed"])?;
        for node in &cluster.nodes {
            assert!(node.follows(cluster.service_nodes[1].ip), "{} when the command returned", node.name);
            let ran = std::fs::read_to_string(node.root.join("ran"))?;
            assert_eq!(ran, format!("{}\n", node.name));
        }
        for route in gateways(&cluster)? {
            assert_eq!(route.lines().count(), 1, "the old route is gone: {route}");
            assert!(route.contains("via 10.77.0.12"), "{route}");
        }
        // T19: `all` is each of the node's own scripts, once.
        cluster.ok("chdef n001 postscripts=hello postbootscripts=hello")?;
        let ran = || std::fs::read_to_string(cluster.nodes[0].root.join("ran")).unwrap_or_default();
        wait::until("the new list to have run", wait::LONG, || (ran().lines().count() == 2).then_some(()))?;
        cluster.await_agents("sn2")?;
        said(&cluster.command("snmove n001 -d sn1 -P all")?, 0, &["1 node moved", "1 agent repointed"])?;
        assert_eq!(ran().lines().count(), 3);
        Ok(())
    });
}

/// A script that failed once is told with each move, and is no failure of it.
#[test]
fn an_old_failure_of_a_script_is_not_the_moves() {
    sandbox::test("snmove::an_old_failure_of_a_script_is_not_the_moves", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all_with_agents()?;
        cluster.put("install/postscripts/fails", b"#!/bin/sh\nexit 7\n")?;
        cluster.ok("chdef n001 postscripts=fails")?;
        wait::until("the script to have failed", wait::LONG, || {
            cluster.ok("tabdump agent").ok()?.contains("script fails").then_some(())
        })?;
        for (owner, target) in [("sn1", "sn2"), ("sn2", "sn1")] {
            cluster.await_agents(owner)?;
            let ended = cluster.command(&format!("snmove n001 -d {target}"))?;
            said(
                &ended,
                0,
                &["1 node moved", "1 agent repointed", "n001: script fails", "nothing to do with it"],
            )?;
        }
        cluster.await_agents("sn1")?;
        // What `-P` runs is the move's: there a failure counts.
        said(&cluster.command("snmove n001 -d sn2 -P fails")?, 1, &["n001: script fails"])
    });
}

/// T16: with `-i` the next boot is the target's, and the running node is as it was.
#[test]
fn ignored_nodes_run_on_untouched() {
    sandbox::test("snmove::ignored_nodes_run_on_untouched", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all_with_agents()?;
        let [sn1, sn2] = [0, 1].map(|number| cluster.service_nodes[number].ip);
        said(&cluster.command("snmove -s sn1 -d sn2 -i")?, 0, &["2 nodes moved to sn2", "next boot"])?;
        assert_eq!(answering(&cluster, &cluster.nodes[0])?, "sn2");
        // The agents have heard of it when they stand in touch with their new owner.
        wait::until("the agents to turn to sn2", wait::LONG, || {
            let dump = cluster.ok("tabdump agent").ok()?;
            dump.lines().skip(1).all(|line| line.contains("\"sn2\"")).then_some(())
        })?;
        cluster.put("install/postscripts/hello", b"#!/bin/sh\necho $MASTER\n")?;
        said(&cluster.command("updatenode compute -P hello")?, 0, &["10.77.0.12"])?;
        assert!(cluster.nodes.iter().all(|node| node.follows(sn1)), "nobody has touched the nodes");
        // Started again, or told to, it follows.
        cluster.nodes[0].stop_agent(Signal::SIGTERM)?;
        cluster.start_agent(0, None)?;
        cluster.nodes[0].await_following(sn2)?;
        assert!(cluster.nodes[1].follows(sn1));
        cluster.ok("updatenode n002 -s")?;
        cluster.nodes[1].await_following(sn2)
    });
}

/// T13 and T23: a dead source costs seconds, and stays silent when it comes back.
#[test]
fn a_dead_source_is_left_and_stays_silent_when_it_returns() {
    sandbox::test("snmove::a_dead_source_is_left_and_stays_silent_when_it_returns", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all_with_agents()?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        said(&cluster.command("snmove -s sn1 -d sn2")?, 0, &["2 nodes moved to sn2", "2 agents repointed"])?;
        cluster.serve_sn(0)?;
        for node in &cluster.nodes {
            assert!(node.follows(cluster.service_nodes[1].ip));
            assert_eq!(answering(&cluster, node)?, "sn2");
        }
        Ok(())
    });
}

/// Form A without `-d`: each node to the second of its own pool.
#[test]
fn without_a_target_each_node_goes_to_its_own_backup() {
    sandbox::test("snmove::without_a_target_each_node_goes_to_its_own_backup", || {
        let mut cluster = Cluster::lay(2, 3)?;
        cluster.start_all()?;
        cluster.ok("chdef n002 servicenode=sn1,sn3,sn2")?;
        said(&cluster.command("snmove compute")?, 0, &["1 node moved to sn2", "1 node moved to sn3"])?;
        assert_eq!(attributes(&cluster, "n002")?, "sn3,sn1,sn2 10.77.0.13 - - - -");
        assert_eq!(answering(&cluster, &cluster.nodes[0])?, "sn2");
        assert_eq!(answering(&cluster, &cluster.nodes[1])?, "sn3");
        Ok(())
    });
}

/// T14: what the next boot gets is carried over, never armed anew.
#[test]
fn a_node_that_boots_its_disk_goes_on_booting_its_disk() {
    sandbox::test("snmove::a_node_that_boots_its_disk_goes_on_booting_its_disk", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        cluster.ok("nodeset n001 boot")?;
        cluster.nodes[0].boot()?;
        let script = cluster.nodes[0].script(cluster.service_nodes[0].ip)?;
        cluster.ok("snmove n001 -d sn2")?;
        assert_eq!(cluster.ok("nodeset n001 stat")?, "n001: boot\n");
        let after = cluster.nodes[0].script(cluster.service_nodes[1].ip)?;
        assert_eq!((after.kernel, script.kernel), (None, None));
        Ok(())
    });
}

/// T15: one node of a group moves, and its fellows stay.
#[test]
fn values_of_a_group_become_the_nodes_own() {
    sandbox::test("snmove::values_of_a_group_become_the_nodes_own", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all()?;
        cluster.ok("chdef compute servicenode=")?;
        cluster
            .ok("chdef -t group compute servicenode=sn1,sn2 tftpserver=10.77.0.11 xcatmaster=10.77.0.11")?;
        let before = definitions(&cluster)?;
        cluster.ok("snmove n001 -d sn2")?;
        assert_eq!(attributes(&cluster, "n001")?, "sn2,sn1 10.77.0.12 10.77.0.12 - - -");
        assert_eq!(attributes(&cluster, "n002")?, "sn1,sn2 10.77.0.11 10.77.0.11 - - -");
        cluster.ok("snmove n001 -d sn1")?;
        assert_eq!(definitions(&cluster)?, before);
        Ok(())
    });
}

/// T22: killed where it has told the source to fall silent, the management node goes on by itself.
#[test]
fn a_move_that_was_cut_off_is_finished_by_the_next_start() {
    sandbox::test("snmove::a_move_that_was_cut_off_is_finished_by_the_next_start", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all()?;
        // It hangs, so that the move waits for its silence.
        signal(cluster.service_nodes[0].pid(), Signal::SIGSTOP)?;
        std::thread::scope(|scope| {
            let cluster = &cluster;
            let cut_off = scope.spawn(|| cluster.command("snmove -s sn1 -d sn2"));
            wait::until("the source to be told", wait::LONG, || {
                cluster.ok("tabdump move").ok()?.contains("\"released\"").then_some(())
            })?;
            signal(cluster.mn_pid(), Signal::SIGKILL)?;
            let cut_off = cut_off.join().map_err(|_| "the command's thread panicked")??;
            said(&cut_off, 1, &["stopped answering"])
        })?;
        cluster.stop_mn(Signal::SIGKILL)?;
        signal(cluster.service_nodes[0].pid(), Signal::SIGCONT)?;
        cluster.serve_mn()?;
        wait::until("the move to be finished", wait::LONG, || {
            (cluster.ok("tabdump move").ok()?.lines().count() == 1).then_some(())
        })?;
        for node in &cluster.nodes {
            assert_eq!(attributes(&cluster, &node.name)?, "sn2,sn1 10.77.0.12 - - - -");
            assert_eq!(answering(&cluster, node)?, "sn2");
        }
        said(&cluster.command("snmove -s sn1 -d sn2")?, 1, &["sn1 owns no nodes"])
    });
}

#[test]
fn of_two_moves_at_once_one_is_made_and_the_other_is_refused() {
    sandbox::test("snmove::of_two_moves_at_once_one_is_made_and_the_other_is_refused", || {
        let mut cluster = Cluster::lay(3, 3)?;
        cluster.start_all()?;
        let ended = std::thread::scope(|scope| {
            let moves = ["snmove -s sn1 -d sn2", "snmove -s sn1 -d sn3"]
                .map(|line| scope.spawn(|| cluster.command(line)));
            moves.map(|one| one.join().map_err(|_| "a thread panicked".into()).and_then(|ended| ended))
        });
        let [one, other] = ended;
        let (one, other) = (one?, other?);
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [0, 1], "{one:?}\n{other:?}");
        let owner = if one.status == 0 { "sn2" } else { "sn3" };
        for node in &cluster.nodes {
            assert_eq!(answering(&cluster, node)?, owner);
        }
        Ok(())
    });
}

#[test]
fn a_terminal_shows_how_far_it_is_and_a_pipe_does_not() {
    sandbox::test("snmove::a_terminal_shows_how_far_it_is_and_a_pipe_does_not", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        let line = format!("{}/snmove -s sn1 -d sn2", cluster.applets().display());
        let run = Run::new("script").args(["-qec", &line, "/dev/null"]).env("DROVER_DIR", cluster.mn_dir());
        let terminal = run.env("TERM", "xterm").on(&cluster.mn)?;
        said(&terminal, 0, &["sn2 prepares", "] 0/4", "1 node moved to sn2"])?;
        let piped = cluster.command("snmove -s sn2 -d sn1")?;
        assert_eq!((piped.err.as_str(), piped.out.lines().count()), ("", 1), "{piped:?}");
        Ok(())
    });
}

/// Nodes are defined before anyone has read their hardware addresses.
#[test]
fn nodes_without_hardware_addresses_move_too() {
    sandbox::test("snmove::nodes_without_hardware_addresses_move_too", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        let made = cluster
            .command(r"mkdef n[101-140] groups=new,all servicenode=sn1,sn2 ip=|n(\d+)|10.77.8.($1+0)|")?;
        said(&made, 0, &["40 object definitions"])?;
        assert_eq!(made.err, "", "every service node has applied it");
        cluster.ok("chdef n101 mac=52:54:00:77:01:01")?;
        said(&cluster.command("snmove new -d sn2")?, 0, &["40 nodes moved", "40 follow when they are back"])
    });
}

#[test]
fn a_gateway_of_its_own_is_left_alone() {
    sandbox::test("snmove::a_gateway_of_its_own_is_left_alone", || {
        let mut cluster = Cluster::lay(1, 2)?;
        cluster.start_all()?;
        cluster.ok(&format!("chdef -t network {NETWORK} gateway=10.77.0.254"))?;
        cluster.ok("snmove n001 -d sn2")?;
        let lease = cluster.nodes[0].boot()?;
        assert_eq!(
            (lease.word("router"), lease.server()),
            ("10.77.0.254", Some(cluster.service_nodes[1].ip))
        );
        Ok(())
    });
}
