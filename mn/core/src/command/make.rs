//! The arguments of the commands that bring the rest of the cluster in line: `makehosts`,
//! `makenetworks`, `makedns`, `makedhcp`.

use serde::{Deserialize, Serialize};

use crate::command::{Mode, Range};

/// The arguments of `makehosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makehosts {
    /// How to make the change; only `dry_run` means something here.
    pub mode: Mode,
    /// Which nodes; none means all that have an address.
    pub nodes: Option<Range>,
    /// `--file`: the file to keep in the place of the configured one; absolute.
    pub file: Option<String>,
    /// `-n`: begin with an empty file.
    pub fresh: bool,
    /// `-d`: take the nodes' lines out.
    pub delete: bool,
    /// `-l`: the name with the domain goes first.
    pub long_first: bool,
    /// `-o`: other names go first.
    pub others_first: bool,
    /// `-a`: other names are written with the domain too.
    pub add_domain: bool,
    /// `-m`: IPv6 link-local addresses, made of the hardware addresses, instead.
    pub link_local: bool,
    /// `-V`.
    pub verbose: bool,
}

/// The arguments of `makenetworks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makenetworks {
    /// How to make the change.
    pub mode: Mode,
    /// `-d`: show stanzas and store nothing.
    pub display: bool,
    /// `-V`.
    pub verbose: bool,
}

/// The arguments of `makedns`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makedns {
    /// Which nodes; none means all.
    pub nodes: Option<Range>,
    /// `-d`: the names shall go.
    pub delete: bool,
    /// `-e`: a server outside the cluster holds the names.
    pub external: bool,
    /// `-V`.
    pub verbose: bool,
}

/// The arguments of `makedhcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makedhcp {
    /// What is asked.
    pub what: DhcpTask,
    /// Which nodes; none means all that have a hardware address (`-a`).
    pub nodes: Option<Range>,
    /// `-V`.
    pub verbose: bool,
}

/// What `makedhcp` is asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DhcpTask {
    /// Nothing but options: the nodes' reservations.
    #[default]
    Nodes,
    /// `-n`: the networks.
    Networks,
    /// `-d`: the reservations shall go.
    Delete,
    /// `-q`: show the reservations.
    Query,
}
