//! Scenarios: a file of commands, and beside it what a person would see (`tests/scenarios/`).
//!
//! ```text
//! # Words for the reader; copied.
//! mn$ lsdef n001 -i ip
//! n001$ lease
//! ```
//!
//! A line names a host and what is typed there, for its shell: the commands by their names, `mn`, `sn`
//! and `node-agent` on PATH, `DROVER_DIR` set as on a machine of its own. `&` at the end starts the
//! host's daemon. What is no program is a word of the stage: [`Stage::word`] has them.
//!
//! The transcript is the same file with what was printed after each line, and the exit status where
//! it is not 0. Times, secrets and digests are masked, as they differ each time.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::cluster::Cluster;
use crate::net::{Host, cable};
use crate::process::{Ended, Run};
use crate::{Result, wait};

/// Set to have transcripts written in the place of compared.
const UPDATE: &str = "DROVER_UPDATE_SCENARIOS";

/// Plays `FOLDER/NAME.txt` and compares with `FOLDER/NAME.out`.
///
/// # Errors
/// When a line cannot be played, or the transcript is another one: the text shows both.
pub fn check(folder: &Path, name: &str, nodes: u16, service_nodes: u8) -> Result<()> {
    let lines = fs::read_to_string(folder.join(format!("{name}.txt")))?;
    let said = Stage { cluster: Cluster::lay(nodes, service_nodes)? }.play(&lines)?;
    let file = folder.join(format!("{name}.out"));
    if std::env::var_os(UPDATE).is_some() {
        return Ok(fs::write(file, said)?);
    }
    let want = fs::read_to_string(&file).unwrap_or_default();
    if said == want {
        return Ok(());
    }
    let differs = want.lines().zip(said.lines()).position(|(want, said)| want != said);
    let line = differs.unwrap_or_else(|| want.lines().count().min(said.lines().count())) + 1;
    Err(format!("{name}.out differs from line {line} on ({UPDATE}=1 writes it anew):\n{said}").into())
}

impl Cluster {
    /// Runs a line in a shell on a host, in the folder with everything, as a person would.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn shell(&self, host: &Host, line: &str) -> Result<Ended> {
        self.typed(host, line).on(host)
    }

    /// The line, in a shell on a host, to be run or left running.
    pub fn typed(&self, host: &Host, line: &str) -> Run {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{}:{path}", self.applets().display(), self.programs().path("").display());
        let run = Run::new("sh").arg("-c").arg(format!("cd {}; {line}", self.work.display()));
        run.env("PATH", path).env("DROVER_DIR", self.work.join(host.name()))
    }
}

struct Stage {
    cluster: Cluster,
}

impl Stage {
    fn play(&mut self, lines: &str) -> Result<String> {
        let mut transcript = String::new();
        for (number, line) in lines.lines().enumerate() {
            let _ = writeln!(transcript, "{line}");
            if let Some((host, typed)) = line.split_once("$ ").filter(|_| !line.starts_with('#')) {
                let ended = self
                    .typed(host, typed.trim())
                    .map_err(|error| format!("line {}: {line}: {error}\n{transcript}", number + 1))?;
                transcript.push_str(&shown(&ended));
            }
        }
        Ok(transcript)
    }

    fn typed(&mut self, host: &str, typed: &str) -> Result<Ended> {
        if let Some(ended) = self.word(host, typed)? {
            return Ok(ended);
        }
        self.cluster.shell(self.host(host)?, typed)
    }

    fn host(&self, name: &str) -> Result<&Host> {
        let nodes = self.cluster.nodes.iter().map(|node| &node.host);
        let service_nodes = self.cluster.service_nodes.iter().map(|sn| &sn.host);
        let mut all = nodes.chain(service_nodes).chain([&self.cluster.mn]);
        all.find(|host| host.name() == name).ok_or_else(|| format!("there is no host {name}").into())
    }

    /// The words of the stage: daemons, what happens to machines, and what their clients see.
    fn word(&mut self, host: &str, typed: &str) -> Result<Option<Ended>> {
        let words: Vec<&str> = typed.split_whitespace().collect();
        let said = match (words.as_slice(), self.service_node(host), self.node(host)) {
            (["mn", "serve", "&"], ..) => self.cluster.serve_mn().map(|()| String::new())?,
            (["sn", "serve", "&"], Some(sn), _) => self.serve_sn(sn)?,
            (["node-agent", "serve", "&"], _, Some(node)) => self.start_agent(node)?,
            // The power button.
            (["off"], Some(sn), _) => self.cluster.stop_sn(sn, Signal::SIGKILL).map(|()| String::new())?,
            (["off"], _, Some(node)) => {
                self.cluster.nodes[node].stop_agent(Signal::SIGKILL).map(|()| String::new())?
            }
            (["cable", state @ ("in" | "out")], ..) => {
                cable(self.host(host)?, *state == "in").map(|()| String::new())?
            }
            // What the node's firmware gets.
            (["lease"], _, Some(node)) => self.lease(node)?,
            (["boot-script"], _, Some(node)) => self.script(node)?,
            // Waits until the agent has pointed the node at a service node.
            (["follows", sn], _, Some(node)) => self.follows(node, sn)?,
            _ => return Ok(None),
        };
        Ok(Some(Ended { status: 0, out: said, err: String::new(), took: std::time::Duration::ZERO }))
    }

    fn service_node(&self, host: &str) -> Option<usize> {
        self.cluster.service_nodes.iter().position(|sn| sn.name == host)
    }

    fn node(&self, host: &str) -> Option<usize> {
        self.cluster.nodes.iter().position(|node| node.name == host)
    }

    /// The address of the service node that answers this node's firmware.
    /// What a transcript shows next depends on whether the management node knows it already.
    fn serve_sn(&mut self, sn: usize) -> Result<String> {
        self.cluster.serve_sn(sn)?;
        let name = &self.cluster.service_nodes[sn].name;
        let log = self.cluster.work.join(format!("{name}.log"));
        let met = || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.contains("connected with the management node").then_some(String::new())
        };
        wait::until(format!("{name} to be connected"), wait::LONG, met)
    }

    fn server(&self, node: usize) -> Result<Ipv4Addr> {
        self.cluster.nodes[node].boot()?.server().ok_or_else(|| "the lease names no server".into())
    }

    fn start_agent(&mut self, node: usize) -> Result<String> {
        let token = self.cluster.nodes[node].script(self.server(node)?)?.token;
        let programs = self.cluster.programs().clone();
        self.cluster.nodes[node].start_agent(&programs, token.as_deref())?;
        Ok(String::new())
    }

    fn lease(&self, node: usize) -> Result<String> {
        let lease = self.cluster.nodes[node].boot()?;
        let server = lease.server().ok_or("the lease names no server")?;
        Ok(format!("{} from {}\n", lease.word("ip"), self.name_of(server)))
    }

    fn script(&self, node: usize) -> Result<String> {
        Ok(self.cluster.nodes[node].script(self.server(node)?)?.text)
    }

    fn follows(&self, node: usize, sn: &str) -> Result<String> {
        let number = self.service_node(sn).ok_or_else(|| format!("there is no service node {sn}"))?;
        self.cluster.nodes[node].await_following(self.cluster.service_nodes[number].ip)?;
        Ok(format!("resolver, time and syslog: {sn}\n"))
    }

    fn name_of(&self, server: Ipv4Addr) -> String {
        let found = self.cluster.service_nodes.iter().find(|sn| sn.ip == server);
        found.map_or_else(|| server.to_string(), |sn| sn.name.clone())
    }
}

/// What a person would see, without what differs each time.
fn shown(ended: &Ended) -> String {
    let mut text = String::new();
    for part in [&ended.out, &ended.err] {
        text.push_str(part);
        if !part.is_empty() && !part.ends_with('\n') {
            text.push('\n');
        }
    }
    if ended.status != 0 {
        let _ = writeln!(text, "[exit status {}]", ended.status);
    }
    masked(&text)
}

/// Puts `…` in the place of long hexadecimal words, and of the number in `0.12 s`.
fn masked(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_word(c)).unwrap_or(from.len()));
        out.push_str(before);
        let is_time = word.contains('.') && word.parse::<f64>().is_ok() && after.starts_with(" s");
        let is_digest = word.len() >= 12
            && word.chars().all(|c| c.is_ascii_hexdigit())
            && word.contains(|c: char| c.is_ascii_digit());
        out.push_str(if is_time || is_digest { "…" } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_each_time_is_masked_and_nothing_else() {
        let text = "moved 16 nodes in 0.31 s; 10.77.0.1 52:54:00:77:00:01 digest 0123456789abcdef n001\n";
        let want = "moved 16 nodes in … s; 10.77.0.1 52:54:00:77:00:01 digest … n001\n";
        assert_eq!(masked(text), want);
    }
}
