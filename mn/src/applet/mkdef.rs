//! `mkdef`: makes definitions.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Define, ListEdit};

use super::definition::{derive, force, help, read, select, stanza, template, types, with_objects};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, derivation, mode, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "mkdef", command, ask, usage_status: 1, bare_status: Some(0) };

const USAGE: &str = "  mkdef [-t TYPE] [-o] NAMES [-f] [--template NAME] ATTR=VALUE…
  mkdef -t group [-o] NAMES [-d] -w ATTR==VALUE…
  mkdef -t osimage [-o] NAMES -u profile=NAME provmethod=NAME [ATTR=VALUE…]
  mkdef -z [-f] < FILE
  mkdef -h [-t TYPE]";

fn command() -> Command {
    let command = changing("mkdef", "Create xCAT data object definitions.")
        .arg(force("Replace definitions that are there, as a whole"))
        .arg(
            switch("dynamic")
                .short('d')
                .help("Make a dynamic group: whoever the -w selections name at the time"),
        )
        .arg(select("The nodes of a group: ATTR==VALUE, !=, =~ or !~"))
        .arg(stanza("Read a stanza file from standard input"))
        .arg(template(
            "Take attributes that are not given from this template (see lsdef --template) or object",
        ))
        .arg(derive());
    with_objects(command, USAGE)
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read(matches, "mkdef", intake)?;
    let stanza = matches.get_flag("stanza").then(|| intake.stdin()).transpose()?;
    Ok(Asked::Change(Change::Mkdef(Define {
        mode: mode(matches),
        types: types(matches),
        objects: operands.objects,
        attributes: operands.attributes,
        force: matches.get_flag("force"),
        dynamic: matches.get_flag("dynamic"),
        select: texts(matches, "select"),
        list: ListEdit::Replace,
        rename: None,
        template: text(matches, "template"),
        stanza,
        verbose: matches.get_flag("verbose"),
        derive: derivation::wanted(matches, intake),
    }))
    .into())
}
