//! `nodeadd`, `nodech` and `nodegrpch`: columns of nodes and groups by the names of their tables.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Nodech, Range};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, operands, switch, texts};

/// `nodech`.
pub(super) const CHANGE: Applet =
    Applet { name: "nodech", command: change_command, ask: change, usage_status: 1, bare_status: Some(1) };
/// `nodeadd`.
pub(super) const ADD: Applet =
    Applet { name: "nodeadd", command: add_command, ask: add, usage_status: 1, bare_status: Some(1) };
/// `nodegrpch`.
pub(super) const GROUP: Applet =
    Applet { name: "nodegrpch", command: group_command, ask: group, usage_status: 1, bare_status: Some(1) };

fn change_command() -> Command {
    changing("nodech", "Change columns of nodes")
        .override_usage(
            "nodech <noderange> table.column=value [...]\n       \
             nodech {-d | --delete} <noderange> <table> [...]\n       nodech {-v | --version}\n       \
             nodech [-? | -h | --help]",
        )
        .arg(switch("delete").short('d').help("Delete the nodes' rows in these tables"))
        .arg(operands("NODERANGE COLUMN=VALUE").help(
            "Which nodes, and what to write: = sets, ,= puts items in front of a list, ^= takes items out; ==, !=, =~ and !~ select nodes",
        ))
}

fn add_command() -> Command {
    changing("nodeadd", "Add nodes, and write columns of them")
        .override_usage(
            "nodeadd <noderange> groups=<groupnames> [table.column=value] [...]\n       \
             nodeadd {-v | --version}\n       nodeadd [-? | -h | --help]",
        )
        .arg(operands("NODERANGE COLUMN=VALUE").help("Which nodes, and what to write"))
}

fn group_command() -> Command {
    changing("nodegrpch", "Set columns of groups, and unset them for their members")
        .override_usage(
            "nodegrpch <group1,group2,...> [table.column=value] [...]\n       \
             nodegrpch {-v | --version}\n       nodegrpch [-? | -h | --help]",
        )
        .arg(operands("GROUPS COLUMN=VALUE").help("Which groups, and what to write"))
}

fn change(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let delete = matches.get_flag("delete");
    let args = Nodech { delete, ..read(matches, |text| intake.range(text))? };
    Ok(Asked::Change(Change::Nodech(args)).into())
}

fn add(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    Ok(Asked::Change(Change::Nodeadd(read(matches, |text| intake.range(text))?)).into())
}

fn group(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    Ok(Asked::Change(Change::Nodegrpch(read(matches, |text| Ok(Range::new(text)))?)).into())
}

/// The first word and the rest, of which there must be some.
fn read(matches: &ArgMatches, range: impl Fn(&str) -> Result<Range, Usage>) -> Result<Nodech, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next().ok_or_else(|| Usage::new("say which"))?;
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        return Err(Usage::new(format!("say what is to be done with {nodes}")));
    }
    Ok(Nodech { mode: mode(matches), nodes: range(&nodes)?, words, delete: false })
}
