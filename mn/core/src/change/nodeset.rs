//! `nodeset`: what the next boot of nodes gets.
//!
//! One word a node is written (`chain.currstate`); kernel, arguments and boot files follow from
//! the definitions and are rendered when they are asked for, so a thousand nodes cost a thousand
//! small rows and no file.

use common::id::NodeName;
use serde_json::json;

use super::{Outcome, verify};
use crate::command::Nodeset;
use crate::draft::Draft;
use crate::model::Model;
use crate::node;
use crate::table::{RowKey, nearest, schema as table};
use crate::talk::{Context, Line, Talk};

/// What is asked for, understood.
enum State {
    /// The node's own disk.
    Boot,
    /// Neither boot file nor lease for its firmware.
    Offline,
    /// The rescue system.
    Shell,
    /// An image: the node's own, or this one.
    Image(Option<String>),
}

/// Plans a `nodeset`. Each node is a unit: one that is refused keeps its state, the others change.
pub fn plan(model: &Model, arguments: &Nodeset, context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    let nodes = match arguments.nodes.expand(model) {
        Ok(chosen) => {
            chosen.warnings.iter().for_each(|text| talk.warn(text));
            chosen.nodes
        }
        Err(refusal) => {
            return Outcome { lines: vec![Line::Err(refusal.render("Error"))], change: None, status: 1 };
        }
    };
    if arguments.state == "stat" {
        stat(model, &nodes, &mut talk);
        return talk.finish(None);
    }
    let Some(state) = asked(model, &arguments.state, &mut talk) else { return talk.finish(None) };
    let mut draft = Draft::new(model);
    for node in &nodes {
        let savepoint = draft.savepoint();
        match set(&mut draft, node, &state) {
            Ok(word) => {
                talk.info(format!("{node}: {word}"));
                talk.record(|| json!({ "node": node.as_str(), "state": word }));
            }
            Err(why) => {
                draft.rollback(savepoint);
                talk.error_of(node, &why);
            }
        }
    }
    if arguments.mode.atomic && talk.status() != 0 {
        draft = Draft::new(model);
        talk.hint("nothing was changed (--atomic)");
    }
    let change = draft.finish();
    if arguments.mode.dry_run {
        return verify::preview(&change, talk, context);
    }
    talk.finish((!change.is_empty()).then_some(change))
}

/// The state that is asked for; none, and said why, where there is no such state or image.
fn asked(model: &Model, word: &str, talk: &mut Talk<'_>) -> Option<State> {
    let state = match word.split_once('=') {
        None if word == "boot" => State::Boot,
        None if word == "offline" => State::Offline,
        None if word == "shell" => State::Shell,
        None if word == "osimage" => State::Image(None),
        Some(("osimage", name)) if !name.is_empty() => State::Image(Some(name.to_owned())),
        _ => {
            talk.error(&unknown(word));
            talk.hint("  try      nodeset NODERANGE boot|offline|shell|osimage[=NAME]|stat");
            return None;
        }
    };
    if let State::Image(Some(name)) = &state
        && model.tables().row(table::OSIMAGE, name).is_none()
    {
        let text = format!("Cannot find the OS image {name} in the osimage table.");
        let images = model.tables().rows(table::OSIMAGE).filter_map(|(_, row)| row.cell("imagename"));
        talk.error(&nearest::hinted(text, &nearest::names(name, images)));
        return None;
    }
    Some(state)
}

/// What xCAT says of a state that is none.
fn unknown(word: &str) -> String {
    match word.split('=').next().unwrap_or(word) {
        "osimage" => format!("invalid argument: \"{word}\""),
        "install" | "netboot" | "statelite" => {
            "The options \"install\", \"netboot\", and \"statelite\" have been deprecated, use \
             \"osimage=<osimage_name>\" instead."
                .to_owned()
        }
        _ => format!("Unknown state {word} requested"),
    }
}

fn stat(model: &Model, nodes: &[NodeName], talk: &mut Talk<'_>) {
    for node in nodes {
        let state = node::state_of(model, node).unwrap_or_else(|| "boot".to_owned());
        talk.info(format!("{node}: {state}"));
        talk.record(|| json!({ "node": node.as_str(), "state": state }));
    }
}

/// Sets a node's state and gives the word for it.
fn set(draft: &mut Draft, node: &NodeName, state: &State) -> Result<String, String> {
    let key = RowKey::one(node.as_str());
    let word = match state {
        State::Boot => "boot".to_owned(),
        State::Offline => "offline".to_owned(),
        State::Shell => {
            if node::shell_files(draft.model(), node).is_none() {
                return Err("the rescue system's kernel is not in the served tree; \
                    put tftpboot/xcat/genesis.kernel.ARCH there"
                    .to_owned());
            }
            "shell".to_owned()
        }
        State::Image(name) => return image(draft, node, &key, name.as_deref()),
    };
    draft.set(table::CHAIN, &key, "currstate", &word);
    draft.set(table::CHAIN, &key, "currchain", &word);
    Ok(word)
}

fn image(draft: &mut Draft, node: &NodeName, key: &RowKey, name: Option<&str>) -> Result<String, String> {
    let own =
        || draft.model().cell(table::NODETYPE, node.as_str(), "provmethod").map(std::borrow::Cow::into_owned);
    let name = name.map(str::to_owned).or_else(own);
    let name =
        name.ok_or("OS image name must be specified in nodetype.provmethod\n  try      osimage=NAME")?;
    let row = draft.model().tables().row(table::OSIMAGE, &name).cloned();
    let row = row.ok_or_else(|| format!("Cannot find the OS image {name} in the osimage table."))?;
    let cell = |column| row.cell(column).unwrap_or_default().to_owned();
    let (method, os, arch, profile) = (cell("provmethod"), cell("osvers"), cell("osarch"), cell("profile"));
    if method.is_empty() {
        return Err(format!("osimage.provmethod for {name} must be set."));
    }
    if !matches!(method.as_str(), "install" | "netboot" | "statelite") {
        return Err(format!(
            "the image {name} has provmethod {method:?}, which is none of install, netboot, statelite"
        ));
    }
    if node::bootable(draft.model(), &name).is_none() {
        let folder = format!("tftpboot/xcat/osimage/{name}");
        return Err(format!(
            "the image {name} has no kernel in the served tree; put kernel and initrd into {folder}/"
        ));
    }
    let word = format!("{method} {os}-{arch}-{profile}");
    draft.set(table::CHAIN, key, "currstate", &word);
    draft.set(table::CHAIN, key, "currchain", "boot");
    for (column, value) in
        [("provmethod", name.as_str()), ("os", &os), ("arch", &arch), ("profile", &profile)]
    {
        let now =
            draft.model().cell(table::NODETYPE, node.as_str(), column).map(std::borrow::Cow::into_owned);
        if !value.is_empty() && now.as_deref() != Some(value) {
            draft.set(table::NODETYPE, key, column, value);
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Mode, Range};
    use crate::fixture;

    fn run(state: &str) -> String {
        let model = fixture::model(
            "nodelist n1 groups=all
             nodelist n2 groups=all
             nodetype n2 provmethod=bare
             osimage bare osvers=debian12",
        );
        let context = Context { server: "mn".to_owned(), ..Context::default() };
        let args = Nodeset { mode: Mode::default(), nodes: Range::new("n1-n2"), state: state.to_owned() };
        let outcome = plan(&model, &args, &context);
        let said = outcome.lines.into_iter().map(|line| match line {
            Line::Out(text) | Line::Err(text) => text,
            Line::Record(value) => panic!("{value}"),
        });
        said.chain([format!("= {}", outcome.status)]).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_no_state_is_refused_in_xcats_words() {
        assert_eq!(run("boot"), "n1: boot\nn2: boot\n= 0");
        insta::assert_snapshot!(run("bot"), @"
        Error: [mn]: Unknown state bot requested
          try      nodeset NODERANGE boot|offline|shell|osimage[=NAME]|stat
        = 1
        ");
        assert!(run("osimage=").starts_with("Error: [mn]: invalid argument: \"osimage=\"\n"));
        for word in ["install", "netboot=x", "statelite"] {
            assert!(run(word).contains("have been deprecated, use \"osimage=<osimage_name>\""), "{word}");
        }
    }

    #[test]
    fn an_error_of_one_node_has_its_name_first() {
        insta::assert_snapshot!(run("osimage"), @"
        n1: [mn]: Error: OS image name must be specified in nodetype.provmethod
          try      osimage=NAME
        n2: [mn]: Error: osimage.provmethod for bare must be set.
        = 1
        ");
    }
}
