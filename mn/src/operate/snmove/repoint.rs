//! The nodes follow: each live agent settles on its new owner and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::id::NodeName;
use common::wire::work::{Receipt, RunAnswer, StepOutcome};
use mn_core::change::{snmove, updatenode};
use mn_core::command::{Range, Snmove, Updatenode};
use mn_core::model::Model;
use mn_core::moves::Move;
use mn_core::table::schema::{AGENT, OWNERSHIP};

use super::{Mover, Report, since};
use crate::operate::speaker::Speaker;

/// How long live agents may take. One whose service node has died needs some seconds to notice and
/// to find the next of its pool.
const FOLLOW: Duration = Duration::from_secs(20);

fn cell<'a>(
    model: &'a Model,
    table: mn_core::table::TableId,
    node: &NodeName,
    column: &str,
) -> Option<&'a str> {
    model.tables().row(table, node.as_str()).and_then(|row| row.cell(column))
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether the agent of a node was connected when it was last heard of.
fn is_live(model: &Model, node: &NodeName) -> bool {
    cell(model, AGENT, node, "connected").is_some()
}

/// Whether a node's agent has settled in the epoch of its ownership, and on the owner of today: when
/// the old owner is released the epoch rises, and an agent may settle in it before the owner changes.
fn has_followed(model: &Model, node: &NodeName) -> bool {
    let epoch = number(cell(model, AGENT, node, "epoch"));
    let owner = mn_core::node::pool_of(model, node).into_iter().next();
    epoch >= number(cell(model, OWNERSHIP, node, "epoch")).max(1)
        && owner.is_none_or(|owner| cell(model, AGENT, node, "owner") == Some(owner.as_str()))
}

impl Mover {
    /// Waits for every live agent, runs what `-P` names, and notes who needs attention. Nodes that
    /// are down are pending: they follow when they come back, and nothing waits for them.
    pub(super) async fn repoint(
        &self,
        one: &Move,
        nodes: &[NodeName],
        arguments: &Snmove,
        speaker: &Speaker<'_>,
        report: &mut Report,
    ) {
        let live: BTreeSet<&NodeName> =
            nodes.iter().filter(|node| is_live(&self.book.read(), node)).collect();
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
                    report.followed(node, cell(&model, AGENT, node, "note"));
                    if let Some(scripts) = cell(&model, AGENT, node, "scripts") {
                        report.scripts(node, scripts);
                    }
                }
                (true, false) => report.attention(node, "its agent has not repointed yet; it goes on trying"),
                (false, false) => report.pending(node),
            }
        }
        if let Some(words) = &arguments.postscripts {
            self.scripts(one, nodes, words, report).await;
        }
    }

    /// `-P`: runs scripts on the moved nodes, through their new owner.
    async fn scripts(&self, one: &Move, nodes: &[NodeName], words: &str, report: &mut Report) {
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
            let steps = u32::try_from(batch.work.scripts.len()).unwrap_or(u32::MAX);
            let limit = Duration::from_secs(u64::from(batch.work.timeout_seconds)).saturating_mul(steps);
            let owners = BTreeMap::from([(one.target.clone(), batch.nodes)]);
            let mut results = self.delivery.run(owners, batch.work, limit).await;
            while let Some(result) = results.recv().await {
                match result.answer {
                    RunAnswer::Done(receipts) => {
                        receipts.iter().for_each(|receipt| failed(report, &result.node, receipt))
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
