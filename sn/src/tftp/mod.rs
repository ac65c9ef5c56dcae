//! The TFTP service: the listening socket, and a task with a socket of its own for each transfer.
//!
//! It decides nothing about the protocol, nor about who may read what: that is
//! [`sn_proto::tftp`]'s. It adds the bounds: transfers altogether, transfers of one client, and the
//! memory of each ([`source::Source`]).
//!
//! The port is bound while the service is switched on in the slice, and only then, so that a site
//! can run its own server there.
//!
//! **Invariant**: a client hears from the address that it asked, and from one port for a transfer.

mod clients;
mod source;
mod transfer;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use runtime::backoff::Backoff;
use runtime::supervise::{BoxError, Nursery};
use sn_proto::tftp::view::{Content, View};
use sn_proto::tftp::wire::{self, Code, Mode, Packet, Read};
use tokio::net::UdpSocket as Port;

use self::clients::Clients;
use self::source::Source;
use crate::config::Config;
use crate::service::Host;
use crate::udp::{Bind, Received, UdpSocket};

/// Longer than any request (RFC 2347 §1 bounds them at 512 bytes).
const LARGEST: usize = 2048;
/// How many transfers run at a time. A row that is switched on at once is a few hundred; each costs
/// a socket and at most 200 KiB. Who comes too late asks again a second later.
const MOST: usize = 1024;

/// Answers until stopped.
///
/// # Errors
/// When the socket breaks. A port that cannot be bound is tried again.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 69);
    while host.until(View::is_on).await {
        match bind(&host.config) {
            Ok(socket) => {
                backoff.reset();
                serve(host.clone(), socket).await?;
            }
            Err(error) => {
                let address = SocketAddrV4::new(host.config.bind, host.config.ports.tftp);
                tracing::error!(%address, %error,
                    "TFTP cannot listen; stop what holds the port, or switch the service off");
                // Either way the loop asks again whether it is still wanted.
                let _ = tokio::time::timeout(backoff.next(), host.stop.cancelled()).await;
            }
        }
    }
    Ok(())
}

fn bind(config: &Config) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(&Bind::new(SocketAddrV4::new(config.bind, config.ports.tftp)))?;
    tracing::info!(address = %socket.local_addr()?, "TFTP is served");
    Ok(socket)
}

/// Serves until the service is switched off or the daemon stops; transfers end with it.
async fn serve(host: Host<View>, socket: UdpSocket) -> Result<(), BoxError> {
    let stop = host.stop.child_token();
    let nursery = Nursery::new("tftp transfer", MOST, stop.clone());
    let clients = Clients::default();
    let mut buffer = vec![0; LARGEST];
    let mut switch = host.clone();
    let off = switch.until(|view| !view.is_on());
    tokio::pin!(off);
    loop {
        let received = tokio::select! {
            still_running = &mut off => {
                if still_running {
                    tracing::info!("TFTP is switched off");
                }
                break;
            }
            received = socket.recv(&mut buffer) => received?,
        };
        let bytes = buffer.get(..received.len).unwrap_or_default();
        // Only what was sent to an address of ours: an answer needs one to come from.
        if received.to == received.local {
            take(&host, &nursery, &clients, received, bytes);
        }
    }
    stop.cancel();
    nursery.drained().await;
    Ok(())
}

fn take(host: &Host<View>, nursery: &Nursery, clients: &Clients, received: Received, bytes: &[u8]) {
    let client = received.from;
    let refusal = match Packet::decode(bytes) {
        Ok(Packet::Read(read)) => {
            let content = host.view().open(*client.ip(), read.name);
            let name = String::from_utf8_lossy(read.name).into_owned();
            let Some(content) = content else {
                tracing::debug!(%client, path = name, "file was not found");
                return refuse(nursery, received, Code::NotFound, "file not found");
            };
            // A request that comes twice is the client's impatience; its transfer runs already.
            let Some(place) = clients.enter(client) else { return };
            let job = Job { local: received.to, client, name, config: Arc::clone(&host.config) };
            let (mode, options) = (read.mode, owned(&read));
            let spawned = nursery.try_spawn(async move {
                let _place = place;
                job.run(content, mode, options).await;
            });
            if !spawned {
                tracing::debug!(%client, "transfer was put off: too many are under way");
            }
            return;
        }
        Ok(Packet::Write) => (Code::Access, "this server takes no files"),
        // Late packets of a transfer that is over, and errors, which are never answered.
        Ok(Packet::Ack(_) | Packet::Error { .. }) => return,
        Err(_) => (Code::Illegal, "not a request to read a file"),
    };
    refuse(nursery, received, refusal.0, refusal.1);
}

type Options = Vec<(Vec<u8>, Vec<u8>)>;

fn owned(read: &Read<'_>) -> Options {
    read.options.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// Says no from a port of its own: some clients take nothing from the port that they asked.
fn refuse(nursery: &Nursery, received: Received, code: Code, text: &'static str) {
    // At the limit nothing is said; the client asks again.
    let _ = nursery.try_spawn(async move {
        if let Ok(port) = Port::bind((received.to, 0)).await {
            let _ = port.send_to(&wire::error(code, text), received.from).await;
        }
    });
}

/// A transfer that is about to start.
struct Job {
    local: Ipv4Addr,
    client: SocketAddrV4,
    name: String,
    config: Arc<Config>,
}

impl Job {
    async fn run(self, content: Content, mode: Mode, options: Options) {
        let Self { local, client, name, config } = self;
        let port = match Port::bind((local, 0)).await {
            Ok(port) => port,
            Err(error) => {
                tracing::debug!(%client, %error, "transfer found no port");
                return;
            }
        };
        let source = match Source::open(&config.dir, content, mode).await {
            Ok(source) => source,
            Err(cause) => {
                let error = common::report::chain(&cause);
                tracing::warn!(%client, path = name, error, "file could not be opened");
                let _ = port.send_to(&wire::error(Code::Undefined, &cause.for_client()), client).await;
                return;
            }
        };
        let size = source.size();
        let outcome = transfer::run(&port, client, source, &options).await;
        tracing::debug!(%client, path = name, size, outcome = ?outcome, "transfer ended");
    }
}

#[cfg(test)]
mod tests;
