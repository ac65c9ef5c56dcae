//! Runs DNS: one loop for UDP, bounded connections for TCP, a resolver for what is not ours.
//!
//! `sn_proto::dns::answer` decides. What it answers is sent as it is; what it says to forward goes
//! through `forward::Forwarder`, a `hickory-server` handler around a `hickory-resolver`.
//!
//! hickory's own `Server` is not used for its loops: its UDP loop costs a task and a channel for
//! every packet, answers from the wrong address when bound to all of them, and its TCP loop has no
//! bound on connections, so that one client could take every file descriptor that the daemon's
//! other services need (`docs/decisions/0012-dns.md`).
//!
//! Port 53 is bound only while the slice says that DNS is served here: where it is off, the site
//! may run its own.
//!
//! **Invariant**: a packet's way from the socket to its answer takes no lock and waits for nobody.

mod forward;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use runtime::backoff::Backoff;
use runtime::supervise::{BoxError, Nursery};
use sn_proto::dns::View;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{debug, error, info};

use self::forward::Forwarder;
use crate::config::Config;
use crate::service::Host;
use crate::udp::{Bind, UdpSocket};

/// Forwarded questions at a time. Each waits at most [`forward::PATIENCE`]: some hundred a second
/// even when every forwarder is dead. Past it, questions are dropped and the clients ask again.
const FORWARDED: usize = 512;

/// TCP connections at a time: TCP is for the rare answer that was cut, and each costs a descriptor
/// of the whole daemon.
const CONNECTIONS: usize = 128;

/// What the loops answer from; replaced as a whole.
#[derive(Clone, Debug)]
struct State {
    view: Arc<View>,
    forwarder: Arc<Forwarder>,
}

/// Serves DNS until the daemon stops.
///
/// # Errors
/// When a socket breaks while it is served from. A port that cannot be bound is tried again.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    // The seed only spreads the retries of several daemons.
    let mut backoff =
        Backoff::new(Duration::from_secs(1), Duration::from_secs(30), std::process::id().into());
    while host.until(View::is_on).await {
        match Sockets::bind(&host.config).await {
            Ok(sockets) => {
                backoff.reset();
                serve(&mut host, sockets).await?;
            }
            Err(error) => {
                let address = SocketAddrV4::new(host.config.bind, host.config.ports.dns);
                error!(%address, %error, "could not bind for dns; trying again");
                let _ = tokio::time::timeout(backoff.next(), host.stop.cancelled()).await;
            }
        }
    }
    Ok(())
}

/// Both sockets, on the same port.
struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    async fn bind(config: &Config) -> io::Result<Self> {
        let udp = UdpSocket::bind(&Bind::new(SocketAddrV4::new(config.bind, config.ports.dns)))?;
        // Port 0 was given a number now; for TCP it may be taken, which the next try mends.
        let tcp = TcpListener::bind(udp.local_addr()?).await?;
        Ok(Self { udp, tcp })
    }
}

/// Serves until the switch goes off or the daemon stops.
async fn serve(host: &mut Host<View>, sockets: Sockets) -> Result<(), BoxError> {
    let Sockets { udp, tcp } = sockets;
    info!(address = %udp.local_addr()?, "dns began");
    let (sender, states) = watch::channel(State::new(host.view(), None)?);
    let stop = host.stop.child_token();
    let _end = stop.clone().drop_guard();
    let forwards = Nursery::new("dns forward", FORWARDED, stop.clone());
    let connections = Nursery::new("dns connection", CONNECTIONS, stop);
    let result = tokio::select! {
        result = follow(host, &sender) => result,
        result = udp::serve(udp, states.clone(), forwards) => result,
        () = tcp::serve(tcp, states, connections) => Ok(()),
    };
    info!("dns ended");
    result
}

/// Hands every new view to the loops, until one says that DNS is off or the daemon stops.
async fn follow(host: &mut Host<View>, states: &watch::Sender<State>) -> Result<(), BoxError> {
    loop {
        tokio::select! {
            () = host.stop.cancelled() => return Ok(()),
            changed = host.view.changed() => if changed.is_err() {
                // The last view stays; the daemon is about to stop us.
                host.stop.cancelled().await;
                return Ok(());
            },
        }
        let view = Arc::clone(&host.view.borrow_and_update());
        if !view.is_on() {
            return Ok(());
        }
        let next = State::new(view, Some(&states.borrow().forwarder))?;
        states.send_replace(next);
    }
}

impl State {
    /// The state for a view. The forwarder is kept, with all it remembers, while its addresses stay
    /// the same.
    fn new(view: Arc<View>, old: Option<&Arc<Forwarder>>) -> Result<Self, BoxError> {
        let forwarder = match old.filter(|old| old.addresses() == view.forwarders()) {
            Some(old) => Arc::clone(old),
            None => {
                if view.forwarders().is_empty() {
                    debug!("names outside the site are refused: it has no forwarders");
                }
                Arc::new(Forwarder::new(view.forwarders())?)
            }
        };
        Ok(Self { view, forwarder })
    }
}

/// A loop's own copy of the newest state; an atomic load tells whether there is a newer one.
struct Newest {
    receiver: watch::Receiver<State>,
    state: State,
}

impl Newest {
    fn new(mut receiver: watch::Receiver<State>) -> Self {
        let state = receiver.borrow_and_update().clone();
        Self { receiver, state }
    }

    fn state(&mut self) -> &State {
        if self.receiver.has_changed().unwrap_or(false) {
            self.state = self.receiver.borrow_and_update().clone();
        }
        &self.state
    }
}

#[cfg(test)]
mod tests;
