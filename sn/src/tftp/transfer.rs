//! One transfer: the loop around [`sn_proto::tftp::machine::Transfer`].

use std::net::{SocketAddr, SocketAddrV4};

use common::id::Moment;
use runtime::clock;
use sn_proto::tftp::machine::{Action, Event, Outcome, Transfer};
use sn_proto::tftp::options::agree;
use sn_proto::tftp::wire::{Code, Packet, data_header, error};
use tokio::net::UdpSocket as Port;

use super::source::{Source, SourceError};

/// Longer than any packet of a reader.
const LARGEST: usize = 2048;

/// How a transfer ended, for the log.
#[derive(Debug)]
pub(super) enum End {
    /// As the machine says.
    Outcome(#[expect(dead_code, reason = "read by Debug, for the log")] Outcome),
    /// The file could not be read on.
    Source(#[expect(dead_code, reason = "read by Debug, for the log")] SourceError),
}

/// Sends the source to the client. Ends in any case: a silent client is given up.
pub(super) async fn run(
    port: &Port,
    client: SocketAddrV4,
    source: Source,
    options: &[(Vec<u8>, Vec<u8>)],
) -> End {
    let asked: Vec<_> = options.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    let (terms, accepted) = agree(&asked, source.size());
    let mut actions = Vec::new();
    let size = source.size();
    let machine = Transfer::start(terms, size, accepted.is_some(), clock::now(), &mut actions);
    let mut sender = Sender {
        port,
        client,
        source,
        block: usize::from(terms.block),
        accepted: accepted.unwrap_or_default(),
        packet: Vec::with_capacity(usize::from(terms.block) + 4),
    };
    sender.drive(machine, actions).await
}

struct Sender<'a> {
    port: &'a Port,
    client: SocketAddrV4,
    source: Source,
    /// The bytes of a block.
    block: usize,
    /// The packet that accepts the options.
    accepted: Vec<u8>,
    /// Room for one packet.
    packet: Vec<u8>,
}

impl Sender<'_> {
    async fn drive(&mut self, mut machine: Transfer, mut actions: Vec<Action>) -> End {
        let mut buffer = [0; LARGEST];
        let mut wake = clock::now();
        loop {
            for action in actions.drain(..) {
                match action {
                    Action::SendTerms => send(self.port, &self.accepted, self.client).await,
                    Action::SendBlocks { first, count } => {
                        if let Err(cause) = self.send_blocks(first, count).await {
                            let text = cause.for_client();
                            send(self.port, &error(Code::Undefined, &text), self.client).await;
                            return End::Source(cause);
                        }
                    }
                    Action::WakeAt(moment) => wake = moment,
                    Action::Finish(outcome) => {
                        if outcome == Outcome::Illegal {
                            let text = error(Code::Illegal, "this is a transfer to you");
                            send(self.port, &text, self.client).await;
                        }
                        return End::Outcome(outcome);
                    }
                }
            }
            let event = match self.next(&mut buffer, wake).await {
                None => Event::Timeout,
                Some(len) => match Packet::decode(buffer.get(..len).unwrap_or_default()) {
                    Ok(packet) => Event::Packet(packet),
                    Err(_) => continue,
                },
            };
            machine.handle(clock::now(), event, &mut actions);
        }
    }

    async fn send_blocks(&mut self, first: u64, count: u16) -> Result<(), SourceError> {
        for block in first..first + u64::from(count) {
            let offset = (block - 1) * self.block as u64;
            let bytes = self.source.read(offset, self.block).await?;
            self.packet.clear();
            self.packet.extend_from_slice(&data_header(block));
            self.packet.extend_from_slice(bytes);
            send(self.port, &self.packet, self.client).await;
        }
        Ok(())
    }

    /// The length of the client's next packet; none at the time-out. Packets from elsewhere are
    /// turned away.
    async fn next(&self, buffer: &mut [u8; LARGEST], wake: Moment) -> Option<usize> {
        loop {
            let patience = wake.since(clock::now());
            let received = tokio::time::timeout(patience, self.port.recv_from(buffer)).await.ok()?;
            match received {
                Ok((len, SocketAddr::V4(from))) if from == self.client => return Some(len),
                Ok((_, SocketAddr::V4(from))) => {
                    let text = error(Code::UnknownTransfer, "this port is another client's");
                    send(self.port, &text, from).await;
                }
                // What a socket without a peer reports here is about an earlier packet; the
                // time-out takes care of that.
                Ok((_, SocketAddr::V6(_))) | Err(_) => {}
            }
        }
    }
}

/// A packet that cannot be sent is like one that is lost: it is sent again in time.
async fn send(port: &Port, packet: &[u8], to: SocketAddrV4) {
    if let Err(error) = port.send_to(packet, to).await {
        tracing::debug!(%to, %error, "packet could not be sent");
    }
}
