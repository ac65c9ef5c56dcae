//! The syslog receiver: UDP and TCP around `sn_proto::syslog`, the nodes' files, and the [`Spool`]
//! to the management node.
//!
//! ```text
//! udp, tcp connections ── lines with their node ──▶ one writer ──▶ DIR/log/NODE/messages
//!                          (bounded channel)              └──────▶ the spool, in DIR/log/.spool
//! ```
//!
//! The readers only read and look the sender up; where the disk is slow, the channel fills, TCP
//! senders are held up and datagrams wait in the socket's buffer. What overflows that is lost, as
//! UDP syslog is by its nature, and counted ([`drops`]); nothing else is.
//!
//! It does not speak TLS (RFC 5425) yet, and it never sends anything to a sender.
//!
//! **Invariant**: a line of a node of the slice is written to that node's file whatever the state
//! of the management node and of the move that the node may be in.

mod drops;
mod files;
mod grace;
mod receive;
pub mod spool;
mod write;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::id::NodeName;
use runtime::backoff::Backoff;
use runtime::supervise::BoxError;
use sn_proto::syslog::View;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

pub use self::spool::{Spool, SpoolError};
use self::write::Writer;
use crate::service::Host;

/// Where the nodes' files and the spool are, below the daemon's folder.
pub const FOLDER: &str = "log";
/// Where the spool is, below [`FOLDER`]. No node's name begins with a dot.
pub const SPOOL_FOLDER: &str = ".spool";

/// The most lines that a reader hands over at once.
const HANDFUL: usize = 64;
/// How many handfuls may wait for the writer: 128 of 64 lines of 8 KiB are at most 64 MiB, and
/// with usual lines of 120 bytes a second of 8,000 lines.
const WAITING: usize = 128;
/// How long open connections may take to end after they were asked to.
const FAREWELL: Duration = Duration::from_secs(1);

/// A line on its way to the writer.
#[derive(Debug)]
struct Arrived {
    node: NodeName,
    sender: Ipv4Addr,
    received: SystemTime,
    line: Vec<u8>,
}

/// The readers' end of the channel to the writer.
type Lines = mpsc::Sender<Vec<Arrived>>;

/// Receives until the daemon stops.
///
/// # Errors
/// None today: what cannot be bound is tried again, and a disk that refuses is reported.
pub async fn run(host: Host<View>, spool: Arc<Spool>) -> Result<(), BoxError> {
    let (lines, arrived) = mpsc::channel(WAITING);
    let writer = Writer::new(host.folder(FOLDER), spool, host.clone());
    // The writer ends when the readers have dropped their ends and all that came is written.
    tokio::join!(receive(host, lines), writer.run(arrived));
    Ok(())
}

async fn receive(mut host: Host<View>, lines: Lines) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 514);
    while host.until(View::is_on).await {
        match receive_while_on(&host, &lines).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                let (address, port) = (host.config.bind, host.config.ports.syslog);
                error!(%address, port, %error,
                    "syslog cannot listen; stop what holds the port, or switch the service off");
                // Either way the loop asks again whether it is still wanted.
                let _ = tokio::time::timeout(backoff.next(), host.stop.cancelled()).await;
            }
        }
    }
}

async fn receive_while_on(host: &Host<View>, lines: &Lines) -> io::Result<()> {
    let (udp, tcp) = receive::bind(host.config.bind, host.config.ports.syslog)?;
    let (udp_address, tcp_address) = (udp.local_addr()?, tcp.local_addr()?);
    info!(udp = %udp_address, tcp = %tcp_address, "syslog listening");
    let stop = host.stop.child_token();
    let mut readers = JoinSet::new();
    if let SocketAddr::V4(address) = udp_address {
        readers.spawn(drops::watch(address, stop.clone()));
    }
    readers.spawn(receive::datagrams(udp, host.clone(), lines.clone(), stop.clone()));
    readers.spawn(receive::connections(tcp, host.clone(), lines.clone(), stop.clone()));
    let mut switch = host.clone();
    tokio::select! {
        // First, since the readers end by the same token.
        biased;
        still_running = switch.until(|view| !view.is_on()) => if still_running {
            info!("syslog switched off");
        },
        // Neither ends by itself.
        _ = readers.join_next() => error!("a syslog reader ended; starting both again (this is a bug)"),
    }
    stop.cancel();
    let ended = tokio::time::timeout(2 * FAREWELL, async { while readers.join_next().await.is_some() {} });
    if ended.await.is_err() {
        warn!("syslog readers did not end in time and were cut off");
    }
    Ok(())
}

/// For the log: an address without its port where only the address says something.
fn client(from: SocketAddr) -> Option<Ipv4Addr> {
    match from {
        SocketAddr::V4(from) => Some(*from.ip()),
        SocketAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
