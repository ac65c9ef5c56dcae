//! `mn` itself: the sub-commands that are about the management node, not about what it knows.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::report::{Refusal, chain};
use mn_core::table::nearest;

use super::install::{Folders, install, left_out};
use super::operator;
use crate::applet::place::{dir, dir_arg, mn_arg};
use crate::applet::{APPLETS, own, print, text};
use crate::daemon::{self, InitOptions, ServeOptions};

/// Runs one of the sub-commands; gives the exit status: 0 done, 1 refused, 2 wrong usage.
pub(super) fn run(words: Vec<OsString>) -> u8 {
    let matches = match command().try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let done = match matches.subcommand() {
        Some(("init", args)) => run_init(args, words),
        Some(("serve", args)) => run_serve(args),
        Some(("login", args)) => operator::login(args),
        Some((name @ ("operator" | "token"), args)) => return own::run(name, args, words),
        Some(("check-config", args)) => run_check_config(args),
        Some(("install-applets", args)) => run_install(args),
        _ => return 2,
    };
    match done {
        Ok(text) => {
            print::out(&text);
            0
        }
        Err(refusal) => {
            print::err(&refusal.render("mn"));
            1
        }
    }
}

fn explain(error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print::out(&text);
        return 0;
    }
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => print::err(&unknown(name).render("mn")),
        _ => print::err(text.trim_end()),
    }
    2
}

/// There is no such command; with those that are called nearly so, operators' commands too.
fn unknown(name: &str) -> Refusal {
    let own = command();
    let known = own.get_subcommands().map(Command::get_name).chain(APPLETS.iter().map(|applet| applet.name));
    let refusal = Refusal::new(format!("there is no command {name}"));
    match nearest::names(name, known).as_slice() {
        [] => refusal.attempt("mn --help, to see them all"),
        close => {
            refusal.attempt(close.iter().map(|name| format!("mn {name}")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The definition of `mn`.
pub(super) fn command() -> Command {
    let names: Vec<&str> = APPLETS.iter().map(|applet| applet.name).collect();
    Command::new("mn")
        .about("The management node: its daemon, and the operators' commands")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(format!("Operators' commands, also as `mn NAME …`: {}", names.join(", ")))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(dir_arg().global(true))
        .arg(mn_arg().global(true))
        .subcommands([init(), serve(), own::token(), own::operator(), operator::login_command()])
        .subcommands([check_config(), install_command()])
}

fn init() -> Command {
    Command::new("init")
        .about("Make a management node: its certificate authority, its store and its site")
        .arg(Arg::new("name").long("name").value_name("NAME").help("Its name [default: the host's]"))
        .arg(
            Arg::new("address")
                .long("address")
                .value_name("IP")
                .value_parser(clap::value_parser!(Ipv4Addr))
                .action(ArgAction::Append)
                .help("Where service nodes reach it [default: the host's addresses]"),
        )
        .arg(Arg::new("domain").long("domain").value_name("DOMAIN").help("The domain of the nodes' names"))
}

fn serve() -> Command {
    Command::new("serve")
        .about("Run the daemon")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS:PORT")
                .value_parser(clap::value_parser!(SocketAddr))
                .help("Where service nodes and operators are listened for (UDP)"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("The configuration [default: DIR/mn.toml]"),
        )
}

fn check_config() -> Command {
    Command::new("check-config")
        .about("Check a configuration file")
        .arg(Arg::new("file").required(true).value_name("FILE").value_parser(clap::value_parser!(PathBuf)))
}

fn install_command() -> Command {
    Command::new("install-applets")
        .about("Put the names of the commands into a folder, and their man pages and completions beside it")
        .arg(Arg::new("folder").required(true).value_name("DIR").value_parser(clap::value_parser!(PathBuf)))
        .arg(
            Arg::new("man")
                .long("man")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Where the man pages go [default: DIR/../share/man/man1]"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Also the names that a shell or the system has already: diff, export, history, import"),
        )
}

fn run_init(args: &ArgMatches, words: Vec<String>) -> Result<String, Refusal> {
    let options = InitOptions {
        name: text(args, "name"),
        addresses: args.get_many::<Ipv4Addr>("address").unwrap_or_default().copied().collect(),
        domain: text(args, "domain"),
        words,
    };
    let made = daemon::init(&dir(args), &options).map_err(|error| error.refusal())?;
    let networks: Vec<String> = made.networks.iter().map(ToString::to_string).collect();
    let or_none = |text: String| if text.is_empty() { "none found".to_owned() } else { text };
    Ok(format!(
        "{dir} is the management node {name} of {domain}\n  \
         address      {master}\n  \
         networks     {networks}\n  \
         fingerprint  {fingerprint}\n\
         next: mn serve --dir {dir}, then mn token create SERVICENODE --define\n",
        dir = made.dir.display(),
        name = made.name,
        domain = made.domain,
        master = or_none(made.master.map(|ip| ip.to_string()).unwrap_or_default()),
        networks = or_none(networks.join(", ")),
        fingerprint = made.fingerprint,
    ))
}

fn run_serve(args: &ArgMatches) -> Result<String, Refusal> {
    let options = ServeOptions {
        listen: args.get_one::<SocketAddr>("listen").copied(),
        config: args.get_one::<PathBuf>("config").cloned(),
    };
    runtime::log::init("info");
    runtime::limits::raise_open_files();
    daemon::serve(&dir(args), &options).map(|()| String::new()).map_err(|error| error.refusal())
}

fn run_check_config(args: &ArgMatches) -> Result<String, Refusal> {
    let path = args.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    match daemon::check_config(&path) {
        Ok(_) => Ok(format!("{} is good\n", path.display())),
        Err(error) => Err(Refusal::new(chain(&error))),
    }
}

fn run_install(args: &ArgMatches) -> Result<String, Refusal> {
    let folder = args.get_one::<PathBuf>("folder").map(|folder| runtime::disk::absolute(folder));
    let folder = folder.unwrap_or_default();
    let folders = Folders::beside(folder, args.get_one::<PathBuf>("man").cloned());
    let program = std::env::current_exe()
        .map_err(|error| Refusal::new("cannot find this program's own file").because(error.to_string()))?;
    let all = args.get_flag("all");
    let names = install(&program, &command(), &folders, all).map_err(|error| Refusal::new(chain(&error)))?;
    let left_out = match all {
        true => String::new(),
        false => format!("not there, as a shell or the system has the name: {}\n", left_out()),
    };
    Ok(format!("{} commands in {}\n{left_out}", names.len(), folders.bin.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_command_is_answered_with_the_nearest() {
        check("lsdff", "mn lsdef");
        check("serv", "mn serve");
        check("xyzzy", "mn --help, to see them all");
    }

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let advice = unknown(name).attempt.unwrap();
        assert!(advice.split(", ").any(|near| expected.starts_with(near)), "{advice}");
    }
}
