//! A program that is recorded, brought to a standstill before it is killed.
//!
//! strace does not say of a call that never returned whether it was done, nor how much of it. So that
//! a kill leaves none, all threads are stopped first, each between two calls.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Result, wait};

/// Stops a program, if strace follows it, and returns when no call of its is under way.
pub(crate) fn hold_still(pid: u32) -> Result<()> {
    let folder = format!("/proc/{pid}");
    let Some(tracer) = tracer(Path::new(&folder)) else { return Ok(()) };
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGSTOP)?;
    wait::until(format!("process {pid} to stand still"), wait::LONG, || is_still(&folder, &tracer))
}

/// All threads are stopped, and strace, which may let them go on, waits for the next one before and
/// after they were looked at.
fn is_still(folder: &str, tracer: &str) -> Option<()> {
    let before = sleeping(tracer)?;
    for thread in fs::read_dir(format!("{folder}/task")).ok()? {
        // A thread that ended meanwhile is looked for again.
        let status = fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        if !field(&status, "State")?.starts_with(['T', 't']) {
            return None;
        }
    }
    (sleeping(tracer)? == before).then_some(())
}

/// How often a process has gone to sleep, if it sleeps now.
fn sleeping(process: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let sleeps = field(&status, "State")?.starts_with('S');
    sleeps.then(|| field(&status, "voluntary_ctxt_switches").map(str::to_owned))?
}

/// The number of the process that traces another.
fn tracer(process: &Path) -> Option<String> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    field(&status, "TracerPid").filter(|pid| *pid != "0").map(str::to_owned)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_nobody_traces_is_left_alone() {
        hold_still(std::process::id()).unwrap();
        assert_eq!(tracer(Path::new("/proc/self")), None);
        assert_eq!(field("State:\tt (tracing stop)\nTracerPid:\t7\n", "TracerPid"), Some("7"));
    }
}
