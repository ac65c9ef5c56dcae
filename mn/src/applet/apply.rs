//! `apply`: what a file says of objects is what is there of them afterwards.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Apply, ApplyFormat, Asked, Command as Change};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, operands, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "apply", command, ask, usage_status: 2, bare_status: Some(2) };

fn command() -> Command {
    changing("apply", "Make objects exactly what a file says, all of them or none")
        .override_usage("apply [--dry-run] [--prune TYPE|NODERANGE]… [--format stanza|perceus] FILE|-")
        .mut_arg("atomic", |arg| arg.hide(true))
        .arg(
            Arg::new("prune")
                .long("prune")
                .value_name("TYPE|NODERANGE")
                .action(ArgAction::Append)
                .help("Remove objects of this type, or these nodes, that the file does not name"),
        )
        .arg(
            option("format", "FORMAT")
                .value_parser(["stanza", "perceus"])
                .help("What the file is written in [default: what it looks like]"),
        )
        .arg(switch("force").short('f').help("Prune more than a few"))
        .arg(operands("FILE").help(
            "Stanzas, as export and lsdef -z print them, or Perceus's list of nodes; - reads standard input",
        ))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let (Some(file), None) = (words.next(), words.next()) else {
        return Err(Usage::new("name one file, or - for standard input"));
    };
    let format = match text(matches, "format").as_deref() {
        Some("stanza") => ApplyFormat::Stanza,
        Some(_) => ApplyFormat::Perceus,
        None => ApplyFormat::Detect,
    };
    let prune = texts(matches, "prune").iter().map(|text| intake.range(text)).collect::<Result<_, _>>()?;
    Ok(Asked::Change(Change::Apply(Apply {
        mode: mode(matches),
        text: intake.file(&file)?,
        file: if file == "-" { "standard input".to_owned() } else { file },
        format,
        prune,
        force: matches.get_flag("force"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
