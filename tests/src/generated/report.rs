//! What was found, as numbers and as text.

use std::fmt;
use std::time::Duration;

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
}

/// What became of all inputs.
#[derive(Debug)]
pub struct Report {
    /// Each kind.
    pub tallies: Vec<Tally>,
    /// The most memory that the process had before the first input, in KiB.
    before: u64,
    /// The most that it had at all, and the input after which that was seen.
    peak: (u64, Option<(Kind, u64)>),
    looks: u64,
}

impl Report {
    pub(super) fn new() -> Self {
        let before = peak_kib();
        Self { tallies: Vec::new(), before, peak: (before, None), looks: 0 }
    }

    /// Looks at the memory now and then: often enough to say near which input it grew.
    pub(super) fn look(&mut self, kind: Kind, number: u64) {
        self.looks += 1;
        if self.looks.is_multiple_of(64) {
            let peak = peak_kib();
            if peak > self.peak.0 {
                self.peak = (peak, Some((kind, number)));
            }
        }
    }

    /// The most memory beyond what there was before, in KiB.
    pub fn grown_kib(&self) -> u64 {
        self.peak.0.max(peak_kib()).saturating_sub(self.before)
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
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        writeln!(f, "| kind | inputs | taken | mean ms | slowest ms | its number |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
        for tally in &self.tallies {
            let Tally { kind, count, taken, took, slowest, .. } = tally;
            let mean = ms(*took) / (*count).max(1) as f64;
            let (number, slowest) = (slowest.0, ms(slowest.1));
            writeln!(f, "| {} | {count} | {taken} | {mean:.3} | {slowest:.1} | {number} |", kind.name())?;
        }
        let (peak, at) = self.peak;
        let near = at.map_or_else(String::new, |(kind, number)| format!(", near {} {number}", kind.name()));
        write!(f, "\npeak memory {} MiB{near}; {} MiB before the first input", peak >> 10, self.before >> 10)
    }
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
