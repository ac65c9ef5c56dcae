//! `tabch`: columns of rows, in one table or several. `chtab` is the same here: nothing goes past the
//! daemon.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Assignment, Command as Change, Tabch, TabchAction};

use super::intake::Intake;
use super::table::{explained, selection, whole};
use super::{Applet, Parsed, Usage, mode, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "tabch", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    with_words(whole("tabch", "Add, change or delete rows of tables")).override_usage(
        "tabch keycolname=keyvalue[,keycolname=keyvalue...] tablename.colname=newvalue [tablename.colname=newvalue...]\n       \
         tabch -d|--delete keycolname=keyvalue[,keycolname=keyvalue...] tablename [tablename...]\n       \
         tabch [-h|--help|-v|--version]",
    )
}

/// The options and operands of both commands.
pub(super) fn with_words(command: Command) -> Command {
    command
        .arg(switch("delete").short('d').help("Delete the rows from these tables"))
        .mut_arg("version", |arg: Arg| arg.action(clap::ArgAction::SetTrue))
        .arg(
            operands("KEY=VALUE TABLE.COLUMN=VALUE")
                .allow_hyphen_values(false)
                .help("Which rows, then what to set; += adds to a list"),
        )
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let advice = |text: String| Parsed::End(format!("{text}\nCheck man tabch or tabch -h\n"), 1);
    if matches.get_flag("version") {
        return Ok(Parsed::Show(format!("tabch :Version {}\n", env!("CARGO_PKG_VERSION"))));
    }
    Ok(parse(matches).unwrap_or_else(|wrong| match wrong {
        Wrong::Bare => explained("", command, 1),
        Wrong::Text(text) => advice(text),
    }))
}

/// Why the words cannot be taken.
pub(super) enum Wrong {
    /// There are none.
    Bare,
    /// Because of this.
    Text(String),
}

/// What the words of `chtab` and `tabch` ask for.
pub(super) fn parse(matches: &ArgMatches) -> Result<Parsed, Wrong> {
    let words = texts(matches, "words");
    let mut words = words.as_slice();
    let incorrect = |word: &str| Wrong::Text(format!("Incorrect argument \"{word}\"."));
    let first = words.first().ok_or(Wrong::Bare)?;
    let is_delete = matches.get_flag("delete");
    let mut keys = Vec::new();
    // Without a selection, the words describe a new row: `tabch site.key=x site.value=y`.
    if is_delete || !is_assignment(first) {
        keys = selection(first).map_err(incorrect)?;
        words = words.get(1..).unwrap_or_default();
    }
    let action = if is_delete {
        if words.is_empty() {
            return Err(Wrong::Text("Missing table name.".to_owned()));
        }
        TabchAction::Delete(words.to_vec())
    } else {
        TabchAction::Set(words.iter().map(|word| assignment(word)).collect::<Option<Vec<_>>>().ok_or_else(
            || incorrect(words.iter().find(|word| assignment(word).is_none()).map_or("", String::as_str)),
        )?)
    };
    Ok(Asked::Change(Change::Tabch(Tabch { mode: mode(matches), keys, action })).into())
}

/// Whether a word sets a column of a table, and selects nothing.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.contains('.'))
}

fn assignment(word: &str) -> Option<Assignment> {
    let (place, value) = word.split_once('=')?;
    let (place, append) = place.strip_suffix('+').map_or((place, false), |place| (place, true));
    let (table, column) = place.split_once('.')?;
    Some(Assignment { table: table.to_owned(), column: column.to_owned(), value: value.to_owned(), append })
}
