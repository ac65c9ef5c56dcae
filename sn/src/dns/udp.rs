//! Questions by UDP: nearly all of them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use runtime::supervise::{BoxError, Nursery};
use sn_proto::dns::{Transport, Verdict, answer};
use tokio::sync::watch;
use tracing::debug;

use super::{Newest, State};
use crate::udp::{Received, UdpSocket};

/// No client asks with more: a question has at most 271 bytes, the rest is EDNS options.
const BUFFER: usize = 4096;

/// Packets that are taken in a row before other tasks have a turn. Some 64 × 8 µs is half a
/// millisecond, which an answer to an agent may wait.
const IN_A_ROW: usize = 64;

/// Answers until the socket breaks.
pub(super) async fn serve(
    socket: UdpSocket,
    states: watch::Receiver<State>,
    forwards: Nursery,
) -> Result<(), BoxError> {
    let mut newest = Newest::new(states);
    let socket = Arc::new(socket);
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut next = Some(socket.recv(&mut buffer).await?);
        for _ in 0..IN_A_ROW {
            let Some(received) = next else { break };
            let packet = buffer.get(..received.len).unwrap_or_default();
            handle(&socket, newest.state(), &forwards, packet, received).await;
            next = socket.try_recv(&mut buffer)?;
        }
        if let Some(received) = next {
            let packet = buffer.get(..received.len).unwrap_or_default();
            handle(&socket, newest.state(), &forwards, packet, received).await;
            tokio::task::yield_now().await;
        }
    }
}

async fn handle(
    socket: &Arc<UdpSocket>,
    state: &State,
    forwards: &Nursery,
    packet: &[u8],
    received: Received,
) {
    // Port 0 cannot be answered.
    if received.from.port() == 0 {
        return;
    }
    match answer(&state.view, packet, *received.from.ip(), Transport::Udp) {
        Verdict::Drop => {}
        Verdict::Reply(reply) => send(socket, &reply, received).await,
        Verdict::Forward { limit } => {
            let (socket, forwarder) = (Arc::clone(socket), Arc::clone(&state.forwarder));
            let packet = packet.to_vec();
            let begun = forwards.try_spawn(async move {
                let client = SocketAddr::new(IpAddr::V4(*received.from.ip()), received.from.port());
                if let Some(reply) = forwarder.ask(packet, client, Transport::Udp, limit).await {
                    send(&socket, &reply, received).await;
                }
            });
            if !begun {
                debug!(peer = %received.from, "dropped a question: too many are being forwarded");
            }
        }
    }
}

/// Sends from the address that was asked; the way is the routing table's, for clients behind a router.
async fn send(socket: &UdpSocket, reply: &[u8], to: Received) {
    if let Err(error) = socket.send(reply, to.from, Some(to.local), None).await {
        debug!(peer = %to.from, %error, "could not send an answer");
    }
}
