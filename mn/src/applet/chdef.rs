//! `chdef`: changes definitions.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Define, ListEdit};

use super::definition::{derive, help, read, select, stanza, types, with_objects};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, derivation, mode, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "chdef", command, ask, usage_status: 1, bare_status: Some(0) };

const USAGE: &str = "  chdef [-t TYPE] [-o] NAMES [-p|-m] ATTR=VALUE…
  chdef [-t TYPE] [-o] NAME -n NEWNAME
  chdef -t group [-o] NAMES -d [-p|-m] -w ATTR==VALUE…
  chdef [-t osimage] NAMES -u [ATTR=VALUE…]
  chdef -z < FILE
  chdef -h [-t TYPE]";

fn command() -> Command {
    let command = changing("chdef", "Change xCAT data object definitions.")
        .arg(
            switch("dynamic")
                .short('d')
                .help("It is a dynamic group: whoever the -w selections name at the time"),
        )
        .arg(select("The nodes of a group: ATTR==VALUE, !=, =~ or !~"))
        .arg(switch("plus").short('p').help("Add the values to the end of the lists"))
        .arg(switch("minus").short('m').help("Take the values out of the lists"))
        .arg(Arg::new("rename").short('n').value_name("NEWNAME").help("Give the object another name"))
        .arg(stanza("Read a stanza file from standard input"))
        .arg(derive());
    with_objects(command, USAGE)
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read(matches, "chdef", intake)?;
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
        template: None,
        stanza,
        verbose: matches.get_flag("verbose"),
        derive: derivation::wanted(matches, intake),
    }))
    .into())
}
