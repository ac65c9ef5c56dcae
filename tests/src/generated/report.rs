//! What was found, as numbers and as text.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Kind, MEMORY};

/// How many faults of one kind are kept.
const KEPT: usize = 20;

/// What became of one input.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) is_taken: bool,
    pub(super) took: Duration,
    pub(super) wrong: Option<String>,
}

/// What became of the inputs of one kind.
#[derive(Debug)]
pub struct Tally {
    /// The kind.
    pub kind: Kind,
    /// How many there were.
    pub count: u64,
    /// How many were right, or right enough.
    pub taken: u64,
    /// How long all took together.
    pub took: Duration,
    /// The number of the one that took longest, and how long.
    pub slowest: (u64, Duration),
    /// What went wrong: the number, and what.
    pub wrong: Vec<(u64, String)>,
}

impl Tally {
    pub(super) const fn new(kind: Kind) -> Self {
        let (took, slowest) = (Duration::ZERO, (0, Duration::ZERO));
        Self { kind, count: 0, taken: 0, took, slowest, wrong: Vec::new() }
    }

    pub(super) fn take(&mut self, found: Found) {
        let Found { number, is_taken, took, wrong } = found;
        self.count += 1;
        self.taken += u64::from(is_taken);
        self.took += took;
        if took > self.slowest.1 {
            self.slowest = (number, took);
        }
        if let Some(wrong) = wrong
            && self.wrong.len() < KEPT
        {
            self.wrong.push((number, wrong));
        }
    }

    /// Takes over what somebody else found, each in the order of the numbers.
    pub(super) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.taken += other.taken;
        self.took += other.took;
        if other.slowest.1 > self.slowest.1 {
            self.slowest = other.slowest;
        }
        self.wrong.extend(other.wrong);
        self.wrong.sort();
        self.wrong.truncate(KEPT);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let Self { kind, count, taken, took, slowest, .. } = self;
        let mean = ms(*took) / (*count).max(1) as f64;
        let (number, slowest) = (slowest.0, ms(slowest.1));
        write!(f, "| {} | {count} | {taken} | {mean:.3} | {slowest:.1} | {number} |", kind.name())
    }
}

/// How much memory the process takes.
#[derive(Debug)]
pub(super) struct Memory {
    /// The most that it had before the first input, in KiB.
    before: u64,
    /// The most that it had at all, and the input after which that was seen.
    peak: Mutex<(u64, Option<(Kind, u64)>)>,
    looks: AtomicU64,
}

impl Memory {
    fn new() -> Self {
        let before = peak_kib();
        Self { before, peak: Mutex::new((before, None)), looks: AtomicU64::new(0) }
    }

    /// Looks at it now and then: often enough to say near which input it grew.
    pub(super) fn look(&self, kind: Kind, number: u64) {
        if !self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
            return;
        }
        let seen = peak_kib();
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        if seen > peak.0 {
            *peak = (seen, Some((kind, number)));
        }
    }

    fn peak(&self) -> (u64, Option<(Kind, u64)>) {
        let (seen, near) = *self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.max(peak_kib()), near)
    }
}

/// What became of all inputs.
#[derive(Debug)]
pub struct Report {
    /// Each kind.
    pub tallies: Vec<Tally>,
    pub(super) memory: Memory,
    start: Instant,
}

impl Report {
    pub(super) fn new() -> Self {
        Self { tallies: Vec::new(), memory: Memory::new(), start: Instant::now() }
    }

    /// The most memory beyond what there was before, in KiB.
    pub fn grown_kib(&self) -> u64 {
        self.memory.peak().0.saturating_sub(self.memory.before)
    }

    /// What went wrong, each with how to see it again.
    pub fn wrong(&self) -> Vec<String> {
        let line = |kind: Kind, number: u64, wrong: &str| {
            format!("--kind {} --number {number} --count 1: {wrong}", kind.name())
        };
        let each = self.tallies.iter().flat_map(|tally| {
            tally.wrong.iter().map(move |(number, wrong)| line(tally.kind, *number, wrong))
        });
        let grown = self.grown_kib();
        let memory = (grown > MEMORY).then(|| format!("memory grew by {grown} KiB"));
        each.chain(memory).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| kind | inputs | taken | mean ms | slowest ms | its number |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
        self.tallies.iter().try_for_each(|tally| writeln!(f, "{tally}"))?;
        let (peak, at) = self.memory.peak();
        let near = at.map_or_else(String::new, |(kind, number)| format!(", near {} {number}", kind.name()));
        let (peak, before) = (peak >> 10, self.memory.before >> 10);
        let count: u64 = self.tallies.iter().map(|tally| tally.count).sum();
        let seconds = self.start.elapsed().as_secs_f64();
        writeln!(f, "\n{count} inputs in {seconds:.0} s")?;
        write!(f, "peak memory {peak} MiB{near}; {before} MiB before the first input")
    }
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
