//! Questions by TCP (RFC 7766): for answers that were cut, and for whoever prefers it.
//!
//! One question at a time on a connection, in order. Connections are bounded in number, each read
//! and write in time, and a question in length.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use runtime::supervise::Nursery;
use sn_proto::dns::{Transport, Verdict, answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Newest, State};
use crate::places::Places;

/// The most connections of one client: a resolver has one or two, and nobody may keep all of them.
const PER_CLIENT: usize = 16;

/// How long a connection may stay without a whole question, or not take its answer.
const IDLE: Duration = Duration::from_secs(5);

/// Questions on one connection before it is closed, so that nobody keeps a place for ever.
const QUESTIONS: usize = 1000;

/// The longest question; as by UDP.
const LONGEST: usize = 4096;

/// How long to wait when the system has no descriptor for a new connection.
const SHORTAGE: Duration = Duration::from_millis(200);

/// Accepts connections for ever.
pub(super) async fn serve(listener: TcpListener, states: watch::Receiver<State>, connections: Nursery) {
    let places = Places::new(PER_CLIENT);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = places.take(address(peer)) else {
                    debug!(%peer, "closed a connection: the client has too many");
                    continue;
                };
                let states = states.clone();
                let talk = async move {
                    converse(stream, peer, Newest::new(states)).await;
                    drop(place);
                };
                if !connections.try_spawn(talk) {
                    debug!(%peer, "closed a connection: there are too many");
                }
            }
            Err(error) => {
                warn!(%error, "could not accept a connection for dns");
                tokio::time::sleep(SHORTAGE).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, peer: SocketAddr, mut newest: Newest) {
    // An answer is one small write; waiting to fill a segment would only delay it.
    let _ = stream.set_nodelay(true);
    for _ in 0..QUESTIONS {
        let Ok(Some(packet)) = timeout(IDLE, read(&mut stream)).await else { return };
        let state = newest.state().clone();
        let Some(reply) = reply(&state, packet, peer).await else { return };
        match timeout(IDLE, write(&mut stream, &reply)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return debug!(%peer, %error, "could not send an answer"),
            Err(_) => return debug!(%peer, "closed a connection: it does not take its answer"),
        }
    }
}

/// A question with its length in front; none at the end of the stream and for one that is too long.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let len = usize::from(stream.read_u16().await.ok()?);
    if len > LONGEST {
        return None;
    }
    let mut packet = vec![0; len];
    stream.read_exact(&mut packet).await.ok()?;
    Some(packet)
}

async fn write(stream: &mut TcpStream, reply: &[u8]) -> std::io::Result<()> {
    // One write for both, so that the length does not leave in a segment of its own.
    let len = u16::try_from(reply.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes(), reply].concat()).await
}

/// None closes the connection: for what gets silence by UDP.
async fn reply(state: &State, packet: Vec<u8>, peer: SocketAddr) -> Option<Vec<u8>> {
    match answer(&state.view, &packet, address(peer), Transport::Tcp) {
        Verdict::Drop => None,
        Verdict::Reply(reply) => Some(reply),
        Verdict::Forward { limit } => state.forwarder.ask(packet, peer, Transport::Tcp, limit).await,
    }
}

/// The listener is bound to IPv4; anything else is nobody we know.
fn address(peer: SocketAddr) -> Ipv4Addr {
    match peer.ip() {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}
