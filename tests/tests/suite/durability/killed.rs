//! `kill -9`, at any moment and in every phase of a move.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::client::dhcp::{self, Firmware};
use tests::client::transfer;
use tests::cluster::{Cluster, Node};
use tests::net::cable;
use tests::{Result, sandbox, wait};

/// Sends a signal to a daemon that is left in its place.
fn signal(pid: Option<u32>, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid.ok_or("it does not run")?)?;
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// One of several that change the same cluster at once: a node of its own, whose comment counts up.
#[derive(Default)]
struct Counter {
    asked: AtomicUsize,
    acknowledged: AtomicUsize,
}

impl Counter {
    /// Counts until a command fails.
    fn run(&self, cluster: &Cluster, node: &str, all: &AtomicUsize) -> Result<()> {
        loop {
            let number = self.acknowledged.load(Ordering::SeqCst) + 1;
            self.asked.store(number, Ordering::SeqCst);
            if cluster.command(&format!("chdef {node} usercomment={number}"))?.status != 0 {
                return Ok(());
            }
            self.acknowledged.store(number, Ordering::SeqCst);
            all.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What is stored must be what was acknowledged, or what was asked for in the moment of the kill.
    fn check(&self, node: &str, stored: usize) -> Result<()> {
        let [acknowledged, asked] =
            [&self.acknowledged, &self.asked].map(|count| count.load(Ordering::SeqCst));
        // Counting goes on from here.
        self.acknowledged.store(stored, Ordering::SeqCst);
        if (acknowledged..=asked).contains(&stored) {
            return Ok(());
        }
        Err(format!("{node} was acknowledged {acknowledged}, asked {asked}, and has {stored}").into())
    }
}

#[test]
fn what_parallel_clients_were_told_is_there_after_a_kill() {
    sandbox::test("durability::killed::what_parallel_clients_were_told_is_there_after_a_kill", || {
        let mut cluster = Cluster::lay(0, 0)?;
        cluster.start_mn()?;
        cluster.ok("mkdef c[1-4] groups=g usercomment=0")?;
        let counters: BTreeMap<String, Counter> =
            (1..=4).map(|number| (format!("c{number}"), Counter::default())).collect();
        for round in 0..10 {
            let all = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                let run = |(node, counter): (&String, &Counter)| counter.run(&cluster, node, &all).err();
                let clients: Vec<_> = counters.iter().map(|one| scope.spawn(move || run(one))).collect();
                let enough = || (all.load(Ordering::SeqCst) > 5 + round * 7 % 23).then_some(());
                wait::until("acknowledged changes", wait::LONG, enough)?;
                signal(cluster.mn_pid(), Signal::SIGKILL)?;
                let errors = clients.into_iter().filter_map(|client| client.join().ok().flatten());
                errors.into_iter().next().map_or(Ok(()), Err)
            })?;
            cluster.stop_mn(Signal::SIGKILL)?;
            cluster.serve_mn()?;
            for line in cluster.ok("nodels g nodelist.comments")?.lines() {
                let (node, stored) = line.split_once(": ").ok_or("an odd line")?;
                counters[node].check(node, stored.parse()?)?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_large_change_is_there_after_a_kill_that_followed_its_answer() {
    sandbox::test(
        "durability::killed::a_large_change_is_there_after_a_kill_that_followed_its_answer",
        || {
            let mut cluster = Cluster::lay(0, 0)?;
            cluster.start_mn()?;
            cluster.ok("mkdef c[0001-4000] groups=g usercomment=0")?;
            for round in 1..=6 {
                cluster.ok(&format!("chdef c[0001-4000] usercomment={round}"))?;
                // Its rows are still on their way to their places, now or a moment ago; a small change
                // lies over them.
                if round % 2 == 0 {
                    cluster.ok(&format!("chdef c0001,c4000 usercomment=small{round}"))?;
                }
                signal(cluster.mn_pid(), Signal::SIGKILL)?;
                cluster.stop_mn(Signal::SIGKILL)?;
                cluster.serve_mn()?;
                let stored = cluster.ok("nodels g nodelist.comments")?;
                assert_eq!(stored.lines().count(), 4000);
                for line in stored.lines() {
                    let (node, stored) = line.split_once(": ").ok_or("an odd line")?;
                    let small = round % 2 == 0 && matches!(node, "c0001" | "c4000");
                    let want = if small { format!("small{round}") } else { round.to_string() };
                    assert_eq!(stored, want, "{node}");
                }
                let explained = cluster.ok("explain c2000 usercomment")?;
                assert!(explained.contains(&format!("usercomment={round}")), "{explained}");
            }
            Ok(())
        },
    );
}

/// Where a move is held up until the management node is killed, and how that is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The target does not take its slice.
    Prepared,
    /// The old owner does not say that it is silent.
    Released,
    /// The node's agent does not follow.
    Answering,
}

impl Phase {
    const fn word(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Released => "released",
            Self::Answering => "answering",
        }
    }

    /// The daemon that is stopped for it.
    fn holder(self, cluster: &Cluster) -> Option<u32> {
        match self {
            Self::Prepared => cluster.service_nodes[1].pid(),
            Self::Released => cluster.service_nodes[0].pid(),
            Self::Answering => cluster.nodes[0].agent_pid(),
        }
    }
}

/// Kills the management node in the middle of `snmove -s sn1 -d sn2`; then the nodes must have one
/// owner, the service node of this number.
fn killed_in(phase: Phase, owner: usize) -> Result<()> {
    let mut cluster = Cluster::lay(2, 2)?;
    cluster.start_all_with_agents()?;
    signal(phase.holder(&cluster), Signal::SIGSTOP)?;
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| cluster.command("snmove -s sn1 -d sn2"));
        let is_there = || cluster.ok("tabdump move").ok().filter(|moves| moves.contains(phase.word()));
        wait::until(format!("the move to be {}", phase.word()), wait::LONG, is_there)?;
        signal(cluster.mn_pid(), Signal::SIGKILL)?;
        let asked = asking.join().map_err(|_| "the command panicked")??;
        assert_eq!(asked.status, 1, "it does not claim success");
        assert!(asked.err.contains("history"), "it says where to look: {}", asked.err);
        Ok::<(), tests::Error>(())
    })?;
    signal(phase.holder(&cluster), Signal::SIGCONT)?;
    cluster.stop_mn(Signal::SIGKILL)?;
    cluster.serve_mn()?;
    let ended = || cluster.ok("tabdump move").ok().filter(|moves| !moves.contains(phase.word()));
    wait::until("the move to be ended", wait::LONG, ended)?;
    has_one_owner(&cluster, owner)
}

/// All nodes are owned by the service node of this number, as `lsslice`, every DHCP offer and the
/// agents tell it.
fn has_one_owner(cluster: &Cluster, owner: usize) -> Result<()> {
    let mut want = vec![0; cluster.service_nodes.len()];
    want[owner] = cluster.nodes.len() as u64;
    wait::until(format!("lsslice to say {want:?}"), wait::LONG, || {
        (owned(cluster).ok()? == want).then_some(())
    })?;
    let ip = cluster.service_nodes[owner].ip;
    for node in &cluster.nodes {
        node.await_following(ip)?;
        let offers = dhcp::answers(&node.host, node.mac, &Firmware::default(), Duration::from_millis(800))?;
        let servers: Vec<Ipv4Addr> = offers.iter().map(|offer| offer.server).collect();
        assert_eq!(servers, [ip], "{} has one owner", node.name);
    }
    Ok(())
}

/// How many nodes each service node owns, once it has acknowledged that.
fn owned(cluster: &Cluster) -> Result<Vec<u64>> {
    let states: Vec<serde_json::Value> = serde_json::from_str(&cluster.ok("lsslice --json")?)?;
    Ok(states.iter().filter_map(|state| state["owned"].as_u64()).collect())
}

#[test]
fn a_move_that_was_only_prepared_is_taken_back() {
    sandbox::test("durability::killed::a_move_that_was_only_prepared_is_taken_back", || {
        killed_in(Phase::Prepared, 0)
    });
}

#[test]
fn a_move_that_was_released_is_finished() {
    sandbox::test("durability::killed::a_move_that_was_released_is_finished", || {
        killed_in(Phase::Released, 1)
    });
}

#[test]
fn a_move_that_was_answered_is_finished() {
    sandbox::test("durability::killed::a_move_that_was_answered_is_finished", || {
        killed_in(Phase::Answering, 1)
    });
}

#[test]
fn a_service_node_killed_under_pushes_serves_what_it_acknowledged() {
    sandbox::test(
        "durability::killed::a_service_node_killed_under_pushes_serves_what_it_acknowledged",
        || {
            let mut cluster = Cluster::lay(1, 1)?;
            cluster.start_all()?;
            for round in 0..6_usize {
                std::thread::scope(|scope| {
                    let pushing = scope.spawn(|| {
                        (0..12).try_for_each(|n| {
                            cluster
                                .ok(&format!("chdef n001 mac=52:54:00:00:{round:02x}:{n:02x} --no-wait"))
                                .map(drop)
                        })
                    });
                    let before = acknowledged(&cluster)?;
                    let more = || (acknowledged(&cluster).ok()? > before + round as u64).then_some(());
                    wait::until("more acknowledged slices", wait::LONG, more)?;
                    signal(cluster.service_nodes[0].pid(), Signal::SIGKILL)?;
                    pushing.join().map_err(|_| "the pushing panicked")?
                })?;
                cluster.stop_sn(0, Signal::SIGKILL)?;
                let promised = acknowledged(&cluster)?;
                // From its disk alone.
                cable(&cluster.mn, false)?;
                cluster.serve_sn(0)?;
                let url = format!("http://{}/drover/generation", cluster.service_nodes[0].ip);
                let host = &cluster.service_nodes[0].host;
                let answer = || transfer::http(host, &url, &[]).ok().filter(|answer| answer.code == 200);
                let served: u64 = wait::until("a generation", wait::LONG, answer)?.body.trim().parse()?;
                assert!(served >= promised, "it serves {served} and has acknowledged {promised}");
                assert!(!cluster.service_nodes[0].said().contains("damaged"));
                cable(&cluster.mn, true)?;
                wait::until("it to be current", wait::LONG, || cluster.ok("lsslice").ok())?;
            }
            Ok(())
        },
    );
}

/// The generation that sn1 has acknowledged.
fn acknowledged(cluster: &Cluster) -> Result<u64> {
    // It is behind, so that the status is 1; its words count.
    let states: Vec<serde_json::Value> = serde_json::from_str(&cluster.command("lsslice --json")?.out)?;
    let state = states.first().ok_or("no service node")?;
    state["acknowledged"].as_u64().ok_or_else(|| format!("nothing is acknowledged: {state}").into())
}

#[test]
fn an_agent_killed_while_it_settles_settles_when_it_is_back() {
    sandbox::test("durability::killed::an_agent_killed_while_it_settles_settles_when_it_is_back", || {
        let mut cluster = Cluster::lay(2, 2)?;
        cluster.start_all_with_agents()?;
        for (line, owner) in [
            ("snmove -s sn1 -d sn2", 1),
            ("snmove -s sn2 -d sn1", 0),
            ("snmove -s sn1 -d sn2", 1),
            ("snmove -s sn2 -d sn1", 0),
        ] {
            let mut victim = cluster.nodes.remove(0);
            let before = settled(&victim);
            std::thread::scope(|scope| {
                let moving = scope.spawn(|| cluster.ok(line));
                // The moment at which it has begun to write.
                let begun = || (settled(&victim) != before).then_some(());
                wait::until("the agent to begin", wait::LONG, begun)?;
                victim.stop_agent(Signal::SIGKILL)?;
                victim.start_agent(cluster.programs(), None)?;
                moving.join().map_err(|_| "the command panicked")?
            })?;
            cluster.nodes.insert(0, victim);
            has_one_owner(&cluster, owner)?;
            // The other agent was never killed.
            for file in
                ["etc/resolv.conf", "etc/hosts", "etc/chrony/chrony.conf", "etc/rsyslog.d/remote.conf"]
            {
                let [killed, other] = [0, 1].map(|number| written(&cluster, number, file));
                assert_eq!(killed?, other?, "{file}");
            }
        }
        Ok(())
    });
}

/// What a node's agent has written of what a move changes.
fn settled(node: &Node) -> [Option<Ipv4Addr>; 3] {
    [node.resolver(), node.time_server(), node.log_target()]
}

/// A file that a node's agent has written, without the node's own name and address.
fn written(cluster: &Cluster, number: usize, file: &str) -> Result<String> {
    let node = &cluster.nodes[number];
    let text = fs::read_to_string(node.root.join(file))?;
    Ok(text.replace(&node.name, "NODE").replace(&node.ip.to_string(), "ADDRESS"))
}
