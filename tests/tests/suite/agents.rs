//! Agents at work: scripts and files by `updatenode`, and what they do when somebody dies.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::cluster::{Cluster, Node, each};
use tests::process::{Daemon, Ended};
use tests::{Result, sandbox, wait};

/// A cluster with agents, and the scripts that these tests run.
fn cluster(nodes: u16, service_nodes: u8) -> Result<Cluster> {
    let mut cluster = Cluster::lay(nodes, service_nodes)?;
    cluster.start_all_with_agents()?;
    for (name, text) in [
        ("greet", "echo $NODE greets $1 and $2, for $MASTER"),
        ("fails", "echo before; echo the reason >&2; exit 7"),
        ("hangs", "echo it begins; sleep 1000"),
        ("second", "sleep 1; echo $NODE is done"),
        (
            "waits",
            "echo begun >> $ROOT/begun; until test -e $ROOT/go; do sleep 0.05; done; echo $NODE went on",
        ),
    ] {
        cluster.put(&format!("install/postscripts/{name}"), format!("#!/bin/sh\n{text}\n").as_bytes())?;
    }
    Ok(cluster)
}

/// Types a line on the management node.
fn typed(cluster: &Cluster, line: &str) -> Result<Ended> {
    cluster.shell(&cluster.mn, line)
}

/// Waits until a script has run on a node.
fn await_obedience(cluster: &Cluster, node: &Node) -> Result<()> {
    let line = format!("updatenode {} -P second", node.name);
    wait::until(format!("{} to obey", node.name), wait::LONG, || cluster.ok(&line).ok()).map(drop)
}

#[test]
fn a_script_gets_its_arguments_and_its_output_comes_back() {
    sandbox::test("agents::a_script_gets_its_arguments_and_its_output_comes_back", || {
        let cluster = cluster(1, 1)?;
        let said = typed(&cluster, "updatenode n001 -P 'greet one two,second'")?.ok()?;
        assert!(said.contains("n001: n001 greets one and two, for 10.77.0.11\n"), "{said}");
        assert!(said.contains("n001: n001 is done\n"), "{said}");
        Ok(())
    });
}

#[test]
fn a_script_that_fails_says_how_and_why() {
    sandbox::test("agents::a_script_that_fails_says_how_and_why", || {
        let cluster = cluster(2, 1)?;
        let ended = typed(&cluster, "updatenode n001 -P fails")?;
        assert_eq!(ended.status, 1);
        for words in ["n001: Error: script fails", "exit status 7", "before", "the reason"] {
            assert!(ended.err.contains(words), "{ended:?}");
        }
        assert!(!ended.out.contains("completed"), "{ended:?}");
        // Another node's failure is not this one's.
        let ended = typed(&cluster, "updatenode n001,n002 -P second")?;
        assert_eq!(ended.status, 0, "{ended:?}");
        Ok(())
    });
}

#[test]
fn a_script_that_hangs_is_cut_off_with_all_it_started() {
    sandbox::test("agents::a_script_that_hangs_is_cut_off_with_all_it_started", || {
        let cluster = cluster(1, 1)?;
        let start = Instant::now();
        let ended = typed(&cluster, "updatenode n001 -P hangs -t 1")?;
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("cut off after 1 s; it printed: it begins"), "{ended:?}");
        let left = tests::process::Run::new("pgrep").args(["-f", "sleep 1000"]).here()?;
        assert_eq!(left.out, "", "the script's child lives on");
        // The agent goes on.
        typed(&cluster, "updatenode n001 -P second")?.ok().map(drop)
    });
}

#[test]
fn listed_files_come_to_the_node_and_others_are_refused() {
    sandbox::test("agents::listed_files_come_to_the_node_and_others_are_refused", || {
        let cluster = cluster(1, 1)?;
        cluster.put("install/custom/motd", b"welcome\n")?;
        cluster.put("install/custom/list", b"# what every node has\ninstall/custom/motd -> /etc/motd\n")?;
        cluster.put("install/custom/bad", b"/etc/shadow -> /etc/motd\n")?;
        cluster.put("install/custom/climbs", b"install/../../authority -> /etc/motd\n")?;
        cluster.ok("chdef -t osimage demo synclists=/install/custom/list")?;
        let said = typed(&cluster, "updatenode n001 -F")?.ok()?;
        assert!(said.contains("n001: sync /etc/motd: changed"), "{said}");
        let motd = cluster.nodes[0].root.join("etc/motd");
        assert_eq!(fs::read_to_string(&motd)?, "welcome\n");
        for list in ["bad", "climbs", "none"] {
            cluster.ok(&format!("chdef -t osimage demo synclists=/install/custom/{list}"))?;
            let ended = typed(&cluster, "updatenode n001 -F")?;
            assert_eq!(ended.status, 1, "{ended:?}");
            assert!(ended.err.contains(list) && ended.err.contains("  try "), "{ended:?}");
            assert_eq!(fs::read_to_string(&motd)?, "welcome\n");
        }
        Ok(())
    });
}

#[test]
fn sixteen_nodes_work_at_once_and_each_has_its_own_result() {
    sandbox::test("agents::sixteen_nodes_work_at_once_and_each_has_its_own_result", || {
        let mut cluster = cluster(16, 1)?;
        let start = Instant::now();
        let ended = typed(&cluster, "updatenode compute -P second")?;
        let took = start.elapsed();
        assert_eq!(ended.status, 0, "{ended:?}");
        for node in &cluster.nodes {
            assert!(ended.out.contains(&format!("{0}: {0} is done\n", node.name)), "{ended:?}");
        }
        assert!(took < Duration::from_secs(8), "one after the other: {took:?}");
        // One is down: it alone has an error, and the exit status says so.
        cluster.nodes[4].stop_agent(Signal::SIGTERM)?;
        let down = || {
            let ended = typed(&cluster, "updatenode compute -P second").ok()?;
            let gone = ended.err.contains("n005: Error: its agent is not connected");
            gone.then_some(ended)
        };
        let ended = wait::until("n005 to be seen as gone", wait::LONG, down)?;
        assert_eq!(ended.status, 1);
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
        assert_eq!(ended.out.matches("updatenode completed").count(), 15, "{ended:?}");
        Ok(())
    });
}

#[test]
fn an_agent_that_is_killed_comes_back_without_a_token() {
    sandbox::test("agents::an_agent_that_is_killed_comes_back_without_a_token", || {
        let mut cluster = cluster(1, 1)?;
        cluster.nodes[0].stop_agent(Signal::SIGKILL)?;
        // What was changed behind its back is as it should be again.
        fs::write(cluster.nodes[0].root.join("etc/resolv.conf"), "nameserver 192.0.2.1\n")?;
        cluster.start_agent(0, None)?;
        cluster.nodes[0].await_following(cluster.service_nodes[0].ip)?;
        await_obedience(&cluster, &cluster.nodes[0])
    });
}

#[test]
fn agents_find_their_service_node_again_when_it_was_killed() {
    sandbox::test("agents::agents_find_their_service_node_again_when_it_was_killed", || {
        let mut cluster = cluster(2, 1)?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        cluster.serve_sn(0)?;
        cluster.nodes.iter().try_for_each(|node| await_obedience(&cluster, node))
    });
}

/// The word for a node in a column of the `agent` table.
fn agent(cluster: &Cluster, node: &str, column: &str) -> Result<String> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(&cluster.ok("tabdump agent --json")?)?;
    let row = rows.iter().find(|row| row["node"] == node).ok_or_else(|| format!("no agent of {node}"))?;
    Ok(row[column].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_happened_while_the_management_node_was_down_is_told_later() {
    sandbox::test("agents::what_happened_while_the_management_node_was_down_is_told_later", || {
        let mut cluster = cluster(2, 1)?;
        let known = || (agent(&cluster, "n002", "connected").ok()? == "sn1").then_some(());
        wait::until("n002 to be known as connected", wait::LONG, known)?;
        cluster.stop_mn(Signal::SIGKILL)?;
        cluster.nodes[1].stop_agent(Signal::SIGTERM)?;
        // The report outlives the service node's own death.
        cluster.stop_sn(0, Signal::SIGTERM)?;
        cluster.serve_sn(0)?;
        cluster.serve_mn()?;
        let told = || agent(&cluster, "n002", "connected").is_ok_and(|word| word.is_empty()).then_some(());
        wait::until("the late report", wait::LONG, told)?;
        let back = || (agent(&cluster, "n001", "connected").ok()? == "sn1").then_some(());
        wait::until("n001 to be connected", wait::LONG, back)
    });
}

#[test]
fn agents_fall_back_along_their_pool_and_return_by_themselves() {
    sandbox::test("agents::agents_fall_back_along_their_pool_and_return_by_themselves", || {
        let mut cluster = cluster(2, 2)?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        await_all_on(&cluster, "sn2")?;
        let said = typed(&cluster, "updatenode compute -P 'greet a b'")?.ok()?;
        // Nobody moved them: sn1 is their master still.
        assert_eq!(said.matches("greets a and b, for 10.77.0.11").count(), 2, "{said}");
        let owner = cluster.service_nodes[0].ip;
        assert!(cluster.nodes.iter().all(|node| node.follows(owner)));
        cluster.serve_sn(0)?;
        await_all_on(&cluster, "sn1")?;
        // And sn2 is not needed for anything now.
        cluster.stop_sn(1, Signal::SIGKILL)?;
        typed(&cluster, "updatenode compute -P 'greet a b'")?.ok().map(drop)
    });
}

/// Waits until every agent is connected to a service node.
fn await_all_on(cluster: &Cluster, sn: &str) -> Result<()> {
    let is_there = |node: &Node| agent(cluster, &node.name, "connected").is_ok_and(|word| word == sn);
    let there = || cluster.nodes.iter().all(is_there).then_some(());
    wait::until(format!("the agents to be on {sn}"), wait::LONG, there)
}

/// Types `updatenode compute -P waits`, and waits until the script has begun on every node.
fn begin_and_wait(cluster: &Cluster) -> Result<Daemon> {
    let run = cluster.typed(&cluster.mn, "updatenode compute -P waits; echo exit status $?");
    let typing = run.spawn(&cluster.mn, &cluster.work.join("typing"))?;
    let begun = || cluster.nodes.iter().all(|node| begun(node) == "begun\n").then_some(());
    wait::until("the script to begin on every node", wait::LONG, begun)?;
    Ok(typing)
}

/// How often the script `waits` has begun on a node.
fn begun(node: &Node) -> String {
    fs::read_to_string(node.root.join("begun")).unwrap_or_default()
}

#[test]
fn work_goes_on_and_is_answered_when_its_service_node_dies() {
    sandbox::test("agents::work_goes_on_and_is_answered_when_its_service_node_dies", || {
        let mut cluster = cluster(2, 2)?;
        let mut typing = begin_and_wait(&cluster)?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        await_all_on(&cluster, "sn2")?;
        for node in &cluster.nodes {
            fs::write(node.root.join("go"), "")?;
        }
        typing.await_words("exit status ")?;
        let said = typing.said();
        for words in ["n001: n001 went on\n", "n002: n002 went on\n", "exit status 0\n"] {
            assert_eq!(said.matches(words).count(), 1, "{said}");
        }
        assert!(cluster.nodes.iter().all(|node| begun(node) == "begun\n"), "it ran twice");
        Ok(())
    });
}

#[test]
fn work_that_an_agents_end_cut_off_is_said_to_be_lost_and_not_repeated() {
    sandbox::test("agents::work_that_an_agents_end_cut_off_is_said_to_be_lost_and_not_repeated", || {
        let mut cluster = cluster(1, 1)?;
        let mut typing = begin_and_wait(&cluster)?;
        cluster.nodes[0].stop_agent(Signal::SIGKILL)?;
        cluster.start_agent(0, None)?;
        typing.await_words("exit status 1")?;
        assert!(typing.said().contains("n001: Error: the connection ended"), "{}", typing.said());
        assert_eq!(begun(&cluster.nodes[0]), "begun\n");
        fs::write(cluster.nodes[0].root.join("go"), "")?;
        await_obedience(&cluster, &cluster.nodes[0])
    });
}

#[test]
fn nodes_that_were_down_during_a_move_follow_when_they_come_back() {
    sandbox::test("agents::nodes_that_were_down_during_a_move_follow_when_they_come_back", || {
        let mut cluster = cluster(3, 2)?;
        for number in [1, 2] {
            cluster.nodes[number].stop_agent(Signal::SIGTERM)?;
        }
        let noticed = || agent(&cluster, "n003", "connected").is_ok_and(|word| word.is_empty()).then_some(());
        wait::until("the agents' end to be known", wait::LONG, noticed)?;
        let said = typed(&cluster, "snmove -s sn1 -d sn2")?.ok()?;
        assert!(said.contains("n002") && said.contains("n003"), "it names who is down: {said}");
        let [sn1, sn2] = [0, 1].map(|number| cluster.service_nodes[number].ip);
        assert!(cluster.nodes[0].follows(sn2) && cluster.nodes[1].follows(sn1));
        // One comes back with its state, the other one is booted anew.
        cluster.start_agent(1, None)?;
        fs::remove_dir_all(cluster.nodes[2].folder().join("agent"))?;
        let lease = cluster.nodes[2].boot()?;
        assert_eq!(lease.server(), Some(sn2));
        let token = cluster.nodes[2].script(sn2)?.token;
        cluster.start_agent(2, token.as_deref())?;
        each(&cluster.nodes, 3, |node| node.await_following(sn2))
    });
}

#[test]
fn a_node_that_died_with_its_service_node_is_not_called_connected() {
    sandbox::test("agents::a_node_that_died_with_its_service_node_is_not_called_connected", || {
        let mut cluster = cluster(2, 1)?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        cluster.nodes[1].stop_agent(Signal::SIGKILL)?;
        cluster.serve_sn(0)?;
        await_obedience(&cluster, &cluster.nodes[0])?;
        let known = || agent(&cluster, "n002", "connected").is_ok_and(|word| word.is_empty()).then_some(());
        wait::until("n002's end to be known", wait::LONG, known)
    });
}
