//! `import`: what another system knew comes in.

use std::path::Path;

use clap::{ArgMatches, Command};
use common::wire::operator::MAX_COMMAND;
use mn_core::command::{Asked, Clash, Command as Change, Import, Source};
use mn_core::exchange::includes;

use super::intake::{Intake, REPLAYED};
use super::{Applet, Parsed, Usage, changing, mode, operands, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "import", command, ask, usage_status: 2, bare_status: Some(2) };

/// How many files may be read: those of a configuration that includes others.
const FILES: usize = 1000;

fn command() -> Command {
    changing("import", "Take in what xCAT, ISC dhcpd, Warewulf, or files of hosts and ethers know")
        .override_usage(
            "mn import [--dry-run] [--overwrite|--keep] xcat DIR\n       \
             mn import [OPTIONS] isc-dhcpd|warewulf|hosts|ethers FILE|-",
        )
        .after_help(
            "DIR is a folder as dumpxCATdb writes it. Everything is taken or nothing; what is not taken is\n\
             told with its place and the reason.",
        )
        .mut_arg("atomic", |arg| arg.hide(true))
        .arg(switch("overwrite").conflicts_with("keep").help("Of two values, take the imported one"))
        .arg(switch("keep").help("Of two values, keep the one that is here"))
        .arg(switch("existing").help("Make no new nodes"))
        .arg(
            option("groups", "GROUP,…")
                .default_value("all")
                .help("The groups of new nodes that come without"),
        )
        .arg(switch("skip-refused").help("Leave out the objects that are refused, and take the rest"))
        .arg(operands("KIND FILE").help("What to read, and where"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let words = texts(matches, "words");
    let [kind, file] = words.as_slice() else {
        return Err(Usage::new("name what to import and the file, or the folder of xCAT's tables"));
    };
    let source = match kind.as_str() {
        "xcat" => Source::Xcat,
        "isc-dhcpd" => Source::IscDhcpd,
        "warewulf" => Source::Warewulf,
        "hosts" => Source::Hosts,
        "ethers" => Source::Ethers,
        _ => {
            return Err(Usage::new(format!(
                "{kind} cannot be imported; xcat, isc-dhcpd, warewulf, hosts and ethers can"
            )));
        }
    };
    let files = match source {
        // Which files a folder holds or a file includes, the words do not say.
        Source::Xcat | Source::IscDhcpd if intake.is_replay() => {
            vec![(REPLAYED.to_owned(), REPLAYED.to_owned())]
        }
        Source::Xcat => tables(intake, file)?,
        Source::IscDhcpd => with_includes(intake, file)?,
        _ => vec![(file.clone(), intake.file(file)?)],
    };
    let clash = match (matches.get_flag("overwrite"), matches.get_flag("keep")) {
        (true, _) => Clash::Overwrite,
        (_, true) => Clash::Keep,
        _ => Clash::Refuse,
    };
    Ok(Asked::Change(Change::Import(Import {
        mode: mode(matches),
        source,
        files,
        clash,
        existing: matches.get_flag("existing"),
        groups: text(matches, "groups").unwrap_or_default(),
        skip: matches.get_flag("skip-refused"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}

/// The tables of a folder.
fn tables(intake: &mut Intake, folder: &str) -> Result<Vec<(String, String)>, Usage> {
    let path = Path::new(folder);
    let names = intake.names(path).map_err(|error| Usage::alone(format!("cannot read {folder}: {error}")))?;
    let (mut files, mut length) = (Vec::new(), 0);
    for name in names.into_iter().filter(|name| name.ends_with(".csv") && !name.starts_with('.')) {
        let text = intake.file(&path.join(&name).to_string_lossy())?;
        length += text.len();
        if length > MAX_COMMAND {
            return Err(Usage::alone(format!("the tables in {folder} are longer than 256 MiB")));
        }
        files.push((name, text));
    }
    if files.is_empty() {
        return Err(Usage::alone(format!(
            "there is no file TABLE.csv in {folder}, as dumpxCATdb writes them"
        )));
    }
    Ok(files)
}

/// The file and what it includes; a file that cannot be read is told by the import.
fn with_includes(intake: &mut Intake, file: &str) -> Result<Vec<(String, String)>, Usage> {
    let mut files = vec![(file.to_owned(), intake.file(file)?)];
    let mut at = 0;
    while let Some((_, text)) = files.get(at) {
        for name in includes(text) {
            if files.len() < FILES && !files.iter().any(|(known, _)| *known == name) {
                files.extend(intake.file(&name).ok().map(|text| (name, text)));
            }
        }
        at += 1;
    }
    Ok(files)
}
