//! A management node, two service nodes and compute nodes on one bridge, with the real programs.
//!
//! ```text
//! 10.77.0.1 mn    10.77.0.11 sn1    10.77.0.12 sn2    10.77.1.1 … n001 …    one network, 10.77.0.0/16
//! ```

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::MacAddr;
use nix::sys::signal::Signal;

use crate::client::dhcp::{self, Client, Lease};
use crate::client::transfer;
use crate::net::{Host, Plan, rack};
use crate::process::{Daemon, Ended, Run};
use crate::programs::Programs;
use crate::{Result, sandbox};

/// The domain of the cluster.
pub const DOMAIN: &str = "cluster.test";

/// A service node.
#[derive(Debug)]
pub struct ServiceNode {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub host: Host,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its folder.
    pub dir: PathBuf,
    daemon: Option<Daemon>,
}

/// A compute node.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub host: Host,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its reserved address.
    pub ip: Ipv4Addr,
    /// Its root folder, which its agent writes to.
    pub root: PathBuf,
    /// Which client it boots with.
    pub client: Client,
    agent: Option<Daemon>,
}

/// The whole.
#[derive(Debug)]
pub struct Cluster {
    /// The folder that everything is in.
    pub work: PathBuf,
    /// Where the management node is.
    pub mn: Host,
    /// The service nodes.
    pub service_nodes: Vec<ServiceNode>,
    /// The compute nodes.
    pub nodes: Vec<Node>,
    programs: Programs,
    daemon: Option<Daemon>,
}

/// The network, by the name that `mn init` gives what it finds on its interfaces.
pub const NETWORK: &str = "10_77_0_0-255_255_0_0";

/// The management node's address.
pub const MN_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn service_node_ip(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 10 + number)
}

/// Node numbers start at 1; 250 nodes share a third byte.
fn node_ip(number: u16) -> Ipv4Addr {
    let [high, low] =
        [(number - 1) / 250, (number - 1) % 250].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(10, 77, 1 + high, 1 + low)
}

fn node_mac(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([0x52, 0x54, 0, 0x77, high, low])
}

impl Cluster {
    /// Makes the network and the hosts; nothing runs yet. Inside a sandbox only.
    ///
    /// # Errors
    /// When the network cannot be made.
    pub fn lay(nodes: u16, service_nodes: u8) -> Result<Self> {
        let programs = Programs::find()?;
        let work = sandbox::work();
        let server = |name: &str, ip| Plan { name: name.to_owned(), mac: None, addresses: vec![(ip, 16)] };
        let mut plans = vec![server("mn", MN_IP)];
        plans.extend((1..=service_nodes).map(|n| server(&format!("sn{n}"), service_node_ip(n))));
        let node = |n: u16| Plan { name: format!("n{n:03}"), mac: Some(node_mac(n)), addresses: Vec::new() };
        plans.extend((1..=nodes).map(node));
        let mut hosts = rack("rack", &plans)?.into_iter();
        let mn = hosts.next().ok_or("no host was made")?;
        let service_nodes = (1..=service_nodes).zip(hosts.by_ref()).map(|(n, host)| {
            let name = host.name().to_owned();
            ServiceNode { dir: work.join(&name), name, host, ip: service_node_ip(n), daemon: None }
        });
        let service_nodes = service_nodes.collect();
        let nodes = (1..=nodes).zip(hosts).map(|(n, host)| {
            let name = host.name().to_owned();
            let root = work.join("nodes").join(&name).join("root");
            let client = if n % 2 == 0 { Client::Udhcpc } else { Client::Dhclient };
            Node { name, host, mac: node_mac(n), ip: node_ip(n), root, client, agent: None }
        });
        let nodes = nodes.collect();
        Ok(Self { work, mn, service_nodes, nodes, programs, daemon: None })
    }

    /// The process number of `mn serve`, while it runs.
    pub fn mn_pid(&self) -> Option<u32> {
        self.daemon.as_ref().and_then(Daemon::pid)
    }

    /// Our own programs.
    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The management node's folder.
    pub fn mn_dir(&self) -> PathBuf {
        self.work.join("mn")
    }

    /// A folder with the commands by their names.
    pub fn applets(&self) -> PathBuf {
        self.work.join("bin")
    }

    /// `mn init`, the command names, and `mn serve`.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn start_mn(&mut self) -> Result<()> {
        self.start_mn_under(|run| run)
    }

    /// The same, with another program around `mn init` and around `mn serve`.
    ///
    /// # Errors
    /// As [`Cluster::start_mn`].
    pub fn start_mn_under(&mut self, mut around: impl FnMut(Run) -> Run) -> Result<()> {
        let init = Run::new(self.programs.path("mn")).args(["init", "--domain", DOMAIN]);
        around(init.env("DROVER_DIR", self.mn_dir())).on(&self.mn)?.ok()?;
        let applets = self.applets();
        self.mn_program(&["install-applets", "--all", &applets.to_string_lossy()])?.ok()?;
        self.serve_mn_under(around)
    }

    /// `mn serve` on the folder as it is.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn serve_mn(&mut self) -> Result<()> {
        self.serve_mn_under(|run| run)
    }

    /// The same, with another program around it.
    ///
    /// # Errors
    /// As [`Cluster::serve_mn`].
    pub fn serve_mn_under(&mut self, around: impl FnOnce(Run) -> Run) -> Result<()> {
        let run = Run::new(self.programs.path("mn")).arg("serve").env("DROVER_DIR", self.mn_dir());
        let mut daemon = around(run).spawn(&self.mn, &self.work.join("mn.log"))?;
        daemon.await_words("management node ready")?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Ends `mn serve` by a signal.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_mn(&mut self, signal: Signal) -> Result<()> {
        self.daemon.as_mut().map_or(Ok(()), |daemon| daemon.end(signal))?;
        self.daemon = None;
        // What it said is in the log; a new one says "ready" anew.
        fs::rename(self.work.join("mn.log"), self.work.join("mn.log.old"))?;
        Ok(())
    }

    /// Runs `mn WORDS` on the management node.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn mn_program(&self, words: &[&str]) -> Result<Ended> {
        let run = Run::new(self.programs.path("mn")).args(words.iter().copied());
        run.env("DROVER_DIR", self.mn_dir()).on(&self.mn)
    }

    /// Runs an operator's command, as typed: words between blanks, no quotes.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn command(&self, line: &str) -> Result<Ended> {
        self.command_with_input(line, "")
    }

    /// The same, with something on standard input.
    ///
    /// # Errors
    /// As [`Cluster::command`].
    pub fn command_with_input(&self, line: &str, input: &str) -> Result<Ended> {
        let mut words = line.split_whitespace();
        let name = words.next().ok_or("no command")?;
        let run =
            Run::new(self.applets().join(name)).args(words).input(input).limit(Duration::from_secs(120));
        run.env("DROVER_DIR", self.mn_dir()).on(&self.mn)
    }

    /// Runs an operator's command that must succeed.
    ///
    /// # Errors
    /// When it does not; the text is what it said.
    pub fn ok(&self, line: &str) -> Result<String> {
        self.command(line)?.ok().map_err(|error| format!("{line}: {error}").into())
    }

    /// Gives a service node a token and starts it.
    ///
    /// # Errors
    /// When it cannot join or does not come up.
    pub fn join(&mut self, number: usize) -> Result<()> {
        self.join_under(number, |run| run)?;
        self.serve_sn(number)
    }

    /// Gives a service node a token and lets it join, with another program around `sn join`.
    ///
    /// # Errors
    /// When it cannot join.
    pub fn join_under(&self, number: usize, around: impl FnOnce(Run) -> Run) -> Result<()> {
        let sn = &self.service_nodes[number];
        let token = self.mn_program(&["token", "create", &sn.name, "--define"])?.ok()?;
        let join = Run::new(self.programs.path("sn")).args(["join", token.trim()]).env("DROVER_DIR", &sn.dir);
        around(join).on(&sn.host)?.ok().map(drop)
    }

    /// `sn serve` on the folder as it is.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn serve_sn(&mut self, number: usize) -> Result<()> {
        self.serve_sn_under(number, |run| run)
    }

    /// The same, with another program around it.
    ///
    /// # Errors
    /// As [`Cluster::serve_sn`].
    pub fn serve_sn_under(&mut self, number: usize, around: impl FnOnce(Run) -> Run) -> Result<()> {
        let log = self.work.join(format!("{}.log", self.service_nodes[number].name));
        let _ = fs::rename(&log, log.with_extension("log.old"));
        let sn = &mut self.service_nodes[number];
        let run = Run::new(self.programs.path("sn")).arg("serve").env("DROVER_DIR", &sn.dir);
        let mut daemon = around(run).spawn(&sn.host, &log)?;
        daemon.await_words("service node ready")?;
        sn.daemon = Some(daemon);
        Ok(())
    }

    /// Ends a service node by a signal.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_sn(&mut self, number: usize, signal: Signal) -> Result<()> {
        let sn = &mut self.service_nodes[number];
        sn.daemon.as_mut().map_or(Ok(()), |daemon| daemon.end(signal))?;
        sn.daemon = None;
        Ok(())
    }

    /// The stanzas that define all nodes, owned by sn1 with the other service nodes behind it.
    pub fn stanzas(&self) -> String {
        use std::fmt::Write as _;
        let pool: Vec<&str> = self.service_nodes.iter().map(|sn| sn.name.as_str()).collect();
        let pool = pool.join(",");
        let mut text = "# <xCAT data object stanza file>\n".to_owned();
        for node in &self.nodes {
            let Node { name, ip, mac, .. } = node;
            let _ = write!(
                text,
                "\n{name}:\n    objtype=node\n    groups=compute,all\n    ip={ip}\n    mac={mac}\n    \
                servicenode={pool}\n    netboot=xnba\n    arch=x86_64\n"
            );
        }
        text
    }
}

impl ServiceNode {
    /// Whether its daemon runs.
    pub fn is_up(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(Daemon::is_alive)
    }

    /// The process number of its daemon, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().and_then(Daemon::pid)
    }

    /// What its daemon has said since it was started last.
    pub fn said(&self) -> String {
        self.daemon.as_ref().map(Daemon::said).unwrap_or_default()
    }

    /// Its log file of a node.
    pub fn log_of(&self, node: &str) -> PathBuf {
        self.dir.join("log").join(node).join("messages")
    }
}

/// What a node's boot loader reads in its boot script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// All of it.
    pub text: String,
    /// The URL of the kernel.
    pub kernel: Option<String>,
    /// The join token among the kernel's arguments.
    pub token: Option<String>,
}

impl Node {
    /// Gets a lease, as at power-on.
    ///
    /// # Errors
    /// When none comes.
    pub fn boot(&self) -> Result<Lease> {
        dhcp::boot(&self.host, self.client, &self.folder(), Duration::from_secs(20))
    }

    /// The folder with everything of it: `root`, `agent`, the files of its clients.
    pub fn folder(&self) -> PathBuf {
        self.root.parent().unwrap_or(&self.root).to_owned()
    }

    /// Fetches its boot script from a service node, as iPXE does.
    ///
    /// # Errors
    /// When there is none for it there.
    pub fn script(&self, server: Ipv4Addr) -> Result<Script> {
        let url = format!("http://{server}/tftpboot/xcat/xnba/nodes/{}", self.name);
        let answer = transfer::http(&self.host, &url, &[])?;
        if answer.code != 200 {
            return Err(format!("{url}: HTTP {}", answer.code).into());
        }
        let mut words = answer.body.split_whitespace();
        let kernel =
            answer.body.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned);
        let token = words.find_map(|word| word.strip_prefix("drover.token=")).map(str::to_owned);
        Ok(Script { text: answer.body.clone(), kernel, token })
    }

    /// Starts its agent, with a token at the first boot.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_agent(&mut self, cluster_programs: &Programs, token: Option<&str>) -> Result<()> {
        fs::create_dir_all(self.root.join("etc/chrony"))?;
        let mut run =
            Run::new(cluster_programs.path("node-agent")).arg("serve").arg("--root").arg(&self.root);
        run = run.env("DROVER_DIR", self.folder().join("agent"));
        if let Some(token) = token {
            run = run.env("DROVER_TOKEN", token);
        }
        self.agent = Some(run.spawn(&self.host, &self.folder().join("agent.log"))?);
        Ok(())
    }

    /// The process number of its agent, while it runs.
    pub fn agent_pid(&self) -> Option<u32> {
        self.agent.as_ref().and_then(Daemon::pid)
    }

    /// Ends its agent.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_agent(&mut self, signal: Signal) -> Result<()> {
        self.agent.as_mut().map_or(Ok(()), |agent| agent.end(signal))?;
        self.agent = None;
        Ok(())
    }

    /// The first resolver in its resolv.conf.
    pub fn resolver(&self) -> Option<Ipv4Addr> {
        self.find("etc/resolv.conf", |line| line.strip_prefix("nameserver ")?.trim().parse().ok())
    }

    /// The first time server in its chrony.conf.
    pub fn time_server(&self) -> Option<Ipv4Addr> {
        let server = |line: &str| line.strip_prefix("server ")?.split_whitespace().next()?.parse().ok();
        self.find("etc/chrony/chrony.conf", server).or_else(|| self.find("etc/chrony.conf", server))
    }

    /// Where its rsyslog sends everything.
    pub fn log_target(&self) -> Option<Ipv4Addr> {
        self.find("etc/rsyslog.d/remote.conf", |line| {
            let words = line.split(|c: char| !c.is_ascii_digit() && c != '.');
            words.filter_map(|word| word.parse().ok()).next()
        })
    }

    /// Whether its agent has pointed everything at `server`.
    pub fn follows(&self, server: Ipv4Addr) -> bool {
        [self.resolver(), self.time_server(), self.log_target()].iter().all(|seen| *seen == Some(server))
    }

    fn find<T>(&self, file: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = fs::read_to_string(self.root.join(Path::new(file))).ok()?;
        text.lines().find_map(read)
    }
}

/// Does something for every node at once, at most `at_once` at a time.
///
/// # Errors
/// The first error, with how many there were.
pub fn each<T: Sync>(items: &[T], at_once: usize, act: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let errors = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    if let (Err(error), Ok(mut errors)) = (act(item), errors.lock()) {
                        errors.push(error);
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().unwrap_or_default();
    match errors.first() {
        None => Ok(()),
        Some(first) if errors.len() == 1 => Err(first.to_string().into()),
        Some(first) => Err(format!("{first} (and {} more)", errors.len() - 1).into()),
    }
}

impl Cluster {
    /// Starts the agents of all nodes.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn start_agents(&mut self, tokens: &[Option<String>]) -> Result<()> {
        let programs = self.programs.clone();
        for (node, token) in self.nodes.iter_mut().zip(tokens) {
            node.start_agent(&programs, token.as_deref())?;
        }
        Ok(())
    }
}
