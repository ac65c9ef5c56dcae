//! A request in, a reply out (RFC 5905 §7.3, §9.2).

use std::net::Ipv4Addr;

use super::clock::{Clock, Timestamp};
use super::view::View;

/// The length of a message without extensions, and of every reply.
pub const LEN: usize = 48;

const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// How exactly the clock is read, as a power of two of seconds: a microsecond, a system call
/// included.
const PRECISION: i8 = -20;

/// A reply that lacks only the moment at which it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer([u8; LEN]);

impl Answer {
    /// The bytes to send; call it last of all.
    pub fn sent_at(mut self, now: Timestamp) -> [u8; LEN] {
        if let Some(transmit) = self.0.last_chunk_mut() {
            *transmit = now.bytes();
        }
        self.0
    }
}

/// Answers a request of a client of ours in version 3 or 4; none to anything else. An extension or
/// a MAC behind the request is ignored.
pub fn answer(
    view: &View,
    packet: &[u8],
    client: Ipv4Addr,
    clock: &Clock,
    received: Timestamp,
) -> Option<Answer> {
    let request: &[u8; LEN] = packet.first_chunk()?;
    let [first, _, poll, ..] = *request;
    let (version, mode) = (first >> 3 & 7, first & 7);
    if mode != CLIENT || !matches!(version, 3 | 4) || !view.serves(client) {
        return None;
    }
    let origin: &[u8; 8] = request.last_chunk()?;
    let mut reply = [0; LEN];
    let fields: [&[u8]; 8] = [
        &[(clock.leap as u8) << 6 | version << 3 | SERVER, clock.stratum, poll, PRECISION.to_be_bytes()[0]],
        // The root delay; see `Clock::from_kernel`.
        &[0; 4],
        &clock.dispersion.to_be_bytes(),
        &clock.reference,
        &Clock::set_at(received).bytes(),
        origin,
        &received.bytes(),
        &[0; 8],
    ];
    reply.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    Some(Answer(reply))
}

#[cfg(test)]
mod tests {
    use common::slice::{Entry, Network, Services, Slice};
    use proptest::prelude::*;

    use super::*;
    use crate::ntp::{KernelClock, Leap};

    const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn view(on: bool) -> View {
        let mut slice = Slice::new();
        let services = Services {
            sn: "sn1".parse().unwrap(),
            dhcp: false,
            tftp: false,
            http: false,
            dns: false,
            ntp: on,
            syslog: false,
            nfs: false,
            dhcp_interfaces: Vec::new(),
        };
        slice.put(Entry::Services(services)).unwrap();
        let network = Network {
            name: "lan".parse().unwrap(),
            net: "10.0.0.0/24".parse().unwrap(),
            gateway: None,
            server: None,
            dynamic: Vec::new(),
            nameservers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: String::new(),
            mtu: None,
        };
        slice.put(Entry::Network(network)).unwrap();
        View::build(&slice).unwrap()
    }

    fn clock() -> Clock {
        Clock::from_kernel(KernelClock { synchronised: true, leap: Leap::Insert, max_error_us: 2_000_000 })
    }

    /// A request whose first byte is `first` and whose transmit time is eight times 7.
    fn request(first: u8) -> Vec<u8> {
        let mut bytes = vec![0; LEN];
        bytes[0] = first;
        bytes[2] = 6;
        bytes[40..].fill(7);
        bytes
    }

    fn ask(packet: &[u8], client: Ipv4Addr) -> Option<[u8; LEN]> {
        let received = Timestamp::from_unix(1_000_000_000, 0);
        let answer = answer(&view(true), packet, client, &clock(), received)?;
        Some(answer.sent_at(Timestamp::from_unix(1_000_000_001, 0)))
    }

    #[test]
    fn a_client_gets_the_four_times_and_the_claims() {
        for (version, first) in [(3, 0x1b), (4, 0x23)] {
            let got = ask(&request(first), NODE).unwrap();
            assert_eq!(got[0], 1 << 6 | version << 3 | 4);
            assert_eq!((got[1], got[2], got[3]), (3, 6, 0xec));
            assert_eq!(got[4..8], [0; 4]);
            assert_eq!(got[8..12], [0, 2, 0, 0]);
            assert_eq!(got[24..32], [7; 8], "the client's own time comes back");
            assert_eq!(got[32..40], Timestamp::from_unix(1_000_000_000, 0).bytes());
            assert_eq!(got[40..48], Timestamp::from_unix(1_000_000_001, 0).bytes());
            assert!(got[16..24] <= got[32..40]);
        }
    }

    #[test]
    fn only_client_requests_of_version_3_and_4_are_answered() {
        for first in 0..=255 {
            let wanted = matches!(first >> 3 & 7, 3 | 4) && first & 7 == 3;
            assert_eq!(ask(&request(first), NODE).is_some(), wanted, "{first:#x}");
        }
        assert!(ask(&request(0x23)[..47], NODE).is_none());
    }

    #[test]
    fn strangers_get_nothing_and_nobody_does_when_it_is_off() {
        assert!(ask(&request(0x23), Ipv4Addr::new(203, 0, 113, 5)).is_none());
        assert!(ask(&request(0x23), Ipv4Addr::LOCALHOST).is_some());
        let off = answer(&view(false), &request(0x23), NODE, &clock(), Timestamp::default());
        assert_eq!(off, None);
    }

    proptest! {
        #[test]
        fn no_packet_panics_and_no_reply_is_longer(mut packet in prop::collection::vec(any::<u8>(), 0..120), client: bool) {
            if client && let Some(first) = packet.first_mut() {
                *first = 0x23;
            }
            if let Some(reply) = ask(&packet, NODE) {
                prop_assert!(reply.len() <= packet.len());
                prop_assert_eq!(&reply[24..32], &packet[40..48]);
            }
        }
    }
}
