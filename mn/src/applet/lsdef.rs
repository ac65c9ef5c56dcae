//! `lsdef`: shows definitions.

use clap::{ArgMatches, Command};
use mn_core::change::Asked;
use mn_core::query::{Lsdef, Query};

use super::definition::{
    attribute_list, help, names_alone, read_operands, select, split_list, stanza, types, with_objects,
};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, switch, text, texts};

pub(super) const APPLET: Applet = Applet { name: "lsdef", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    names_alone(with_objects(base("lsdef", "Show definitions of nodes, groups, networks, images and the rest")))
        .override_usage("lsdef [-t TYPE] [[-o] NAMES] [-l|-s|-c] [-i ATTR,…] [-w ATTR==VALUE]… [-z]\n       lsdef -a [-l|-z]\n       lsdef -h -t TYPE [-i ATTR,…]")
        .arg(switch("all").short('a').help("All types"))
        .arg(switch("long").short('l').help("Show the attributes"))
        .arg(switch("short").short('s').help("Show names only"))
        .arg(switch("compress").short('c').help("One `name: attr=value` line for each attribute; with -i"))
        .arg(attribute_list("These attributes alone"))
        .arg(select("Objects for which this holds: ATTR==VALUE, !=, =~ or !~"))
        .arg(stanza("As a stanza file, which mkdef -z reads"))
        .arg(switch("hidden").short('S').help("Hidden nodes too"))
        .arg(switch("nics").help("The interface attributes alone"))
        .arg(switch("osimage").help("With the attributes of the node's image"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read_operands(matches, intake)?;
    if let Some((name, _)) = operands.attributes.first() {
        return Err(Usage::new(format!(
            "'{name}=…' sets an attribute, which lsdef does not; select with -w {name}==…"
        )));
    }
    let query = Lsdef {
        types: types(matches),
        objects: operands.objects,
        all: matches.get_flag("all"),
        long: matches.get_flag("long"),
        short: matches.get_flag("short"),
        compress: matches.get_flag("compress"),
        attributes: text(matches, "attributes").map(|list| split_list(&list)),
        select: texts(matches, "select"),
        stanza: matches.get_flag("stanza"),
        hidden: matches.get_flag("hidden"),
        nics: matches.get_flag("nics"),
        osimage: matches.get_flag("osimage"),
        verbose: matches.get_flag("verbose"),
    };
    refuse_contradictions(&query, matches)?;
    Ok(Asked::Query(Query::Lsdef(query)).into())
}

fn refuse_contradictions(query: &Lsdef, matches: &ArgMatches) -> Result<(), Usage> {
    let rules = [
        (query.all && text(matches, "type").is_some(), "The -a and -t options can not be used together."),
        (query.long && query.short, "The -l and -s options can not be used together."),
        (query.short && query.attributes.is_some(), "The -i and -s options can not be used together."),
        (
            query.osimage && query.attributes.is_some(),
            "The --osimage and -i options can not be used together.",
        ),
        (query.osimage && query.stanza, "The --osimage and -z options can not be used together."),
        (query.compress && query.attributes.is_none(), "The -c option must be used with the -i option."),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, text)) => Err(Usage::new(text)),
        None => Ok(()),
    }
}
