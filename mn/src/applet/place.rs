//! Where the management node is that a command asks: a folder of this machine, or another machine.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::DEFAULT_DIR;
use crate::client::SOCKET;
use crate::client::remote::{Far, home};

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The daemon of this folder.
    Here(PathBuf),
    /// The one on another machine, as an operator.
    Far(Far),
}

/// `--dir`.
pub(crate) fn dir_arg() -> Arg {
    Arg::new("dir")
        .long("dir")
        .env("DROVER_DIR")
        .hide_env_values(true)
        .value_name("DIR")
        .value_parser(clap::value_parser!(PathBuf))
        .help("The folder of the management node")
        .long_help(format!("The folder of the management node [default: {DEFAULT_DIR}]"))
}

/// `--mn`.
pub(crate) fn mn_arg() -> Arg {
    Arg::new("mn")
        .long("mn")
        .env("DROVER_MN")
        .hide_env_values(true)
        .value_name("HOST:PORT")
        .help("The management node on another machine, asked as the operator who logged in (mn login)")
}

/// The folder of the management node.
pub(crate) fn dir(matches: &ArgMatches) -> PathBuf {
    let given = matches.get_one::<PathBuf>("dir").map_or_else(|| Path::new(DEFAULT_DIR), PathBuf::as_path);
    runtime::disk::absolute(given)
}

/// Whom to ask: what is typed goes before the environment, and a folder before a machine. Where
/// nothing says it and no daemon has its folder here, it is where the operator logged in.
pub(crate) fn place(matches: &ArgMatches) -> Place {
    let source = |name| matches.value_source(name);
    let server = matches.get_one::<String>("mn").filter(|server| !server.is_empty()).cloned();
    let far = |server: Option<String>| Place::Far(Far { home: home(), server });
    let here = || Place::Here(dir(matches));
    match (source("dir"), server) {
        (Some(ValueSource::CommandLine), _) => here(),
        (_, Some(server)) if source("mn") == Some(ValueSource::CommandLine) => far(Some(server)),
        (Some(_), _) => here(),
        (None, Some(server)) => far(Some(server)),
        (None, None) => unsaid(),
    }
}

/// Whom to ask where nothing says it.
pub(crate) fn unsaid() -> Place {
    if is_workstation() {
        Place::Far(Far { home: home(), server: None })
    } else {
        Place::Here(PathBuf::from(DEFAULT_DIR))
    }
}

fn is_workstation() -> bool {
    !Path::new(DEFAULT_DIR).join(SOCKET).exists() && runtime::link::identity::Identity::exists(&home())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str]) -> Place {
        let command =
            clap::Command::new("x").arg(dir_arg().env(None::<&str>)).arg(mn_arg().env(None::<&str>));
        place(&command.get_matches_from([&["x"], words].concat()))
    }

    #[test]
    fn a_folder_goes_before_a_machine_and_a_machine_before_the_default() {
        assert_eq!(found(&["--dir", "/d"]), Place::Here("/d".into()));
        assert_eq!(found(&["--dir", "/d", "--mn", "h:1"]), Place::Here("/d".into()));
        assert!(matches!(found(&["--mn", "h:1"]), Place::Far(far) if far.server.as_deref() == Some("h:1")));
    }
}
