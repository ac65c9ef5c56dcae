//! `tabdump`: a table as it is stored.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::change::Asked;
use mn_core::query::{Query, Tabdump};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "tabdump", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    base("tabdump", "Print a table as comma-separated values, or the names of all tables")
        .override_usage("tabdump [-d] [TABLE]\n       tabdump -w COLUMN==VALUE… TABLE\n       tabdump -n LINES auditlog|eventlog")
        .arg(switch("describe").short('d').help("Say what the tables or columns mean"))
        .arg(
            Arg::new("select")
                .short('w')
                .value_name("COLUMN==VALUE")
                .action(ArgAction::Append)
                .help("Rows for which this holds: ==, !=, =~ and !~ (with %), <, <=, >, >="),
        )
        .arg(
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("LINES")
                .value_parser(clap::value_parser!(u64))
                .help("The last rows of a log"),
        )
        .arg(operands("TABLE").help("The table"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let query = Tabdump {
        table: words.next(),
        describe: matches.get_flag("describe"),
        select: texts(matches, "select"),
        last: matches.get_one::<u64>("lines").copied(),
    };
    if words.next().is_some() {
        return Err(Usage::new("only one table can be printed at a time"));
    }
    if query.last.is_some() {
        if query.describe || !query.select.is_empty() {
            return Err(Usage::new("-n can not be used with -d or -w"));
        }
        if !matches!(query.table.as_deref(), Some("auditlog" | "eventlog")) {
            return Err(Usage::new("-n is for the tables auditlog and eventlog"));
        }
    }
    if !query.select.is_empty() && query.table.is_none() {
        return Err(Usage::new("-w needs a table"));
    }
    Ok(Asked::Query(Query::Tabdump(query)).into())
}
