use proptest::prelude::*;

use super::*;

/// A transfer with blocks of 512 bytes, and what it does first.
fn start(window: u16, size: u64, agreeing: bool) -> (Transfer, Vec<Action>) {
    let mut actions = Vec::new();
    let terms = Terms { window, ..Terms::default() };
    let transfer = Transfer::start(terms, size, agreeing, Moment::START, &mut actions);
    (transfer, actions)
}

/// What an event makes it do, the waking left out.
fn after(transfer: &mut Transfer, event: Event<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    transfer.handle(Moment::START, event, &mut actions);
    actions.retain(|action| !matches!(action, Action::WakeAt(_)));
    actions
}

fn ack(transfer: &mut Transfer, block: u16) -> Vec<Action> {
    after(transfer, Event::Packet(Packet::Ack(block)))
}

fn blocks(first: u64, count: u16) -> Vec<Action> {
    vec![Action::SendBlocks { first, count }]
}

const DONE: [Action; 1] = [Action::Finish(Outcome::Done)];

#[test]
fn a_file_is_sent_block_by_block_and_ends_with_a_short_one() {
    let (mut transfer, first) = start(1, 1024, false);
    assert_eq!(first[0], Action::SendBlocks { first: 1, count: 1 });
    assert_eq!(ack(&mut transfer, 1), blocks(2, 1));
    // 1024 is a multiple of 512, so an empty block says that this is all.
    assert_eq!(ack(&mut transfer, 2), blocks(3, 1));
    assert_eq!(ack(&mut transfer, 3), DONE);
}

#[test]
fn options_are_accepted_before_data_flows() {
    let (mut transfer, first) = start(4, 100, true);
    assert_eq!(first[0], Action::SendTerms);
    assert_eq!(ack(&mut transfer, 1), []);
    assert_eq!(ack(&mut transfer, 0), blocks(1, 1));
    assert_eq!(ack(&mut transfer, 1), DONE);
}

#[test]
fn an_acknowledgement_that_comes_twice_sends_nothing_twice() {
    let (mut transfer, _) = start(1, 5000, false);
    assert_eq!(ack(&mut transfer, 1), blocks(2, 1));
    assert_eq!(ack(&mut transfer, 1), []);
    assert_eq!(ack(&mut transfer, 0), []);
    assert_eq!(ack(&mut transfer, 9), []);
    assert_eq!(after(&mut transfer, Event::Timeout), blocks(2, 1));
}

#[test]
fn a_window_goes_on_behind_what_arrived() {
    let (mut transfer, first) = start(4, 9 * 512, false);
    assert_eq!(first[0], Action::SendBlocks { first: 1, count: 4 });
    assert_eq!(ack(&mut transfer, 2), blocks(3, 4));
    // The window's first block was lost: said once, heard once.
    assert_eq!(ack(&mut transfer, 2), blocks(3, 4));
    assert_eq!(ack(&mut transfer, 2), []);
    assert_eq!(ack(&mut transfer, 6), blocks(7, 4));
    assert_eq!(ack(&mut transfer, 10), DONE);
}

#[test]
fn a_silent_client_is_given_up_and_waited_for_longer_each_time() {
    let (mut transfer, mut actions) = start(1, 1, false);
    let mut waits = Vec::new();
    for _ in 0..TRIES {
        waits.extend(actions.iter().filter_map(|action| match action {
            Action::WakeAt(moment) => Some(moment.since(Moment::START).as_secs()),
            _ => None,
        }));
        actions.clear();
        transfer.handle(Moment::START, Event::Timeout, &mut actions);
    }
    assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
    assert_eq!(actions, [Action::Finish(Outcome::Silent)]);
}

#[test]
fn a_client_that_only_wanted_the_size_may_leave() {
    let (mut transfer, _) = start(4, 100, true);
    let event = Event::Packet(Packet::Error { code: 8, text: b"User aborted the transfer" });
    assert_eq!(after(&mut transfer, event), [Action::Finish(Outcome::Aborted(8))]);
}

/// A reader after RFC 7440: takes blocks in order, acknowledges a full window, the end, and the
/// last good block when one is missing.
struct Reader {
    window: u64,
    last: u64,
    have: u64,
    unacknowledged: u64,
    complained: bool,
}

impl Reader {
    fn take(&mut self, block: u64) -> Option<u16> {
        #[expect(clippy::cast_possible_truncation, reason = "as on the wire")]
        let number = |block: u64| block as u16;
        if number(block) != number(self.have + 1) {
            let complain = !std::mem::replace(&mut self.complained, true);
            self.unacknowledged = 0;
            return complain.then(|| number(self.have));
        }
        self.have += 1;
        self.complained = false;
        self.unacknowledged += 1;
        let due = self.unacknowledged == self.window || self.have == self.last;
        if due {
            self.unacknowledged = 0;
        }
        due.then(|| number(self.have))
    }
}

/// Runs a transfer over a network that loses what `lost` says; true when the reader has it all.
fn arrives(window: u16, size: u64, mut lost: impl FnMut() -> bool) -> bool {
    let (mut transfer, mut actions) = start(window, size, false);
    let last = size / 512 + 1;
    let mut reader =
        Reader { window: u64::from(window), last, have: 0, unacknowledged: 0, complained: false };
    loop {
        let mut acks = std::collections::VecDeque::new();
        for action in actions.drain(..) {
            match action {
                Action::SendBlocks { first, count } => {
                    assert!(count <= window && first + u64::from(count) <= last + 1);
                    for block in first..first + u64::from(count) {
                        if !lost() {
                            acks.extend(reader.take(block).filter(|_| !lost()));
                        }
                    }
                }
                Action::Finish(Outcome::Done) => return reader.have == last,
                Action::Finish(_) => return false,
                Action::SendTerms | Action::WakeAt(_) => {}
            }
        }
        if acks.is_empty() {
            // Both sides lose patience; a reader repeats its last word then.
            reader.complained = false;
            reader.unacknowledged = 0;
            transfer.handle(Moment::START, Event::Timeout, &mut actions);
        }
        for block in acks {
            transfer.handle(Moment::START, Event::Packet(Packet::Ack(block)), &mut actions);
        }
    }
}

#[test]
fn a_file_of_more_than_65535_blocks_arrives() {
    for window in [1, 16] {
        assert!(arrives(window, 512 * 140_000 + 7, || false), "window {window}");
    }
}

proptest! {
    #[test]
    fn every_file_arrives_over_a_network_that_loses(window in 1u16..20, size in 0u64..60_000, seed: u32) {
        // One packet in nine on the average is lost, never six in a row of one kind by chance:
        // after TRIES losses a client counts as gone, and rightly.
        let mut state = seed | 1;
        let mut in_row = 0;
        let arrived = arrives(window, size, || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let lost = state % 9 == 0 && in_row < 2;
            in_row = if lost { in_row + 1 } else { 0 };
            lost
        });
        prop_assert!(arrived);
    }

    #[test]
    fn nothing_beyond_a_window_is_ever_sent(
        window in 1u16..9, size in 0u64..20_000, acks in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let (mut transfer, _) = start(window, size, false);
        let last = size / 512 + 1;
        for block in acks {
            for action in ack(&mut transfer, block % 45) {
                match action {
                    Action::SendBlocks { first, count } => {
                        prop_assert!(first == transfer.acknowledged + 1 && count <= window);
                        prop_assert!(first + u64::from(count) <= last + 1);
                    }
                    Action::Finish(outcome) => {
                        prop_assert_eq!((outcome, transfer.acknowledged), (Outcome::Done, last));
                        return Ok(());
                    }
                    Action::SendTerms | Action::WakeAt(_) => {}
                }
            }
        }
    }
}
