//! The node itself: one file a step. Each step looks, changes what is missing, looks again, and
//! gives a receipt; done twice, the second time finds everything as it should be.
//!
//! A step that fails does not keep the others from being done. Deliberately not here: which state
//! is obeyed, and when ([`crate::core`]).

mod block;
pub mod gateway;
mod hosts;
mod ntp;
mod resolver;
pub mod root;
pub mod script;
pub mod service;
pub mod sync;
mod syslog;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use common::report::chain;
use common::wire::agent::Desired;
use common::wire::work::{Receipt, StepOutcome};

use self::root::{Root, RootError};
use self::service::{RestartError, Service};
use crate::state::State;

/// The longest reason in a receipt, in bytes.
const MOST_REASON: usize = 4096;

/// The node that is brought to a desired state.
#[derive(Debug)]
pub struct Host {
    root: Root,
    state: State,
    /// Where the kernel shows its routes, and the program that changes them.
    routes: PathBuf,
    ip: PathBuf,
    /// Held while the node is being changed: a desired state and a run may want to at once.
    turn: Mutex<()>,
}

/// What became of a step that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was so already.
    Kept,
    /// It was changed, and looked at afterwards.
    Changed,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file.
    #[error(transparent)]
    Root(#[from] RootError),
    /// It was written, but reads differently.
    #[error("{} does not read as it was written", .0.display())]
    NotAsWritten(PathBuf),
    /// A daemon did not read the change.
    #[error(transparent)]
    Restart(#[from] RestartError),
    /// A route.
    #[error(transparent)]
    Gateway(#[from] gateway::GatewayError),
}

/// What a step does; none when the desired state does not ask for it.
type Step = fn(&Host, &Desired) -> Option<Result<Change, StepError>>;

/// The steps, in their order: the log first, so that what follows can be read elsewhere.
const STEPS: [(&str, Step); 5] = [
    ("syslog", syslog::apply),
    ("ntp", ntp::apply),
    ("resolver", resolver::apply),
    ("hosts", hosts::apply),
    ("gateway", gateway::apply),
];

impl Host {
    /// The node below `root`. Its routes are those of this process.
    pub fn new(root: Root, state: State) -> Self {
        Self {
            root,
            state,
            routes: PathBuf::from("/proc/self/net/route"),
            ip: PathBuf::from("ip"),
            turn: Mutex::new(()),
        }
    }

    /// The node's `/`.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Does all steps. Blocks: files are synced, daemons restarted.
    pub fn apply(&self, desired: &Desired) -> Vec<Receipt> {
        // A step that panicked left whole files: they are only ever renamed into place.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let done = STEPS.iter().filter_map(|(name, step)| Some((*name, step(self, desired)?)));
        done.map(|(name, result)| receipt(name, result)).collect()
    }

    /// Makes the file at `path` be `new(old)`. The original is kept once, unless it bears `mark`,
    /// which only our own files do. `service` reads the file, and is told of a change.
    fn edit(
        &self,
        path: &Path,
        kind: FileKind,
        mark: &str,
        service: Option<Service>,
        new: impl Fn(&str) -> String,
    ) -> Result<Change, StepError> {
        let place = match kind {
            FileKind::Shared => self.root.file(path)?,
            FileKind::Ours => self.root.file_or_link(path)?,
        };
        let service = service.filter(|_| self.root.is_system());
        let old = place.text()?;
        let wanted = new(old.as_deref().unwrap_or(""));
        let same = old.as_ref() == Some(&wanted) || (old.is_none() && wanted.is_empty());
        if !same {
            if !old.as_ref().is_some_and(|old| old.contains(mark)) {
                place.keep_original()?;
            }
            if let Some(service) = service {
                service.mark_stale(&self.state)?;
            }
            place.write(&wanted, 0o644)?;
            if place.text()?.as_ref() != Some(&wanted) {
                return Err(StepError::NotAsWritten(path.to_owned()));
            }
        }
        // Also when the file is as wanted: an earlier restart may have failed.
        if let Some(service) = service {
            service.restart_if_stale(&self.state)?;
        }
        Ok(if same { Change::Kept } else { Change::Changed })
    }
}

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    /// Someone else's, with a block of ours in it.
    Shared,
    /// Wholly ours.
    Ours,
}

fn receipt(step: &str, result: Result<Change, StepError>) -> Receipt {
    let outcome = match result {
        Ok(Change::Kept) => StepOutcome::Kept,
        Ok(Change::Changed) => StepOutcome::Changed,
        Err(error) => failed(&error),
    };
    Receipt { step: step.to_owned(), outcome }
}

/// The outcome of a step that failed for this reason.
fn failed(error: &dyn std::error::Error) -> StepOutcome {
    let mut reason = chain(error);
    reason.truncate(reason.floor_char_boundary(MOST_REASON));
    StepOutcome::Failed { reason, status: None }
}

#[cfg(test)]
mod tests;
