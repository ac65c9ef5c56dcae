//! `makehosts`: the nodes' lines of the management node's hosts file.

use std::path::Path;

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Makehosts, Operation};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, mode, operands, operating, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "makehosts", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    operating("makehosts", "Write the nodes' names and addresses into the hosts file")
        .override_usage(
            "makehosts <noderange> [-d] [-n] [-l] [-a] [-o] [-m]\n       makehosts -h\n       makehosts -v",
        )
        .arg(switch("new").short('n').help("Begin with an empty file: every other line is lost"))
        .arg(switch("delete").short('d').help("Take the nodes' lines out"))
        .arg(switch("longnamefirst").short('l').help("The name with the domain goes first [default: site.FQDNfirst]"))
        .arg(switch("othernamesfirst").short('o').help("Other names go first"))
        .arg(switch("adddomaintohostnames").short('a').help("Other names are written with the domain too"))
        .arg(switch("mactolinklocal").short('m').help("IPv6 link-local addresses, made of the hardware addresses"))
        .arg(
            option("file", "FILE")
                .help("The file to keep; for root and the owner of the folder [default: hosts_file in mn.toml, else /etc/hosts]"),
        )
        .arg(operands("NODERANGE").help("Which nodes [default: all that have an address]"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next();
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("one noderange only, and {word:?} is a second")));
    }
    let file = text(matches, "file").map(|file| runtime::disk::absolute(Path::new(&file)));
    Ok(Asked::Operate(Operation::Makehosts(Makehosts {
        mode: mode(matches),
        nodes: nodes.map(|words| intake.range(&words)).transpose()?,
        file: file.map(|file| file.to_string_lossy().into_owned()),
        fresh: matches.get_flag("new"),
        delete: matches.get_flag("delete"),
        long_first: matches.get_flag("longnamefirst"),
        others_first: matches.get_flag("othernamesfirst"),
        add_domain: matches.get_flag("adddomaintohostnames"),
        link_local: matches.get_flag("mactolinklocal"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
