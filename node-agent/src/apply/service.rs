//! Daemons of the node that read their file only when they start.
//!
//! A mark in the agent's folder says that a daemon has yet to read its changed file; it is set
//! before the file is changed and goes when the daemon was restarted, so that a crash in between, or
//! a restart that failed, is made up for. Where there is no systemd nobody is restarted.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::state::State;

/// How long a restart may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A daemon of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// rsyslog.
    Syslog,
    /// chrony.
    Chrony,
}

/// Why a daemon did not read its changed file.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The mark cannot be kept.
    #[error("cannot keep in mind that {unit} is to be restarted")]
    Mark {
        /// Which.
        unit: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// systemd did not do it.
    #[error("the file is written, but {unit} could not be restarted: {why}")]
    Restart {
        /// Which.
        unit: &'static str,
        /// What happened.
        why: String,
    },
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Syslog => "syslog",
            Self::Chrony => "chrony",
        }
    }

    /// The names that distributions give its unit.
    const fn units(self) -> &'static [&'static str] {
        match self {
            Self::Syslog => &["rsyslog"],
            Self::Chrony => &["chrony", "chronyd"],
        }
    }

    pub(super) fn mark_stale(self, state: &State) -> Result<(), RestartError> {
        let marked = runtime::disk::write_durably(&state.restart_mark(self.name()), b"", 0o600);
        marked.map_err(|source| RestartError::Mark { unit: self.name(), source })
    }

    pub(super) fn restart_if_stale(self, state: &State) -> Result<(), RestartError> {
        let mark = state.restart_mark(self.name());
        if !mark.exists() {
            return Ok(());
        }
        if Path::new("/run/systemd/system").is_dir() {
            self.restart()?;
        }
        std::fs::remove_file(&mark).map_err(|source| RestartError::Mark { unit: self.name(), source })
    }

    fn restart(self) -> Result<(), RestartError> {
        let active = |unit: &&&str| systemctl(&["is-active", "--quiet", unit]).is_ok_and(|done| done);
        // One that does not run will read its file when it starts.
        let Some(unit) = self.units().iter().find(active) else { return Ok(()) };
        let why = match systemctl(&["restart", unit]) {
            Ok(true) => return Ok(()),
            Ok(false) => format!("see `systemctl status {unit}`"),
            Err(error) => error.to_string(),
        };
        Err(RestartError::Restart { unit, why })
    }
}

/// Runs systemctl, within a time limit; says whether it ended with 0.
fn systemctl(arguments: &[&str]) -> io::Result<bool> {
    let mut child = Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if waited >= LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(step);
        waited += step;
    }
}
