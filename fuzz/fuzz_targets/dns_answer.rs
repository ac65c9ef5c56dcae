//! A reply is bounded, carries the question's id and is never an answer to an answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sn_proto::dns::{Transport, Verdict, View, answer};

static VIEW: LazyLock<View> = LazyLock::new(|| View::build(&fuzz::slice()).expect("the fixture has names"));

fuzz_target!(|packet: &[u8]| {
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        if let Verdict::Reply(reply) = answer(&VIEW, packet, fuzz::NODE, transport) {
            assert!((12..=limit).contains(&reply.len()));
            assert_eq!(reply[..2], packet[..2]);
            assert!(reply[2] & 0x80 != 0 && packet[2] & 0x80 == 0);
        }
    }
});
