//! The readers: datagrams, and connections with their streams of messages.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use runtime::clock;
use sn_proto::syslog::{Framer, View, cut, frame};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::grace::{Early, GRACE, Waiting};
use super::{Arrived, FAREWELL, HANDFUL, Lines, client};
use crate::places::Places;
use crate::service::Host;

/// The receive buffer that is asked for: some 60,000 usual lines, while the disk is busy.
const BUFFER: usize = 16 << 20;
/// The longest datagram of IPv4.
const MAX_DATAGRAM: usize = 65_535;
/// The most connections: one or two for each node that a service node is made for.
const MOST: usize = 4096;
/// The most connections of one sender.
const PER_CLIENT: usize = 16;
/// How long a sender may say nothing before its connection is ended by a stop.
const PAUSE: Duration = Duration::from_millis(20);
/// The most connections that wait until their sender is a node.
const EARLY: usize = 64;
/// How often it is looked whether early lines have waited long enough.
const LOOK: Duration = Duration::from_secs(1);
/// Lines that came from no node of the slice, since the start.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

/// Binds both sockets. With port 0, TCP takes the port that UDP was given where it is free.
pub(super) fn bind(address: Ipv4Addr, port: u16) -> io::Result<(UdpSocket, TcpListener)> {
    let udp = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // With CAP_NET_ADMIN the system's limit (net.core.rmem_max) does not hold; without, the
    // buffer is as large as that lets it be.
    if setsockopt(&udp, sockopt::RcvBufForce, &BUFFER).is_err() {
        let _ = udp.set_recv_buffer_size(BUFFER);
    }
    udp.set_nonblocking(true)?;
    udp.bind(&SocketAddrV4::new(address, port).into())?;
    let udp = UdpSocket::from_std(udp.into())?;

    let tcp = TcpSocket::new_v4()?;
    tcp.set_reuseaddr(true)?;
    let port = if port == 0 { udp.local_addr()?.port() } else { port };
    tcp.bind(SocketAddrV4::new(address, port).into())?;
    Ok((udp, tcp.listen(1024)?))
}

/// Reads datagrams until `stop`, then what still waits in the socket.
pub(super) async fn datagrams(udp: UdpSocket, mut host: Host<View>, lines: Lines, stop: CancellationToken) {
    let (mut buffer, mut early) = (vec![0; MAX_DATAGRAM], Waiting::default());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            ready = udp.readable() => if let Err(error) = ready {
                debug!(%error, "syslog could not wait for datagrams");
            },
            // No more views come when the daemon is ending, and then `stop` does.
            Ok(()) = host.view.changed(), if !early.is_empty() => {}
            _ = look.tick(), if !early.is_empty() => {}
        }
        // Those that waited go first: they came first.
        let handful = of_nodes_by_now(&mut early, &host.view());
        if !pass_on(&lines, handful).await
            || !pass_on(&lines, waiting(&udp, &host, &mut buffer, &mut early)).await
        {
            return;
        }
    }
    // What came before the stop is kept; each round takes a handful, so that a flood ends it too.
    for _ in 0..MAX_DATAGRAM / HANDFUL {
        let handful = waiting(&udp, &host, &mut buffer, &mut early);
        if handful.is_empty() || !pass_on(&lines, handful).await {
            return;
        }
    }
}

/// The lines that wait in the socket, at most a handful.
fn waiting(udp: &UdpSocket, host: &Host<View>, buffer: &mut [u8], early: &mut Waiting) -> Vec<Arrived> {
    let (view, received) = (host.view(), clock::unix_time());
    let mut handful = Vec::new();
    // Bounded by datagrams read, not by lines kept: strangers must not keep us here.
    for _ in 0..HANDFUL {
        let (length, from) = match udp.try_recv_from(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // An ICMP error on behalf of a client; the socket is as good as before.
            Err(_) => continue,
        };
        let Some(sender) = client(from) else { continue };
        let mut line = buffer.get(..length).unwrap_or_default().to_vec();
        frame::trim(&mut line);
        cut(&mut line);
        if line.is_empty() {
            continue;
        }
        match view.node(sender) {
            Some(node) => handful.push(Arrived { node: node.clone(), sender, received, line }),
            None => {
                if !early.keep(Early { sender, received, line }) {
                    stranger(sender);
                }
            }
        }
    }
    handful
}

/// Early lines whose sender is a node by now; those that have waited too long are a stranger's.
fn of_nodes_by_now(early: &mut Waiting, view: &View) -> Vec<Arrived> {
    if early.is_empty() {
        return Vec::new();
    }
    let (nodes, gone) = early.sort(clock::unix_time(), |sender| view.node(sender).is_some());
    gone.iter().for_each(|line| stranger(line.sender));
    let arrived = nodes.into_iter().filter_map(|Early { sender, received, line }| {
        Some(Arrived { node: view.node(sender)?.clone(), sender, received, line })
    });
    arrived.collect()
}

fn stranger(sender: Ipv4Addr) {
    let lines = UNKNOWN.fetch_add(1, Ordering::Relaxed) + 1;
    debug!(ip = %sender, lines, "syslog dropped a line: the sender is no node of the slice");
}

/// Hands lines to the writer; says `false` when that has ended.
async fn pass_on(lines: &Lines, handful: Vec<Arrived>) -> bool {
    handful.is_empty() || lines.send(handful).await.is_ok()
}

/// Accepts connections until `stop`, then lets those that are open hand over what they have.
pub(super) async fn connections(
    listener: TcpListener,
    host: Host<View>,
    lines: Lines,
    stop: CancellationToken,
) {
    let (places, mut open) = (Places::new(PER_CLIENT), JoinSet::new());
    let waiting_rooms = Arc::new(Semaphore::new(EARLY));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "syslog could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(sender) = client(from) else { continue };
        let early = match host.view().node(sender) {
            Some(_) => None,
            // What it sends meanwhile waits in the kernel, which bounds it.
            None => match Arc::clone(&waiting_rooms).try_acquire_owned() {
                Ok(room) => Some(room),
                Err(_) => {
                    stranger(sender);
                    continue;
                }
            },
        };
        match places.take(sender).filter(|_| open.len() < MOST) {
            Some(place) => {
                let (mut host, lines, stop) = (host.clone(), lines.clone(), stop.clone());
                open.spawn(async move {
                    if early.is_none() || becomes_node(&mut host, sender, &stop).await {
                        drop(early);
                        connection(stream, sender, &host, &lines, &stop).await;
                    } else {
                        stranger(sender);
                    }
                    drop(place);
                });
            }
            None => debug!(ip = %sender, "syslog closed a connection: there are too many"),
        }
    }
    let ended = tokio::time::timeout(FAREWELL, async { while open.join_next().await.is_some() {} });
    if ended.await.is_err() {
        warn!(connections = open.len(), "syslog connections did not end in time and were cut off");
    }
}

/// Waits a moment for a slice in which the sender is a node.
async fn becomes_node(host: &mut Host<View>, sender: Ipv4Addr, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        found = tokio::time::timeout(GRACE, host.until(|view| view.node(sender).is_some())) => found == Ok(true),
    }
}

async fn connection(
    mut stream: TcpStream,
    sender: Ipv4Addr,
    host: &Host<View>,
    lines: &Lines,
    stop: &CancellationToken,
) {
    // A node that lost its power says nothing for ever: the kernel asks after it. Nobody closes an
    // idle connection, since senders keep theirs for days.
    let _ = SockRef::from(&stream).set_keepalive(true);
    let (mut framer, mut messages, mut buffer) = (Framer::default(), Vec::new(), vec![0; 16 * 1024]);
    loop {
        // After the stop, what has arrived is read on, until the sender pauses or `connections`
        // waits no longer.
        let paused = async {
            stop.cancelled().await;
            tokio::time::sleep(PAUSE).await;
        };
        let read = tokio::select! {
            biased;
            read = stream.read(&mut buffer) => read,
            () = paused => break,
        };
        match read {
            Ok(0) => break,
            Ok(length) => framer.push(buffer.get(..length).unwrap_or_default(), &mut messages),
            Err(error) => {
                debug!(ip = %sender, %error, "syslog connection ended");
                break;
            }
        }
        if !hand_over(&mut messages, sender, host, lines).await {
            return;
        }
    }
    framer.finish(&mut messages);
    hand_over(&mut messages, sender, host, lines).await;
}

/// Hands messages of a connection to the writer; says `false` when they are no node's any more or
/// the writer has ended.
async fn hand_over(messages: &mut Vec<Vec<u8>>, sender: Ipv4Addr, host: &Host<View>, lines: &Lines) -> bool {
    if messages.is_empty() {
        return true;
    }
    let Some(node) = host.view().node(sender).cloned() else {
        messages.drain(..).for_each(|_| stranger(sender));
        return false;
    };
    let received = clock::unix_time();
    let mut rest = messages.drain(..).peekable();
    while rest.peek().is_some() {
        let line = |line| Arrived { node: node.clone(), sender, received, line };
        let handful = rest.by_ref().take(HANDFUL).map(line).collect();
        if !pass_on(lines, handful).await {
            return false;
        }
    }
    true
}
