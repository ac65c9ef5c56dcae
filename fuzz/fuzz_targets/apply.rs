//! Any file is applied or refused whole, and what was applied is there when it is applied again.
#![no_main]

use common::id::Revision;
use libfuzzer_sys::fuzz_target;
use mn_core::plan;
use mn_core::command::{Apply, Command};
use mn_core::talk::Context;
use mn_core::model::Model;
use mn_core::table::Tables;

fuzz_target!(|text: &str| {
    let mut model = Model::new(Tables::default(), Revision::ZERO);
    let command = Command::Apply(Apply { file: "f".into(), text: text.into(), ..Apply::default() });
    let first = plan(&model, &command, &Context::default());
    assert!(first.status == 0 || first.change.is_none());
    if let Some(change) = first.change {
        model.apply(change.edits(), Revision::new(1));
        let again = plan(&model, &command, &Context::default());
        assert!(again.status == 0 && again.change.is_none());
    }
});
