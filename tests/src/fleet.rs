//! The agents of a cluster: each with a token of its own boot script, and settled.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::cluster::{Cluster, Node, each};
use crate::process::Run;
use crate::{Result, wait};

/// How many boot at once: the machine has few cores.
const AT_ONCE: usize = 8;

impl Cluster {
    /// [`Cluster::start_all`], and an agent on each node that has brought it in order.
    ///
    /// # Errors
    /// When anything of it fails.
    pub fn start_all_with_agents(&mut self) -> Result<()> {
        self.start_all()?;
        let owner = self.service_nodes.first().ok_or("a cluster without service nodes")?.ip;
        each(&self.nodes, AT_ONCE, |node| node.boot().map(drop))?;
        let tokens = self.nodes.iter().map(|node| Ok(node.script(owner)?.token));
        let tokens = tokens.collect::<Result<Vec<_>>>()?;
        self.start_agents(&tokens)?;
        self.nodes.iter().try_for_each(|node| node.await_following(owner))?;
        self.await_agents(&self.service_nodes[0].name)
    }

    /// Waits until the management node knows that all agents are connected to a service node. What an
    /// agent has written is there before that is known.
    ///
    /// # Errors
    /// When they are not.
    pub fn await_agents(&self, sn: &str) -> Result<()> {
        let all = || {
            let rows = serde_json::from_str::<Vec<Value>>(&self.ok("tabdump agent --json").ok()?).ok()?;
            let there = rows.iter().filter(|row| row["connected"] == sn).count();
            (there == self.nodes.len()).then_some(())
        };
        wait::until(format!("all agents to be connected to {sn}"), wait::LONG, all)
    }

    /// Starts the agent of one node.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_agent(&mut self, number: usize, token: Option<&str>) -> Result<()> {
        let programs = self.programs().clone();
        self.nodes[number].start_agent(&programs, token)
    }

    /// Gives a service node, which does not run, a new token in the place of its identity, and starts it.
    ///
    /// # Errors
    /// When it cannot join or does not come up.
    pub fn join_again(&mut self, number: usize) -> Result<()> {
        let sn = &self.service_nodes[number];
        let token = self.mn_program(&["token", "create", &sn.name])?.ok()?;
        let join = Run::new(self.programs().path("sn")).args(["join", "--replace", token.trim()]);
        join.env("DROVER_DIR", &sn.dir).on(&sn.host)?.ok()?;
        self.serve_sn(number)
    }
}

impl Node {
    /// Waits until its agent has pointed everything at `server`.
    ///
    /// # Errors
    /// When it does not.
    pub fn await_following(&self, server: Ipv4Addr) -> Result<()> {
        let what = format!("{} to follow {server}", self.name);
        wait::until(what, wait::LONG, || self.follows(server).then_some(()))
    }
}
