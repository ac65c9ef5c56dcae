//! `chtab`: what `tabch` is, under the name and with the texts that scripts know.

use clap::{ArgMatches, Command};

use super::intake::Intake;
use super::tabch::{Wrong, parse, with_words};
use super::table::{explained, whole};
use super::{Applet, Parsed, Usage};

pub(super) const APPLET: Applet =
    Applet { name: "chtab", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    with_words(whole("chtab", "Add, change or delete rows of tables")).override_usage(
        "chtab keycolname=keyvalue[,keycolname=keyvalue...] tablename.colname=newvalue [tablename.colname=newvalue...]\n       \
         chtab -d|--delete keycolname=keyvalue[,keycolname=keyvalue...] tablename [tablename...]\n       \
         chtab [-h|--help|-v|--version]",
    )
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    if matches.get_flag("version") {
        return Ok(Parsed::Show(format!("chtab Version {}\n", env!("CARGO_PKG_VERSION"))));
    }
    Ok(parse(matches).unwrap_or_else(|wrong| match wrong {
        Wrong::Bare => explained("", command, 1),
        Wrong::Text(text) => explained(&text, command, 1),
    }))
}
