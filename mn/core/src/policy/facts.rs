//! What a row of the policy table can ask about a command, read from what will run.
//!
//! [`Facts::of`] has an arm for every command there is, on purpose without a wildcard: who adds one
//! says here what it is called, which nodes it is about, and whether it can change who may do what.

use std::collections::BTreeSet;

use super::Reach;
use crate::command::{Asked, Command, Define, Lsdef, Operation, Query, Range, Rmdef};
use crate::model::Model;
use crate::node;
use crate::object::stanza;
use crate::target::range;

/// A command before the policy table.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts<'a> {
    /// What the column `commands` calls it. Sub-commands of `mn` go by their own word.
    pub command: &'static str,
    /// What it is about.
    pub objects: Objects<'a>,
    /// Whether it can change who may do what.
    pub governs: bool,
}

/// What a command is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Objects<'a> {
    /// No nodes.
    Nothing,
    /// Nodes that exist.
    Nodes(&'a Range),
    /// Every node, without naming any.
    Everything,
    /// The nodes that a service node owns.
    OwnedBy(&'a str),
    /// Groups, with commas between, and so their members.
    Groups(&'a Range),
    /// Definitions.
    Definitions(Definitions<'a>),
}

/// The definitions that a command makes, changes, shows or removes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definitions<'a> {
    types: &'a [String],
    objects: Option<&'a Range>,
    stanza: Option<&'a str>,
    rename: Option<&'a str>,
    /// What `members=` says.
    members: Vec<&'a str>,
}

/// Commands that have a second name, first the one by which rows of the policy table know them.
const TWINS: [(&str, &str); 2] = [("lsxcatd", "lsmn"), ("tabch", "chtab")];

/// Groups and nodes, the two types of object that reach nodes.
const NODE: &str = "node";
const GROUP: &str = "group";

/// The table that says who may do what.
const POLICY: &str = "policy";

impl<'a> Facts<'a> {
    /// Those of a command.
    pub fn of(asked: &'a Asked) -> Self {
        match asked {
            Asked::Change(command) => Self::of_change(command),
            Asked::Query(query) | Asked::Past(_, query) => Self::of_query(query),
            Asked::Operate(operation) => Self::of_operation(operation),
        }
    }

    /// The name that a record of it has: the one that was typed, where a command goes by two.
    pub fn known_as(&self, typed: &str) -> &'static str {
        let is_typed = |(first, second): &&(&str, &str)| *first == self.command && *second == typed;
        TWINS.iter().find(is_typed).map_or(self.command, |(_, second)| *second)
    }

    fn of_change(command: &'a Command) -> Self {
        match command {
            Command::Apply(args) => {
                Self { command: "apply", objects: Objects::Everything, governs: args.may_govern() }
            }
            Command::Import(args) => {
                Self { command: "import", objects: Objects::Everything, governs: args.may_govern() }
            }
            Command::Mkdef(args) => Self::define("mkdef", args),
            Command::Chdef(args) => Self::define("chdef", args),
            Command::Rmdef(args) => Self::remove(args),
            // Nodes that are made here do not exist yet, as with a definition.
            Command::Nodeadd(args) => Self {
                objects: Objects::Definitions(Definitions {
                    objects: Some(&args.nodes),
                    ..Definitions::default()
                }),
                ..Self::plain("nodeadd")
            },
            Command::Nodech(args) => Self::nodes("nodech", &args.nodes),
            Command::Nodegrpch(args) => {
                Self { objects: Objects::Groups(&args.nodes), ..Self::plain("nodegrpch") }
            }
            Command::Noderm(args) => Self::nodes("noderm", &args.nodes),
            Command::Nodeset(args) => Self::nodes("nodeset", &args.nodes),
            // A full one lets members in.
            Command::RestoreDb(args) => Self::table("restorexCATdb", args.full || args.is_about(POLICY)),
            Command::Tabch(args) => Self::table("tabch", args.is_about(POLICY)),
            Command::Tabprune(args) => Self::table("tabprune", args.table == POLICY),
            Command::Tabrestore(args) => Self::table("tabrestore", args.file.table == POLICY),
        }
    }

    fn of_query(query: &'a Query) -> Self {
        match query {
            Query::Export(args) => Self::nodes_or_all("export", args.nodes.as_ref()),
            Query::Diff(_) => Self::plain("diff"),
            Query::Explain(args) if args.kind.is_empty() || args.kind == NODE => {
                Self::nodes("explain", &args.objects)
            }
            Query::Explain(_) => Self::plain("explain"),
            Query::History(_) => Self::plain("history"),
            // With the secrets of a full dump, anyone may become a member.
            Query::DumpDb(args) => Self::table("dumpxCATdb", args.full),
            Query::Gettab(_) => Self::plain("gettab"),
            Query::Lsdef(args) => Self::show(args),
            Query::Lsmn(_) => Self::plain("lsxcatd"),
            Query::Names(_) => Self::plain("complete"),
            Query::Lsslice(_) => Self::plain("lsslice"),
            Query::Nodels(args) => Self::nodes_or_all("nodels", args.nodes.as_ref()),
            Query::Noderange(args) => {
                Self::nodes(if args.no_verify { "gennr" } else { "noderange" }, &args.nodes)
            }
            Query::Tabdump(_) => Self::plain("tabdump"),
            Query::Tabgrep(args) => Self::nodes("tabgrep", &args.nodes),
        }
    }

    fn of_operation(operation: &'a Operation) -> Self {
        match operation {
            Operation::Makedhcp(args) => Self::nodes_or_all("makedhcp", args.nodes.as_ref()),
            Operation::Makedns(args) => Self::nodes_or_all("makedns", args.nodes.as_ref()),
            // Who says which file root writes could write the policy's too.
            Operation::Makehosts(args) => {
                Self { governs: args.file.is_some(), ..Self::nodes_or_all("makehosts", args.nodes.as_ref()) }
            }
            Operation::Makenetworks(_) => Self::plain("makenetworks"),
            Operation::Forget(_) => Self { governs: true, ..Self::plain("history") },
            // Scripts of anybody may ask for it, as in xCAT.
            Operation::Nodestat(args) => Self::nodes("nodestat", &args.nodes),
            Operation::Snmove(args) => match (&args.nodes, &args.source) {
                (Some(nodes), _) => Self::nodes("snmove", nodes),
                (None, Some(source)) => Self { objects: Objects::OwnedBy(source), ..Self::plain("snmove") },
                (None, None) => Self::plain("snmove"),
            },
            Operation::TokenCreate(args) => Self { governs: args.operator, ..Self::plain("token") },
            Operation::Operator(args) => Self { governs: args.remove.is_some(), ..Self::plain("operator") },
            // What it takes back may be anything, the policy too.
            Operation::Undo(_) => Self { command: "undo", objects: Objects::Everything, governs: true },
            Operation::Updatenode(args) => Self::nodes("updatenode", &args.nodes),
        }
    }

    /// A command that is about no nodes.
    const fn plain(command: &'static str) -> Self {
        Self { command, objects: Objects::Nothing, governs: false }
    }

    /// A command about whole tables.
    const fn table(command: &'static str, governs: bool) -> Self {
        Self { command, objects: Objects::Nothing, governs }
    }

    /// A command with a noderange.
    const fn nodes(command: &'static str, nodes: &'a Range) -> Self {
        Self { command, objects: Objects::Nodes(nodes), governs: false }
    }

    /// A command that means all nodes where it has no noderange.
    fn nodes_or_all(command: &'static str, nodes: Option<&'a Range>) -> Self {
        let objects = nodes.map_or(Objects::Everything, Objects::Nodes);
        Self { command, objects, governs: false }
    }

    fn define(command: &'static str, args: &'a Define) -> Self {
        let members = args.attributes.iter().filter(|(name, _)| name == "members");
        let definitions = Definitions {
            types: &args.types,
            objects: args.objects.as_ref(),
            stanza: args.stanza.as_deref(),
            rename: args.rename.as_deref(),
            members: members.map(|(_, value)| value.as_str()).collect(),
        };
        let governs = definitions.is_about("policy");
        Self { command, objects: Objects::Definitions(definitions), governs }
    }

    fn remove(args: &'a Rmdef) -> Self {
        if args.all {
            return Self { command: "rmdef", objects: Objects::Everything, governs: true };
        }
        let definitions =
            Definitions { types: &args.types, objects: args.objects.as_ref(), ..Definitions::default() };
        let governs = definitions.is_about("policy");
        Self { command: "rmdef", objects: Objects::Definitions(definitions), governs }
    }

    fn show(args: &'a Lsdef) -> Self {
        let objects = match &args.objects {
            None => Objects::Everything,
            objects => Objects::Definitions(Definitions {
                types: &args.types,
                objects: objects.as_ref(),
                ..Definitions::default()
            }),
        };
        Self { command: "lsdef", objects, governs: false }
    }

    /// The noderange word that is no argument, as xCAT cuts a command line: none for definition
    /// commands, whose names are arguments.
    pub fn operand(&self) -> Option<&'a str> {
        match self.objects {
            Objects::Nodes(range) => Some(&range.text),
            _ => None,
        }
    }

    /// The nodes that it is about. A noderange that cannot be read means none here: the command says
    /// what is wrong with it, or is refused before it can.
    pub(super) fn reach(&self, model: &Model) -> Reach {
        let all = || model.nodes().map(ToString::to_string).collect();
        match &self.objects {
            Objects::Nothing => Reach::default(),
            Objects::Everything => Reach { named: None, beyond: all() },
            Objects::Nodes(range) => Reach { named: Some(existing(model, range)), ..Reach::default() },
            Objects::OwnedBy(sn) => {
                let is_owned = |node: &&common::id::NodeName| {
                    node::pool_of(model, node).first().is_some_and(|owner| owner.as_str() == *sn)
                };
                let owned = model.nodes().filter(is_owned).map(ToString::to_string).collect();
                Reach { named: Some(owned), ..Reach::default() }
            }
            Objects::Groups(groups) => {
                let mut reach = Reach::default();
                reach.add(model, GROUP, groups);
                reach
            }
            Objects::Definitions(definitions) => definitions.reach(model),
        }
    }
}

impl Definitions<'_> {
    /// Whether a type of object may be among them.
    fn is_about(&self, kind: &str) -> bool {
        let in_stanza = |text: &str| {
            // Few stanza files hold the word at all, and some are of a whole site. One that cannot be
            // read is refused as a whole by the command itself.
            let stanzas = || stanza::parse(text).unwrap_or_default();
            text.contains(kind) && stanzas().iter().any(|one| one.kind.as_deref() == Some(kind))
        };
        self.types.iter().any(|named| named == kind) || self.stanza.is_some_and(in_stanza)
    }

    fn reach(&self, model: &Model) -> Reach {
        let mut reach = Reach::default();
        let node = [NODE.to_owned()];
        let types = if self.types.is_empty() { &node } else { self.types };
        for kind in types {
            if let Some(objects) = self.objects {
                reach.add(model, kind, objects);
            }
            if let Some(name) = self.rename {
                reach.add(model, kind, &Range::new(name));
            }
        }
        for one in self.stanza.and_then(|text| stanza::parse(text).ok()).into_iter().flatten() {
            let kind = one.kind.as_deref().or_else(|| types.first().map(String::as_str)).unwrap_or(NODE);
            reach.add_name(model, kind, &one.name);
            let members = one.attributes.iter().filter(|(name, _)| name == "members");
            members.for_each(|(_, range)| reach.beyond.extend(names(model, range)));
        }
        self.members.iter().for_each(|range| reach.beyond.extend(names(model, range)));
        reach
    }
}

impl Reach {
    fn add(&mut self, model: &Model, kind: &str, objects: &Range) {
        match kind {
            NODE => {
                // Nodes that are made here do not exist yet.
                let found = range::names(model, objects).map(|found| found.names).unwrap_or_default();
                self.named.get_or_insert_default().extend(found);
            }
            GROUP => objects.text.split(',').for_each(|group| self.add_name(model, GROUP, group.trim())),
            _ => {}
        }
    }

    fn add_name(&mut self, model: &Model, kind: &str, name: &str) {
        match kind {
            NODE => {
                self.named.get_or_insert_default().insert(name.to_owned());
            }
            GROUP => self.beyond.extend(model.members(name).iter().map(ToString::to_string)),
            _ => {}
        }
    }
}

/// The nodes of a noderange that exist.
fn existing(model: &Model, range: &Range) -> BTreeSet<String> {
    range::existing(model, range)
        .map(|found| found.nodes.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

/// The names that a noderange of a table means, whether or not there are such nodes.
pub(super) fn names(model: &Model, text: &str) -> BTreeSet<String> {
    let found = range::names(model, &Range::new(text));
    found.map(|found| found.names.into_iter().collect()).unwrap_or_default()
}
