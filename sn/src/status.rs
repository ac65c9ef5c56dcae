//! `DIR/status.json`: how this service node is, for people and for monitoring.
//!
//! Written when something changes, at most a few times a second. Nothing of Drover reads it, and
//! it says nothing that the log does not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::id::SnName;
use runtime::clock;
use runtime::link::connection::Link;
use runtime::supervise::BoxError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::slice::Serving;

/// How long changes are gathered.
const PAUSE: Duration = Duration::from_millis(300);

/// How often the number of agents is looked at, which does not announce itself.
const LOOK: Duration = Duration::from_secs(5);

/// What the status is made of.
pub struct Status {
    /// The file.
    pub file: PathBuf,
    /// Whose it is.
    pub sn: SnName,
    /// What is served.
    pub serving: watch::Receiver<Arc<Serving>>,
    /// The management node, where it is connected.
    pub link: watch::Receiver<Option<Link>>,
    /// The agents.
    pub agents: Agents,
}

impl Status {
    /// Keeps the file up to date until stopped.
    ///
    /// # Errors
    /// None: a file that cannot be written is a warning.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let (mut written, mut since) = (String::new(), None);
        let mut look = tokio::time::interval(LOOK);
        loop {
            let connected = self.link.borrow_and_update().is_some();
            since = if connected { since.or_else(|| Some(clock::unix_seconds())) } else { None };
            let text = self.render(since);
            if text != written {
                let (file, bytes) = (self.file.clone(), text.clone().into_bytes());
                let done =
                    tokio::task::spawn_blocking(move || runtime::disk::write_durably(&file, &bytes, 0o644));
                match done.await? {
                    Ok(()) => written = text,
                    Err(error) => tracing::warn!(path = %self.file.display(), %error, "could not write"),
                }
            }
            let changed = async {
                tokio::time::sleep(PAUSE).await;
                tokio::select! {
                    _ = self.serving.changed() => {}
                    _ = self.link.changed() => {}
                    _ = look.tick() => {}
                }
            };
            if stop.run_until_cancelled(changed).await.is_none() {
                return Ok(());
            }
        }
    }

    /// JSON by hand: names of ours hold nothing that would need escaping.
    fn render(&mut self, since: Option<u64>) -> String {
        let serving = Arc::clone(&self.serving.borrow_and_update());
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        let stamp = serving.stamp.as_ref();
        format!(
            "{{\"sn\":\"{}\",\"generation\":{},\"digest\":{},\"owned\":{},\"silenced\":{},\"agents\":{},\
             \"connected_since\":{}}}\n",
            self.sn,
            or_null(stamp.map(|stamp| stamp.generation.to_string())),
            or_null(stamp.map(|stamp| format!("\"{}\"", stamp.digest))),
            serving.owned(),
            serving.silenced(),
            self.agents.connected(),
            or_null(since.map(|since| since.to_string())),
        )
    }
}
