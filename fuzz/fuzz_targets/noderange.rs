//! Any text is a noderange or refused, within the stated bounds.
#![no_main]

use common::id::Revision;
use libfuzzer_sys::fuzz_target;
use mn_core::model::Model;
use mn_core::noderange::{MOST_NAMES, Options, expand_known};
use mn_core::table::Tables;

fuzz_target!(|text: &str| {
    let model = Model::new(Tables::default(), Revision::ZERO);
    for verify in [true, false] {
        let options = Options { verify, ..Options::default() };
        if let Ok(found) = expand_known(text, &model, options, &|_| None) {
            assert!(found.nodes.len() <= MOST_NAMES);
            assert!(found.nodes.is_sorted());
        }
    }
});
