//! Where the management node is that a command asks: a folder of this machine, or another machine.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use common::report::Refusal;

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

/// Whom to ask: what is typed goes before the environment. Where nothing says it and no daemon has its
/// folder here, it is where the operator logged in.
///
/// # Errors
/// When a folder and a machine are named in the same way: a command that changes the wrong cluster is
/// worse than none.
pub(crate) fn place(matches: &ArgMatches) -> Result<Place, Refusal> {
    let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let server = matches.get_one::<String>("mn").filter(|server| !server.is_empty()).cloned();
    let far = |server: Option<String>| Place::Far(Far { home: home(), server });
    let has_dir = matches.value_source("dir").is_some();
    match server {
        Some(server) if has_dir && is_typed("dir") == is_typed("mn") => {
            Err(unclear(&dir(matches), &server, is_typed("dir")))
        }
        Some(server) if is_typed("mn") || !has_dir => Ok(far(Some(server))),
        None if !has_dir => Ok(unsaid()),
        _ => Ok(Place::Here(dir(matches))),
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

/// Why it is not known whom to ask.
fn unclear(dir: &Path, server: &str, is_typed: bool) -> Refusal {
    let dir = dir.display();
    let (what, attempt) = match is_typed {
        true => {
            ("--dir and --mn name two management nodes".to_owned(), "leave one of the two out".to_owned())
        }
        false => (
            format!("DROVER_DIR is {dir} and DROVER_MN is {server}: two management nodes"),
            format!("say which with --dir {dir} or --mn {server}, or unset one of the two"),
        ),
    };
    Refusal::new(what).because("a command is not given to one of them by a guess").attempt(attempt)
}

fn is_workstation() -> bool {
    !Path::new(DEFAULT_DIR).join(SOCKET).exists() && runtime::link::identity::Identity::exists(&home())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str], environment: &[(&'static str, &'static str)]) -> Result<Place, Refusal> {
        // A default stands for the environment here, which is the whole process's.
        let arg = |arg: Arg, name: &str| {
            let set = environment.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let arg = arg.env(None::<&str>);
            set.map_or_else(|| arg.clone(), |value| arg.clone().default_value(value))
        };
        let command = clap::Command::new("x").arg(arg(dir_arg(), "dir")).arg(arg(mn_arg(), "mn"));
        place(&command.get_matches_from([&["x"], words].concat()))
    }

    fn is_far(place: Result<Place, Refusal>, server: &str) -> bool {
        matches!(place, Ok(Place::Far(far)) if far.server.as_deref() == Some(server))
    }

    #[test]
    fn what_is_typed_goes_before_the_environment() {
        let both = [("dir", "/e"), ("mn", "e:1")];
        let here = |dir: &str| Ok(Place::Here(dir.into()));
        assert_eq!(found(&["--dir", "/d"], &[]), here("/d"));
        assert_eq!(found(&["--dir", "/d"], &both), here("/d"));
        assert_eq!(found(&[], &[("dir", "/e")]), here("/e"));
        assert_eq!(found(&[], &[("dir", "/e"), ("mn", "")]), here("/e"));
        assert!(is_far(found(&["--mn", "h:1"], &both), "h:1"));
        assert!(is_far(found(&["--mn", "h:1"], &[("dir", "/e")]), "h:1"));
        assert!(is_far(found(&[], &[("mn", "e:1")]), "e:1"));
    }

    #[test]
    fn two_management_nodes_are_none() {
        let refusal = found(&[], &[("dir", "/e"), ("mn", "e:1")]).unwrap_err();
        assert_eq!(
            refusal.render("chdef"),
            "chdef: DROVER_DIR is /e and DROVER_MN is e:1: two management nodes\n  \
             because  a command is not given to one of them by a guess\n  \
             try      say which with --dir /e or --mn e:1, or unset one of the two"
        );
        assert!(found(&["--dir", "/d", "--mn", "h:1"], &[]).is_err());
    }
}
