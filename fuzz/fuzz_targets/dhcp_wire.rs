//! Any datagram is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn_proto::dhcp::wire::Request;

fuzz_target!(|packet: &[u8]| {
    let _ = Request::decode(packet);
});
