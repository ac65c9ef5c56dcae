//! Hosts as network namespaces, each with `eth0` in one bridge.
//!
//! A host is entered by a thread of its own (`setns`), so a program that is started there needs no
//! wrapper, and a socket that is opened there stays there.

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use common::id::MacAddr;
use nix::sched::{CloneFlags, setns};

use crate::Result;

/// A network namespace with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: String,
}

impl Host {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `act` inside the host, on a thread of its own.
    ///
    /// # Errors
    /// What `act` returns, or that the host cannot be entered.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let namespace = File::open(format!("/run/netns/{}", self.name))?;
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                act()
            });
            inside.join().unwrap_or_else(|_| Err("a thread inside a host panicked".into()))
        })
    }
}

/// A host to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The hardware address of `eth0`; any where there is none.
    pub mac: Option<MacAddr>,
    /// Addresses of `eth0`, each with its prefix length.
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

/// Makes a bridge and the hosts on it.
///
/// # Errors
/// When `ip(8)` refuses a command.
pub fn rack(bridge: &str, plans: &[Plan]) -> Result<Vec<Host>> {
    let mut look = Command::new("ip");
    let made = look.args(["link", "show", bridge]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let mut lines = Vec::new();
    if !made.success() {
        lines.push(format!("link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"));
        lines.push(format!("link set {bridge} up"));
    }
    for plan in plans {
        let Plan { name, mac, .. } = plan;
        let mac = mac.map_or_else(String::new, |mac| format!(" address {mac}"));
        lines.push(format!("netns add {name}"));
        // Interface names are at most 15 characters long.
        lines.push(format!("link add v-{name} type veth peer name eth0{mac} netns {name}"));
        lines.push(format!("link set v-{name} master {bridge} up"));
    }
    batch(None, &lines)?;
    for plan in plans {
        let mut inside = vec!["link set lo up".to_owned(), "link set eth0 up".to_owned()];
        let address = |(ip, prefix): &(Ipv4Addr, u8)| format!("address add {ip}/{prefix} dev eth0");
        inside.extend(plan.addresses.iter().map(address));
        batch(Some(&plan.name), &inside)?;
    }
    Ok(plans.iter().map(|plan| Host { name: plan.name.clone() }).collect())
}

/// Runs lines of `ip(8)` in one process.
fn batch(netns: Option<&str>, lines: &[String]) -> Result<()> {
    let mut command = Command::new("ip");
    if let Some(name) = netns {
        command.args(["-n", name]);
    }
    let mut ip = command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(lines.join("\n").as_bytes())?;
        stdin.write_all(b"\n")?;
    }
    let output = ip.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip(8): {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Takes the link of a host down or up: a cable pulled or put back.
///
/// # Errors
/// When `ip(8)` refuses.
pub fn cable(host: &Host, connected: bool) -> Result<()> {
    let state = if connected { "up" } else { "down" };
    batch(None, &[format!("link set v-{} {state}", host.name)])
}
