//! Lines that come before their node is in the slice: kept for a moment, in case it comes.
//!
//! A node that was just defined may speak before the slice with it has arrived here. Few such lines
//! are kept and not for long: whoever sends from an address of no node must not fill the memory.
//!
//! **Invariant**: at most [`LINES`] lines of at most [`BYTES`] together, [`PER_SENDER`] of a sender,
//! none older than [`GRACE`].

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

/// How long a line waits. A slice takes well under a second to arrive; a busy management node some.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How many lines wait, and of how many bytes together.
const LINES: usize = 1024;
const BYTES: usize = 256 << 10;
/// How many lines of one sender: the first words of a boot.
const PER_SENDER: usize = 64;

/// A line of a sender that is no node yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Early {
    pub(super) sender: Ipv4Addr,
    pub(super) received: SystemTime,
    pub(super) line: Vec<u8>,
}

/// The lines that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lines: VecDeque<Early>,
    bytes: usize,
}

impl Waiting {
    /// Keeps a line where there is room for it; says whether.
    pub(super) fn keep(&mut self, early: Early) -> bool {
        let of_sender = self.lines.iter().filter(|known| known.sender == early.sender).count();
        let fits = self.lines.len() < LINES && self.bytes + early.line.len() <= BYTES;
        if !fits || of_sender >= PER_SENDER {
            return false;
        }
        self.bytes += early.line.len();
        self.lines.push_back(early);
        true
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes out the lines of whoever is a node by now, and drops those that have waited too long;
    /// gives both.
    pub(super) fn sort(
        &mut self,
        now: SystemTime,
        is_node: impl Fn(Ipv4Addr) -> bool,
    ) -> (Vec<Early>, Vec<Early>) {
        let (mut nodes, mut gone) = (Vec::new(), Vec::new());
        for early in std::mem::take(&mut self.lines) {
            // A clock that was set back makes it younger; it is not kept for ever, since the next
            // look at it comes with the clock going on.
            let age = now.duration_since(early.received).unwrap_or_default();
            if is_node(early.sender) {
                nodes.push(early);
            } else if age >= GRACE {
                gone.push(early);
            } else {
                self.lines.push_back(early);
            }
        }
        self.bytes = self.lines.iter().map(|early| early.line.len()).sum();
        (nodes, gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(sender: u8, seconds: u64, length: usize) -> Early {
        let received = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Early { sender: [10, 0, 0, sender].into(), received, line: vec![b'x'; length] }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn lines_wait_for_their_node_and_not_for_ever() {
        let mut waiting = Waiting::default();
        for line in [early(1, 0, 5), early(2, 0, 5), early(1, 8, 5)] {
            assert!(waiting.keep(line));
        }
        let second = |ip: Ipv4Addr| ip.octets()[3] == 2;
        assert_eq!(waiting.sort(at(9), second), (vec![early(2, 0, 5)], vec![]));
        assert_eq!(waiting.sort(at(10), second), (vec![], vec![early(1, 0, 5)]));
        assert_eq!(waiting.sort(at(12), |_| true), (vec![early(1, 8, 5)], vec![]));
        assert!(waiting.is_empty());
    }

    #[test]
    fn nobody_can_fill_the_memory() {
        let mut waiting = Waiting::default();
        let kept = (0..1000).filter(|_| waiting.keep(early(1, 0, 10))).count();
        assert_eq!(kept, PER_SENDER);
        assert!(waiting.keep(early(2, 0, 8192)));
        let kept = (3..=255)
            .flat_map(|sender| [sender; 3])
            .filter(|sender| waiting.keep(early(*sender, 0, 8192)))
            .count();
        assert!(kept < BYTES / 8192 && waiting.bytes <= BYTES, "{kept}");
        assert!(!waiting.keep(early(200, 0, BYTES)));
    }
}
