//! The nodes follow: each live agent settles on its new owner and says so.

use std::collections::BTreeSet;
use std::time::Duration;

use common::id::{NodeName, SnName};
use common::wire::work::{Receipt, RunAnswer, StepOutcome};
use mn_core::change::{snmove, updatenode};
use mn_core::command::{Range, Snmove, Updatenode};
use mn_core::model::Model;
use mn_core::moves::Move;
use mn_core::table::schema::OWNERSHIP;
use tokio::sync::mpsc;

use super::{Mover, Report, since};
use crate::operate::speaker::Speaker;
use crate::operate::updatenode::limit;
use crate::operate::{agent, errand};

/// How long live agents may take. One whose service node has died needs some seconds to notice and
/// to find the next of its pool.
const FOLLOW: Duration = Duration::from_secs(20);

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether a node's agent has settled in the epoch of its ownership, and on the owner of today: when
/// the old owner is released the epoch rises, and an agent may settle in it before the owner changes.
fn has_followed(model: &Model, node: &NodeName) -> bool {
    let epoch = number(agent::cell(model, node, "epoch"));
    let owner = mn_core::node::pool_of(model, node).into_iter().next();
    let known = model.tables().row(OWNERSHIP, node.as_str()).and_then(|row| row.cell("epoch"));
    epoch >= number(known).max(1)
        && owner.is_none_or(|owner| agent::cell(model, node, "owner") == Some(owner.as_str()))
}

/// Those of the nodes whose agents were connected when they were last heard of.
///
/// One that goes from one service node to the other may be called neither's for a moment; so this is
/// asked before anybody is told to go.
pub(super) fn live(model: &Model, nodes: &[NodeName]) -> BTreeSet<NodeName> {
    nodes.iter().filter(|node| agent::is_live(model, node)).cloned().collect()
}

impl Mover {
    /// Waits for every live agent, runs what `-P` names, and notes who needs attention. Nodes that
    /// are down are pending: they follow when they come back, and nothing waits for them. `were_live`
    /// are those that were up when the move began to be told.
    pub(super) async fn repoint(
        &self,
        one: &Move,
        nodes: &[NodeName],
        were_live: &BTreeSet<NodeName>,
        ask: (&Snmove, &Speaker<'_>),
        report: &mut Report,
    ) {
        let (arguments, speaker) = ask;
        let mut live = live(&self.book.read(), nodes);
        live.extend(were_live.iter().cloned());
        let start = runtime::clock::now();
        let mut revisions = self.book.revisions();
        loop {
            revisions.borrow_and_update();
            let model = self.book.read();
            let followed = live.iter().filter(|node| has_followed(&model, node)).count();
            speaker.progress("the nodes follow", followed as u64, live.len() as u64).await;
            let left = FOLLOW.saturating_sub(since(start));
            if followed == live.len() || left.is_zero() {
                break;
            }
            // The end of the wait, or of the writer, is seen at the top of the loop.
            if matches!(tokio::time::timeout(left, revisions.changed()).await, Ok(Err(_))) {
                break;
            }
        }
        let model = self.book.read();
        for node in nodes {
            match (live.contains(node), has_followed(&model, node)) {
                (_, true) => {
                    report.followed(node, agent::cell(&model, node, "note"));
                    if let Some(scripts) = agent::cell(&model, node, "scripts") {
                        report.scripts(node, scripts);
                    }
                }
                (true, false) => report.attention(node, "its agent has not repointed yet; it goes on trying"),
                (false, false) => report.pending(node),
            }
        }
        if let Some(words) = &arguments.postscripts {
            let followed = live.iter().filter(|node| has_followed(&model, node)).cloned().collect();
            self.arrive(&one.target, &followed).await;
            self.scripts(nodes, (words, &live), report).await;
        }
    }

    /// Waits until agents that follow are connected to their new owner: they may have settled, and
    /// said so to the old one, before they went from it.
    async fn arrive(&self, target: &SnName, followed: &BTreeSet<NodeName>) {
        let mut revisions = self.book.revisions();
        let start = runtime::clock::now();
        loop {
            revisions.borrow_and_update();
            let model = self.book.read();
            let is_there = |node: &NodeName| agent::cell(&model, node, "connected") == Some(target.as_str());
            let left = FOLLOW.saturating_sub(since(start));
            if followed.iter().all(is_there) || left.is_zero() {
                return;
            }
            // The end of the wait, or of the writer, is seen at the top of the loop.
            if matches!(tokio::time::timeout(left, revisions.changed()).await, Ok(Err(_))) {
                return;
            }
        }
    }

    /// `-P`: runs scripts on the moved nodes, through their new owner where they have come to it.
    async fn scripts(
        &self,
        nodes: &[NodeName],
        (words, live): (&str, &BTreeSet<NodeName>),
        report: &mut Report,
    ) {
        let names = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let asked = Updatenode {
            nodes: Range::new(names),
            scripts: Some(snmove::postscripts(words)),
            ..Updatenode::default()
        };
        let batches = match updatenode::plan(&self.book.read(), &asked, &|_| Ok(Vec::new())) {
            Ok(plan) => plan.batches,
            Err(refusals) => {
                refusals.iter().for_each(|refusal| report.attention(&refusal.subject, &refusal.to_string()));
                return;
            }
        };
        for batch in batches.into_iter().filter(|batch| !batch.work.scripts.is_empty()) {
            let limit = limit(&batch.work);
            let (results, mut came) = mpsc::channel(batch.nodes.len().max(1));
            let site = (self.book.clone(), self.delivery.clone());
            // There is a place for every result.
            errand::bring(site, batch, limit, results).await;
            while let Some(result) = came.recv().await {
                match result.answer {
                    RunAnswer::Done(receipts) => {
                        receipts.iter().for_each(|receipt| failed(report, &result.node, receipt))
                    }
                    RunAnswer::NotConnected if live.contains(&result.node) => {
                        report.attention(&result.node, "its agent is not connected; no script ran");
                    }
                    RunAnswer::NotConnected => report.pending(&result.node),
                    RunAnswer::Lost => {
                        report.attention(&result.node, "its connection ended while scripts ran")
                    }
                }
            }
        }
    }
}

fn failed(report: &mut Report, node: &NodeName, receipt: &Receipt) {
    if let StepOutcome::Failed { reason, .. } = &receipt.outcome {
        report.attention(node, &format!("{}: {}", receipt.step, reason.trim()));
    }
}
