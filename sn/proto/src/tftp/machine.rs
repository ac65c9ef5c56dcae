//! One read transfer: which blocks are sent when, and when it is over.
//!
//! It holds no data: it names blocks, and whoever carries out its actions reads them where they
//! are. [`Transfer::start`] comes first, then [`Transfer::handle`] for each event until
//! [`Action::Finish`], after which there is nothing to call.
//!
//! A repeated acknowledgement makes nothing be sent twice (the *sorcerer's apprentice* of RFC 1123
//! §4.2.3.1), with one exception: inside a window it is a reader's way to say that the window's
//! first block was lost (RFC 7440 §4), so it counts once until there is progress.
//!
//! **Invariants**: never more than a window beyond what was acknowledged; a silent client is given
//! up after [`TRIES`] tries.

use std::time::Duration;

use common::id::Moment;

use super::options::Terms;
use super::wire::Packet;

/// How often the same is sent before a silent client is given up.
pub const TRIES: u32 = 6;
/// The longest wait for a client's word, unless it asked for a longer one.
const MOST_PATIENCE: Duration = Duration::from_secs(8);

/// Something happened to a transfer.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Its client sent a packet.
    Packet(Packet<'a>),
    /// The moment of the last [`Action::WakeAt`] has come.
    Timeout,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the packet that accepts the options.
    SendTerms,
    /// Send these blocks; the first one of a file is 1.
    SendBlocks {
        /// The first.
        first: u64,
        /// How many.
        count: u16,
    },
    /// Come back with [`Event::Timeout`] then, unless there is a later one of these.
    WakeAt(Moment),
    /// It is over.
    Finish(Outcome),
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has the whole file.
    Done,
    /// The client gave up, with this error. Firmware does that when it only wanted the size.
    Aborted(u16),
    /// The client sent a packet that has no place here: tell it so.
    Illegal,
    /// The client says nothing any more.
    Silent,
}

/// A read transfer.
#[derive(Clone, Debug)]
pub struct Transfer {
    terms: Terms,
    /// The number of the last block, which is shorter than the others.
    last: u64,
    /// All blocks up to this one have arrived.
    acknowledged: u64,
    /// All blocks up to this one have been sent.
    sent: u64,
    /// Whether the client has still to accept the terms.
    agreeing: bool,
    /// Whether a repeated acknowledgement has been answered since the last progress.
    repeated: bool,
    tries: u32,
}

impl Transfer {
    /// A transfer of `size` bytes. `agreeing`: the client asked for options, which are told first.
    pub fn start(terms: Terms, size: u64, agreeing: bool, now: Moment, actions: &mut Vec<Action>) -> Self {
        let last = size / u64::from(terms.block.max(1)) + 1;
        let mut transfer =
            Self { terms, last, acknowledged: 0, sent: 0, agreeing, repeated: false, tries: 0 };
        transfer.send(now, actions);
        transfer
    }

    /// Takes an event and appends what to do.
    pub fn handle(&mut self, now: Moment, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Packet(Packet::Ack(block)) => self.acknowledge(block, now, actions),
            Event::Packet(Packet::Error { code, .. }) => actions.push(Action::Finish(Outcome::Aborted(code))),
            // The request once more: its answer is under way.
            Event::Packet(Packet::Read(_)) => {}
            Event::Packet(Packet::Write) => actions.push(Action::Finish(Outcome::Illegal)),
            Event::Timeout => {
                self.tries += 1;
                if self.tries >= TRIES {
                    actions.push(Action::Finish(Outcome::Silent));
                } else {
                    self.send(now, actions);
                }
            }
        }
    }

    fn acknowledge(&mut self, block: u16, now: Moment, actions: &mut Vec<Action>) {
        if self.agreeing {
            if block == 0 {
                self.agreeing = false;
                self.progress(0, now, actions);
            }
            return;
        }
        // How far behind the last acknowledged block, on a circle of 65,536.
        let [.., high, low] = self.acknowledged.to_be_bytes();
        let ahead = u64::from(block.wrapping_sub(u16::from_be_bytes([high, low])));
        if ahead == 0 {
            let lost = self.terms.window > 1 && self.sent > self.acknowledged && !self.repeated;
            if lost {
                self.repeated = true;
                self.send(now, actions);
            }
        } else if ahead <= self.sent - self.acknowledged {
            self.progress(ahead, now, actions);
        }
    }

    fn progress(&mut self, blocks: u64, now: Moment, actions: &mut Vec<Action>) {
        self.acknowledged += blocks;
        self.tries = 0;
        self.repeated = false;
        if self.acknowledged == self.last {
            actions.push(Action::Finish(Outcome::Done));
        } else {
            self.send(now, actions);
        }
    }

    /// The terms, or the window behind what was acknowledged.
    fn send(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.agreeing {
            actions.push(Action::SendTerms);
        } else {
            let count = u64::from(self.terms.window).min(self.last - self.acknowledged);
            let count = u16::try_from(count).unwrap_or(self.terms.window);
            self.sent = self.acknowledged + u64::from(count);
            actions.push(Action::SendBlocks { first: self.acknowledged + 1, count });
        }
        actions.push(Action::WakeAt(now + self.patience()));
    }

    fn patience(&self) -> Duration {
        if self.terms.fixed {
            return self.terms.patience;
        }
        (self.terms.patience * 2u32.pow(self.tries.min(TRIES))).min(MOST_PATIENCE)
    }
}

#[cfg(test)]
mod tests;
