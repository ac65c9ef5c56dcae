//! Inputs made by a grammar, a million and more: noderanges, stanza files, tables, files that are
//! applied, files of other systems. Each is read as the daemon reads it.
//!
//! Of every kind some inputs are right, some are right but for a slip ([`damage`]), and some are made
//! to be large or deep. None may panic, none may take longer than [`LIMIT`], none may take memory
//! without bound ([`MEMORY`]), and what is refused changes nothing. One number names an input for
//! ever, so that what is found is found again: `generated --kind KIND --number NUMBER --count 1`.
//!
//! This looks for what breaks; that right inputs mean the right thing is for the tests of the rooms.

mod damage;
mod definitions;
mod foreign;
mod noderange;
mod report;
mod sheets;
mod site;
mod watch;

use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::report::{Found, Memory};
pub use self::report::{Report, Tally};
use self::site::Site;
use self::watch::Watch;
use crate::Result;
use crate::chance::Chance;

/// How long one input may take, of a processor; without optimisation everything takes ten to thirty
/// times as long.
pub const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 1 });

/// How much memory the whole may take beyond what it began with, in KiB: a noderange may spell a
/// million names, which are some hundred bytes each.
pub const MEMORY: u64 = 1 << 20;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Noderanges.
    Noderange,
    /// What `chdef -z` reads.
    Stanza,
    /// What `tabrestore` reads.
    Csv,
    /// What `apply` reads.
    Apply,
    /// Perceus's lists, which `apply` reads too.
    Perceus,
    /// What `import isc-dhcpd` reads.
    IscDhcpd,
    /// What `import hosts` reads.
    Hosts,
    /// What `import ethers` reads.
    Ethers,
    /// What `import warewulf` reads.
    Warewulf,
    /// What `import xcat` reads.
    Xcat,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Noderange,
        Self::Stanza,
        Self::Csv,
        Self::Apply,
        Self::Perceus,
        Self::IscDhcpd,
        Self::Hosts,
        Self::Ethers,
        Self::Warewulf,
        Self::Xcat,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noderange => "noderange",
            Self::Stanza => "stanza",
            Self::Csv => "csv",
            Self::Apply => "apply",
            Self::Perceus => "perceus",
            Self::IscDhcpd => "isc-dhcpd",
            Self::Hosts => "hosts",
            Self::Ethers => "ethers",
            Self::Warewulf => "warewulf",
            Self::Xcat => "xcat",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Of a hundred inputs, how many are of this kind.
    const fn share(self) -> u64 {
        match self {
            Self::Noderange => 50,
            Self::Stanza => 20,
            Self::Csv | Self::Apply => 7,
            Self::IscDhcpd | Self::Warewulf | Self::Xcat => 3,
            Self::Perceus | Self::Hosts => 2,
            Self::Ethers => 3,
        }
    }

    /// The input of this number. Some are of several files.
    pub fn input(self, seed: u64, number: u64) -> Vec<String> {
        let mut chance = Chance::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ self as u64);
        chance.any();
        let chance = &mut chance;
        let mut files = match self {
            Self::Noderange => vec![noderange::text(chance)],
            Self::Stanza => vec![definitions::stanzas(chance)],
            Self::Csv => vec![sheets::table(chance)],
            Self::Apply => vec![definitions::flat(chance)],
            Self::Perceus => vec![definitions::perceus(chance)],
            Self::IscDhcpd => vec![foreign::isc(chance)],
            Self::Hosts => vec![foreign::hosts(chance)],
            Self::Ethers => vec![foreign::ethers(chance)],
            Self::Warewulf => vec![foreign::warewulf(chance)],
            Self::Xcat => sheets::database(chance),
        };
        // Half are as the grammar made them.
        if chance.one_in(2) {
            let file = chance.index(files.len());
            damage::damage(&mut files[file], chance);
        }
        files
    }
}

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// One kind alone; all where there is none.
    pub kind: Option<Kind>,
    /// The number of the first input of each kind.
    pub first: u64,
    /// How many inputs, of all kinds together.
    pub count: u64,
    /// Where all chance comes from.
    pub seed: u64,
    /// How many are read at once. What is found is the same with any number.
    pub threads: NonZero<usize>,
}

impl Plan {
    /// The numbers of the inputs of a kind.
    const fn numbers(&self, kind: Kind) -> Range<u64> {
        let count = if self.kind.is_some() { self.count } else { self.count * kind.share() / 100 };
        self.first..self.first + count
    }
}

/// Makes inputs and has them read; `done` is told of each kind as it comes to its end. What went wrong
/// is in the report; an input that does not come to an end ends the process, with its number.
///
/// # Errors
/// When the site that they meet cannot be made.
pub fn run(plan: Plan, mut done: impl FnMut(&Tally)) -> Result<Report> {
    let site = Site::new()?;
    let mut report = Report::new();
    let kinds = plan.kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    for kind in kinds {
        let numbers = plan.numbers(kind);
        let next = AtomicU64::new(numbers.start);
        let hand = || inputs(&plan, &site, kind, (&next, numbers.end), &report.memory);
        // Threads of their own, for their stacks are no larger than those of the daemon's.
        let tallies = std::thread::scope(|scope| {
            let hands: Vec<_> = (0..plan.threads.get()).map(|_| scope.spawn(hand)).collect();
            hands.into_iter().map(|hand| hand.join()).collect::<Vec<_>>()
        });
        let mut tally = Tally::new(kind);
        for part in tallies {
            tally.join(part.map_err(|_| format!("whoever reads {} panicked", kind.name()))?);
        }
        done(&tally);
        report.tallies.push(tally);
    }
    Ok(report)
}

/// Reads inputs of a kind, whichever come next, until there are none.
fn inputs(plan: &Plan, site: &Site, kind: Kind, (next, end): (&AtomicU64, u64), memory: &Memory) -> Tally {
    let watch = Watch::start();
    let mut tally = Tally::new(kind);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return tally;
        }
        let files = kind.input(plan.seed, number);
        watch.begin(kind, number);
        let found = one(site, kind, number, &files);
        watch.end();
        tally.take(found);
        memory.look(kind, number);
    }
}

/// Reads one input.
fn one(site: &Site, kind: Kind, number: u64, files: &[String]) -> Found {
    let start = processor_time();
    let read = catch_unwind(AssertUnwindSafe(|| site.read(kind, files)));
    let took = processor_time().saturating_sub(start);
    let (is_taken, wrong) = match read {
        Ok(Ok(is_taken)) => (is_taken, None),
        Ok(Err(wrong)) => (false, Some(wrong)),
        Err(_) => (false, Some("it panicked".to_owned())),
    };
    let wrong = wrong.or_else(|| (took > LIMIT).then(|| format!("it took {} ms", took.as_millis())));
    Found { number, is_taken, took, wrong }
}

/// How long this thread has had a processor: what others on the machine do does not count.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    nanoseconds.map_or_else(since_the_first_call, Duration::from_nanos)
}

/// A kernel that does not count the one tells the other.
fn since_the_first_call() -> Duration {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many inputs an ordinary run of the tests makes; `DROVER_GENERATED` says another number.
    const SHARE: u64 = 400;

    #[test]
    fn no_input_breaks_what_reads_it() {
        let count = std::env::var("DROVER_GENERATED").ok().and_then(|count| count.parse().ok());
        let (count, threads) = (count.unwrap_or(SHARE), NonZero::new(2).unwrap());
        let report = run(Plan { kind: None, first: 0, count, seed: 0, threads }, |_| ()).unwrap();
        eprintln!("{report}");
        assert_eq!(report.wrong(), Vec::<String>::new());
        // What is always refused tests a refusal and nothing else.
        for Tally { kind, count, taken, .. } in report.tallies.iter().filter(|tally| tally.count > 50) {
            assert!(taken * 50 > *count && taken < count, "{taken} of {count} {} are taken", kind.name());
        }
    }

    #[test]
    fn a_number_names_an_input() {
        for kind in Kind::ALL {
            assert_eq!(kind.input(3, 17), kind.input(3, 17));
            assert_ne!(kind.input(3, 17), kind.input(3, 18), "{}", kind.name());
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert_eq!(Kind::ALL.iter().map(|kind| kind.share()).sum::<u64>(), 100);
    }
}
