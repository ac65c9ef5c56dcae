//! Who may run what on which nodes: the `policy` table, with xCAT's semantics.
//!
//! Live rows are read in the order of their priorities, lowest number first. The first row of which
//! every column that is set holds decides: a rule with `allow`, `accept` or `trusted` in it allows,
//! anything else denies, and so does the end of the table. A row with a noderange that covers a part
//! of the command's nodes decides for these alone where it allows (the rest goes on down the table,
//! so that rows add up), and for the whole command where it denies.
//!
//! What the command is and which nodes it is about is read from the typed [`Asked`], which is what
//! will run ([`Facts`]); the words that came with it are believed for `parameters` alone, and only
//! where the daemon has proven that they mean the same.
//!
//! Decided on purpose, where xCAT is unsafe or silent:
//!
//! * Nobody without a name gets anything: rows that name nobody are for everybody who has proven
//!   who he is, by the kernel's word or by a certificate.
//! * Definition commands are about the nodes that they name, and about the members of the groups
//!   that they name. A row that allows with a noderange never covers a definition of anything but
//!   nodes.
//! * A row that names commands never allows to change the policy itself, or to let another operator
//!   in: who may do that may do everything, and a row that is meant so names no commands.
//! * `time` has no grammar in xCAT and is never looked at there. Here a row with a time allows
//!   nothing, and denies at all times.
//! * A row whose `parameters` are no regular expression, or are to be matched with words that are not
//!   proven, allows nothing, and denies.
//! * Root and the owner of the daemon's folder, on its own machine, may do what no row denies *them by
//!   name*; and `chtab` (with `tabch`, which is the same here) always, as in xCAT, so that a wrong row
//!   can be taken back.

mod facts;
mod row;

use std::collections::BTreeSet;

use common::report::Refusal;

pub use self::facts::{Definitions, Facts, Objects};
use self::row::Row;
use crate::command::Asked;
use crate::model::Model;
use crate::past::quoted;

/// What the two commands are called that change single rows: one here, of two names in xCAT.
const TABCH: &str = "tabch";

/// Who gives a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's name, or the one in the certificate; none where nobody vouches for one.
    pub name: Option<String>,
    /// What `host` may call the machine that the command came from.
    pub hosts: Vec<String>,
    /// Root, or the owner of the folder, on the management node itself.
    pub trusted: bool,
}

/// Why a caller may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The priority of the row that decided; none where no row did.
    pub row: Option<String>,
    /// The reason, in one clause.
    pub why: String,
    /// What whoever administers the management node would type to look at it, or to allow it.
    pub remedy: Option<String>,
}

impl Denial {
    /// xCAT's line, and what it does not say: why, and what to try.
    pub fn render(&self) -> String {
        const ASK: &str = "ask who administers the management node for a row in the policy table";
        let attempt = self.remedy.as_ref().map_or_else(|| ASK.to_owned(), |line| format!("{ASK}: {line}"));
        let refusal =
            Refusal::new("Permission denied for request").because(self.why.clone()).attempt(attempt);
        // The first line is xCAT's own, frame and all.
        refusal.render("Error")
    }
}

/// Whether a caller may do what is asked; gives the priority of the row that allows it, or none
/// where none was needed.
///
/// `arguments` gives the words of the command without its name and noderange, joined by blanks, once
/// they are proven; it is asked at most once, and only where a row looks at them.
///
/// # Errors
/// Why not.
pub fn judge(
    model: &Model,
    caller: &Caller,
    asked: &Asked,
    arguments: &mut dyn FnMut() -> Option<String>,
) -> Result<Option<String>, Denial> {
    let facts = Facts::of(asked);
    let Some(name) = &caller.name else {
        let why = "nobody vouches for who you are".to_owned();
        return Err(Denial { row: None, why, remedy: None });
    };
    if caller.trusted && facts.command == TABCH {
        return Ok(None);
    }
    let mut case =
        Case { model, caller, name, facts, arguments, words: None, reach: None, struck: Vec::new() };
    let mut rows = row::rows(model);
    if caller.trusted {
        // What is said of everybody is not meant for who repairs the table.
        rows.retain(|row| row.name == Some(name.as_str()));
    }
    for row in &rows {
        if let Some(verdict) = case.weigh(row) {
            return verdict;
        }
    }
    if caller.trusted { Ok(None) } else { Err(case.unmatched()) }
}

/// One command before the rows, and what was found out about it so far.
struct Case<'a> {
    model: &'a Model,
    caller: &'a Caller,
    name: &'a str,
    facts: Facts<'a>,
    arguments: &'a mut dyn FnMut() -> Option<String>,
    /// The proven arguments, once asked for.
    words: Option<Option<String>>,
    /// The nodes that are not allowed by a row yet, once asked for.
    reach: Option<Reach>,
    /// Why rows that would have allowed did not.
    struck: Vec<String>,
}

/// The nodes that a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reach {
    /// Those that it names; none where it names no nodes at all.
    named: Option<BTreeSet<String>>,
    /// Those that what it names reaches all the same: members of groups.
    beyond: BTreeSet<String>,
}

impl Case<'_> {
    /// What a row decides; none where it does not.
    fn weigh(&mut self, row: &Row<'_>) -> Option<Result<Option<String>, Denial>> {
        let is_meant =
            row.names(self.name) && row.is_from(&self.caller.hosts) && row.runs(self.facts.command);
        if !is_meant {
            return None;
        }
        if row.allows && row.commands.is_some() && self.facts.governs {
            self.struck.push(format!(
                "row {} names commands, and so allows no change of who may do what",
                row.priority
            ));
            return None;
        }
        if row.allows && row.has_time {
            self.struck.push(format!("row {} has a time, and times are not evaluated", row.priority));
            return None;
        }
        if !self.parameters_hold(row) {
            return None;
        }
        self.nodes_hold(row).then(|| self.verdict(row))
    }

    fn verdict(&self, row: &Row<'_>) -> Result<Option<String>, Denial> {
        if row.allows {
            return Ok(Some(row.priority.to_owned()));
        }
        let why = format!("row {} of the policy table denies it to {}", row.priority, self.name);
        let remedy = Some(format!("lsdef -t policy {}", row.priority));
        Err(Denial { row: Some(row.priority.to_owned()), why, remedy })
    }

    /// Whether the arguments are such as the row says; what cannot be told is taken for the worse.
    fn parameters_hold(&mut self, row: &Row<'_>) -> bool {
        let Some(pattern) = row.parameters else { return true };
        let words = self.words.get_or_insert_with(|| (self.arguments)());
        let trouble = match (row::pattern(pattern), words) {
            (Some(pattern), Some(words)) => return pattern.is_match(words),
            (None, _) => "has parameters that are no regular expression",
            (_, None) => "has parameters, and what was typed cannot be shown to be what would run",
        };
        if row.allows {
            self.struck.push(format!("row {} {trouble}", row.priority));
        }
        !row.allows
    }

    /// Whether the nodes are such as the row says. Those of a row that allows a part are struck off.
    fn nodes_hold(&mut self, row: &Row<'_>) -> bool {
        let Some(range) = row.noderange else { return true };
        let reach = self.reach.get_or_insert_with(|| self.facts.reach(self.model));
        if row.allows && reach.named.is_none() {
            return false;
        }
        let covered = facts::names(self.model, range);
        let is_covered = |node: &String| covered.contains(node);
        let all = || reach.named.iter().flatten().chain(&reach.beyond);
        let (hits, all) = (all().filter(|node| is_covered(node)).count(), all().count());
        if !row.allows || hits == 0 {
            return hits > 0;
        }
        if hits < all {
            reach.named.iter_mut().for_each(|named| named.retain(|node| !is_covered(node)));
            reach.beyond.retain(|node| !is_covered(node));
        }
        hits == all
    }

    fn unmatched(&self) -> Denial {
        let mut why = format!("no row of the policy table lets {} run {}", self.name, self.facts.command);
        if let Some(left) = self.reach.as_ref().and_then(|reach| reach.named.as_ref())
            && !left.is_empty()
        {
            let some: Vec<&str> = left.iter().take(5).map(String::as_str).collect();
            let more = if left.len() > some.len() { ",…" } else { "" };
            why.push_str(&format!(" on {}{more}", some.join(",")));
        }
        for struck in &self.struck {
            why.push_str("; ");
            why.push_str(struck);
        }
        // A row that names commands does not let anyone govern.
        let remedy = (!self.facts.governs).then(|| {
            let (priority, command) = (row::free(self.model), self.facts.command);
            let name = quoted(&format!("name={}", self.name));
            format!("mkdef -t policy {priority} {name} commands={command} rule=allow")
        });
        Denial { row: None, why, remedy }
    }
}

#[cfg(test)]
mod tests;
