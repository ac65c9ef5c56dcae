//! Power cuts of a service node, replayed: joining, slices that are pushed, log lines that are forwarded.

use std::fs;

use nix::sys::signal::Signal;
use tests::client::transfer::{self, Transport};
use tests::cluster::Cluster;
use tests::powerloss::{Cut, History, Recorder};
use tests::process::Run;
use tests::{Result, sandbox, wait};

/// What the service node has promised by an answer of its.
#[derive(Debug)]
enum Promise {
    /// It is the service node that its token named.
    Joined,
    /// It serves this generation.
    Generation(u64),
    /// The management node has this log line, once.
    Line(String),
}

/// A cluster whose service node and management node are recorded.
struct Recorded {
    cluster: Cluster,
    sn: Recorder,
    mn: Recorder,
    promises: Vec<Promise>,
}

impl Recorded {
    /// A service node that has joined and serves one node.
    fn start() -> Result<Self> {
        let mut cluster = Cluster::lay(1, 1)?;
        let notes = |name: &str| cluster.work.join("notes").join(name);
        let mut sn = Recorder::new(&cluster.service_nodes[0].dir, &notes("sn"))?;
        let mut mn = Recorder::new(&cluster.mn_dir(), &notes("mn"))?;
        cluster.start_mn_under(|run| mn.under(run))?;
        cluster.join_under(0, |run| sn.under(run))?;
        sn.answered();
        cluster.serve_sn_under(0, |run| sn.under(run))?;
        cluster.command_with_input("mkdef -z", &cluster.stanzas())?.ok()?;
        let node = &cluster.nodes[0];
        let address = format!("{}/16", node.ip);
        Run::new("ip").args(["address", "add", &address, "dev", "eth0"]).on(&node.host)?.ok()?;
        cluster.await_ports()?;
        // A service node that has not heard of the node yet drops its lines as a stranger's.
        acknowledged(&cluster)?;
        Ok(Self { cluster, sn, mn, promises: vec![Promise::Joined] })
    }

    fn promised(&mut self, promise: Promise) {
        self.sn.answered();
        self.promises.push(promise);
    }

    /// A change that every slice of the node has to follow.
    fn change(&mut self, number: usize) -> Result<()> {
        self.cluster.ok(&format!("chdef n001 mac=52:54:00:00:01:{number:02x}"))?;
        let generation = acknowledged(&self.cluster)?;
        self.promised(Promise::Generation(generation));
        Ok(())
    }

    /// A log line of the node, on its way to the management node.
    fn log(&mut self, line: &str) -> Result<()> {
        send(&self.cluster, line)?;
        self.promised(Promise::Line(line.to_owned()));
        Ok(())
    }

    /// Both are killed; what they did is what was recorded.
    fn end(mut self) -> Result<(Cluster, History, History, Vec<Promise>)> {
        self.cluster.stop_sn(0, Signal::SIGKILL)?;
        self.cluster.stop_mn(Signal::SIGKILL)?;
        let (sn, mn) = (self.sn.finish()?, self.mn.finish()?);
        assert_eq!(sn.answers(), self.promises.len());
        Ok((self.cluster, sn, mn, self.promises))
    }
}

/// The generation that the service node has acknowledged, as `lsslice` tells it.
fn acknowledged(cluster: &Cluster) -> Result<u64> {
    let text = cluster.ok("lsslice sn1 --json")?;
    let state: serde_json::Value = serde_json::from_str(text.trim())?;
    let state = state.as_array().and_then(|all| all.first()).unwrap_or(&state);
    state["acknowledged"].as_u64().ok_or_else(|| format!("nothing is acknowledged: {text}").into())
}

/// Sends a line and waits until the management node has it.
fn send(cluster: &Cluster, line: &str) -> Result<()> {
    transfer::log(&cluster.nodes[0].host, cluster.service_nodes[0].ip, Transport::Tcp, line)?;
    let has_it = || forwarded(cluster).iter().any(|text| text.contains(line)).then_some(());
    wait::until(format!("the line {line:?} to reach the management node"), wait::LONG, has_it)
}

/// The node's lines on the management node.
fn forwarded(cluster: &Cluster) -> Vec<String> {
    let text = fs::read_to_string(cluster.mn_dir().join("log/n001.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The generation that is served, as a node asks for it.
fn served(cluster: &Cluster) -> Result<u64> {
    let url = format!("http://{}/drover/generation", cluster.service_nodes[0].ip);
    let answer =
        || transfer::http(&cluster.service_nodes[0].host, &url, &[]).ok().filter(|answer| answer.code == 200);
    Ok(wait::until("a generation to be served", wait::LONG, answer)?.body.trim().parse()?)
}

#[test]
fn an_acknowledged_slice_is_served_from_the_disk_alone_after_a_power_cut() {
    sandbox::test(
        "durability::power_sn::an_acknowledged_slice_is_served_from_the_disk_alone_after_a_power_cut",
        || {
            let mut recorded = Recorded::start()?;
            (1..=20).try_for_each(|number| recorded.change(number))?;
            let (mut cluster, sn, _, promises) = recorded.end()?;
            for cut in sn.cuts(40, 3) {
                sn.rebuild(&cut, &cluster.service_nodes[0].dir)?;
                let looked = alone(&mut cluster, &promises[..cut.answers]);
                looked.map_err(|error| format!("{cut}: {error}"))?;
            }
            Ok(())
        },
    );
}

#[test]
fn a_start_that_was_cut_short_can_be_repeated() {
    sandbox::test("durability::power_sn::a_start_that_was_cut_short_can_be_repeated", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let promise = [Promise::Generation(acknowledged(&cluster)?)];
        cluster.stop_mn(Signal::SIGKILL)?;
        cluster.stop_sn(0, Signal::SIGKILL)?;
        let sn = &cluster.service_nodes[0];
        let mut recorder = Recorder::new(&sn.dir, &cluster.work.join("notes"))?;
        recorder.answered();
        cluster.serve_sn_under(0, |run| recorder.under(run))?;
        recorder.answered();
        cluster.stop_sn(0, Signal::SIGKILL)?;
        let history = recorder.finish()?;
        for cut in history.cuts_at_each_step(9) {
            history.rebuild(&cut, &cluster.service_nodes[0].dir)?;
            alone(&mut cluster, &promise).map_err(|error| format!("{cut}: {error}"))?;
        }
        Ok(())
    });
}

/// Without its management node it serves what it has promised, from a store that is whole.
fn alone(cluster: &mut Cluster, promises: &[Promise]) -> Result<()> {
    let generation = |promise: &Promise| match promise {
        Promise::Generation(generation) => Some(*generation),
        Promise::Joined | Promise::Line(_) => None,
    };
    cluster.serve_sn(0)?;
    if let Some(promised) = promises.iter().filter_map(generation).max() {
        let seen = served(cluster)?;
        if seen < promised {
            return Err(format!("it serves generation {seen} and has promised {promised}").into());
        }
    }
    let said = cluster.service_nodes[0].said();
    cluster.stop_sn(0, Signal::SIGKILL)?;
    if said.contains("damaged") { Err(format!("it said: {said}").into()) } else { Ok(()) }
}

#[test]
fn forwarded_log_lines_are_neither_lost_nor_doubled_by_a_power_cut() {
    sandbox::test(
        "durability::power_sn::forwarded_log_lines_are_neither_lost_nor_doubled_by_a_power_cut",
        || {
            let mut recorded = Recorded::start()?;
            for number in 1..=20 {
                recorded.log(&format!("line-{number:03}."))?;
            }
            let (mut cluster, sn, mn, promises) = recorded.end()?;
            // From when on the service node knows the node.
            for cut in sn.cuts(16, 4).into_iter().filter(|cut| cut.answers > 1) {
                // The power of the service node goes; that of the management node does not.
                mn.rebuild(&mn.killed_at(&cut), &cluster.mn_dir())?;
                sn.rebuild(&cut, &cluster.service_nodes[0].dir)?;
                let looked = together(&mut cluster, &cut, &promises[..cut.answers]);
                looked.map_err(|error| format!("{cut}: {error}"))?;
            }
            Ok(())
        },
    );
}

/// Back together, both agree on which lines were forwarded, and more can be.
fn together(cluster: &mut Cluster, cut: &Cut, promises: &[Promise]) -> Result<()> {
    cluster.serve_mn()?;
    cluster.serve_sn(0)?;
    cluster.await_ports()?;
    send(cluster, "line-after-the-cut.")?;
    let lines = forwarded(cluster);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    for promise in promises {
        if let Promise::Line(line) = promise
            && count(line) != 1
        {
            return Err(format!("{cut}: {line:?} is there {} times", count(line)).into());
        }
    }
    let doubled = (1..=20).map(|number| format!("line-{number:03}.")).find(|line| count(line) > 1);
    cluster.stop_sn(0, Signal::SIGKILL)?;
    cluster.stop_mn(Signal::SIGKILL)?;
    doubled.map_or(Ok(()), |line| Err(format!("{line:?} was doubled").into()))
}
