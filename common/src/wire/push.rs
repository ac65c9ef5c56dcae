//! Between the management node and a service node, on one stream that the service node opens.
//!
//! The service node says [`FromSn::Hello`] with what it holds; the management node answers
//! [`ToSn::Welcome`] and pushes until both hold the same. A push is a [`ToSn::Push`], then
//! [`ToSn::Part`]s, then [`ToSn::PushEnd`]; it is answered by one [`FromSn::Ack`].
//! Reports and log lines carry sequence numbers; the service node keeps them until they are
//! acknowledged.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::join::{JoinAnswer, RelayedJoin};
use super::work::{Run, RunResult};
use crate::id::{Epoch, Generation, NodeName, SnName};
use crate::slice::{Delta, Net, Stamp};

/// From the management node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSn {
    /// The first answer.
    Welcome {
        /// The version that both speak from here.
        protocol: u32,
        /// The last report that the management node has from this service node.
        reports_through: u64,
        /// The last log line that it has.
        logs_through: u64,
    },
    /// A push begins.
    Push(PushHead),
    /// Entries of the push that has begun.
    Part(Delta),
    /// The push is whole.
    PushEnd,
    /// Run something on nodes.
    Run(Run),
    /// The answer to [`FromSn::Join`] with the same number.
    Joined {
        /// The number.
        ask: u64,
        /// For the agent.
        answer: JoinAnswer,
    },
    /// Reports up to this number are stored.
    ReportsStored(u64),
    /// Log lines up to this number are stored.
    LogsStored(u64),
    /// Tell this peer, over the rack's network, who owns what, and say what it answered.
    AskPeer {
        /// The number of the question.
        ask: u64,
        /// The peer.
        sn: SnName,
        /// Where it may be.
        addresses: Vec<Ipv4Addr>,
    },
}

/// The beginning of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushHead {
    /// What the service node holds when the push is applied.
    pub stamp: Stamp,
    /// The management node's signature (Ed25519) over [`Stamp::signed_bytes`].
    pub signature: Vec<u8>,
    /// The generation that the parts change; none when the parts are the whole slice.
    pub base: Option<Generation>,
}

/// From a service node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSn {
    /// The first message.
    Hello(Hello),
    /// The answer to a push.
    Ack(Ack),
    /// What nodes reported, in order.
    Reports {
        /// The number of the last of them.
        through: u64,
        /// The reports.
        reports: Vec<Report>,
    },
    /// Log lines of nodes, in order.
    Logs {
        /// The number of the last of them.
        through: u64,
        /// The lines.
        lines: Vec<LogLine>,
    },
    /// What a node answered to a [`ToSn::Run`].
    RunResult(RunResult),
    /// An agent asks to join.
    Join {
        /// The number of the question, unique on this link.
        ask: u64,
        /// What it sent.
        join: RelayedJoin,
    },
    /// The answer to [`ToSn::AskPeer`] with the same number.
    PeerSays {
        /// The number.
        ask: u64,
        /// What became of it.
        word: PeerWord,
    },
    /// The service node's addresses have changed.
    Addresses(Vec<InterfaceAddress>),
}

/// What a service node is and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL`].
    pub protocol: u32,
    /// The version of the program, for people.
    pub version: String,
    /// What it serves now; none before its first slice.
    pub holds: Option<Stamp>,
    /// Its IPv4 addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// The name of the series in which it numbers its reports and log lines; another one after its
    /// folder was lost.
    pub series: u64,
}

/// An address of a service node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The interface, such as `eth0`.
    pub interface: String,
    /// The address with the prefix of its network.
    pub address: Net,
}

/// The answer to a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Which push.
    pub stamp: Stamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is on disk, every service has switched to it, and all content is here.
    Applied,
    /// The same, but this content is still being fetched; another `Applied` follows.
    Fetching {
        /// How many files.
        files: u32,
        /// How many bytes.
        bytes: u64,
    },
    /// It does not stand on what is held here: send the whole.
    NeedWhole,
    /// It was not applied; what was served before is served on.
    Refused {
        /// Each reason on a line of its own: the service, then what it cannot do.
        reasons: Vec<String>,
    },
}

/// What a node reported, or what was noticed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The node.
    pub node: NodeName,
    /// When, in seconds since 1970 by the service node's clock.
    pub at: u64,
    /// In which epoch of its ownership.
    pub epoch: Epoch,
    /// What.
    pub what: Reported,
}

/// The kinds of report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reported {
    /// A new status, one of xCAT's words for `nodelist.status`.
    Status(String),
    /// The agent has brought the node to this desired state.
    Settled {
        /// The service node that it follows now.
        owner: SnName,
        /// What it did.
        receipts: Vec<super::work::Receipt>,
    },
    /// The agent is connected (`true`) or its connection has ended.
    Connected(bool),
}

/// A log line of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Whose.
    pub node: NodeName,
    /// As it came, without the newline; at most 8 KiB.
    pub line: Vec<u8>,
}

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerWord {
    /// It heard who owns what, and has fallen silent for what it lost.
    Heard,
    /// It cannot be reached from here either.
    Unreachable(String),
}
