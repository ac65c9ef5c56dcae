//! Addresses for strangers: who has which, until when, and how that is written down.
//!
//! A lease is a line of text in a file that only grows, `lease MAC IP EXPIRY CHECK`; the last line
//! of an address counts, and a line whose check does not fit (the end of a write that a power cut
//! tore) is left out. The file is written anew when it has grown to many times its content.
//!
//! Expiry is in seconds of the wall clock, because a lease outlives the program.
//!
//! **Invariants**: an address has one holder and a client one address; the table is never larger
//! than the ranges it serves, and never larger than [`MOST`].

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use common::id::{Digest, MacAddr};

/// The most addresses that are kept track of: a /16. Ranges beyond that are served in part.
pub const MOST: usize = 65_536;
/// How long an offer is kept for the client that it was made to, in seconds.
pub(crate) const OFFER_SECONDS: u64 = 60;
/// How long an address is left alone after a client found another one using it, in seconds.
pub(crate) const QUARANTINE_SECONDS: u64 = 3_600;

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Offered; forgotten by a restart, as the client starts anew then.
    Offered,
    /// Leased.
    Leased,
    /// Given back, or run out: kept for the same client as long as nobody else needs it.
    Free,
    /// In use by something that we know nothing of.
    Declined,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub ip: Ipv4Addr,
    /// Who has it or had it last.
    pub mac: MacAddr,
    /// What became of it.
    pub hold: Hold,
    /// Until when, in seconds since 1970.
    pub until: u64,
}

impl Lease {
    fn is_held(&self, now: u64) -> bool {
        self.hold != Hold::Free && self.until > now
    }

    /// The line for the file.
    pub fn line(&self) -> String {
        let word = match self.hold {
            Hold::Offered | Hold::Leased => "lease",
            Hold::Free => "free",
            Hold::Declined => "declined",
        };
        let mut line = format!("{word} {} {} {}", self.mac, self.ip, self.until);
        let check = Digest::of(line.as_bytes()).short();
        let _ = writeln!(line, " {check}");
        line
    }

    fn read(line: &str) -> Option<Self> {
        let (body, check) = line.rsplit_once(' ')?;
        if Digest::of(body.as_bytes()).short() != check {
            return None;
        }
        let mut words = body.split(' ');
        let hold = match words.next()? {
            "lease" => Hold::Leased,
            "free" => Hold::Free,
            "declined" => Hold::Declined,
            _ => return None,
        };
        let mac = words.next()?.parse().ok()?;
        let ip = words.next()?.parse().ok()?;
        let until = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Self { ip, mac, hold, until })
    }
}

/// All addresses for strangers that have ever been used.
#[derive(Clone, Debug, Default)]
pub struct Table {
    by_ip: BTreeMap<Ipv4Addr, Lease>,
    by_mac: HashMap<MacAddr, Ipv4Addr>,
}

impl Table {
    /// Reads the file; says too how many lines were left out: damaged, or more than [`MOST`].
    pub fn read(text: &str) -> (Self, usize) {
        let (mut table, mut damaged) = (Self::default(), 0);
        for line in text.lines().filter(|line| !line.is_empty()) {
            match Lease::read(line) {
                Some(lease) if table.len() < MOST || table.by_ip.contains_key(&lease.ip) => table.put(lease),
                _ => damaged += 1,
            }
        }
        (table, damaged)
    }

    /// The file that holds the table as it is and nothing else.
    pub fn text(&self) -> String {
        self.by_ip.values().filter(|lease| lease.hold != Hold::Offered).map(Lease::line).collect()
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.by_ip.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_ip.is_empty()
    }

    /// All leases in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.by_ip.values()
    }

    /// What a client has or had.
    pub(crate) fn of(&self, mac: MacAddr) -> Option<&Lease> {
        self.by_mac.get(&mac).and_then(|ip| self.by_ip.get(ip))
    }

    /// Whether a client may have an address: nobody else holds it, and there is room to note it.
    pub(crate) fn may_have(&self, mac: MacAddr, ip: Ipv4Addr, now: u64) -> bool {
        match self.by_ip.get(&ip) {
            Some(lease) if lease.hold == Hold::Declined => lease.until <= now,
            Some(lease) => lease.mac == mac || !lease.is_held(now),
            None => self.by_ip.len() < MOST,
        }
    }

    /// The address to offer: the client's own, else the one it asks for, else one never used, else
    /// the one that has been free for longest. `usable` says which addresses there are.
    pub(crate) fn choose(
        &self,
        mac: MacAddr,
        wish: Option<Ipv4Addr>,
        ranges: &[(Ipv4Addr, Ipv4Addr)],
        now: u64,
        usable: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Ipv4Addr> {
        let free = |ip: &Ipv4Addr| usable(*ip) && self.may_have(mac, *ip, now);
        let own = self.of(mac).map(|lease| lease.ip);
        if let Some(ip) = own.filter(free).or_else(|| wish.filter(free)) {
            return Some(ip);
        }
        // From a place that depends on the client: found quickly in a large range, and the same
        // again if the file was lost.
        let size = size_of(ranges).min(MOST as u64);
        let [.., high, low] = mac.bytes();
        let start = u64::from(u16::from_be_bytes([high, low]));
        let mut unused = (0..size).filter_map(|step| nth(ranges, (start + step) % size));
        if let Some(ip) = unused.find(|ip| !self.by_ip.contains_key(ip) && free(ip)) {
            return Some(ip);
        }
        let in_range = |ip: Ipv4Addr| ranges.iter().any(|(first, last)| (*first..=*last).contains(&ip));
        let known = self.by_ip.values().filter(|lease| in_range(lease.ip) && free(&lease.ip));
        known.min_by_key(|lease| lease.until).map(|lease| lease.ip)
    }

    /// Notes what became of an address. The client's other address, if it had one, is free.
    pub(crate) fn put(&mut self, lease: Lease) {
        if let Some(old) = self.by_ip.insert(lease.ip, lease)
            && self.by_mac.get(&old.mac) == Some(&old.ip)
        {
            self.by_mac.remove(&old.mac);
        }
        match lease.hold {
            Hold::Declined => return,
            // What a client left does not take the place of what it has.
            Hold::Free => {
                self.by_mac.entry(lease.mac).or_insert(lease.ip);
                return;
            }
            Hold::Offered | Hold::Leased => {}
        }
        if let Some(other) = self.by_mac.insert(lease.mac, lease.ip).filter(|other| *other != lease.ip)
            && let Some(left) = self.by_ip.get_mut(&other)
        {
            left.hold = Hold::Free;
        }
    }
}

/// How many addresses the ranges hold.
fn size_of(ranges: &[(Ipv4Addr, Ipv4Addr)]) -> u64 {
    ranges.iter().map(|range| u64::from(width(range))).sum()
}

/// The address at this place in the ranges.
fn nth(ranges: &[(Ipv4Addr, Ipv4Addr)], mut place: u64) -> Option<Ipv4Addr> {
    for range in ranges {
        let width = width(range);
        match u32::try_from(place) {
            Ok(step) if step < width => return Some(Ipv4Addr::from(u32::from(range.0) + step)),
            _ => place -= u64::from(width),
        }
    }
    None
}

/// Zero when the ends are the wrong way round.
fn width((first, last): &(Ipv4Addr, Ipv4Addr)) -> u32 {
    u32::from(*last).checked_sub(u32::from(*first)).map_or(0, |width| width.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr::new([2, 0, 0, 0, 0, last])
    }

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn lease(who: u8, what: u8, hold: Hold, until: u64) -> Lease {
        Lease { ip: ip(what), mac: mac(who), hold, until }
    }

    fn choose(table: &Table, who: u8, wish: Option<u8>, now: u64) -> Option<Ipv4Addr> {
        table.choose(mac(who), wish.map(ip), &[(ip(1), ip(3))], now, |ip| ip != Ipv4Addr::new(10, 0, 0, 2))
    }

    #[test]
    fn a_client_keeps_its_address_until_somebody_needs_it() {
        let mut table = Table::default();
        table.put(lease(1, 3, Hold::Leased, 100));
        assert_eq!(choose(&table, 1, Some(1), 500), Some(ip(3)));
        assert_eq!(choose(&table, 2, Some(3), 50), Some(ip(1)), "not what another one has");
        table.put(lease(2, 1, Hold::Leased, 400));
        assert_eq!(choose(&table, 3, None, 50), None);
        assert_eq!(choose(&table, 3, None, 200), Some(ip(3)));
    }

    #[test]
    fn a_declined_address_is_left_alone_for_a_while() {
        let mut table = Table::default();
        table.put(lease(1, 1, Hold::Declined, 100));
        assert_eq!(choose(&table, 1, Some(1), 50), Some(ip(3)));
        assert!(table.may_have(mac(1), ip(1), 100));
    }

    #[test]
    fn a_torn_line_is_left_out() {
        let text = lease(1, 1, Hold::Leased, 9).line() + &lease(2, 3, Hold::Leased, 9).line();
        let (table, damaged) = Table::read(&text[..text.len() - 3]);
        assert_eq!((table.len(), damaged), (1, 1));
        assert_eq!(table.of(mac(1)), Some(&lease(1, 1, Hold::Leased, 9)));
    }

    proptest! {
        #[test]
        fn nobody_shares_an_address(steps in prop::collection::vec((0u8..6, 0u8..9, 0u8..4, 0u64..9), 0..60)) {
            let mut table = Table::default();
            for (who, what, hold, until) in steps {
                let hold = [Hold::Offered, Hold::Leased, Hold::Free, Hold::Declined][usize::from(hold)];
                table.put(lease(who, what, hold, until));
                for one in table.iter().filter(|one| matches!(one.hold, Hold::Offered | Hold::Leased)) {
                    prop_assert_eq!(table.of(one.mac), Some(one));
                }
            }
            let (again, damaged) = Table::read(&table.text());
            prop_assert_eq!((again.text(), damaged), (table.text(), 0));
        }

        #[test]
        fn any_file_is_read(text in "(\\PC|\n){0,80}") {
            let _ = Table::read(&text);
        }
    }
}
