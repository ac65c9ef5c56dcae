//! `lsdef`: shows definitions.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Lsdef, Query};

use super::definition::{
    attribute_list, help, names_alone, read, select, split_list, stanza, template, types, with_objects,
};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, switch, text, texts};

pub(super) const APPLET: Applet = Applet { name: "lsdef", command, ask, usage_status: 1, bare_status: None };

const USAGE: &str = "  lsdef [-t TYPE] [[-o] NAMES] [-l|-s|-c] [-i ATTR,…] [-w ATTR==VALUE]… [-z] [-S]
  lsdef -a [-l|-z]
  lsdef [-a|-t TYPE] --template [NAME] [-z]
  lsdef -h [-t TYPE] [-i ATTR,…]";

fn command() -> Command {
    let command = base("lsdef", "List xCAT data object definitions.")
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
        .arg(template("Show this template, or all of them, instead of objects"));
    names_alone(with_objects(command, USAGE))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read(matches, "lsdef", intake)?;
    if let Some((name, _)) = operands.attributes.first() {
        return Err(Usage::new(format!(
            "'{name}=…' sets an attribute, which lsdef does not; select with -w {name}==…"
        )));
    }
    let template = text(matches, "template");
    // Templates are listed, and one that is named is shown.
    let is_template_named = template.as_ref().is_some_and(|names| !names.is_empty());
    // A script's variable may be empty: then nothing is chosen.
    let attributes = text(matches, "attributes").map(|list| split_list(&list));
    let attributes = attributes.filter(|list| !list.is_empty());
    let is_template_asked = template.is_some() && attributes.is_some();
    Ok(Asked::Query(Query::Lsdef(Lsdef {
        types: types(matches),
        objects: operands.objects,
        all: matches.get_flag("all"),
        long: matches.get_flag("long") || is_template_named || is_template_asked,
        short: matches.get_flag("short"),
        compress: matches.get_flag("compress"),
        attributes,
        select: texts(matches, "select"),
        stanza: matches.get_flag("stanza"),
        hidden: matches.get_flag("hidden"),
        nics: matches.get_flag("nics"),
        osimage: matches.get_flag("osimage"),
        verbose: matches.get_flag("verbose"),
        template: template.map(|names| split_list(&names)),
    }))
    .into())
}
