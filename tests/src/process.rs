//! Daemons and commands inside a host.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::net::Host;
use crate::{Result, still, wait};

/// A command to be run.
#[derive(Clone, Debug)]
pub struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    input: Vec<u8>,
    limit: Duration,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status; 128 and the signal where a signal ended it.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl Ended {
    /// Its output, if it exited with 0.
    ///
    /// # Errors
    /// Otherwise, with all it said.
    pub fn ok(self) -> Result<String> {
        if self.status == 0 {
            return Ok(self.out);
        }
        Err(format!("exit status {}: {}{}", self.status, self.out, self.err).into())
    }
}

impl Run {
    /// A program, by path or by its name on PATH.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            input: Vec::new(),
            limit: wait::LONG,
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// With this on standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Killed when it takes longer than this.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same, as the last words of `outer`: a program that runs another, such as strace.
    #[must_use]
    pub fn under(self, outer: Self) -> Self {
        let mut environment = outer.environment;
        environment.extend(self.environment);
        let mut arguments = outer.arguments;
        arguments.push(self.program);
        arguments.extend(self.arguments);
        Self { program: outer.program, arguments, environment, input: self.input, limit: self.limit }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(&self.environment);
        command
    }

    /// Runs it in a host and waits for its end.
    ///
    /// # Errors
    /// When it cannot be started, or was killed at its limit. Its exit status is the caller's to see.
    pub fn on(&self, host: &Host) -> Result<Ended> {
        host.enter(|| self.here())
    }

    /// Runs it where this thread is, and waits for its end.
    ///
    /// # Errors
    /// As [`Run::on`].
    pub fn here(&self) -> Result<Ended> {
        let start = Instant::now();
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.program.display()))?;
        let (input, limit) = (self.input.clone(), self.limit);
        let feed = child.stdin.take();
        let readers = [drain(child.stdout.take()), drain(child.stderr.take())];
        let feeder = std::thread::spawn(move || {
            // A program that does not read its input closes the pipe; that is its business.
            feed.map(|mut pipe| std::io::Write::write_all(&mut pipe, &input).ok())
        });
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        let (over, is_over) = channel::<()>();
        let guard = std::thread::spawn(move || {
            let is_late = is_over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            is_late && kill(pid, Signal::SIGKILL).is_ok()
        });
        let status = child.wait()?;
        let took = start.elapsed();
        drop(over);
        if guard.join().unwrap_or_default() {
            return Err(format!("{} took more than {} s", self.program.display(), limit.as_secs()).into());
        }
        let _ = feeder.join();
        let [out, err] = readers.map(|reader| reader.join().unwrap_or_default());
        let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
        Ok(Ended { status: status.code().unwrap_or(128 + signal), out, err, took })
    }

    /// Starts it in a host as a daemon; what it says goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, host: &Host, log: &Path) -> Result<Daemon> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = host.enter(|| Ok(command.spawn()?))?;
        Ok(Daemon { child: Some(child), log: log.to_owned(), name: self.program.clone() })
    }
}

/// Reads a pipe to its end, on a thread, so that a full pipe stops nobody.
fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A program that runs on. Dropped, it is killed.
#[derive(Debug)]
pub struct Daemon {
    child: Option<Child>,
    log: PathBuf,
    name: OsString,
}

impl Daemon {
    /// Its process number.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends it a signal and waits for its end. One that is recorded is not killed within a call.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if signal == Signal::SIGKILL {
            still::hold_still(child.id())?;
        }
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
        wait::until(format!("the end of {}", self.name.display()), wait::LONG, || {
            child.try_wait().ok().flatten()
        })?;
        Ok(())
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Waits until it has said `words`.
    ///
    /// # Errors
    /// When it ends first, or does not say them; with the end of what it said.
    pub fn await_words(&mut self, words: &str) -> Result<()> {
        let has_said = wait::until("its words", wait::LONG, || {
            let said = self.said().contains(words);
            (said || !self.is_alive()).then_some(said)
        });
        // What it said last may have come between the two looks.
        if matches!(has_said, Ok(true)) || self.said().contains(words) {
            return Ok(());
        }
        let said = self.said();
        let tail: Vec<&str> = said.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        let name = self.name.display();
        Err(format!("{name} did not say {words:?}; it said:\n{}", tail.join("\n")).into())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
