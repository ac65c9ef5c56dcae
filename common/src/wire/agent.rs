//! Between a service node and a node agent, on one stream that the agent opens.
//!
//! The agent says [`FromAgent::Hello`]; the service node sends [`ToAgent::Desired`] at once and
//! whenever it changes. The agent obeys the highest epoch it has seen and ignores a lower one.
//! It follows [`Desired::owner`]: connected to another member of the pool, it settles all the
//! same and then moves its connection to the owner when it can reach it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::work::{Receipt, Run, RunAnswer};
use crate::id::{Digest, Epoch, NodeName, SnName};
use crate::slice::{PoolMember, Script};

/// From an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAgent {
    /// The first message.
    Hello {
        /// [`super::PROTOCOL`].
        protocol: u32,
        /// The highest epoch it has seen.
        epoch: Epoch,
        /// The digest of the state it has settled on; none before the first.
        settled: Option<Digest>,
    },
    /// It has brought the node to a desired state, as the receipts say.
    Settled {
        /// Of the [`Desired`].
        digest: Digest,
        /// Its epoch.
        epoch: Epoch,
        /// Whose the node is.
        owner: SnName,
        /// One for each step.
        receipts: Vec<Receipt>,
    },
    /// A new status of the node.
    Status(String),
    /// What became of a run.
    RunAnswer {
        /// Its number.
        run: u64,
        /// What.
        answer: RunAnswer,
    },
}

/// To an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAgent {
    /// What the node shall be like.
    Desired(Box<Desired>),
    /// Run this now; `nodes` is this node alone.
    Run(Run),
}

/// What a node shall be like, as far as its agent sees to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The node.
    pub node: NodeName,
    /// The epoch of its ownership.
    pub epoch: Epoch,
    /// Its owner, the first of the pool.
    pub owner: SnName,
    /// The service nodes it may turn to, in order.
    pub pool: Vec<PoolMember>,
    /// The port on which they listen for agents.
    pub agent_port: u16,
    /// Where the node sends its log; none leaves its syslog alone.
    pub log: Option<Ipv4Addr>,
    /// Its time servers.
    pub ntp: Vec<Ipv4Addr>,
    /// Its resolvers.
    pub nameservers: Vec<Ipv4Addr>,
    /// Its DNS domain.
    pub domain: String,
    /// Lines for its hosts file: an address and its names.
    pub hosts: Vec<HostsLine>,
    /// Its default gateway, where that is the service node; none leaves its routes alone.
    pub gateway: Option<Ipv4Addr>,
    /// Scripts that shall have run, in order.
    pub scripts: Vec<Script>,
    /// Whether a node that runs is left as it is (`snmove -i`): an agent that has been running when
    /// this epoch came takes note of it and does nothing, until it is started again or told to.
    pub rests: bool,
}

/// A line of a hosts file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsLine {
    /// The address.
    pub address: Ipv4Addr,
    /// The names, the full one first.
    pub names: Vec<String>,
}

impl Desired {
    /// The digest of the whole, by which both sides say which state they mean.
    pub fn digest(&self) -> Digest {
        // Plain data always encodes; see `slice::entry`.
        Digest::of(&postcard::to_stdvec(self).unwrap_or_default())
    }
}
