//! Which options and operands of the definition commands do not go together, in xCAT's words and
//! in the order in which it looks.

use clap::ArgMatches;
use common::id::Revision;
use mn_core::command::Range;
use mn_core::model::Model;
use mn_core::noderange;
use mn_core::table::Tables;

use super::super::{Usage, text, texts};
use super::{Operands, types};

/// Options that make no sense beside each other.
pub(super) fn options(matches: &ArgMatches, name: &str) -> Result<(), Usage> {
    let has = |option: &str| is_given(matches, option);
    let (is_making, is_listing) = (matches!(name, "mkdef" | "chdef"), name == "lsdef");
    let rules = [
        (has("derive") && !is_making, format!("Option '-u' can not work with {name}.")),
        (has("cleanup") && name != "rmdef", format!("Option '-C' can not be used with {name}.")),
        (
            has("derive") && (has("stanza") || types(matches).iter().any(|kind| kind != "osimage")),
            "Option '-u' only work for objtype 'osimage'.".to_owned(),
        ),
        (has("xml"), "The '-x' (XML format) option is not yet implemented.".to_owned()),
        (has("attributes") && has("osimage"), together("-i", "--osimage")),
        (has("stanza") && has("osimage"), together("-z", "--osimage")),
        (has("all") && has("type"), together("-a", "-t")),
        (has("long") && has("short"), together("-l", "-s")),
        (has("nics") && has("attributes"), together("-i", "--nics")),
        ((has("attributes") || has("nics")) && has("short"), together("-i", "-s")),
        (
            has("compress") && !has("attributes") && !has("nics"),
            "The flags '-c' and '-i' must be used together.".to_owned(),
        ),
        (
            has("template") && !is_listing && name != "mkdef",
            format!("The option '--template' can not be used with '{name}'."),
        ),
        (
            name == "rmdef" && has_of_another(matches),
            "Invalid flag specified, see rmdef manpage for details.".to_owned(),
        ),
    ];
    first(rules)?;
    if has("attributes") && !is_listing {
        return Err(Usage::alone("The '-i' option is only valid for the lsdef command."));
    }
    if name == "chdef" && has("derive") && (has("plus") || has("minus")) {
        return Err(Usage::alone("Cannot use '-u' with '-p' or '-m'."));
    }
    match name {
        "mkdef" => first(mkdef(matches)),
        "chdef" => first(chdef(matches)),
        "rmdef" => first([(
            has("all") && !has("force"),
            "You must use the '-f' option when using the '-a' option.".to_owned(),
        )]),
        _ => Ok(()),
    }
}

/// Options that `rmdef` must not take for something else: xCAT found that they cost people nodes.
fn has_of_another(matches: &ArgMatches) -> bool {
    ["dynamic", "attributes", "long", "minus", "plus", "select", "stanza", "short"]
        .into_iter()
        .any(|option| is_given(matches, option))
}

fn mkdef(matches: &ArgMatches) -> Vec<(bool, String)> {
    let has = |option: &str| is_given(matches, option);
    let template = text(matches, "template").unwrap_or_default();
    vec![
        (
            has("template") && template.is_empty(),
            "no object definition template specified for mkdef --template!".to_owned(),
        ),
        (
            template.contains(','),
            "Only 1 template object definition should be specified for mkdef!".to_owned(),
        ),
        (
            has("template") && has("stanza"),
            "The file input can not be used with --template option!".to_owned(),
        ),
        (
            has("plus") || has("minus"),
            "The '-p' and '-m' options are not valid for the mkdef command.".to_owned(),
        ),
        (has("rename"), "The '-n' option is only valid for the chdef command.".to_owned()),
        (has("type") && has("stanza"), no_types()),
    ]
}

fn chdef(matches: &ArgMatches) -> Vec<(bool, String)> {
    let has = |option: &str| is_given(matches, option);
    let is_editing = ["dynamic", "plus", "minus", "stanza", "select"].into_iter().any(has);
    let kinds = types(matches);
    let rename = text(matches, "rename").filter(|_| kinds.is_empty() || kinds == ["node"]);
    let misnamed = format!(
        "The new object name '{}' is not valid.Please refer to \"man xcatdb\" for the valid \"xCAT Object Name Format\" ",
        rename.as_deref().unwrap_or_default()
    );
    vec![
        (rename.is_some_and(|new| !is_node_name(&new)), misnamed),
        (has("rename") && is_editing, "Cannot combine '-n' and '-d','-p','-m','-z','-w' options.".to_owned()),
        (has("force"), "The '-f' option is not valid for the chdef command.".to_owned()),
        (has("type") && has("stanza"), no_types()),
        (has("all"), "The '-a' option is not valid for the chdef command.".to_owned()),
        (has("plus") && has("minus"), together("-p", "-m")),
    ]
}

/// Whether a node may be called so, as far as xCAT looks; the management node looks closer.
fn is_node_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    is_plain && !name.is_empty() || name.parse::<std::net::IpAddr>().is_ok()
}

/// Operands that make no sense beside the options.
pub(super) fn operands(matches: &ArgMatches, name: &str, operands: &Operands) -> Result<(), Usage> {
    let types = types(matches);
    let is_editing = is_given(matches, "plus") || is_given(matches, "minus");
    let is_of_nodes = types.is_empty() || types == ["node"];
    let is_nic = |(name, _): &(String, String)| name.starts_with("nic") && name.contains('.');
    if name == "chdef" && is_editing && is_of_nodes && operands.attributes.iter().any(is_nic) {
        let text = "chdef does not support to change the nic related attributes with -m or -p flag.";
        return Err(Usage::alone(text));
    }
    if types.len() > 1 && !operands.attributes.is_empty() {
        let text = "Cannot combine multiple types with 'att=val' pairs on the command line.";
        return Err(Usage::alone(text));
    }
    let (is_all, is_stanza) = (is_given(matches, "all"), is_given(matches, "stanza"));
    if is_all && operands.objects.is_some() {
        return Err(Usage::alone("Cannot use '-a' with '-o', a noderange or file input."));
    }
    if matches!(name, "mkdef" | "chdef") && is_stanza && operands.objects.is_some() {
        let example = match name {
            "mkdef" => "Example of -z usage:\n\t'cat stanzafile | mkdef -z'",
            _ => "Example of -z usage:\n\t'cat stanzafile | chdef -z'",
        };
        let refusal = Usage::new("Cannot use '-z' with '-o' or a noderange.");
        return Err(Usage { more: Some(example), ..refusal });
    }
    let is_several = |names: &Range| spells_several(&names.text, is_of_nodes);
    if is_given(matches, "rename") && operands.objects.as_ref().is_some_and(is_several) {
        return Err(Usage::new("The '-n' option (changing object name) can only work on one object."));
    }
    let is_named = operands.objects.is_some() || types == ["site"] || is_all || is_stanza;
    if name != "lsdef" && !is_named {
        let text = "No object names were provided.";
        let with_usage = !types.is_empty() && name != "mkdef";
        return Err(if with_usage { Usage::new(text) } else { Usage::alone(text) });
    }
    Ok(())
}

/// Whether names are several by what is written; the members of a group the management node counts.
fn spells_several(text: &str, is_of_nodes: bool) -> bool {
    if !is_of_nodes {
        return text.split(',').filter(|name| !name.is_empty()).nth(1).is_some();
    }
    let nothing = Model::new(Tables::default(), Revision::default());
    let options = noderange::Options { verify: false, exclude_nodes: false, ..noderange::Options::default() };
    // What cannot be read is refused where it is looked up.
    noderange::expand(text, &nothing, options, &|_| None).is_ok_and(|found| found.nodes.len() > 1)
}

/// Whether an option was given.
fn is_given(matches: &ArgMatches, option: &str) -> bool {
    match matches.try_get_one::<bool>(option) {
        Ok(is_set) => is_set.copied().unwrap_or_default(),
        // An empty text, as of a script's variable, is none.
        Err(_) => texts(matches, option).iter().any(|text| !text.is_empty()),
    }
}

fn together(one: &str, other: &str) -> String {
    format!("The flags '{one}' and '{other}' cannot be used together.")
}

fn no_types() -> String {
    "Cannot combine '-t' and '-a', '-z', or '-x' options.".to_owned()
}

fn first(rules: impl IntoIterator<Item = (bool, String)>) -> Result<(), Usage> {
    match rules.into_iter().find(|(is_broken, _)| *is_broken) {
        Some((_, text)) => Err(Usage::new(text)),
        None => Ok(()),
    }
}
