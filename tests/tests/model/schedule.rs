//! What befalls a simulated cluster: faults and operators' commands, at random times.

use std::time::Duration;

use common::id::SnName;

use super::net::{Dice, Party, Side};

/// One fault or command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A party ends in the middle of what it does, and starts again after a while.
    Crash { party: Party, back: Duration },
    /// The same, this many steps from now.
    Trip { party: Party, steps: u64 },
    /// A party starts.
    Start(Party),
    /// A cable is cut, and mended after a while.
    Cut { sn: u8, side: Side, mended: Duration },
    /// A cable is mended.
    Mend { sn: u8, side: Side },
    /// The next slice cannot be written to this disk.
    DiskFull(u8),
    /// `snmove`.
    Move(Move),
    /// `chdef` of something that every service node of the pool is told.
    Change { node: u8, netboot: &'static str },
    /// A command that is refused.
    Nonsense,
    /// The management node takes this service node as off; see `check`.
    Fence { sn: u8, target: SnName, by_operator: bool },
}

/// The arguments of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Everything that one service node owns.
    From(u8, u8),
    /// One node.
    Node(u8, u8),
    /// One node, and the operator has switched its owner off.
    Forced(u8, u8),
}

/// The size of a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) service_nodes: u8,
    pub(crate) nodes: u8,
}

/// A schedule of this many acts in half as many seconds.
pub(crate) fn random(dice: &mut Dice, size: Size, acts: u64) -> Vec<(Duration, Act)> {
    let span = Duration::from_millis(acts * 500);
    let mut schedule: Vec<(Duration, Act)> = (0..acts)
        .map(|_| (dice.between(Duration::from_secs(3), Duration::from_secs(3) + span), act(dice, size)))
        .collect();
    schedule.sort_by_key(|(at, _)| *at);
    schedule
}

fn act(dice: &mut Dice, size: Size) -> Act {
    let short = |dice: &mut Dice| dice.between(Duration::from_millis(20), Duration::from_secs(4));
    let sn = dice.one_of(size.service_nodes);
    let node = dice.one_of(size.nodes);
    match dice.below(100) {
        0..30 => Act::Move(Move::Node(node, sn)),
        30..38 => Act::Move(Move::From(dice.one_of(size.service_nodes), sn)),
        38..42 => Act::Move(Move::Forced(node, sn)),
        42..50 => Act::Change { node, netboot: ["xnba", "pxe", "grub2"][usize::from(dice.one_of(3)) - 1] },
        50..52 => Act::Nonsense,
        52..58 => Act::Crash { party: Party::Mn, back: short(dice) },
        58..64 => Act::Trip { party: Party::Mn, steps: dice.below(60) + 1 },
        64..71 => Act::Crash { party: Party::Sn(sn), back: short(dice) },
        71..78 => Act::Trip { party: Party::Sn(sn), steps: dice.below(40) + 1 },
        78..80 => Act::Crash { party: Party::Agent(node), back: short(dice) },
        80..82 => Act::Trip { party: Party::Agent(node), steps: dice.below(20) + 1 },
        82..90 => Act::Cut { sn, side: Side::Mn, mended: short(dice) * 3 },
        90..97 => Act::Cut { sn, side: Side::Rack, mended: short(dice) * 2 },
        _ => Act::DiskFull(sn),
    }
}
