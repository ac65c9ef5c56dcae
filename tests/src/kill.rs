//! The management node's daemon, killed in the middle of a command.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::cluster::Cluster;
use crate::process::Ended;

impl Cluster {
    /// Gives a command, kills `mn serve` after `delay`, and serves what that left; says what the
    /// command said.
    ///
    /// # Errors
    /// When what it left is not served.
    pub fn kill_during(&mut self, line: &str, delay: Duration) -> Result<Ended> {
        let pid = Pid::from_raw(i32::try_from(self.mn_pid().ok_or("it does not run")?)?);
        let cluster = &*self;
        let ended: Result<Ended> = std::thread::scope(|scope| {
            let asking = scope.spawn(|| cluster.command(line));
            std::thread::sleep(delay);
            kill(pid, Signal::SIGKILL)?;
            asking.join().map_err(|_| "the command panicked")?
        });
        self.stop_mn(Signal::SIGKILL)?;
        self.serve_mn().map_err(|error| format!("{line}, killed after {delay:?}: {error}"))?;
        ended
    }
}
