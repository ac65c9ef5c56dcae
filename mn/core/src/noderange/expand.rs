//! Takes the steps of a parsed range over the model's indexes.

use std::collections::HashMap;

use common::id::NodeName;
use imbl::OrdSet;

use super::glob::Glob;
use super::parse::{self, Op, Steps, Term};
use super::select::{self, Condition, Selection};
use super::shape::{self, Affixes, Shape};
use super::{Expansion, MOST_NAMES, NoderangeError, Options};
use crate::model::Model;
use crate::table::schema::NODEGROUP;

/// What one noderange may cost: so many looks at the whole cluster, or at this many nodes of a
/// small one. What it comes to in time, the tests of generated inputs show.
const LOOKS: usize = 64;
const LEAST_WORK: usize = 1_000_000;

/// What it costs to read an expression, in looks; an odd one costs ten times as much.
const READ: usize = 500;

/// How many words the ranges of one noderange may be, those that spell others among them.
const MOST_WORDS: usize = MOST_NAMES / 5 * 6;

/// How many bytes the words of one noderange may have together: as many names as may be, each of 63
/// letters, have two thirds of it.
const MOST_LETTERS: usize = 24 << 20;

/// No name is as long as this. A longer word is looked through once for each rule that it might be
/// of, and costs as much as the words that it is as long as.
const LONG: usize = 1024;
const LONG_COSTS: usize = 4;

/// How deep files and words may call each other.
const DEEPEST: usize = parse::DEEPEST;

type Set = OrdSet<NodeName>;

pub(super) fn expand(
    text: &str,
    model: &Model,
    options: Options<'_>,
    files: &dyn Fn(&str) -> Option<String>,
) -> Result<Expansion, NoderangeError> {
    let mut evaluator = Evaluator::new(model, options, files);
    let mut nodes = evaluator.text(text, 0)?;
    if options.exclude_nodes
        && let Some(excluded) = model.site("excludenodes")
    {
        // Names in it that do not exist are no fault of the command.
        let mut site = Evaluator::new(model, Options { verify: true, ..options }, files);
        let excluded = site.text(excluded, 0)?;
        evaluator.subtract(&mut nodes, &excluded)?;
    }
    let Evaluator { missing, warnings, .. } = evaluator;
    Ok(Expansion { nodes: nodes.into_iter().collect(), missing, warnings })
}

struct Evaluator<'a> {
    model: &'a Model,
    verify: bool,
    affixes: Affixes<'a>,
    files: &'a dyn Fn(&str) -> Option<String>,
    missing: Vec<String>,
    warnings: Vec<String>,
    /// Words that may still be read; those that spell names count too.
    names: usize,
    /// How long all of them may be together: odd brackets spell ever longer words out of each other.
    letters: usize,
    /// Nodes that may still be looked at.
    work: usize,
    /// What selections, expressions and dynamic groups gave, as each looks at every node.
    looked: HashMap<String, Set>,
}

impl<'a> Evaluator<'a> {
    fn new(model: &'a Model, options: Options<'a>, files: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let work = LEAST_WORK.saturating_add(model.node_count().saturating_mul(LOOKS));
        let (missing, warnings, looked) = (Vec::new(), Vec::new(), HashMap::new());
        Self {
            model,
            verify: options.verify,
            affixes: Affixes { prefix: options.prefix, suffix: options.suffix },
            files,
            missing,
            warnings,
            names: MOST_WORDS,
            letters: MOST_LETTERS,
            work,
            looked,
        }
    }

    fn text(&mut self, text: &str, depth: usize) -> Result<Set, NoderangeError> {
        let steps = if text.contains(['\'', '"']) {
            parse::range(&text.replace(['\'', '"'], ""), depth)?
        } else {
            parse::range(text, depth)?
        };
        self.steps(&steps, depth)
    }

    fn steps(&mut self, Steps(steps): &Steps, depth: usize) -> Result<Set, NoderangeError> {
        let mut nodes = Set::new();
        let mut excluded = Set::new();
        for (op, term) in steps {
            // One word after the other is the common case, and needs no set of its own.
            if let (Op::Add, Term::Word(word)) = (op, term) {
                self.word(word, depth, &mut nodes)?;
                continue;
            }
            let met = self.missing.len();
            let found = match term {
                Term::Range(steps) => self.steps(steps, depth)?,
                Term::File(path) => self.file(path, depth)?,
                Term::Word(word) => {
                    let mut found = Set::new();
                    self.word(word, depth, &mut found)?;
                    found
                }
            };
            if !self.verify && *op != Op::Add {
                // What is taken away makes no new name, good or bad.
                self.missing.truncate(met);
            }
            match op {
                Op::Add => self.add(&mut nodes, found)?,
                Op::Exclude => self.add(&mut excluded, found)?,
                Op::Subtract => self.subtract(&mut nodes, &found)?,
                Op::Intersect => self.intersect(&mut nodes, &found)?,
            }
        }
        self.subtract(&mut nodes, &excluded)?;
        Ok(nodes)
    }

    /// Each line is a range up to the first blank or colon; `#` and `^` begin what is none.
    fn file(&mut self, path: &str, depth: usize) -> Result<Set, NoderangeError> {
        if depth >= DEEPEST {
            return Err(NoderangeError::TooDeep);
        }
        let mut nodes = Set::new();
        let Some(text) = (self.files)(path) else {
            self.warn(format!("the file {path} cannot be read"));
            return Ok(nodes);
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', '^'])) {
            let range = line.split([' ', '\t', ':']).next().unwrap_or_default();
            let found = self.text(range, depth + 1)?;
            self.add(&mut nodes, found)?;
        }
        Ok(nodes)
    }

    /// Adds the nodes of one word: the first rule that applies.
    fn word(&mut self, word: &str, depth: usize, nodes: &mut Set) -> Result<(), NoderangeError> {
        self.spend_name(word)?;
        if depth > DEEPEST {
            return Err(NoderangeError::TooDeep);
        }
        if let Some(node) = self.model.node(word) {
            nodes.insert(node.clone());
            return Ok(());
        }
        if let Some(members) = self.group(word)? {
            return self.add(nodes, members);
        }
        if shape::is_plain(word) {
            return self.unknown(word, nodes);
        }
        if word.bytes().any(|byte| matches!(byte, b'=' | b'~')) {
            let found = self.looked(word, Self::select)?;
            return self.add(nodes, found);
        }
        if word.starts_with('/') && self.verify {
            let found = self.looked(word, Self::matching)?;
            return self.add(nodes, found);
        }
        if word.starts_with('/') {
            return self.unknown(word, nodes);
        }
        self.check_room(word, shape::size(word))?;
        match shape::of(word, self.affixes) {
            Shape::Plain => self.unknown(word, nodes),
            Shape::Name(name) => self.word(&name, depth + 1, nodes),
            Shape::Items(items) => items.iter().try_for_each(|item| self.word(item, depth + 1, nodes)),
            Shape::Glued { items, rest } => {
                for item in items {
                    for start in self.spell(&item, depth + 1)? {
                        self.word(&(start + &rest), depth + 1, nodes)?;
                    }
                }
                Ok(())
            }
            Shape::Count(count) => {
                self.check_count(word, count.len())?;
                count.names().try_for_each(|name| self.word(&name, depth + 1, nodes))
            }
        }
    }

    /// The texts that a word spells, whatever they name.
    fn spell(&mut self, word: &str, depth: usize) -> Result<Vec<String>, NoderangeError> {
        self.spend_name(word)?;
        if depth > DEEPEST {
            return Err(NoderangeError::TooDeep);
        }
        if shape::is_plain(word) {
            return Ok(vec![word.to_owned()]);
        }
        let words: Vec<String> = match shape::of(word, self.affixes) {
            Shape::Plain => return Ok(vec![word.to_owned()]),
            Shape::Name(name) => return Ok(vec![name]),
            Shape::Items(items) => items,
            Shape::Glued { items, rest } => {
                let mut glued = Vec::new();
                for item in items {
                    glued.extend(self.spell(&item, depth + 1)?.into_iter().map(|start| start + &rest));
                }
                glued
            }
            Shape::Count(count) => {
                self.check_count(word, count.len())?;
                count.names().collect()
            }
        };
        let mut spelt = Vec::new();
        for word in words {
            spelt.extend(self.spell(&word, depth + 1)?);
        }
        Ok(spelt)
    }

    /// The members of a group; none where there is no such group.
    fn group(&mut self, name: &str) -> Result<Option<Set>, NoderangeError> {
        let row = self.model.tables().row(NODEGROUP, name).filter(|row| row.is_live());
        if row.is_some_and(|row| row.cell("grouptype") == Some("dynamic")) {
            return self.looked(name, Self::dynamic).map(Some);
        }
        Ok(self.model.member_set(name).cloned().or_else(|| row.map(|_| Set::new())))
    }

    fn dynamic(&mut self, name: &str) -> Result<Set, NoderangeError> {
        let row = self.model.tables().row(NODEGROUP, name);
        let text = row.and_then(|row| row.cell("wherevals")).unwrap_or_default();
        let mut conditions = Vec::new();
        for text in text.split("::").filter(|text| !text.is_empty()) {
            self.spend(READ)?;
            let condition = Selection::parse(text)
                .map_err(|source| NoderangeError::Pattern { text: text.to_owned(), source })?;
            conditions.extend(condition.map(Condition::new));
        }
        if conditions.is_empty() {
            self.warn(format!("the dynamic group {name} has no conditions"));
            return Ok(Set::new());
        }
        let model = self.model;
        let is_in = |node: &&NodeName| conditions.iter().all(|one| one.holds(model, node.as_str()));
        Ok(model.nodes().filter(is_in).cloned().collect())
    }

    fn select(&mut self, word: &str) -> Result<Set, NoderangeError> {
        self.spend(READ)?;
        let selection = Selection::parse(word)
            .map_err(|source| NoderangeError::Pattern { text: word.to_owned(), source })?;
        let selected = selection.and_then(|selection| Some((select::column(selection.name)?, selection)));
        let Some(((table, column), selection)) = selected else {
            self.warn(format!("{word} compares no column of nodes, and means none"));
            return Ok(Set::new());
        };
        let model = self.model;
        let has_many = table.table().key.len() > 1;
        let holds = |node: &NodeName| {
            let name = node.as_str();
            if has_many {
                return select::any_row(model, table, column, name, &selection.comparison);
            }
            selection.comparison.holds(&model.cell(table, name, column).unwrap_or_default())
        };
        Ok(model.nodes().filter(|node| holds(node)).cloned().collect())
    }

    /// `/PATTERN`
    fn matching(&mut self, word: &str) -> Result<Set, NoderangeError> {
        self.spend(READ)?;
        // Without a group around it, so that the anchors of `/a|b` bind one alternative each.
        let pattern = format!("^{}$", word.strip_prefix('/').unwrap_or(word));
        let regex = select::compile(&pattern)
            .map_err(|source| NoderangeError::Pattern { text: word.to_owned(), source })?;
        let found: Set = self.model.nodes().filter(|node| regex.is_match(node.as_str())).cloned().collect();
        if found.is_empty() && word.len() > 1 && word.ends_with('/') {
            self.warn(format!("{word}: an expression is not closed by '/'"));
        }
        Ok(found)
    }

    /// `n*`, `n?`
    fn glob(&mut self, word: &str) -> Result<Set, NoderangeError> {
        let glob = Glob::new(word);
        Ok(self.model.nodes().filter(|node| glob.means(node.as_str())).cloned().collect())
    }

    /// A word that nothing knows.
    fn unknown(&mut self, word: &str, nodes: &mut Set) -> Result<(), NoderangeError> {
        if self.verify && word.contains(['*', '?']) {
            let found = self.looked(word, Self::glob)?;
            if !found.is_empty() {
                return self.add(nodes, found);
            }
        }
        match word.parse() {
            Ok(name) if !self.verify => drop(nodes.insert(name)),
            _ => self.missing.push(word.to_owned()),
        }
        Ok(())
    }

    /// What a look at every node gives, once for each word.
    fn looked(
        &mut self,
        word: &str,
        look: fn(&mut Self, &str) -> Result<Set, NoderangeError>,
    ) -> Result<Set, NoderangeError> {
        if let Some(known) = self.looked.get(word) {
            return Ok(known.clone());
        }
        self.spend(self.model.node_count())?;
        let found = look(self, word)?;
        self.looked.insert(word.to_owned(), found.clone());
        Ok(found)
    }

    fn add(&mut self, nodes: &mut Set, mut more: Set) -> Result<(), NoderangeError> {
        if nodes.len() < more.len() {
            std::mem::swap(nodes, &mut more);
        }
        if more.is_empty() || nodes.ptr_eq(&more) {
            return Ok(());
        }
        self.spend(more.len())?;
        nodes.extend(more);
        Ok(())
    }

    fn subtract(&mut self, nodes: &mut Set, less: &Set) -> Result<(), NoderangeError> {
        self.spend(nodes.len().min(less.len()))?;
        if less.len() < nodes.len() {
            for node in less {
                nodes.remove(node);
            }
        } else {
            *nodes = nodes.iter().filter(|node| !less.contains(*node)).cloned().collect();
        }
        Ok(())
    }

    fn intersect(&mut self, nodes: &mut Set, other: &Set) -> Result<(), NoderangeError> {
        if nodes.ptr_eq(other) {
            return Ok(());
        }
        let (small, large) = if nodes.len() < other.len() { (&*nodes, other) } else { (other, &*nodes) };
        self.spend(small.len())?;
        *nodes = small.iter().filter(|node| large.contains(*node)).cloned().collect();
        Ok(())
    }

    fn check_count(&mut self, word: &str, count: u64) -> Result<(), NoderangeError> {
        if count == 0 {
            self.warn(format!("{word} counts down or has too many zeros, and means no node"));
        }
        self.check_room(word, count)
    }

    fn check_room(&self, word: &str, count: u64) -> Result<(), NoderangeError> {
        if usize::try_from(count).is_ok_and(|count| count <= self.names.min(MOST_NAMES)) {
            Ok(())
        } else {
            Err(too_many(word))
        }
    }

    fn spend_name(&mut self, word: &str) -> Result<(), NoderangeError> {
        self.names = self.names.checked_sub(1).ok_or_else(|| too_many(word))?;
        let looks = if word.len() > LONG { LONG_COSTS } else { 1 };
        let letters = word.len().saturating_mul(looks).saturating_add(shape::letters(word));
        self.letters = self.letters.checked_sub(letters).ok_or(NoderangeError::TooMuchWork)?;
        Ok(())
    }

    fn spend(&mut self, nodes: usize) -> Result<(), NoderangeError> {
        self.work = self.work.checked_sub(nodes).ok_or(NoderangeError::TooMuchWork)?;
        Ok(())
    }

    fn warn(&mut self, warning: String) {
        // A range may warn for each of a million names; nobody reads past a few.
        if self.warnings.len() < 20 && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn too_many(word: &str) -> NoderangeError {
    NoderangeError::TooManyNames(word.chars().take(80).collect())
}
