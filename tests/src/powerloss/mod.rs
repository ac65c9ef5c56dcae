//! Power cuts, replayed: what a disk may hold after one, at any moment of a program's life.
//!
//! A [`Recorder`] runs a program under `strace(1)` and notes what it does below one folder. The
//! [`History`] of that rebuilds the folder as a disk may hold it at a [`Cut`]:
//!
//! - bytes written are there for certain once a sync of their file, begun after the write ended,
//!   has ended (`fsync`, `fdatasync`, `syncfs`, a file opened with `O_SYNC` or `O_DSYNC`);
//! - names (made, renamed, removed) are there for certain once any later `fsync` has ended, as on a
//!   file system with a journal;
//! - anything else is kept, dropped, or kept in part, by a seeded chance;
//! - `sync_file_range` is no sync.
//!
//! What is not seen: writes through a mapping, permission bits, extended attributes, and whatever a
//! disk does that lies about its cache. The first two cannot pass unnoticed, respectively do not
//! matter here: a replay of everything is compared with the real folder before any cut is made.
//!
//! An answer is dated by the program's own last word to a socket or a pipe before its asker had it,
//! so that a sync that comes a moment after the answer does not hide that it was missing before.

mod cut;
mod history;
mod strace;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub use self::cut::{Cut, Keep};
pub use self::history::History;
use self::history::Reader;
use crate::process::Run;
use crate::{Result, wait};

/// What is recorded: everything that changes bytes or names, syncs them, or says something.
const CALLS: &str = "trace=openat,open,creat,close,write,pwrite64,writev,pwritev,pwritev2,read,readv,lseek,ftruncate,\
    truncate,fallocate,fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,\
    link,linkat,symlink,symlinkat,sendto,sendmsg,sendmmsg,copy_file_range,sendfile,splice";

/// The longest write whose bytes are recorded; sled's are at most a segment, 512 KiB.
const LONGEST: &str = "8388608";

/// Microseconds since 1970, as `strace -ttt` prints them.
type Micros = u64;

/// Notes what programs do below one folder, one after the other.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    notes: PathBuf,
    reader: Reader,
    runs: usize,
    answers: Vec<Micros>,
}

impl Recorder {
    /// Of `folder`; what is in it now is on the disk for certain. `notes` is made, for strace.
    ///
    /// # Errors
    /// When the folder cannot be read or the other not be made.
    pub fn new(folder: &Path, notes: &Path) -> Result<Self> {
        fs::create_dir_all(notes)?;
        let reader = Reader::begin(folder)?;
        let (folder, notes) = (folder.to_owned(), notes.to_owned());
        Ok(Self { folder, notes, reader, runs: 0, answers: Vec::new() })
    }

    /// The same command, recorded. Signals and its end are as without.
    pub fn under(&mut self, run: Run) -> Run {
        self.runs += 1;
        let notes = self.notes.join(format!("run{}", self.runs));
        let strace =
            Run::new("strace").args(["-D", "-f", "-ff", "--seccomp-bpf", "-q", "-ttt", "-T", "-y", "-xx"]);
        let strace =
            strace.args(["-s", LONGEST, "-e", "signal=none", "-e", CALLS, "-o"]).arg(notes).arg("--");
        run.under(strace)
    }

    /// Whoever asked has the program's answer, this moment.
    pub fn answered(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.answers.push(u64::try_from(now.as_micros()).unwrap_or(Micros::MAX));
    }

    /// Reads what was noted; all programs have ended.
    ///
    /// # Errors
    /// When a replay of everything is not the folder as it is.
    pub fn finish(mut self) -> Result<History> {
        wait::until("the end of strace", wait::LONG, strace_has_ended)?;
        for run in 1..=self.runs {
            let mut calls = Vec::new();
            for file in self.files(run)? {
                calls.extend(strace::read(&file)?);
            }
            calls.sort_by_key(strace::Call::moment);
            self.reader.run(&calls)?;
        }
        let history = self.reader.end(&self.answers);
        let wrong = history.differences(&self.folder)?;
        if wrong.is_empty() {
            return Ok(history);
        }
        Err(format!("the replay is not the real folder, in: {}", wrong.join(", ")).into())
    }

    fn files(&self, run: usize) -> Result<Vec<PathBuf>> {
        let begin = format!("run{run}.");
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.notes)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with(&begin)) {
                files.push(path);
            }
        }
        Ok(files)
    }
}

/// Whether strace has ended: it runs beside the program, as nobody's child, and may end a moment later.
/// In a sandbox there is none but ours.
fn strace_has_ended() -> Option<()> {
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        // A process that ended meanwhile has no such file.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let runs = stat.split_once("(strace) ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
        if runs {
            return None;
        }
    }
    Some(())
}
