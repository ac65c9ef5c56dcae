//! What nodes reported becomes rows: `nodelist.status`, and the `agent` table.
//!
//! A batch and the number through which it is stored are one transaction, so that a batch that comes
//! again after a crash of either side changes nothing.
//!
//! **Invariant**: a service node is believed about the nodes in whose pool it is, and no others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use common::id::{NodeName, SnName};
use common::wire::push::{InterfaceAddress, Report, Reported};
use common::wire::work::{Receipt, StepOutcome};
use mn_core::draft::Draft;
use mn_core::model::Model;
use mn_core::node;
use mn_core::table::schema::{AGENT, NODELIST, SNADDRESS};
use mn_core::table::{Row, RowKey};
use tracing::{debug, warn};

use crate::store::Cursor;
use crate::store::book::{Book, By, Planned};

/// The longest status word that is kept, in characters.
const MAX_STATUS: usize = 64;

/// The longest note about failed steps that is kept, in characters.
const MAX_NOTE: usize = 2_000;

/// How far each service node's reports are stored. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reports {
    cursors: Arc<Mutex<BTreeMap<SnName, Cursor>>>,
}

impl Reports {
    /// As the store has kept it.
    pub fn new(cursors: BTreeMap<SnName, Cursor>) -> Self {
        Self { cursors: Arc::new(Mutex::new(cursors)) }
    }

    /// The last report of this series that is stored.
    pub(super) fn through(&self, sn: &SnName, series: u64) -> u64 {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.get(sn).filter(|cursor| cursor.series == series).map_or(0, |cursor| cursor.reports)
    }

    /// Stores a batch, whose last report has the number `through` in `series`; says whether it is
    /// on the disk.
    pub(super) async fn store(
        &self,
        book: &Book,
        sn: &SnName,
        (series, through): (u64, u64),
        mut reports: Vec<Report>,
    ) -> bool {
        let known = self.through(sn, series);
        if through <= known {
            return true;
        }
        let first = through.saturating_sub(reports.len() as u64);
        let stored = usize::try_from(known.saturating_sub(first)).unwrap_or(usize::MAX);
        reports.drain(..stored.min(reports.len()));
        let cursor = Cursor { series, reports: through };
        let by = By::daemon(&format!("reports from {sn}"));
        let (name, of) = (sn.clone(), sn.clone());
        let done = book
            .change(by, move |model| {
                let mut draft = Draft::new(model);
                reports.iter().for_each(|report| take(&mut draft, &name, report));
                Planned { cursor: Some((of, cursor)), ..Planned::new(Some(draft.finish()), ()) }
            })
            .await;
        if done.is_ok() {
            self.cursors.lock().unwrap_or_else(PoisonError::into_inner).insert(sn.clone(), cursor);
        }
        done.is_ok()
    }
}

fn take(draft: &mut Draft, sn: &SnName, report: &Report) {
    // The node may be gone from the definitions meanwhile; its last words are in nobody's interest.
    if !draft.model().has_node(report.node.as_str()) || is_stale(draft.model(), sn, report) {
        return;
    }
    if !may_tell(draft.model(), sn, report) {
        return debug!(%sn, node = %report.node, "report about another service node's node was dropped");
    }
    match &report.what {
        Reported::Status(word) => status(draft, &report.node, word, report.at),
        Reported::Settled { owner, receipts } => settled(draft, report, owner, receipts),
        Reported::Connected(up) => connected(draft, sn, &report.node, *up),
    }
}

/// Whether a service node may say this. That it has lost a node's agent is always its own affair.
fn may_tell(model: &Model, sn: &SnName, report: &Report) -> bool {
    report.what == Reported::Connected(false) || node::pool_of(model, &report.node).contains(sn)
}

/// Whether a newer owner has reported already: an old owner's late word must not undo it.
///
/// The owner of today is no old owner. An agent may hear of it from the old one, and connect, before
/// its own slice has the epoch in which the agent settled; dropped, that word would not come again.
/// And nobody takes more back than it has said.
fn is_stale(model: &Model, sn: &SnName, report: &Report) -> bool {
    let row = model.tables().row(AGENT, report.node.as_str());
    let known = row.and_then(|row| row.cell("epoch")).and_then(|text| text.parse().ok());
    match report.what {
        Reported::Connected(false) => false,
        Reported::Connected(true) if node::pool_of(model, &report.node).first() == Some(sn) => false,
        _ => known.is_some_and(|known: u64| report.epoch.value() < known),
    }
}

fn status(draft: &mut Draft, node: &NodeName, word: &str, at: u64) {
    let word: String = word.chars().filter(|c| !c.is_control()).take(MAX_STATUS).collect();
    let key = RowKey::one(node.as_str());
    draft.set(NODELIST, &key, "status", &word);
    draft.set(NODELIST, &key, "statustime", &local_time(at));
}

/// A time as the tables of xCAT write it.
pub(crate) fn local_time(at: u64) -> String {
    let second = i64::try_from(at).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d-%Y %H:%M:%S").to_string())
        .unwrap_or_default()
}

fn settled(draft: &mut Draft, report: &Report, owner: &SnName, receipts: &[Receipt]) {
    // A script may have failed long ago and has nothing to do with whom the node follows.
    let (scripts, steps): (Vec<&Receipt>, Vec<&Receipt>) =
        receipts.iter().partition(|receipt| receipt.is_script());
    let key = RowKey::one(report.node.as_str());
    draft.set(AGENT, &key, "owner", owner.as_str());
    draft.set(AGENT, &key, "epoch", &report.epoch.to_string());
    draft.set(AGENT, &key, "settled", &report.at.to_string());
    draft.set(AGENT, &key, "note", &failures(&steps));
    draft.set(AGENT, &key, "scripts", &failures(&scripts));
}

/// What failed, on one line.
fn failures(receipts: &[&Receipt]) -> String {
    let failed = receipts.iter().filter_map(|receipt| match &receipt.outcome {
        StepOutcome::Failed { reason, .. } => Some(format!("{}: {}", receipt.step, reason.trim())),
        _ => None,
    });
    let text = failed.collect::<Vec<_>>().join("; ");
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_NOTE).collect()
}

fn connected(draft: &mut Draft, sn: &SnName, node: &NodeName, up: bool) {
    let key = RowKey::one(node.as_str());
    let now = draft
        .model()
        .tables()
        .row(AGENT, node.as_str())
        .and_then(|row| row.cell("connected").map(str::to_owned));
    if up {
        draft.set(AGENT, &key, "connected", sn.as_str());
    } else if now.as_deref() == Some(sn.as_str()) {
        // Only who has the node can lose it: by now it may be connected elsewhere.
        draft.set(AGENT, &key, "connected", "");
    }
}

/// Keeps the `snaddress` rows of a service node as it says; a change only where they differ.
pub(super) async fn addresses(book: &Book, sn: &SnName, addresses: &[InterfaceAddress]) {
    let wanted: BTreeMap<RowKey, Row> = addresses
        .iter()
        .filter(|one| one.interface.len() <= 64 && !one.interface.contains(|c: char| c.is_control()))
        .map(|one| {
            let address = one.address.to_string();
            let key = RowKey::of([sn.as_str(), one.interface.as_str(), address.as_str()]);
            let row = Row::new()
                .with("sn", sn.as_str())
                .with("interface", &one.interface)
                .with("address", &address);
            (key, row)
        })
        .collect();
    let name = sn.clone();
    let done = book
        .edit(By::daemon(&format!("addresses of {sn}")), move |draft| replace(draft, &name, wanted))
        .await;
    if let Err(error) = done {
        warn!(%sn, %error, "addresses were not stored");
    }
}

fn replace(draft: &mut Draft, sn: &SnName, wanted: BTreeMap<RowKey, Row>) {
    let gone: Vec<RowKey> = draft
        .model()
        .tables()
        .rows_under(SNADDRESS, sn.as_str())
        .filter(|(key, _)| !wanted.contains_key(*key))
        .map(|(key, _)| key.clone())
        .collect();
    gone.iter().for_each(|key| draft.remove_row(SNADDRESS, key));
    for (key, mut row) in wanted {
        let address: Option<common::slice::Net> = row.cell("address").and_then(|text| text.parse().ok());
        let network =
            address.and_then(|address| draft.model().network_of(address.addr()).map(|net| net.name.clone()));
        if let Some(network) = network {
            row.put("network", network.as_str());
        }
        draft.put_row(SNADDRESS, &key, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::{Epoch, Revision};
    use mn_core::table::Tables;
    use mn_core::table::schema::{NODERES, SERVICENODE};

    /// `n1`, whose pool is `sn1`, and another service node.
    fn draft() -> Draft {
        let mut draft = Draft::new(&Model::new(Tables::new(), Revision::ZERO));
        for name in ["n1", "sn1", "sn2"] {
            draft.set(NODELIST, &RowKey::one(name), "groups", "all");
        }
        for sn in ["sn1", "sn2"] {
            draft.set(SERVICENODE, &RowKey::one(sn), "dhcpserver", "1");
        }
        draft.set(NODERES, &RowKey::one("n1"), "servicenode", "sn1");
        draft
    }

    fn say(draft: &mut Draft, sn: &str, what: Reported) {
        say_in(draft, 0, sn, what);
    }

    fn say_in(draft: &mut Draft, epoch: u64, sn: &str, what: Reported) {
        let report = Report { node: "n1".parse().unwrap(), at: 1, epoch: Epoch::new(epoch), what };
        take(draft, &sn.parse().unwrap(), &report);
    }

    fn cell(draft: &Draft, table: mn_core::table::TableId, column: &str) -> String {
        let row = draft.model().tables().row(table, "n1");
        row.and_then(|row| row.cell(column)).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_service_node_tells_of_its_own_nodes_alone() {
        let mut draft = draft();
        say(&mut draft, "sn1", Reported::Status("booted".to_owned()));
        say(&mut draft, "sn2", Reported::Status("failed".to_owned()));
        assert_eq!(cell(&draft, NODELIST, "status"), "booted");
        say(&mut draft, "sn2", Reported::Connected(true));
        assert_eq!(cell(&draft, AGENT, "connected"), "");
    }

    #[test]
    fn a_script_that_failed_is_kept_apart_from_the_steps() {
        let mut draft = draft();
        let receipt = |step: &str, reason: Option<&str>| Receipt {
            step: step.to_owned(),
            outcome: match reason {
                Some(reason) => StepOutcome::Failed { reason: reason.to_owned(), status: Some(1) },
                None => StepOutcome::Kept,
            },
        };
        let say = |draft: &mut Draft, receipts: Vec<Receipt>| {
            say(draft, "sn1", Reported::Settled { owner: "sn1".parse().unwrap(), receipts });
        };
        say(&mut draft, vec![receipt("gateway", None), receipt("script post", Some("no\n"))]);
        assert_eq!(cell(&draft, AGENT, "note"), "");
        assert_eq!(cell(&draft, AGENT, "scripts"), "script post: no");
        say(&mut draft, vec![receipt("gateway", Some("no route")), receipt("script post", None)]);
        assert_eq!(cell(&draft, AGENT, "note"), "gateway: no route");
        assert_eq!(cell(&draft, AGENT, "scripts"), "");
    }

    #[test]
    fn who_left_the_pool_may_still_say_that_it_lost_the_agent() {
        let mut draft = draft();
        say(&mut draft, "sn1", Reported::Connected(true));
        draft.set(NODERES, &RowKey::one("n1"), "servicenode", "sn2");
        say(&mut draft, "sn1", Reported::Connected(false));
        assert_eq!(cell(&draft, AGENT, "connected"), "");
    }

    /// The agent settled in the epoch that the old owner told it, and found the new one, which had
    /// not heard of that epoch yet.
    #[test]
    fn the_owners_word_that_an_agent_is_there_counts_in_any_epoch() {
        let mut draft = draft();
        draft.set(NODERES, &RowKey::one("n1"), "servicenode", "sn2,sn1");
        say_in(&mut draft, 1, "sn1", Reported::Connected(true));
        let settled = Reported::Settled { owner: "sn2".parse().unwrap(), receipts: Vec::new() };
        say_in(&mut draft, 3, "sn1", settled);
        say_in(&mut draft, 2, "sn2", Reported::Connected(true));
        say_in(&mut draft, 3, "sn1", Reported::Connected(false));
        assert_eq!(cell(&draft, AGENT, "connected"), "sn2");
        // What an old owner says late does not count.
        say_in(&mut draft, 2, "sn1", Reported::Connected(true));
        assert_eq!(cell(&draft, AGENT, "connected"), "sn2");
        say_in(&mut draft, 2, "sn2", Reported::Connected(false));
        assert_eq!(cell(&draft, AGENT, "connected"), "");
    }
}
