//! What an administrator may set on a service node. Everything has a default; no file is needed.
//!
//! A setting is taken from the command line, else from the environment ([`crate::cli`]), else from
//! `DIR/sn.toml` ([`mod@file`]), else from here. The value is checked where it becomes a [`Config`].

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

pub mod file;

/// The folder with all state, unless it is moved.
pub const DEFAULT_DIR: &str = "/var/lib/drover/sn";

/// The checked configuration that the program uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder with all state.
    pub dir: PathBuf,
    /// The address that all services bind; unspecified for every address of the machine.
    pub bind: Ipv4Addr,
    /// The ports.
    pub ports: Ports,
    /// How NFS exports reach a server.
    pub nfs: NfsBackend,
    /// How long a start waits for the word of the pool and of the management node before it
    /// answers for nodes that it may have lost meanwhile.
    pub pool_wait: Duration,
}

impl Config {
    /// The configuration of a service node whose state is in `dir`, with every default.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            bind: Ipv4Addr::UNSPECIFIED,
            ports: Ports::default(),
            nfs: NfsBackend::Detect,
            // On a rack's network an answer takes some milliseconds; this covers a busy peer and
            // still restarts before a client asks again.
            pool_wait: Duration::from_millis(700),
        }
    }
}

/// The ports of the services. 0 binds any free one, which the log then names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// DHCP server (67).
    pub dhcp: u16,
    /// Where DHCP answers to clients without an address go (68).
    pub dhcp_client: u16,
    /// TFTP (69).
    pub tftp: u16,
    /// Boot HTTP (80).
    pub http: u16,
    /// DNS, UDP and TCP (53).
    pub dns: u16,
    /// NTP (123).
    pub ntp: u16,
    /// Syslog, UDP and TCP (514).
    pub syslog: u16,
    /// Agents and peers, QUIC (`common::wire::SN_PORT`).
    pub agent: u16,
}

/// How NFS exports reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NfsBackend {
    /// Whichever the host has: a running NFS-Ganesha, else the kernel's server, else none.
    Detect,
    /// NFS-Ganesha: its main configuration includes `DIR/nfs/exports.conf`; reloaded by SIGHUP.
    Ganesha {
        /// Where its process number stands.
        pid_file: PathBuf,
    },
    /// The kernel's server, through `exportfs`.
    Kernel,
    /// Only the files are written.
    None,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            dhcp: 67,
            dhcp_client: 68,
            tftp: 69,
            http: 80,
            dns: 53,
            ntp: 123,
            syslog: 514,
            agent: common::wire::SN_PORT,
        }
    }
}
