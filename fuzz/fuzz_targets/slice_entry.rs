//! Any bytes under any key are an entry or refused, and what is refused changes nothing.
#![no_main]

use common::slice::{Encoded, Key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut slice = fuzz::slice();
    let before = slice.digest();
    let keys: Vec<Key> = slice.records().map(|(key, _)| key.clone()).collect();
    for key in keys {
        if slice.put_encoded(Encoded { key, bytes: bytes.into() }).is_err() {
            assert_eq!(slice.digest(), before);
        } else {
            // A slice that can be stored can be indexed or is refused with reasons.
            let _ = sn_proto::dns::View::build(&slice);
            slice = fuzz::slice();
        }
    }
});
