//! The story that the `rehearsal` program plays: boot, takeover, a dead service node, the way back.
//!
//! **Invariant**: every check is made by a client or on what a client has been told; the cluster's
//! own database is never asked.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::dhcp::{self, Firmware};
use crate::client::lookup;
use crate::client::transfer::{self, Transport};
use crate::cluster::{Cluster, DOMAIN, NETWORK, Node, each};
use crate::stage::kernel;
use crate::story::Story;
use crate::{Result, wait};

/// How many clients start at once: the machine has few cores.
const AT_ONCE: usize = 16;

/// How long so few live nodes may take from the command to the last receipt. Asked of an optimised
/// build alone: without optimisation the figure tells of the machine, and of who else is on it.
const TAKEOVER: Duration = Duration::from_secs(2);
const FEW: usize = 16;

/// Plays it all.
///
/// # Errors
/// When the stage cannot be set: what goes wrong on it is in the story.
pub fn play(nodes: u16, silent: bool, keep: bool) -> Result<Story> {
    // The first process of a pid namespace ignores signals that it does not handle.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(runtime::signal::stop_signal());
        }
        std::process::exit(130);
    });
    let mut story = Story::new(silent);
    story.say(&format!(
        "Drover rehearsal: one management node, two service nodes and {nodes} compute nodes,\n\
         each in a network namespace of its own. Nothing outside them is touched."
    ));
    let mut cluster = Cluster::lay(nodes, 2)?;
    let went_well = set_up(&mut story, &mut cluster)
        && first_boot(&mut story, &mut cluster)
        && services(&mut story, &cluster, 0)
        && takeover(&mut story, &mut cluster)
        && services(&mut story, &cluster, 1)
        && dead_service_node(&mut story, &mut cluster)
        && lonely_rack(&mut story, &mut cluster);
    if !went_well {
        story.say(&tails(&cluster.work));
    }
    story.end();
    if keep {
        shell(&story, &cluster)?;
    }
    Ok(story)
}

fn set_up(story: &mut Story, cluster: &mut Cluster) -> bool {
    story.chapter("A management node, two service nodes");
    story.check("the management node starts from nothing", |_| cluster.start_mn().map(|()| String::new()))
        && story.check("two service nodes join with one token each", |progress| {
            progress.total(2);
            for number in 0..2 {
                cluster.join(number)?;
                progress.step();
            }
            Ok(String::new())
        })
        && story.check("nodes, a network and an image are defined", |_| {
            cluster.define_image()?;
            cluster.ok(&format!("chdef -t network {NETWORK} gateway=<xcatmaster>"))?;
            cluster.command_with_input("mkdef -z", &cluster.stanzas())?.ok()?;
            cluster.ok("nodeset compute osimage=demo")?;
            Ok("mkdef -z; nodeset compute osimage=demo".to_owned())
        })
}

fn first_boot(story: &mut Story, cluster: &mut Cluster) -> bool {
    story.chapter("Power on: every node boots from sn1");
    let sn1 = cluster.service_nodes[0].ip;
    leases(story, cluster, 0)
        && story.check("a stranger gets no answer", |_| stranger(&cluster.nodes[0]))
        && story.check("each node is given its own boot script and kernel", |progress| {
            progress.total(cluster.nodes.len());
            let want = kernel();
            each(&cluster.nodes, AT_ONCE, |node| kernel_of(node, sn1, &want).map(|()| progress.step()))?;
            Ok(format!("{} MB by HTTP", cluster.nodes.len() * want.len() / 1_000_000))
        })
        && story.check("each node's agent joins and brings its node in order", |progress| {
            let tokens = cluster.nodes.iter().map(|node| Ok(node.script(sn1)?.token));
            let tokens = tokens.collect::<Result<Vec<_>>>()?;
            cluster.start_agents(&tokens)?;
            settled(cluster, sn1, progress).map(|()| "syslog, time, resolver, hosts".to_owned())
        })
}

/// Every node gets its own address, from the service node of this number.
fn leases(story: &mut Story, cluster: &Cluster, number: usize) -> bool {
    let server = &cluster.service_nodes[number];
    story.check(&format!("every node gets its lease from {}", server.name), |progress| {
        progress.total(cluster.nodes.len());
        each(&cluster.nodes, AT_ONCE, |node| {
            let lease = node.boot()?;
            let seen =
                (lease.ip(), lease.server(), lease.word("router"), lease.word("dns"), lease.word("ntp"));
            let ip = server.ip.to_string();
            if seen != (Some(node.ip), Some(server.ip), ip.as_str(), ip.as_str(), ip.as_str()) {
                return Err(format!("{} was told {lease:?}", node.name).into());
            }
            progress.step();
            Ok(())
        })?;
        Ok("dhclient and udhcpc".to_owned())
    })
}

fn stranger(node: &Node) -> Result<String> {
    let mac = "02:00:00:00:00:01".parse()?;
    let offers = dhcp::offers(&node.host, mac, &Firmware::default(), Duration::from_millis(1500))?;
    if offers.is_empty() {
        Ok("1.5 s of silence".to_owned())
    } else {
        Err(format!("it was offered {offers:?}").into())
    }
}

fn kernel_of(node: &Node, server: Ipv4Addr, want: &[u8]) -> Result<()> {
    let script = node.script(server)?;
    let url =
        script.kernel.ok_or_else(|| format!("{}'s script names no kernel: {}", node.name, script.text))?;
    let file = node.root.with_file_name("kernel");
    transfer::http_file(&node.host, &url, &[], &file)?;
    let got = fs::read(&file)?;
    fs::remove_file(&file)?;
    if got == want {
        Ok(())
    } else {
        Err(format!("{}: {} of {} bytes came right", node.name, got.len(), want.len()).into())
    }
}

fn settled(cluster: &Cluster, server: Ipv4Addr, progress: &crate::story::Progress) -> Result<()> {
    progress.total(cluster.nodes.len());
    for node in &cluster.nodes {
        let what = format!("{} to follow {server}", node.name);
        wait::until(what, wait::LONG, || node.follows(server).then_some(()))?;
        progress.step();
    }
    Ok(())
}

/// The services of the service node of this number, each asked by a client on a node.
fn services(story: &mut Story, cluster: &Cluster, number: usize) -> bool {
    let server = &cluster.service_nodes[number];
    let (node, last) = (&cluster.nodes[0], &cluster.nodes[cluster.nodes.len() - 1]);
    let name = &server.name;
    story.check(&format!("{name} answers names, addresses and what does not exist"), |_| {
        let resolver = node.resolver().ok_or("no resolver in resolv.conf")?;
        let full = format!("{}.{DOMAIN}", last.name);
        let forward = lookup::name(&node.host, resolver, &full)?;
        let reverse = lookup::address(&node.host, resolver, last.ip)?;
        let code = lookup::code(&node.host, resolver, &format!("nobody.{DOMAIN}"))?;
        let want = (vec![last.ip.to_string()], vec![format!("{full}.")], "NXDOMAIN".to_owned());
        let seen = (forward, reverse, code);
        if resolver == server.ip && seen == want {
            Ok("dig".to_owned())
        } else {
            Err(format!("{resolver}: {seen:?}").into())
        }
    }) && story.check(&format!("{name} gives the time"), |_| {
        let clock = node.time_server().ok_or("no server in chrony.conf")?;
        let wrong = lookup::clock(&node.host, clock)?;
        if clock == server.ip && wrong.abs() < 0.1 {
            Ok(format!("chronyd, {wrong:+.6} s"))
        } else {
            Err(format!("{clock}: {wrong} s off").into())
        }
    }) && story.check(&format!("{name} keeps the nodes' logs and forwards them"), |_| logs(cluster, number))
        && story.check(&format!("{name} serves a part of a file, and by TFTP"), |_| files(node, server.ip))
}

fn logs(cluster: &Cluster, number: usize) -> Result<String> {
    let server = &cluster.service_nodes[number];
    let word = format!("rehearsal-{}-{}", server.name, std::process::id());
    for node in cluster.nodes.iter().take(2) {
        let target = node.log_target().ok_or("no target in remote.conf")?;
        for (transport, text) in [(Transport::Udp, "udp"), (Transport::Tcp, "tcp")] {
            transfer::log(&node.host, target, transport, &format!("{word} {text}"))?;
        }
        let mn_file = cluster.mn_dir().join("log").join(format!("{}.log", node.name));
        for file in [server.log_of(&node.name), mn_file] {
            let both = || {
                let text = fs::read_to_string(&file).ok()?;
                ["udp", "tcp"].iter().all(|way| text.contains(&format!("{word} {way}"))).then_some(())
            };
            wait::until(format!("{}'s lines in {}", node.name, file.display()), wait::LONG, both)?;
        }
    }
    Ok("logger, UDP and TCP".to_owned())
}

fn files(node: &Node, server: Ipv4Addr) -> Result<String> {
    let want = kernel();
    let (part, whole) = (node.root.with_file_name("part"), node.root.with_file_name("whole"));
    let url = format!("http://{server}/tftpboot/xcat/osimage/demo/vmlinuz");
    transfer::http_file(&node.host, &url, &["-r", "1000-1999"], &part)?;
    transfer::tftp(&node.host, server, "xcat/osimage/demo/vmlinuz", &whole)?;
    if fs::read(&part)? == want[1000..2000] && fs::read(&whole)? == want {
        return Ok(format!("curl -r; tftp, {} MB", want.len() / 1_000_000));
    }
    Err("the bytes differ".into())
}

fn takeover(story: &mut Story, cluster: &mut Cluster) -> bool {
    story.chapter("Takeover: snmove -s sn1 -d sn2");
    let is_timed = cluster.nodes.len() <= FEW && !cfg!(debug_assertions);
    moved(story, cluster, "snmove -s sn1 -d sn2", 1, is_timed.then_some(TAKEOVER))
        && leases(story, cluster, 1)
        && story.check("sn1 stays silent for every one of them", |progress| silent(cluster, 0, 1, progress))
}

/// Runs a move and sees every agent follow; the time is that of the command, which may take so long.
fn moved(story: &mut Story, cluster: &Cluster, line: &str, to: usize, most: Option<Duration>) -> bool {
    let server = cluster.service_nodes[to].ip;
    let mut took = Duration::ZERO;
    let done = story.check(line, |_| {
        let start = Instant::now();
        let said = cluster.ok(line)?;
        took = start.elapsed();
        Ok(said.lines().last().unwrap_or_default().trim().to_owned())
    });
    done && story.check("every agent had repointed when the command returned", |_| {
        let late: Vec<&str> = cluster
            .nodes
            .iter()
            .filter(|node| !node.follows(server))
            .map(|node| node.name.as_str())
            .collect();
        let seconds = took.as_secs_f64();
        match most.filter(|most| took > *most) {
            _ if !late.is_empty() => Err(late.join(", ").into()),
            Some(most) => Err(format!("it took {seconds:.2} s, and {} s is the most", most.as_secs()).into()),
            None => Ok(format!("{} nodes, {seconds:.2} s", cluster.nodes.len())),
        }
    })
}

/// Each node hears exactly one offer, from `owner`, and finds no boot script at `other`.
fn silent(
    cluster: &Cluster,
    other: usize,
    owner: usize,
    progress: &crate::story::Progress,
) -> Result<String> {
    let [other, owner] = [other, owner].map(|number| cluster.service_nodes[number].ip);
    let some = &cluster.nodes[..cluster.nodes.len().min(16)];
    progress.total(some.len());
    each(some, AT_ONCE, |node| {
        let offers = dhcp::answers(&node.host, node.mac, &Firmware::default(), Duration::from_millis(800))?;
        let from: Vec<Ipv4Addr> = offers.iter().map(|offer| offer.server).collect();
        if from != [owner] || offers.iter().any(|offer| offer.next_server != owner) {
            return Err(format!("{} heard {offers:?}", node.name).into());
        }
        if node.script(other).is_ok() {
            return Err(format!("{} still has a boot script on {other}", node.name).into());
        }
        progress.step();
        Ok(())
    })?;
    Ok(format!("one offer each, from {owner}"))
}

fn dead_service_node(story: &mut Story, cluster: &mut Cluster) -> bool {
    story.chapter("sn2 dies; the nodes go back to sn1");
    let sn1 = cluster.service_nodes[0].ip;
    story.check("sn2 is killed", |_| cluster.stop_sn(1, Signal::SIGKILL).map(|()| "SIGKILL".to_owned()))
        && moved(story, cluster, "snmove -s sn2 -d sn1", 0, None)
        && leases(story, cluster, 0)
        && services(story, cluster, 0)
        && story.check("sn2 returns, and stays silent for what it lost", |progress| {
            cluster.serve_sn(1)?;
            silent(cluster, 1, 0, progress)
        })
        && story.check("each node's boot script is sn1's again", |_| {
            each(&cluster.nodes, AT_ONCE, |node| node.script(sn1).map(drop)).map(|()| String::new())
        })
}

fn lonely_rack(story: &mut Story, cluster: &mut Cluster) -> bool {
    story.chapter("The management node dies; the rack lives alone");
    story.check("the management node is killed", |_| {
        cluster.stop_mn(Signal::SIGKILL).map(|()| "SIGKILL".to_owned())
    }) && story.check("sn1 restarts without it", |_| {
        cluster.stop_sn(0, Signal::SIGKILL)?;
        cluster.serve_sn(0).map(|()| String::new())
    }) && leases(story, cluster, 0)
        && story.check("the management node returns and knows everything", |_| {
            cluster.serve_mn()?;
            let listed = cluster.ok("nodels compute")?.lines().count();
            if listed == cluster.nodes.len() {
                Ok(format!("{listed} nodes"))
            } else {
                Err(format!("nodels lists {listed}").into())
            }
        })
}

/// The ends of all logs, for whoever looks into a failure.
fn tails(work: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "log") {
            let log = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(15)..].join("\n");
            text.push_str(&format!("\n--- {}\n{tail}\n", path.display()));
        }
    }
    text
}

/// A shell on the management node.
fn shell(story: &Story, cluster: &Cluster) -> Result<()> {
    story.say(
        "\nThis is a shell on the management node. Try: nodels; lsdef n001; lsslice sn1; snmove -s sn1 -d sn2\n\
         Other hosts: ip netns exec n001 …   Everything ends with `exit`.",
    );
    let path = format!("{}:{}", cluster.applets().display(), std::env::var("PATH").unwrap_or_default());
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(shell);
    command.env("PATH", path).env("DROVER_DIR", cluster.mn_dir()).current_dir(&cluster.work);
    cluster.mn.enter(|| Ok(command.status()?)).map(drop)
}
