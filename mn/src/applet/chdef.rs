//! `chdef`: changes definitions.

use clap::{Arg, ArgMatches, Command};
use mn_core::change::{Asked, Command as Change, Define, ListEdit};

use super::definition::{help, read_operands, select, stanza, types, with_objects};
use super::intake::Intake;
use super::mkdef::template;
use super::{Applet, Parsed, Usage, changing, mode, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "chdef", command, ask, usage_status: 1, bare_status: Some(0) };

fn command() -> Command {
    with_objects(changing("chdef", "Change definitions, and make those that are not there"))
        .override_usage("chdef [-t TYPE] [-o] NAMES [-p|-m] ATTR=VALUE…\n       chdef [-t TYPE] [-o] NAME -n NEWNAME\n       chdef -t group [-o] NAMES -d -w ATTR==VALUE…\n       chdef -z < FILE")
        .arg(switch("dynamic").short('d').help("Make it a dynamic group: whoever the -w selections name at the time"))
        .arg(select("The nodes of a group: ATTR==VALUE, !=, =~ or !~"))
        .arg(switch("plus").short('p').conflicts_with("minus").help("Add the values to the end of the lists"))
        .arg(switch("minus").short('m').help("Take the values out of the lists"))
        .arg(Arg::new("rename").short('n').value_name("NEWNAME").help("Give the object another name"))
        .arg(stanza("Read a stanza file from standard input"))
        .arg(template())
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read_operands(matches, intake)?;
    let stanza = matches.get_flag("stanza").then(|| intake.stdin()).transpose()?;
    let list = match (matches.get_flag("plus"), matches.get_flag("minus")) {
        (true, _) => ListEdit::Add,
        (_, true) => ListEdit::Remove,
        _ => ListEdit::Replace,
    };
    Ok(Asked::Change(Change::Chdef(Define {
        mode: mode(matches),
        types: types(matches),
        objects: operands.objects,
        attributes: operands.attributes,
        force: false,
        dynamic: matches.get_flag("dynamic"),
        select: texts(matches, "select"),
        list,
        rename: text(matches, "rename"),
        template: text(matches, "template"),
        stanza,
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
