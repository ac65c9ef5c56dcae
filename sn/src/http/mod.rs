//! The boot HTTP server: connections and files around `sn_proto::http`.
//!
//! The port is bound while the service is switched on in the slice, and only then, so that a site
//! can run its own server there.
//!
//! It does not use `sendfile` yet; large files go through two buffers of [`body::CHUNK`] a
//! connection. It speaks neither TLS nor HTTP/2: boot firmware does neither.
//!
//! **Invariants**: one client, however slow or many-armed, takes at most [`PER_CLIENT`] connections,
//! each with a bounded header, and no connection waits longer than [`QUIET`] for a request.

mod body;
mod connection;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use runtime::backoff::Backoff;
use runtime::supervise::{BoxError, Nursery};
use sn_proto::http::View;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tracing::{debug, error, info, warn};

use crate::places::Places;
use crate::service::Host;

/// The most connections at a time. A service node serves some 1,000 nodes, which boot with one or
/// two each; at two buffers each this bounds the memory at 1 GiB.
const MOST: usize = 2048;
/// The most connections of one client at a time.
const PER_CLIENT: usize = 64;
/// How long a connection may take to send a request's header, the wait for it included.
const QUIET: Duration = Duration::from_secs(20);
/// Connections that the kernel keeps for us while we are busy: a row that powers on at once.
const BACKLOG: u32 = 1024;

/// Serves until the daemon stops.
///
/// # Errors
/// None today: what cannot be bound is tried again, so that the other services live on.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 80);
    while host.until(View::is_on).await {
        let address = SocketAddr::from((host.config.bind, host.config.ports.http));
        match bind(address) {
            Ok(listener) => {
                backoff.reset();
                serve(&mut host, listener).await;
            }
            Err(error) => {
                error!(%address, %error, "http cannot listen; stop what holds the port, or switch the service off");
                let wait = backoff.next();
                // Either way the loop asks again whether it is still wanted.
                let _ = tokio::time::timeout(wait, host.stop.cancelled()).await;
            }
        }
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // A restart must not wait for the last connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves on `listener` until the service is switched off or the daemon stops.
async fn serve(host: &mut Host<View>, listener: TcpListener) {
    match listener.local_addr() {
        Ok(address) => info!(%address, "http listening"),
        Err(error) => warn!(%error, "http listening on an address that cannot be told"),
    }
    let stop = host.stop.child_token();
    let nursery = Nursery::new("http connection", MOST, stop.clone());
    let places = Places::new(PER_CLIENT);
    let mut switch = host.clone();
    let off = switch.until(|view| !view.is_on());
    tokio::pin!(off);
    loop {
        let accepted = tokio::select! {
            still_running = &mut off => {
                if still_running {
                    info!("http switched off");
                }
                break;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => admit(host, &nursery, &places, stream, from),
            Err(error) => {
                // Out of file descriptors, or a client that was gone at once. Not a reason to end,
                // and not one to spin.
                warn!(%error, "http could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    stop.cancel();
    nursery.drained().await;
}

fn admit(host: &Host<View>, nursery: &Nursery, places: &Places, stream: TcpStream, from: SocketAddr) {
    let IpAddr::V4(client) = from.ip() else { return };
    let Some(place) = places.take(client) else {
        debug!(ip = %client, "http closed a connection: the client has too many");
        return;
    };
    let host = host.clone();
    let started = nursery.try_spawn(async move {
        connection::run(stream, client, host).await;
        drop(place);
    });
    if !started {
        debug!(ip = %client, "http closed a connection: there are too many");
    }
}

#[cfg(test)]
mod tests;
