//! `mkdef`: makes definitions.

use clap::{Arg, ArgMatches, Command};
use mn_core::change::{Asked, Command as Change, Define, ListEdit};

use super::definition::{force, help, read_operands, select, stanza, types, with_objects};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "mkdef", command, ask, usage_status: 1, bare_status: Some(0) };

fn command() -> Command {
    with_objects(changing("mkdef", "Make definitions of nodes, groups, networks, images and the rest"))
        .override_usage("mkdef [-t TYPE] [-o] NAMES [-f] ATTR=VALUE…\n       mkdef -t group [-o] NAMES [-d] -w ATTR==VALUE…\n       mkdef -z < FILE")
        .arg(force("Replace definitions that are there, as a whole"))
        .arg(switch("dynamic").short('d').help("Make a dynamic group: whoever the -w selections name at the time"))
        .arg(select("The nodes of a group: ATTR==VALUE, !=, =~ or !~"))
        .arg(stanza("Read a stanza file from standard input"))
        .arg(template())
}

/// `--template`.
pub(super) fn template() -> Arg {
    option("template", "OBJECT").help("Take attributes that are not given from this object")
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read_operands(matches, intake)?;
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
    }))
    .into())
}
