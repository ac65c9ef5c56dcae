//! `--prune`: what the file does not name goes.
//!
//! Guarded: a file that was cut short, or a type that was misread, must not empty the site. More
//! than ten objects that are a quarter of their type go only with `--force`; what the site is and
//! who may do what goes only with it too; the management node's own definition never goes.

use std::collections::BTreeSet;

use common::report::Refusal;

use crate::change::delete;
use crate::command::{Apply, Range};
use crate::draft::Draft;
use crate::exchange::definitions::Definition;
use crate::exchange::subject::{self, Subject};
use crate::exchange::verdict::{Fate, Verdict};
use crate::exchange::view;
use crate::table::{RowKey, attribute, schema};
use crate::target::range;

/// As many may go without a question.
const FEW: usize = 10;

/// Removes what is pruned.
pub(super) fn plan(
    draft: &mut Draft,
    args: &Apply,
    pruned: &[Range],
    definitions: &[Definition],
    verdict: &mut Verdict<'_>,
) {
    let named: BTreeSet<&Subject> = definitions.iter().map(|definition| &definition.subject).collect();
    for range in pruned {
        if range.text == "site" {
            prune_site(draft, args, definitions, verdict);
            continue;
        }
        let Some(all) = candidates(draft, range, verdict) else { continue };
        let total = all.len();
        let goes: Vec<Subject> = all.into_iter().filter(|subject| !named.contains(subject)).collect();
        let is_much = goes.len() > FEW && goes.len() * 4 > total;
        if (is_much || range.text == "policy" && !goes.is_empty()) && !args.force {
            let refusal =
                Refusal::new(format!("--prune {} would remove {} of {total}", range.text, goes.len()));
            verdict.refuse(
                refusal.attempt("look at them with --dry-run --force, and say --force if it is meant"),
            );
            continue;
        }
        for subject in goes {
            remove(draft, &subject);
            verdict.fate(subject, Fate::Removed);
        }
    }
}

/// What may go.
fn candidates(draft: &Draft, range: &Range, verdict: &mut Verdict<'_>) -> Option<Vec<Subject>> {
    let model = draft.model();
    let what = range.text.as_str();
    if !subject::tables_of(what).is_empty() || subject::row_type(what).is_some() {
        let mut all = subject::all(model);
        // A group that nothing is said of is there by its members alone.
        all.retain(|subject| {
            subject.kind() == what
                && (what != "group" || !view::of(model, subject).is_empty())
                && !is_own(draft, subject)
        });
        return Some(all);
    }
    match range::names(model, range) {
        Ok(found) => {
            let nodes = found.names.into_iter().filter(|name| model.has_node(name));
            let nodes = nodes.map(|name| Subject::Object { kind: "node", name });
            Some(nodes.filter(|subject| !is_own(draft, subject)).collect())
        }
        Err(text) => {
            verdict.refuse(Refusal::new(text).about(format!("--prune {what}")));
            None
        }
    }
}

/// Whether it is the management node itself.
fn is_own(draft: &Draft, subject: &Subject) -> bool {
    matches!(subject, Subject::Object { kind: "node", name } if draft.model().is_member(name, "__mgmtnode"))
}

fn remove(draft: &mut Draft, subject: &Subject) {
    match subject {
        Subject::Row { table, key } => draft.remove_row(*table, key),
        Subject::Object { kind, name } => {
            if let Some(kind) = attribute::object_type(kind) {
                delete::remove(draft, kind, name);
            }
        }
    }
}

/// Settings that the file does not name.
fn prune_site(draft: &mut Draft, args: &Apply, definitions: &[Definition], verdict: &mut Verdict<'_>) {
    let site = definitions.iter().find(|definition| definition.subject.kind() == "site");
    let subject = Subject::Object { kind: "site", name: crate::object::CLUSTERSITE.to_owned() };
    let there = view::of(draft.model(), &subject);
    let goes: Vec<String> =
        there.into_keys().filter(|name| site.is_none_or(|site| site.said(name).is_none())).collect();
    if !goes.is_empty() && !args.force {
        let refusal = Refusal::new(format!("--prune site would remove the settings {}", goes.join(", ")));
        return verdict.refuse(refusal.attempt("say --force if it is meant"));
    }
    for name in goes {
        draft.remove_row(schema::SITE, &RowKey::one(&name));
    }
}
