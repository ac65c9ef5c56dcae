//! The DHCP service: the socket, the machine's addresses and the strangers' leases around
//! [`sn_proto::dhcp`].
//!
//! One task does it all. It takes what is waiting in batches, so that a power-on of a row costs one
//! sync of the lease file a batch (and none at all where no stranger is among them).
//!
//! It decides nothing about the protocol.
//!
//! The port is bound while the service is switched on in the slice, and only then, so that a site
//! can run its own server there.
//!
//! **Invariant**: an answer that relies on a lease leaves after the lease is on the disk; when the
//! disk refuses, that answer is not sent and all others are.

mod file;
mod journal;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use common::id::Moment;
use common::slice::Net;
use runtime::backoff::Backoff;
use runtime::clock;
use runtime::supervise::BoxError;
use sn_proto::dhcp::machine::{Action, Address, Event, Machine, Packet, Ports};
use sn_proto::dhcp::view::View;

use self::file::LeaseFile;
use self::journal::Journal;
use crate::config::Config;
use crate::interfaces;
use crate::service::Host;
use crate::udp::{Bind, Received, UdpSocket};

/// Larger than any request: an Ethernet frame, and room for a relay's additions.
const LARGEST: usize = 4096;
/// How many requests are taken before their answers leave.
const BATCH: usize = 64;
/// How often the machine's addresses are asked for. One that appears meanwhile is found by the
/// first packet that comes in on its interface.
const REFRESH: Duration = Duration::from_secs(5);
/// How soon an unknown interface may make us ask again, so that packets cannot make us ask always.
const REFRESH_AGAIN: Duration = Duration::from_secs(1);

/// Answers until stopped.
///
/// # Errors
/// When the socket breaks, or the lease file cannot be read. A port that cannot be bound is tried
/// again.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 67);
    while host.until(View::is_on).await {
        let (file, leases) = LeaseFile::open(&host.folder("dhcp"))?;
        match Server::bind(&host.config, leases) {
            Ok(server) => {
                backoff.reset();
                serve(host.clone(), server, file).await?;
            }
            Err(error) => {
                tracing::error!(port = host.config.ports.dhcp, %error,
                    "DHCP cannot listen; stop what holds the port, or switch the service off");
                // Either way the loop asks again whether it is still wanted.
                let _ = tokio::time::timeout(backoff.next(), host.stop.cancelled()).await;
            }
        }
    }
    Ok(())
}

/// Serves until the service is switched off or the daemon stops.
async fn serve(mut host: Host<View>, mut server: Server, mut file: LeaseFile) -> Result<(), BoxError> {
    server.refresh();
    server.switch(host.view.borrow_and_update().clone());
    let mut refresh = tokio::time::interval(REFRESH);
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            // The switch first: a request that came after an acknowledged move must not be
            // answered from the view before it.
            biased;
            () = host.stop.cancelled() => return Ok(()),
            changed = host.view.changed() => {
                changed?;
                let view = host.view.borrow_and_update().clone();
                if !view.is_on() {
                    tracing::info!("DHCP is switched off");
                    return Ok(());
                }
                server.switch(view);
            }
            _ = refresh.tick() => server.refresh(),
            received = server.socket.recv(&mut buffer) => {
                server.take_batch(received?, &mut buffer);
                server.act(&mut file).await;
            }
        }
    }
}

struct Server {
    socket: UdpSocket,
    machine: Machine,
    journal: Journal,
    bind: Ipv4Addr,
    refreshed: Option<Moment>,
    actions: Vec<Action>,
}

impl Server {
    fn bind(config: &Config, leases: sn_proto::dhcp::lease::Table) -> io::Result<Self> {
        // A socket that is bound to one address hears no broadcasts, so the wildcard is bound and
        // `config.bind` chooses among the machine's addresses. On loopback there are none to hear,
        // and several service nodes may share it.
        let address = if config.bind.is_loopback() { config.bind } else { Ipv4Addr::UNSPECIFIED };
        let address = SocketAddrV4::new(address, config.ports.dhcp);
        let socket = UdpSocket::bind(&Bind { broadcast: true, ..Bind::new(address) })?;
        let ports = Ports { server: config.ports.dhcp, client: config.ports.dhcp_client };
        tracing::info!(address = %socket.local_addr()?, leases = leases.len(), "DHCP is served");
        Ok(Self {
            socket,
            machine: Machine::new(ports, leases),
            journal: Journal::default(),
            bind: config.bind,
            refreshed: None,
            actions: Vec::new(),
        })
    }

    fn switch(&mut self, view: Arc<View>) {
        self.machine.handle(clock::unix_seconds(), Event::View(view), &mut self.actions);
    }

    fn refresh(&mut self) {
        self.refreshed = Some(clock::now());
        match interfaces::list() {
            Ok(all) => {
                let event = Event::Addresses(addresses(all, self.bind));
                self.machine.handle(clock::unix_seconds(), event, &mut self.actions);
            }
            Err(error) => tracing::warn!(%error, "the machine's addresses could not be read"),
        }
    }

    /// Handles the request in `buffer` and what else is waiting.
    fn take_batch(&mut self, first: Received, buffer: &mut [u8]) {
        self.take(&first, buffer);
        for _ in 1..BATCH {
            match self.socket.try_recv(buffer) {
                Ok(Some(next)) => self.take(&next, buffer),
                // A broken socket shows again in the loop, which reports it.
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn take(&mut self, received: &Received, buffer: &[u8]) {
        let now = clock::now();
        let long_ago = self.refreshed.is_none_or(|last| now.since(last) >= REFRESH_AGAIN);
        if long_ago && !self.machine.knows(received.interface) {
            self.refresh();
        }
        let bytes = buffer.get(..received.len).unwrap_or(buffer);
        let packet = Packet { bytes, to: received.to, interface: received.interface };
        self.machine.handle(clock::unix_seconds(), Event::Packet(packet), &mut self.actions);
    }

    /// Carries out what the machine asked for: first everything that must be on the disk.
    async fn act(&mut self, file: &mut LeaseFile) {
        let mut actions = std::mem::take(&mut self.actions);
        let lines: String = actions.iter().filter_map(line).collect();
        let kept = lines.is_empty() || self.keep(file, lines).await;
        let mut relies_on_lease = false;
        for action in actions.drain(..) {
            match action {
                Action::Keep(_) => relies_on_lease = true,
                Action::Send(_) if relies_on_lease && !kept => relies_on_lease = false,
                Action::Send(one) => {
                    relies_on_lease = false;
                    let sent = self.socket.send(&one.bytes, one.to, Some(one.source), one.interface).await;
                    self.journal.sent(&one, sent);
                }
                Action::Note(note) => {
                    relies_on_lease = false;
                    self.journal.note(&note);
                }
            }
        }
        self.actions = actions;
    }

    async fn keep(&mut self, file: &mut LeaseFile, lines: String) -> bool {
        match file.append(lines, self.machine.leases()).await {
            Ok(()) => true,
            Err(error) => {
                self.journal.disk(&error);
                false
            }
        }
    }
}

fn line(action: &Action) -> Option<String> {
    match action {
        Action::Keep(lease) => Some(lease.line()),
        Action::Send(_) | Action::Note(_) => None,
    }
}

/// The addresses to serve on: all, or the one that the configuration names.
fn addresses(all: Vec<interfaces::LocalAddress>, bind: Ipv4Addr) -> Vec<Address> {
    let choose = |one: interfaces::LocalAddress| {
        let net = if bind.is_unspecified() || one.net.addr() == bind {
            one.net
        } else if one.loopback && one.net.contains(&bind) {
            // All of 127.0.0.0/8 can be bound, though the kernel lists one address of it.
            Net::new(bind, one.net.prefix_len()).ok()?
        } else {
            return None;
        };
        Some(Address { interface: one.interface, index: one.index, net })
    };
    all.into_iter().filter_map(choose).collect()
}

#[cfg(test)]
mod tests;
