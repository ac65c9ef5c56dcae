//! What every command of the daemon stands on: the model and its writer, delivery, the line to whoever
//! asked.

mod answer;
mod reply;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::report::Refusal;
use mn_core::draft::Change;
use mn_core::model::Model;
use mn_core::query::Daemon;
use mn_core::talk::{Context, Line};

pub(crate) use self::answer::perform;
pub use self::reply::{Gone, Replies};
pub(crate) use self::reply::{Progress, Way};
use crate::audit::Audit;
use crate::content::Content;
use crate::push::Delivery;
use crate::store::States;
use crate::store::book::{Book, BookError, By, Committed, Planned};

/// What every command may use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Site {
    /// The model and its writer.
    pub book: Book,
    /// Who holds what; waits, asks, runs.
    pub delivery: Delivery,
    /// Who gave which command.
    pub audit: Audit,
    /// Earlier states that somebody looks at.
    pub states: States,
    /// The files that service nodes serve.
    pub content: Content,
    /// How long a command waits for the service nodes.
    pub wait: Duration,
    /// SHA-256 of the authority's certificate, which tokens carry.
    pub fingerprint: [u8; 32],
    /// Where the QUIC port is.
    pub listening: SocketAddr,
    /// The daemon's folder.
    pub dir: PathBuf,
    /// The hosts file that `makehosts` keeps.
    pub hosts_file: PathBuf,
}

impl Site {
    /// What the daemon knows of itself that is the same at all times.
    pub(crate) fn daemon(&self) -> Daemon {
        Daemon {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dir: self.dir.display().to_string(),
            listening: self.listening.to_string(),
            links: None,
        }
    }
}

/// What a command of several steps stands on.
#[derive(Debug)]
pub struct Ground {
    /// The site.
    pub site: Site,
    /// Who asked, with which words.
    pub by: By,
    /// How the answer is shown.
    pub context: Context,
    /// Where it goes.
    pub replies: Replies,
}

impl Ground {
    /// The name of the command, for texts.
    pub fn command(&self) -> &str {
        let word = self.by.words.first().map_or("mn", String::as_str);
        word.rsplit('/').next().unwrap_or(word)
    }

    /// The newest model.
    pub fn model(&self) -> Arc<Model> {
        self.site.book.read()
    }

    /// Commits one step, planned on the newest model, under the name of `note` in the history.
    ///
    /// # Errors
    /// When the daemon stops. A refusal of the planner is in the value, and is no revision.
    pub async fn step<T: Send + 'static>(
        &self,
        note: &'static str,
        plan: impl FnOnce(&Model) -> Result<(Change, T), Vec<Refusal>> + Send + 'static,
    ) -> Result<Committed<Result<T, Vec<Refusal>>>, BookError> {
        let by = self.by.clone();
        self.site
            .book
            .change(by, move |model| match plan(model) {
                Ok((change, value)) => {
                    Planned { note: note.to_owned(), record: true, ..Planned::new(Some(change), Ok(value)) }
                }
                Err(refusals) => Planned { note: refused(&refusals), ..Planned::new(None, Err(refusals)) },
            })
            .await
    }

    /// Says why not, also on record; gives the exit status.
    pub async fn refuse(&self, refusals: &[Refusal]) -> u8 {
        self.by.made.refuse(&refused(refusals));
        for refusal in refusals {
            if self.replies.err(refusal.render(self.command())).await.is_err() {
                break;
            }
        }
        1
    }

    /// Says that the daemon is stopping, or failed, or cannot store anything; gives the exit status.
    pub async fn fault(&self, error: &BookError) -> u8 {
        self.refuse(&[fault(error)]).await
    }

    /// A line for standard output, or standard error, or a record.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn say(&self, line: Line) -> Result<(), Gone> {
        self.replies.line(line).await
    }

    /// How far the command has come.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn progress(&self, label: &str, done: u64, total: u64) -> Result<(), Gone> {
        self.replies.progress(label, done, total).await
    }
}

/// Why nothing was stored, for a person.
pub(crate) fn fault(error: &BookError) -> Refusal {
    let refusal = Refusal::new(error.to_string());
    match error {
        BookError::NoRoom => refusal.attempt(
            "free some space on the disk of the management node's folder, then the same command again",
        ),
        BookError::Stopped | BookError::Bug | BookError::OddKey => refusal,
    }
}

/// A refusal as the record of commands keeps it.
pub(crate) fn refused(refusals: &[Refusal]) -> String {
    match refusals {
        [] => "refused".to_owned(),
        [one] => format!("refused: {one}"),
        [one, rest @ ..] => format!("refused: {one}, and {} more", rest.len()),
    }
}
