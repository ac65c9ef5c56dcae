//! What a move says at its end: one line for each node that needs attention, and a summary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use common::id::{Moment, NodeName, SnName};
use mn_core::change::snmove::Plan;
use mn_core::command::Snmove;
use mn_core::moves::Move;
use serde_json::json;

use super::since;
use crate::operate::speaker::Speaker;

/// How many names a line lists before it only counts the rest.
const LISTED: usize = 8;

/// What happened so far.
#[derive(Debug)]
pub(super) struct Report {
    start: Moment,
    plans: Vec<Plan>,
    /// How many nodes went to which service node.
    moved: BTreeMap<SnName, usize>,
    followed: BTreeSet<NodeName>,
    pending: BTreeSet<NodeName>,
    /// Subject and text.
    attention: Vec<(String, String)>,
    /// Scripts that failed at some time, which is not the move's doing, and on which nodes.
    scripts: BTreeMap<String, BTreeSet<NodeName>>,
    notes: Vec<String>,
}

impl Report {
    pub(super) const fn new(start: Moment) -> Self {
        Self {
            start,
            plans: Vec::new(),
            moved: BTreeMap::new(),
            followed: BTreeSet::new(),
            pending: BTreeSet::new(),
            attention: Vec::new(),
            scripts: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn planned(&mut self, plans: &[Plan]) {
        self.notes.extend(plans.iter().flat_map(|plan| plan.warnings.iter().cloned()));
        self.plans = plans.to_vec();
    }

    pub(super) fn moved(&mut self, one: &Move, nodes: &[NodeName]) {
        *self.moved.entry(one.target.clone()).or_default() += nodes.len();
    }

    /// A node follows its new owner; `note` is what its agent could not do.
    pub(super) fn followed(&mut self, node: &NodeName, note: Option<&str>) {
        match note {
            Some(note) => self.attention(node, note),
            None => {
                self.followed.insert(node.clone());
            }
        }
    }

    /// Scripts of a node have failed: told, and no failure of the move.
    pub(super) fn scripts(&mut self, node: &NodeName, text: &str) {
        self.scripts.entry(text.to_owned()).or_default().insert(node.clone());
    }

    pub(super) fn pending(&mut self, node: &NodeName) {
        self.pending.insert(node.clone());
    }

    pub(super) fn attention(&mut self, subject: impl Display, text: &str) {
        self.attention.push((subject.to_string(), text.to_owned()));
    }

    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Says it all; gives the exit status.
    pub(super) async fn say(&self, arguments: &Snmove, speaker: &Speaker<'_>) -> u8 {
        if speaker.is_json() {
            speaker.record(self.json(arguments.mode.dry_run)).await;
        } else if arguments.mode.dry_run {
            self.dry_run(speaker).await;
        } else {
            self.text(arguments, speaker).await;
        }
        u8::from(!self.attention.is_empty())
    }

    async fn dry_run(&self, speaker: &Speaker<'_>) {
        for plan in &self.plans {
            for moving in &plan.nodes {
                for (attribute, before, after) in &moving.changes {
                    let (before, after) = (shown(before), shown(after));
                    speaker.out(format!("{}: {attribute}: {before} -> {after}", moving.node)).await;
                }
            }
            let from: BTreeSet<&str> =
                plan.nodes.iter().filter_map(|moving| moving.from.as_ref()).map(SnName::as_str).collect();
            let from = from.into_iter().collect::<Vec<_>>().join(", ");
            let from = if from.is_empty() { String::new() } else { format!("from {from} ") };
            let count = counted(plan.nodes.len(), "node");
            speaker.out(format!("{count} would move {from}to {}; nothing was changed", plan.target)).await;
            self.settled(plan, speaker).await;
        }
        self.notes(speaker).await;
    }

    /// Nodes of which nothing changes.
    async fn settled(&self, plan: &Plan, speaker: &Speaker<'_>) {
        if !plan.settled.is_empty() {
            let count = counted(plan.settled.len(), "node");
            speaker.out(format!("{count} owned by {} already", plan.target)).await;
        }
    }

    async fn notes(&self, speaker: &Speaker<'_>) {
        for note in &self.notes {
            speaker.err(format!("snmove: {note}")).await;
        }
    }

    async fn text(&self, arguments: &Snmove, speaker: &Speaker<'_>) {
        for (subject, text) in &self.attention {
            speaker.err(format!("snmove: {subject}: {text}")).await;
        }
        for (text, nodes) in &self.scripts {
            speaker.err(format!("snmove: {}: {text}; the move has nothing to do with it", list(nodes))).await;
        }
        self.notes(speaker).await;
        for plan in &self.plans {
            self.settled(plan, speaker).await;
        }
        let seconds = since(self.start).as_secs_f64();
        for (target, count) in &self.moved {
            let mut line = format!("{} moved to {target} in {seconds:.2} s", counted(*count, "node"));
            if !self.followed.is_empty() {
                line.push_str(&format!(", {} repointed", counted(self.followed.len(), "agent")));
            }
            if arguments.ignore_nodes {
                line.push_str("; running nodes follow at their next boot, or with `updatenode NODES -s`");
            }
            if !self.pending.is_empty() {
                let follow =
                    if self.pending.len() == 1 { "follows when it is" } else { "follow when they are" };
                line.push_str(&format!(", {} {follow} back ({})", self.pending.len(), list(&self.pending)));
            }
            speaker.out(line).await;
        }
    }

    fn json(&self, dry_run: bool) -> serde_json::Value {
        let names = |nodes: &BTreeSet<NodeName>| nodes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let nodes: Vec<_> = self.plans.iter().flat_map(|plan| plan.nodes.iter().map(move |moving| json!({
            "node": moving.node.as_str(),
            "from": moving.from.as_ref().map(SnName::as_str),
            "to": plan.target.as_str(),
            "changes": moving.changes.iter()
                .map(|(attribute, before, after)| json!({ "attribute": attribute, "before": before, "after": after }))
                .collect::<Vec<_>>(),
        }))).collect();
        json!({
            "dry_run": dry_run,
            "nodes": nodes,
            "repointed": names(&self.followed),
            "pending": names(&self.pending),
            "attention": self.attention.iter()
                .map(|(subject, text)| json!({ "subject": subject, "text": text })).collect::<Vec<_>>(),
            "scripts": self.scripts.iter()
                .map(|(text, nodes)| json!({ "text": text, "nodes": names(nodes) })).collect::<Vec<_>>(),
            "notes": self.notes,
            "seconds": since(self.start).as_secs_f64(),
        })
    }
}

/// A value as every diff shows it.
fn shown(value: &str) -> &str {
    if value.is_empty() { "(unset)" } else { value }
}

/// `1 node`, `2 nodes`.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn list(nodes: &BTreeSet<NodeName>) -> String {
    let mut text = nodes.iter().take(LISTED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if nodes.len() > LISTED {
        text.push_str(&format!(" and {} more", nodes.len() - LISTED));
    }
    text
}
