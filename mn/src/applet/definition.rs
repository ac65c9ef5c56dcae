//! What `lsdef`, `mkdef`, `chdef` and `rmdef` share: their options and the reading of operands.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::change::Range;

use super::describe;
use super::intake::Intake;
use super::{Parsed, Usage, operands, switch, text, texts};

/// Adds what all four have to a command.
pub(super) fn with_objects(command: Command) -> Command {
    command
        // `-h` may come with `-t` and `-i`, so that it is looked at when all words are read.
        .mut_arg("help", |arg| arg.action(ArgAction::SetTrue))
        .arg(
            Arg::new("type")
                .short('t')
                .long("type")
                .value_name("TYPE")
                .help("The types of the objects [default: node]"),
        )
        .arg(
            Arg::new("objects")
                .short('o')
                .long("objects")
                .value_name("NAMES")
                .help("The objects: a noderange for nodes, else names"),
        )
        .arg(operands("NODERANGE|ATTR=VALUE").help("The objects, and what to set"))
}

/// The operands of a command that sets nothing.
pub(super) fn names_alone(command: Command) -> Command {
    let help = "The objects: a noderange for nodes, else names";
    command.mut_arg("words", |arg| arg.value_name("NODERANGE|NAMES").help(help))
}

/// `-w`, several times.
pub(super) fn select(help: &'static str) -> Arg {
    Arg::new("select").short('w').value_name("ATTR==VALUE").action(ArgAction::Append).help(help)
}

/// `-i`.
pub(super) fn attribute_list(help: &'static str) -> Arg {
    Arg::new("attributes").short('i').value_name("ATTR,…").help(help)
}

/// `-z`.
pub(super) fn stanza(help: &'static str) -> Arg {
    switch("stanza").short('z').help(help)
}

/// `-f`.
pub(super) fn force(help: &'static str) -> Arg {
    switch("force").short('f').help(help)
}

/// The types that are named.
pub(super) fn types(matches: &ArgMatches) -> Vec<String> {
    split_list(text(matches, "type").unwrap_or_default().as_str())
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

/// Reads `-o` and the operands.
///
/// # Errors
/// When there are two noderanges, or a word that is neither.
pub(super) fn read_operands(matches: &ArgMatches, intake: &Intake) -> Result<Operands, Usage> {
    let mut objects = text(matches, "objects");
    let mut attributes = Vec::new();
    for word in texts(matches, "words") {
        let pair = word.split_once('=').filter(|(name, _)| !is_selection(&word, name));
        match pair {
            Some((name, value)) => {
                let name = name.trim();
                if name.is_empty() || name.contains(char::is_whitespace) {
                    return Err(Usage::new(format!("Incorrect 'attr=val' pair - {word}")));
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
/// setting an attribute. `attr==value` would set a value that starts with `=`; xCAT does that, and
/// nobody means it.
fn is_selection(word: &str, name: &str) -> bool {
    name.ends_with('!')
        || name.contains(['@', ',', '(', '!'])
        || name.len() < word.len()
            && word.get(name.len()..).is_some_and(|rest| rest.starts_with("==") || rest.starts_with("=~"))
}

/// What `-h` shows: the usage, or with `-t` or `-i` what the attributes mean.
///
/// # Errors
/// When there is no such type or attribute.
pub(super) fn help(matches: &ArgMatches, command: fn() -> Command) -> Result<Option<Parsed>, Usage> {
    if !matches.get_flag("help") {
        return Ok(None);
    }
    let attributes = matches.try_get_one::<String>("attributes").ok().flatten().map(|list| split_list(list));
    if text(matches, "type").is_none() && attributes.is_none() {
        return Ok(Some(Parsed::Show(format!("{}\n", command().render_help()))));
    }
    describe::attributes(&types(matches), attributes.as_deref()).map(|shown| Some(Parsed::Show(shown)))
}
