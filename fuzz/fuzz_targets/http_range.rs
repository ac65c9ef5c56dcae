//! A part of a file is in the file; any path is clean or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sn_proto::http::path::served;
use sn_proto::http::range::{Wanted, if_range_holds, none_match_names, wanted};

fuzz_target!(|input: (u64, &str)| {
    let (size, text) = input;
    if let Wanted::Part { first, last } = wanted(text, size) {
        assert!(first <= last && last < size);
    }
    let _ = (none_match_names(text, "\"tag\""), if_range_holds(text, "\"tag\""));
    if let Ok(path) = served(text) {
        assert!(path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
    }
});
