//! Any file of another system is imported or refused whole. The first byte says of which.
#![no_main]

use common::id::Revision;
use libfuzzer_sys::fuzz_target;
use mn_core::plan;
use mn_core::command::{Clash, Command, Import, Mode, Source};
use mn_core::talk::Context;
use mn_core::exchange::includes;
use mn_core::model::Model;
use mn_core::table::Tables;

fuzz_target!(|input: (u8, &str, &str)| {
    let (kind, first, second) = input;
    let source = match kind % 5 {
        0 => Source::Xcat,
        1 => Source::IscDhcpd,
        2 => Source::Hosts,
        3 => Source::Ethers,
        _ => Source::Warewulf,
    };
    let names = if source == Source::Xcat { ["nodelist.csv", "networks.csv"] } else { ["f", "g"] };
    let files = names.iter().zip([first, second]).map(|(name, text)| ((*name).to_owned(), text.to_owned()));
    let _ = includes(first);
    let import = Import {
        mode: Mode::default(),
        source,
        files: files.collect(),
        clash: Clash::Overwrite,
        existing: false,
        groups: "all".to_owned(),
        skip: kind & 128 != 0,
        verbose: false,
    };
    let model = Model::new(Tables::default(), Revision::ZERO);
    let outcome = plan(&model, &Command::Import(import.clone()), &Context::default());
    assert!(import.skip || outcome.status == 0 || outcome.change.is_none());
});
