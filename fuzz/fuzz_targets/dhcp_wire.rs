//! Any datagram is read or refused, and so are any options behind a header that is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn_proto::dhcp::wire::Request;

fuzz_target!(|packet: &[u8]| {
    let _ = Request::decode(packet);
    let _ = Request::decode(&fuzz::dhcp_request(packet));
});
