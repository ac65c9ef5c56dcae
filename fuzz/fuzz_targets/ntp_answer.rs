//! A reply is never longer than its request and carries its time back.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sn_proto::ntp::{Clock, KernelClock, Leap, Timestamp, View, answer};

static VIEW: LazyLock<View> = LazyLock::new(|| View::build(&fuzz::slice()).expect("any slice will do"));

fuzz_target!(|input: (u64, u32, bool, u64, &[u8])| {
    let (seconds, nanos, synchronised, max_error_us, packet) = input;
    let clock = Clock::from_kernel(KernelClock { synchronised, leap: Leap::None, max_error_us });
    let now = Timestamp::from_unix(seconds, nanos);
    if let Some(answer) = answer(&VIEW, packet, fuzz::NODE, &clock, now) {
        let reply = answer.sent_at(now);
        assert!(reply.len() <= packet.len());
        assert_eq!(reply[24..32], packet[40..48]);
    }
});
