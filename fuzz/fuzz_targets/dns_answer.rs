//! A reply is bounded, carries the question's id and is never an answer to an answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sn_proto::dns::{Transport, Verdict, View, answer};

static VIEW: LazyLock<View> = LazyLock::new(|| View::build(&fuzz::slice()).expect("the fixture has names"));

fuzz_target!(|packet: &[u8]| {
    check(packet);
    // The same behind a question for a name that is there, which no fuzzer guesses.
    if let Some((header, rest)) = packet.split_first_chunk::<12>() {
        for name in
            [&b"\x02n1\x07cluster\0"[..], b"\x011\x010\x010\x0210\x07in-addr\x04arpa\0", b"\x07CLUSTER\0"]
        {
            check(&[&header[..], name, rest].concat());
        }
    }
});

fn check(packet: &[u8]) {
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        if let Verdict::Reply(reply) = answer(&VIEW, packet, fuzz::NODE, transport) {
            assert!((12..=limit).contains(&reply.len()));
            assert_eq!(reply[..2], packet[..2]);
            assert!(reply[2] & 0x80 != 0 && packet[2] & 0x80 == 0);
        }
    }
}
