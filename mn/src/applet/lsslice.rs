//! `lsslice`: what service nodes hold.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Lsslice, Query};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, texts};

pub(super) const APPLET: Applet =
    Applet { name: "lsslice", command, ask, usage_status: 2, bare_status: None };

fn command() -> Command {
    base("lsslice", "Show what service nodes hold, and whether it is the newest")
        .override_usage("lsslice [SERVICENODE,…]")
        .arg(operands("SERVICENODE").help("Which service nodes [default: all]"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let service_nodes = texts(matches, "words").iter().flat_map(|word| split_list(word)).collect();
    Ok(Asked::Query(Query::Lsslice(Lsslice { service_nodes })).into())
}
