//! The operators' commands: words in, a typed question out, the answer printed.
//!
//! One file for each command. An [`Applet`] has a `clap` definition and a function that makes
//! [`Asked`] of what was parsed; everything else (finding the daemon, printing, exit statuses) is
//! here once. The grammar is xCAT's: options anywhere, short ones bundled, operands after or
//! between them; wrong usage of xCAT's commands ends with 1.
//!
//! **Invariant**: no applet looks at the model. It parses and asks.

mod apply;
pub(crate) mod caller;
mod chdef;
mod chtab;
mod definition;
mod derivation;
mod describe;
pub(crate) mod diff;
mod dumpxcatdb;
mod explain;
mod export;
mod gettab;
mod history;
mod import;
mod intake;
mod lsdef;
mod lsmn;
mod lsslice;
mod makedhcp;
mod makedns;
mod makehosts;
mod makenetworks;
mod mkdef;
mod nodech;
mod nodels;
mod noderange;
mod noderm;
mod nodeset;
mod nodestat;
mod out_file;
pub(crate) mod own;
pub(crate) mod page;
pub(crate) mod place;
pub(crate) mod print;
mod replay;
mod restorexcatdb;
mod rmdef;
mod snmove;
mod tabch;
mod tabdump;
mod tabedit;
mod tabgrep;
mod table;
mod tabprune;
mod tabrestore;
mod undo;
mod updatenode;
mod when;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Mode};

use self::caller::Caller;
use self::intake::Intake;
use self::page::Page;
use self::place::{dir_arg, mn_arg, place};
pub(crate) use self::replay::{means, program};
use self::when::as_of;

/// Where everything is kept when nobody says otherwise.
pub const DEFAULT_DIR: &str = "/var/lib/drover/mn";

/// One command.
#[derive(Debug)]
pub(crate) struct Applet {
    /// Its name: what `argv[0]` is when it is called.
    pub(crate) name: &'static str,
    /// Its options and operands.
    command: fn() -> Command,
    /// What it asks for, of what was parsed.
    ask: fn(&ArgMatches, &mut Intake) -> Result<Parsed, Usage>,
    /// The exit status of wrong usage: 1 for xCAT's commands, 2 for ours.
    pub(crate) usage_status: u8,
    /// The exit status of `usage alone`: what no argument at all gives, where that shows the usage.
    bare_status: Option<u8>,
}

/// All commands, in the order of their names.
pub(crate) static APPLETS: &[Applet] = &[
    apply::APPLET,
    chdef::APPLET,
    chtab::APPLET,
    diff::APPLET,
    dumpxcatdb::APPLET,
    explain::APPLET,
    export::APPLET,
    noderange::GENERATE,
    gettab::APPLET,
    history::APPLET,
    import::APPLET,
    lsdef::APPLET,
    lsmn::APPLET,
    lsslice::APPLET,
    lsmn::DAEMON,
    makedhcp::APPLET,
    makedns::APPLET,
    makehosts::APPLET,
    makenetworks::APPLET,
    mkdef::APPLET,
    nodech::ADD,
    nodech::CHANGE,
    nodech::GROUP,
    nodels::APPLET,
    noderange::APPLET,
    noderm::APPLET,
    nodeset::APPLET,
    nodestat::APPLET,
    restorexcatdb::APPLET,
    rmdef::APPLET,
    snmove::APPLET,
    tabch::APPLET,
    tabdump::APPLET,
    tabedit::APPLET,
    tabgrep::APPLET,
    tabprune::APPLET,
    tabrestore::APPLET,
    undo::APPLET,
    updatenode::APPLET,
];

/// What became of an applet's words.
pub(crate) enum Parsed {
    /// Something to ask the daemon.
    Ask(Box<Asked>),
    /// Something that can be shown at once.
    Show(String),
    /// The same, with this exit status.
    End(String, u8),
    /// Something of several steps, some of them here.
    Run(caller::Steps),
}

impl From<Asked> for Parsed {
    fn from(asked: Asked) -> Self {
        Self::Ask(Box::new(asked))
    }
}

/// Words that make no sense, beyond what `clap` can see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Usage {
    text: String,
    /// What else is said, in a frame of its own.
    more: Option<&'static str>,
    /// Whether the usage follows.
    with_usage: bool,
    /// Where it is said, and what stands before it.
    frame: Frame,
}

/// In which frame wrong usage is said. The definition commands have one for all, [`Frame::Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// In our words, where xCAT's command shows its usage and no more: on standard error, behind the
    /// command's name.
    Own,
    /// As xCAT's server says an error: on standard error, behind the server's name.
    Server,
    /// As xCAT's client says an error itself: on standard error, and nothing before it.
    Bare,
    /// As xCAT says it: on standard output, though the command has failed.
    Said,
}

impl Usage {
    /// An error that the usage text explains.
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), more: None, with_usage: true, frame: Frame::Own }
    }

    /// An error that explains itself.
    fn alone(text: impl Into<String>) -> Self {
        Self { with_usage: false, ..Self::new(text) }
    }

    /// The same in another frame.
    fn framed(self, frame: Frame) -> Self {
        Self { frame, ..self }
    }
}

/// The applet of this name.
pub(crate) fn find(name: &str) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.name == name)
}

impl Applet {
    pub(crate) fn run(&self, words: Vec<OsString>) -> u8 {
        if self.is_bare(&words)
            && let Some(status) = self.bare_status
        {
            print::out(&self.usage());
            return status;
        }
        let matches = match self.definition().try_get_matches_from(&words) {
            Ok(matches) => matches,
            Err(error) => return self.explain(&error),
        };
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut intake = Intake::new();
        intake.guard(max_nodes(&matches));
        match (self.ask)(&matches, &mut intake) {
            Ok(Parsed::Show(text)) => {
                print::out(&text);
                0
            }
            Ok(Parsed::End(text, status)) => {
                print::out(&text);
                status
            }
            Ok(Parsed::Ask(asked)) => match as_of(text(&matches, "at"), *asked) {
                Ok(asked) => self.with_caller(&matches, words, |caller| caller.ask(asked)),
                Err(usage) => self.wrong(&usage),
            },
            Ok(Parsed::Run(steps)) => self.with_caller(&matches, words, steps.run),
            Err(usage) => self.wrong(&usage),
        }
    }

    /// Its options and operands, with those that all commands of its kind have.
    pub(crate) fn definition(&self) -> Command {
        grouped(guarded((self.command)()))
    }

    /// Does something that asks the daemon; gives the exit status.
    fn with_caller(&self, matches: &ArgMatches, words: Vec<String>, run: impl FnOnce(&Caller) -> u8) -> u8 {
        let (json, at) = (matches.get_flag("json"), text(matches, "at"));
        match place(matches) {
            Ok(place) => run(&Caller { name: self.name, place, words, json, at }),
            Err(refusal) => {
                print::err(&refusal.render(self.name));
                1
            }
        }
    }

    fn wrong(&self, usage: &Usage) -> u8 {
        let frame = if self.is_of_definitions() { Frame::Server } else { usage.frame };
        for text in [usage.text.as_str()].into_iter().chain(usage.more) {
            match frame {
                Frame::Own => print::err(&format!("{}: {text}", self.name)),
                Frame::Server => print::err(&format!("Error: {}{text}", server())),
                Frame::Bare => print::err(text),
                Frame::Said => print::out(&format!("{text}\n")),
            }
        }
        if usage.with_usage {
            print::out(&self.usage());
        }
        self.usage_status
    }

    /// Whether there is nothing to be done. The definition commands count `-S` alone as that.
    fn is_bare(&self, words: &[OsString]) -> bool {
        match words {
            [_] => true,
            [_, word] => self.is_of_definitions() && word == "-S",
            _ => false,
        }
    }

    /// Whether it is one of the four whose words and frames are those of xCAT's daemon, which reads
    /// their options there.
    fn is_of_definitions(&self) -> bool {
        matches!(self.name, "chdef" | "lsdef" | "mkdef" | "rmdef")
    }

    /// How it is used, for who has used it wrongly.
    fn usage(&self) -> String {
        format!("{}\n", fitting(self.definition()).render_help())
    }

    /// The same with examples and exit statuses, for who asks.
    fn help(&self) -> String {
        let page = Page::of(self.name, self.usage_status);
        format!("{}\n", fitting(self.definition().after_help(page.after_help())).render_help())
    }

    /// The definition commands and `makenetworks` name themselves, as xCAT's do.
    fn version(&self) -> String {
        let is_named = self.is_of_definitions() || self.name == "makenetworks";
        let name = if is_named { format!("{} - ", self.name) } else { String::new() };
        format!("{name}Version {} (Drover)\n", env!("CARGO_PKG_VERSION"))
    }

    fn explain(&self, error: &clap::Error) -> u8 {
        match error.kind() {
            ErrorKind::DisplayHelp => {
                print::out(&self.help());
                0
            }
            ErrorKind::DisplayVersion => {
                print::out(&self.version());
                0
            }
            _ => {
                let text = error.render().to_string();
                let first = text.split("\n\n").next().unwrap_or_default();
                let first = first.trim_start_matches("error: ");
                if self.is_of_definitions() {
                    print::err(&format!("Error: {}Invalid option..", server()));
                    print::err(&format!("  because  {}", first.trim_end()));
                } else {
                    print::err(&format!("{}: {first}", self.name));
                }
                if let Some(ContextValue::String(near)) = error.get(ContextKind::SuggestedArg) {
                    print::err(&format!("  try      {near}"));
                }
                print::out(&self.usage());
                self.usage_status
            }
        }
    }
}

/// What stands in xCAT's frame for whoever answers: this host, as nobody was asked yet.
fn server() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let host = host.as_deref().and_then(|host| host.split('.').next());
    host.map(|host| format!("[{host}]: ")).unwrap_or_default()
}

/// The words for the history, of which a shell's expansion may make megabytes.
fn recorded(mut words: Vec<String>) -> Vec<String> {
    /// In bytes; a request must fit into a frame.
    const MOST: usize = 64 << 10;
    let mut length = 0;
    let fitting = words.iter().take_while(|word| {
        length += word.len();
        length <= MOST
    });
    let count = fitting.count();
    if count < words.len() {
        words.truncate(count);
        words.push("…".to_owned());
    }
    words
}

/// How help is laid out: the usage first, as xCAT's texts begin.
const HELP: &str = "{usage-heading} {usage}\n\n{about-with-newline}\n{all-args}{after-help}";

/// What all commands have.
fn base(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .help_template(HELP)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args_override_self(true)
        // As xCAT's: `--with` is enough where nothing else begins so.
        .infer_long_args(true)
        .arg(
            Arg::new("help")
                .short('h')
                .short_alias('?')
                .long("help")
                .action(ArgAction::Help)
                .help("Print this help"),
        )
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        )
        .arg(switch("verbose").short('V').help("Say more"))
        .arg(switch("json").help("Print the answer as JSON"))
        .arg(option("at", "REVISION|TIME").help("Answer as of then: 812, '2026-01-31 14:30', '2h ago'"))
        .arg(dir_arg())
        .arg(mn_arg())
}

/// The same, for a command that changes something.
fn changing(name: &'static str, about: &'static str) -> Command {
    base(name, about)
        .mut_arg("at", |arg| arg.hide(true))
        .arg(switch("dry-run").help("Show what would change, and change nothing"))
        .arg(switch("atomic").help("Change everything that is named, or nothing"))
        .arg(switch("no-wait").help("Do not wait for the service nodes to have applied it"))
}

/// The same, for a command that always waits and moves or runs as a whole: the two options that say
/// so are taken and mean nothing.
fn operating(name: &'static str, about: &'static str) -> Command {
    changing(name, about).mut_args(|arg| match arg.get_id().as_str() {
        "atomic" | "no-wait" => arg.hide(true),
        _ => arg,
    })
}

/// The same, with a guard on the noderange where it takes one, whatever the command.
fn guarded(command: Command) -> Command {
    let names_nodes = |arg: &Arg| {
        arg.get_value_names().unwrap_or_default().iter().any(|name| name.as_str().contains("NODERANGE"))
    };
    if !command.get_arguments().any(names_nodes) {
        return command;
    }
    command.arg(
        Arg::new("max-nodes")
            .long("max-nodes")
            .env("DROVER_MAX_NODES")
            .hide_env_values(true)
            .value_name("COUNT")
            .value_parser(clap::value_parser!(u64))
            .help("Refuse a noderange that means more nodes than this [default: no limit]"),
    )
}

/// The same, with the options that many commands have under headings of their own in help.
fn grouped(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_id().as_str() {
        "help" | "version" | "verbose" | "json" | "at" | "dir" | "mn" | "max-nodes" => {
            arg.help_heading("Common options")
        }
        "dry-run" | "atomic" | "no-wait" => arg.help_heading("How the change is made"),
        _ => arg,
    })
}

/// The same, with help that is no wider than the terminal.
fn fitting(command: Command) -> Command {
    /// What fits a page where there is no terminal.
    const PAGE: u16 = 100;
    command.term_width(print::columns().map_or(PAGE, |columns| columns.clamp(40, PAGE)).into())
}

/// The guard of a [`guarded`] command.
fn max_nodes(matches: &ArgMatches) -> Option<u64> {
    matches.try_get_one::<u64>("max-nodes").ok().flatten().copied()
}

/// How the change is to be made, of a [`changing`] command.
fn mode(matches: &ArgMatches) -> Mode {
    Mode {
        dry_run: matches.get_flag("dry-run"),
        atomic: matches.get_flag("atomic"),
        no_wait: matches.get_flag("no-wait"),
    }
}

/// An option without a value; its long name is its id.
pub(crate) fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

/// An option with a value; its long name is its id.
fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::Set).value_name(value)
}

/// The operands.
fn operands(value: &'static str) -> Arg {
    Arg::new("words").value_name(value).action(ArgAction::Append).num_args(0..)
}

pub(crate) fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

pub(crate) fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).unwrap_or_default().cloned().collect()
}

#[cfg(test)]
mod tests;
