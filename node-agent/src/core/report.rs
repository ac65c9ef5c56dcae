//! What the agent has to tell: its last report, its status, and how far the scripts are.
//!
//! Only the newest report is kept: it says what the node is like now, and an older one would say
//! what it was like. It is told again on every link that becomes the followed one, because nobody
//! acknowledges a report; hearing it twice changes nothing.

use common::id::{Digest, Epoch, SnName};
use common::slice::Script;
use common::wire::agent::{Desired, FromAgent};
use common::wire::work::{Receipt, StepOutcome};
use serde::{Deserialize, Serialize};

/// What is kept on disk beside the desired state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// The last report.
    pub settled: Option<Settled>,
    /// The last status, in xCAT's words.
    pub status: Option<String>,
    /// How far the scripts of the desired state are.
    pub scripts: Scripts,
}

/// A report: to which state the node was brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Of the desired state.
    pub digest: Digest,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whose the node is.
    pub owner: SnName,
    /// One for each step.
    pub receipts: Vec<Receipt>,
}

impl Outbox {
    /// Puts a report in; says whether it tells anything new. Looking at a node that is as it should
    /// be, again, does not.
    pub(super) fn put(&mut self, desired: &Desired, receipts: Vec<Receipt>) -> bool {
        let all_well = receipts.iter().all(|receipt| receipt.outcome.is_ok());
        let status = if all_well { "booted" } else { "failed" };
        let digest = desired.digest();
        let known = self.settled.as_ref().is_some_and(|last| {
            let quiet = receipts.iter().all(|receipt| receipt.outcome == StepOutcome::Kept);
            let same_state = last.digest == digest && last.epoch == desired.epoch;
            let was_well = last.receipts.iter().all(|receipt| receipt.outcome.is_ok());
            same_state && (last.receipts == receipts || (quiet && was_well))
        });
        if known {
            return false;
        }
        self.status = Some(status.to_owned());
        self.settled = Some(Settled { digest, epoch: desired.epoch, owner: desired.owner.clone(), receipts });
        true
    }

    /// The messages that tell it.
    pub(super) fn messages(&self) -> impl Iterator<Item = FromAgent> {
        let settled = self.settled.clone().map(|Settled { digest, epoch, owner, receipts }| {
            FromAgent::Settled { digest, epoch, owner, receipts }
        });
        settled.into_iter().chain(self.status.clone().map(FromAgent::Status))
    }
}

/// Which scripts of which list have succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripts {
    /// Of the list; none before the first.
    list: Option<Digest>,
    /// The places of those that succeeded.
    done: Vec<usize>,
}

/// What names a list of scripts: their names, arguments and contents, in order.
pub(super) fn list_digest(scripts: &[Script]) -> Digest {
    // Plain data always encodes; see `common::slice`.
    Digest::of(&postcard::to_stdvec(scripts).unwrap_or_default())
}

/// The word for a script in receipts.
pub(super) fn step(script: &Script) -> String {
    format!("script {}", script.name)
}

impl Scripts {
    /// The places of the scripts that are to run: all of a list that is new, else those that have
    /// not succeeded.
    pub(super) fn todo(&self, scripts: &[Script]) -> Vec<usize> {
        let same = self.list == Some(list_digest(scripts));
        (0..scripts.len()).filter(|place| !same || !self.done.contains(place)).collect()
    }

    /// These receipts came of running [`Self::todo`], in its order.
    pub(super) fn ran(&mut self, scripts: &[Script], receipts: &[Receipt]) {
        let todo = self.todo(scripts);
        let list = Some(list_digest(scripts));
        if self.list != list {
            *self = Self { list, done: Vec::new() };
        }
        let succeeded = todo.into_iter().zip(receipts).filter(|(_, receipt)| receipt.outcome.is_ok());
        self.done.extend(succeeded.map(|(place, _)| place));
    }

    /// A receipt for each script when none is to run now.
    pub(super) fn receipts(&self, scripts: &[Script]) -> Vec<Receipt> {
        self.receipts_with(scripts, Vec::new())
    }

    /// A receipt for each script, where some have just run.
    pub(super) fn receipts_with(&self, scripts: &[Script], mut fresh: Vec<Receipt>) -> Vec<Receipt> {
        let todo = self.todo(scripts);
        let receipt = |(place, script): (usize, &Script)| {
            let step = step(script);
            if let Some(at) = fresh.iter().position(|receipt| receipt.step == step) {
                return fresh.remove(at);
            }
            let failed = "it failed before; it runs again when it changes or the agent is restarted";
            let outcome = if todo.contains(&place) {
                StepOutcome::Failed { reason: failed.to_owned(), status: None }
            } else {
                StepOutcome::Kept
            };
            Receipt { step, outcome }
        };
        scripts.iter().enumerate().map(receipt).collect()
    }
}
