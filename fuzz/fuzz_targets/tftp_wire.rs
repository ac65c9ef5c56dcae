//! Any datagram is read or refused; so are its options and its path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn_proto::tftp::wire::Packet;
use sn_proto::tftp::{options, path};

fuzz_target!(|packet: &[u8]| {
    if let Ok(Packet::Read(read)) = Packet::decode(packet) {
        let (terms, _) = options::agree(&read.options, 1 << 20);
        assert!(terms.block > 0 && terms.window > 0);
        let _ = path::clean(read.name);
    }
});
