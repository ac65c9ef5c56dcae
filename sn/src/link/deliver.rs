//! Delivery of what waits on disk: reports and log lines, in order, until they are stored.

use std::sync::Arc;

use common::wire::push::{FromSn, LogLine};
use runtime::link::authority::random_u64;
use tokio::sync::watch;

use super::session::Ended;
use crate::slice::reports::{Reports, State};
use crate::syslog::Spool;

/// The most reports, and the most log lines, that are sent and not yet stored: some messages ahead
/// hide the management node's sync, and more would only fill its queue.
const AHEAD: u64 = 4 * common::wire::MAX_LIST as u64;

/// The most bytes of log lines in one message, below the limit of a frame.
const MESSAGE: usize = 512 << 10;

/// What was sent on this link, and what of it is stored.
pub(super) struct Delivery {
    reports: Reports,
    changes: watch::Receiver<State>,
    logs: Arc<Spool>,
    reports_sent: u64,
    reports_stored: u64,
    logs_sent: u64,
    logs_stored: u64,
}

impl Delivery {
    /// Begins after what the management node has.
    pub(super) fn new(
        reports: Reports,
        logs: Arc<Spool>,
        reports_through: u64,
        logs_through: u64,
    ) -> Result<Self, Ended> {
        if reports_through > reports.state().newest || logs_through > logs.last() {
            // Numbers that it has were lost here; what gets them next would be taken for repeated.
            reports.renew(random_u64()).map_err(|error| disk(&error))?;
            return Err(Ended::Renumbered);
        }
        let changes = reports.changes();
        Ok(Self {
            reports,
            changes,
            logs,
            reports_sent: reports_through,
            reports_stored: reports_through,
            logs_sent: logs_through,
            logs_stored: logs_through,
        })
    }

    /// The next message, once there is one. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<FromSn, Ended> {
        loop {
            // Before looking, so that what comes while looking is not missed.
            let logged = Arc::clone(&self.logs);
            let logged = logged.notified();
            tokio::pin!(logged);
            logged.as_mut().enable();
            let newest = self.changes.borrow_and_update().newest;
            let reports = newest > self.reports_sent && self.reports_sent - self.reports_stored < AHEAD;
            if reports && let Some(message) = self.more_reports().await? {
                return Ok(message);
            }
            let logs = self.logs.last() > self.logs_sent && self.logs_sent - self.logs_stored < AHEAD;
            if logs && let Some(message) = self.more_logs().await? {
                return Ok(message);
            }
            tokio::select! {
                () = logged => {}
                changed = self.changes.changed() => if changed.is_err() { return Err(Ended::Finished) },
            }
        }
    }

    /// The management node has stored reports.
    pub(super) async fn reports_stored(&mut self, through: u64) -> Result<(), Ended> {
        self.reports_stored = self.reports_stored.max(through.min(self.reports_sent));
        let (reports, through) = (self.reports.clone(), self.reports_stored);
        blocking(move || reports.release(through)).await
    }

    /// The management node has stored log lines.
    pub(super) async fn logs_stored(&mut self, through: u64) -> Result<(), Ended> {
        self.logs_stored = self.logs_stored.max(through.min(self.logs_sent));
        let (logs, through) = (Arc::clone(&self.logs), self.logs_stored);
        blocking(move || logs.release(through)).await
    }

    async fn more_reports(&mut self) -> Result<Option<FromSn>, Ended> {
        let (reports, after) = (self.reports.clone(), self.reports_sent);
        let (through, reports) = blocking(move || reports.read_after(after)).await?;
        self.reports_sent = through;
        Ok((through > after).then_some(FromSn::Reports { through, reports }))
    }

    async fn more_logs(&mut self) -> Result<Option<FromSn>, Ended> {
        let (logs, after) = (Arc::clone(&self.logs), self.logs_sent);
        let lines = blocking(move || logs.read_after(after, common::wire::MAX_LIST, MESSAGE)).await?;
        let Some(through) = lines.last().map(|(number, _)| *number) else { return Ok(None) };
        self.logs_sent = through;
        let lines: Vec<LogLine> = lines.into_iter().map(|(_, line)| line).collect();
        Ok(Some(FromSn::Logs { through, lines }))
    }
}

async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Ended>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| disk(&error)),
        Err(error) => Err(disk(&error)),
    }
}

fn disk(error: &(dyn std::error::Error + 'static)) -> Ended {
    Ended::Disk(common::report::chain(error))
}
