//! Any packets and time-outs; blocks that are not in the file are never sent.
#![no_main]

use std::time::Duration;

use common::id::Moment;
use libfuzzer_sys::fuzz_target;
use sn_proto::tftp::machine::{Action, Event, Transfer};
use sn_proto::tftp::options::Terms;
use sn_proto::tftp::wire::Packet;

fuzz_target!(|input: (u16, u16, u32, bool, Vec<Option<&[u8]>>)| {
    let (block, window, size, agreeing, events) = input;
    let terms = Terms { block: block.max(8), window: window.max(1), ..Terms::default() };
    let (mut actions, mut now) = (Vec::new(), Moment::START);
    let mut transfer = Transfer::start(terms, size.into(), agreeing, now, &mut actions);
    let last = u64::from(size) / u64::from(terms.block) + 1;
    for event in events {
        now = Moment::after_start(now.since_start() + Duration::from_millis(100));
        let event = match event.map(Packet::decode) {
            None => Event::Timeout,
            Some(Ok(packet)) => Event::Packet(packet),
            Some(Err(_)) => continue,
        };
        transfer.handle(now, event, &mut actions);
        for action in actions.drain(..) {
            match action {
                Action::SendBlocks { first, count } => {
                    assert!(first >= 1 && first + u64::from(count) <= last + 1);
                }
                Action::Finish(_) => return,
                Action::SendTerms | Action::WakeAt(_) => {}
            }
        }
    }
});
