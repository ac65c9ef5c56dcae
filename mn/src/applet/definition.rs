//! What `lsdef`, `mkdef`, `chdef` and `rmdef` share: their options and the reading of operands.
//!
//! All four take each other's options, as in xCAT: an option that means nothing to a command is
//! refused in xCAT's words (`combination`), or, where xCAT passes it over, hidden.

mod combination;

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::Range;

use super::intake::Intake;
use super::{Parsed, Usage, describe, operands, switch, text, texts};

/// Options of the four: name, letter (a blank for none), whether there is a long form.
const SWITCHES: &[(&str, char, bool)] = &[
    ("all", 'a', true),
    ("compress", 'c', true),
    ("dynamic", 'd', true),
    ("force", 'f', true),
    ("long", 'l', true),
    ("short", 's', true),
    ("minus", 'm', true),
    ("plus", 'p', true),
    ("xml", 'x', true),
    ("stanza", 'z', true),
    ("hidden", 'S', true),
    ("derive", 'u', false),
    ("cleanup", 'C', true),
    ("nocache", ' ', true),
    ("osimage", ' ', true),
    ("nics", ' ', true),
];

/// The same with a value.
const VALUED: &[(&str, char)] = &[("attributes", 'i'), ("rename", 'n'), ("select", 'w')];

/// Adds what all four have to a command that has its own options; the usage starts as xCAT's does.
pub(super) fn with_objects(command: Command, usage: &'static str) -> Command {
    let command = command
        .override_usage(usage)
        .help_template("\nUsage: {name} - {about}\n\n{usage}\n\n{all-args}{after-help}")
        .after_help(types_help())
        // `-h` may come with `-t` and `-i`, so that it is looked at when all words are read.
        .mut_arg("help", |arg| arg.action(ArgAction::SetTrue))
        .arg(
            Arg::new("type")
                .short('t')
                .long("type")
                .value_name("TYPE")
                // A value is a value, be it one that looks like an option, as in xCAT.
                .allow_hyphen_values(true)
                .help("The types of the objects [default: node]"),
        )
        .arg(
            Arg::new("objects")
                .short('o')
                .long("objects")
                .value_name("NAMES")
                .allow_hyphen_values(true)
                .help("The objects: a noderange for nodes, else names"),
        )
        .arg(operands("NODERANGE|ATTR=VALUE").help("The objects, and what to set"));
    with_foreign(command)
}

/// Adds, hidden, what the command does not have of its sisters' options.
fn with_foreign(command: Command) -> Command {
    let has = |name: &str| command.get_arguments().any(|arg| arg.get_id().as_str() == name);
    let mut foreign: Vec<Arg> = Vec::new();
    for &(name, letter, is_long) in SWITCHES.iter().filter(|(name, ..)| !has(name)) {
        let arg = Arg::new(name).action(ArgAction::SetTrue).hide(true);
        let arg = if letter == ' ' { arg } else { arg.short(letter) };
        foreign.push(if is_long { arg.long(name) } else { arg });
    }
    for &(name, letter) in VALUED.iter().filter(|(name, _)| !has(name)) {
        let arg = Arg::new(name).short(letter).action(ArgAction::Append);
        foreign.push(arg.allow_hyphen_values(true).hide(true));
    }
    if !has("template") {
        foreign.push(template("").hide(true));
    }
    command.args(foreign)
}

/// The types of objects. Written out: to read the registry of attributes would be most of what a
/// command costs at its start, for a text that is hardly ever shown.
const TYPES: &str = "auditlog boottarget eventlog firmware group kit kitcomponent kitrepo monitoring network node \
    notification osdistro osdistroupdate osimage pdu policy rack route site taskstate zone zvmivp";

fn types_help() -> String {
    format!("\n\nThe types of objects are:\n  {TYPES}\nTheir attributes are shown by -h with -t TYPE.\n")
}

/// The operands of a command that sets nothing.
pub(super) fn names_alone(command: Command) -> Command {
    let help = "The objects: a noderange for nodes, else names";
    command.mut_arg("words", |arg| arg.value_name("NODERANGE|NAMES").help(help))
}

/// `-w`, several times.
pub(super) fn select(help: &'static str) -> Arg {
    let arg = Arg::new("select").short('w').value_name("ATTR==VALUE").action(ArgAction::Append);
    arg.allow_hyphen_values(true).help(help)
}

/// `-i`.
pub(super) fn attribute_list(help: &'static str) -> Arg {
    Arg::new("attributes").short('i').value_name("ATTR,…").allow_hyphen_values(true).help(help)
}

/// `-z`.
pub(super) fn stanza(help: &'static str) -> Arg {
    switch("stanza").short('z').help(help)
}

/// `-f`.
pub(super) fn force(help: &'static str) -> Arg {
    switch("force").short('f').help(help)
}

/// `--template`, whose value may be missing.
pub(super) fn template(help: &'static str) -> Arg {
    Arg::new("template")
        .long("template")
        .value_name("NAME")
        .num_args(0..=1)
        .default_missing_value("")
        .help(help)
}

/// `-u`.
pub(super) fn derive() -> Arg {
    Arg::new("derive")
        .short('u')
        .action(ArgAction::SetTrue)
        .help("Fill in what follows from profile, provmethod, osvers and osarch; for type osimage")
}

/// The types that are named; `-u` is about images.
pub(super) fn types(matches: &ArgMatches) -> Vec<String> {
    let types = split_list(text(matches, "type").unwrap_or_default().as_str());
    let is_image = types.is_empty() && matches.get_flag("derive") && !matches.get_flag("stanza");
    if is_image { vec!["osimage".to_owned()] } else { types }
}

/// The items of a comma list; a trailing comma means nothing.
pub(super) fn split_list(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// The objects and the attributes.
pub(super) struct Operands {
    /// `-o`, else the operand without `=`.
    pub(super) objects: Option<Range>,
    /// The operands with `=`, in order.
    pub(super) attributes: Vec<(String, String)>,
}

/// Reads options and operands of one of the four; its own are the command's to take.
///
/// # Errors
/// When they do not go together.
pub(super) fn read(matches: &ArgMatches, name: &str, intake: &Intake) -> Result<Operands, Usage> {
    combination::options(matches, name)?;
    let operands = read_operands(matches, intake)?;
    combination::operands(matches, name, &operands)?;
    Ok(operands)
}

/// Reads `-o` and the operands.
fn read_operands(matches: &ArgMatches, intake: &Intake) -> Result<Operands, Usage> {
    let mut objects = text(matches, "objects");
    let mut attributes = Vec::new();
    let words = texts(matches, "words");
    // Where objects are named, `attr==value` sets a value that starts with `=`, as in xCAT.
    let is_named = objects.is_some() || words.iter().any(|word| !word.contains('='));
    for word in words {
        let pair = word.split_once('=').filter(|(name, _)| is_named || !is_selection(&word, name));
        match pair {
            Some((name, value)) => {
                // A name may hold blanks: `nicips.Local Area Connection`.
                let name = name.trim();
                if name.is_empty() {
                    return Err(Usage::alone(format!("Incorrect 'attr=val' pair - {word}.")));
                }
                attributes.push((name.to_owned(), value.trim_start().to_owned()));
            }
            None if objects.is_some() => return Err(Usage::new("noderange can not contain spaces.")),
            None => objects = Some(word),
        }
    }
    let objects = objects.map(|words| intake.range(&words)).transpose()?;
    Ok(Operands { objects, attributes })
}

/// Whether a word with `=` selects nodes (`mgt==ipmi`, `rack=~3`, `all@mgt!=ipmi`) instead of
/// setting an attribute. xCAT knows no selections here, and sets or passes over what looks like one;
/// where nothing else names objects, nobody means that.
fn is_selection(word: &str, name: &str) -> bool {
    name.ends_with('!')
        || name.contains(['@', ',', '(', '!'])
        || name.len() < word.len()
            && word.get(name.len()..).is_some_and(|rest| rest.starts_with("==") || rest.starts_with("=~"))
}

/// What `-h` shows: the usage, or with `-t` what the attributes mean, or those that `-i` names.
///
/// # Errors
/// When there is no such type or attribute.
pub(super) fn help(matches: &ArgMatches, command: fn() -> Command) -> Result<Option<Parsed>, Usage> {
    if !matches.get_flag("help") {
        return Ok(None);
    }
    let attributes = matches.try_get_one::<String>("attributes").ok().flatten().map(|list| split_list(list));
    if text(matches, "type").is_none() {
        return Ok(Some(Parsed::Show(format!("{}\n", super::guarded(command()).render_help()))));
    }
    describe::attributes(&types(matches), attributes.as_deref()).map(|shown| Some(Parsed::Show(shown)))
}

#[cfg(test)]
mod tests {
    use mn_core::table::attribute;

    use super::*;

    #[test]
    fn the_types_are_those_of_the_registry() {
        let names: Vec<&str> = attribute::object_types().map(|kind| kind.name).collect();
        assert_eq!(TYPES, names.join(" "));
    }
}
