//! The management node that is measured: the real daemon, the real commands by their names, and what
//! both cost.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike as _;
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::programs::Programs;
use crate::{Result, wait};

/// How long a command or a start may take before the benchmark gives up.
const LONGEST: Duration = Duration::from_secs(900);

/// How often it is looked whether the daemon rests, which uses less than [`IDLE`] between two looks
/// then, as its timers do; and after how many such looks it is believed: longer than it waits for
/// anything before it goes on.
const LOOK: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(1);
const QUIET: u32 = 7;

/// After how many looks that differ by less than this its memory is believed to stay as it is.
const STEADY: u32 = 30;
const STEADY_KIB: u64 = 256;

/// A folder with a management node, its daemon running.
#[derive(Debug)]
pub(super) struct Ground {
    mn: PathBuf,
    dir: PathBuf,
    /// Where the commands are, under their names.
    names: PathBuf,
    out: PathBuf,
    daemon: Option<Child>,
}

/// What one run of a command took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// From start to end.
    pub(super) wall: Duration,
    /// Of the processors: the command and the daemon together.
    pub(super) cpu: Duration,
    /// Its exit status; none where a signal ended it.
    pub(super) status: Option<i32>,
    /// How many lines it wrote.
    pub(super) lines: usize,
}

impl Ground {
    /// Makes a management node in `dir`, which must not exist, and starts it.
    ///
    /// # Errors
    /// When a step fails, with what it said.
    pub(super) fn make(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mn = Programs::find_some(&["mn"])?.path("mn");
        let (home, names) = (dir.join("mn"), dir.join("bin"));
        done(Command::new(&mn).arg("init").arg("--dir").arg(&home))?;
        done(Command::new(&mn).arg("install-applets").arg(&names))?;
        // `makehosts` must not write into this machine's.
        let hosts = std::path::absolute(dir.join("hosts"))?;
        std::fs::write(home.join("mn.toml"), format!("listen = \"127.0.0.1:0\"\nhosts_file = {hosts:?}\n"))?;
        std::fs::write(hosts, "127.0.0.1 localhost\n")?;
        let mut ground = Self { mn, dir: home, names, out: dir.join("out"), daemon: None };
        ground.start()?;
        Ok(ground)
    }

    /// The management node's folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts the daemon; gives what it took until a command was answered.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn start(&mut self) -> Result<Cost> {
        let began = Instant::now();
        let log = File::options().create(true).append(true).open(self.dir.with_extension("log"))?;
        let mut command = Command::new(&self.mn);
        command.args(["serve", "--dir"]).arg(&self.dir).stdin(Stdio::null());
        let mut child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let socket = self.dir.join("mn.sock");
        let _ = std::fs::remove_file(&socket);
        let up = wait::until("the management node", LONGEST, || match child.try_wait() {
            Ok(None) => std::os::unix::net::UnixStream::connect(&socket).ok().map(|_| true),
            _ => Some(false),
        })?;
        self.daemon = Some(child);
        if !up {
            return Err("the daemon ended at its start; its log is beside its folder".into());
        }
        let first = self.run(&["lsdef", "-t", "site", "clustersite"])?;
        Ok(Cost { wall: began.elapsed(), cpu: self.daemon_cpu()?, ..first })
    }

    /// Ends the daemon, and takes its files out of the page cache as far as the system lets us.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.daemon.take() else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        wait::until("the end of the management node", LONGEST, || child.try_wait().ok().flatten())?;
        forget(&self.dir.join("store"))
    }

    /// What the last command wrote, on both streams.
    pub(super) fn said(&self) -> &Path {
        &self.out
    }

    /// Runs a command by its name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn run(&self, words: &[&str]) -> Result<Cost> {
        self.fed(words, Stdio::null())
    }

    /// Runs a command with a file as standard input, and insists that it succeeds.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn feed(&self, words: &[&str], input: &str) -> Result<Cost> {
        let path = self.out.with_extension("in");
        std::fs::write(&path, input)?;
        let cost = self.fed(words, File::open(&path)?.into())?;
        if cost.status == Some(0) {
            return Ok(cost);
        }
        let said = std::fs::read_to_string(&self.out)?;
        let said: String = said.chars().take(2000).collect();
        Err(format!("{} ended with {:?}: {said}", words.join(" "), cost.status).into())
    }

    fn fed(&self, words: &[&str], input: Stdio) -> Result<Cost> {
        let (name, rest) = words.split_first().ok_or("no command")?;
        let out = File::create(&self.out)?;
        let before = self.cpu()?;
        let began = Instant::now();
        // Some names are a shell's own, and are said as `mn NAME` by everybody.
        let program = if *name == "mn" { self.mn.clone() } else { self.names.join(name) };
        let mut command = Command::new(program);
        command.args(rest).env("DROVER_DIR", &self.dir);
        let status = command.stdin(input).stdout(out.try_clone()?).stderr(out).status()?;
        let wall = began.elapsed();
        let cpu = self.cpu()?.saturating_sub(before);
        let lines = std::fs::read(&self.out)?.iter().filter(|byte| **byte == b'\n').count();
        Ok(Cost { wall, cpu, status: status.code(), lines })
    }

    /// The processor time of the daemon and of all commands so far, exactly.
    ///
    /// # Errors
    /// When the daemon does not run.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        let ours = Duration::from_micros(u64::try_from(micros)?);
        Ok(ours + self.daemon_cpu()?)
    }

    /// The processor time of the daemon so far, exactly: `/proc/PID/stat` counts hundredths of a second.
    fn daemon_cpu(&self) -> Result<Duration> {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(self.pid()?)?))?;
        Ok(clock.now()?.into())
    }

    /// Waits until the daemon has done what commands left it to do: slices are derived after the
    /// answer. Gives what [`Ground::cpu`] was then.
    ///
    /// # Errors
    /// When it does not run, or does not come to rest.
    pub(super) fn rest(&self) -> Result<Duration> {
        steady("the daemon to rest", QUIET, || self.cpu(), |last, now| now.saturating_sub(*last) <= IDLE)
    }

    /// The memory that the daemon has in use once it rests, in KiB: then, and the most so far. What is
    /// free it gives back some looks after it was busy last.
    ///
    /// # Errors
    /// When it does not run, or does not come to rest.
    pub(super) fn memory(&self) -> Result<(u64, u64)> {
        self.rest()?;
        let is_same = |last: &(u64, u64), now: &(u64, u64)| now.0.abs_diff(last.0) < STEADY_KIB;
        steady("the daemon's memory to rest", STEADY, || self.memory_now(), is_same)
    }

    fn memory_now(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        Ok((field("VmRSS:"), field("VmHWM:")))
    }

    /// The daemon's process number.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn pid(&self) -> Result<u32> {
        self.daemon.as_ref().map(Child::id).ok_or_else(|| "the daemon does not run".into())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Looks until so many looks one after the other found what the one before it found; gives what the
/// first of these found.
///
/// # Errors
/// When a look fails, or that never is.
fn steady<T: Copy>(
    what: &str,
    looks: u32,
    mut look: impl FnMut() -> Result<T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Result<T> {
    let began = Instant::now();
    let mut last = look()?;
    let (mut first, mut same) = (last, 0);
    while same < looks {
        if began.elapsed() > LONGEST {
            return Err(format!("waited {} s in vain for {what}", LONGEST.as_secs()).into());
        }
        std::thread::sleep(LOOK);
        let now = look()?;
        (first, same) = if is_same(&last, &now) { (first, same + 1) } else { (now, 0) };
        last = now;
    }
    Ok(first)
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {text}").into())
}

/// Asks the system to read the files of a folder from the disk next time.
fn forget(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            forget(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            file.sync_all()?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        }
    }
    Ok(())
}
