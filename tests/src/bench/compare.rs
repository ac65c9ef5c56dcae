//! The commands that xCAT was measured with, on 1,000 nodes of the same shape, with xCAT's figures
//! beside ours.
//!
//! Each command runs several times, back to back. What it costs the processors is the command and the
//! daemon together, with what the daemon does behind the answers, as a mean; by that the goal is
//! judged, because other work on the machine does not change it much. Walls stand beside it.
//!
//! Left out is what would not be the same work here: `makedns`, `makedhcp` and `snmove` ask service
//! nodes, and none is connected; `XCATBYPASS=1` runs xCAT without its daemon, which we cannot.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::ground::Ground;
use super::site;
use super::table::seconds;
use crate::Result;

/// How many times less of the processors than xCAT a command is to use.
const GOAL: f64 = 50.0;

/// How many nodes there are.
const NODES: usize = 1000;

/// How many nodes of them are in `rack001`.
const RACK: usize = 100;

/// Seconds of xCAT for a command: of the wall, the best of several runs, and of the processors.
/// xcat-core at 7733d16f with SQLite, two cores, Debian 12.
#[derive(Clone, Copy, Debug)]
struct Xcat {
    wall: f64,
    cpu: f64,
}

/// A command, with xCAT's figures where it has some. `{}` stands for 1 and 2 in turns, so that each
/// run changes something.
type Row = (&'static str, Option<Xcat>);

const fn row(command: &'static str, wall: f64, cpu: f64) -> Row {
    (command, Some(Xcat { wall, cpu }))
}

/// Defining all nodes: the first thing that is done, once.
const DEFINE: Row = row("mkdef -z", 375.39, 159.17);

/// Commands that run by themselves.
const ALONE: &[Row] = &[
    row("nodels", 0.65, 0.41),
    row("nodels all", 0.79, 0.38),
    row("nodels n[0001-1000]", 0.37, 0.39),
    row("nodels /n.*5$", 0.19, 0.26),
    row("nodels rack001@compute,-n0003", 0.20, 0.30),
    row("nodels all noderes.servicenode", 0.36, 0.51),
    row("nodels n0500", 0.23, 0.28),
    row("lsxcatd -v", 0.36, 0.20),
    row("lsdef -t node", 1.18, 0.49),
    row("lsdef all", 8.58, 4.11),
    row("lsdef all -i ip,mac", 1.73, 0.89),
    row("lsdef n0500", 1.08, 0.54),
    row("nodech n0500 noderes.nfsserver=sn{}", 0.30, 0.24),
    row("nodech all noderes.nfsserver=sn{}", 1.45, 0.94),
    row("chdef n0500 usercomment=one{}", 0.97, 0.44),
    row("chdef all usercomment=all{}", 1.69, 1.72),
    row("tabdump noderes", 0.54, 0.37),
    row("tabdump nodelist", 0.26, 0.29),
    row("gettab node=n0500 nodelist.groups", 0.45, 0.20),
];

/// Commands that run in turns: each undoes what the one before it did. The daemon rests in between, so
/// that it is known which of them costs what.
const IN_TURNS: &[&[Row]] = &[
    &[row("makehosts all", 7.65, 3.93), ("makehosts -d all", None)],
    &[
        row("nodeset all osimage=demo", 87.94, 43.11),
        row("nodeset all boot", 60.48, 26.67),
        row("nodeset all offline", 54.02, 25.34),
    ],
    // 100 nodes; xCAT was measured with no more than these.
    &[row("rmdef rack001", 1.51, 0.86), row("mkdef -z", 32.06, 16.13)],
];

/// What the runs of a command came to.
#[derive(Debug, Default)]
struct Figures {
    command: String,
    walls: Vec<Duration>,
    /// Of all runs together.
    cpu: Duration,
    is_refused: bool,
}

impl Figures {
    fn of(command: &str) -> Self {
        Self { command: command.replace("{}", "1"), ..Self::default() }
    }

    /// Runs it once more.
    fn run(&mut self, ground: &Ground, command: &str, round: usize) -> Result<()> {
        let command = command.replace("{}", if round.is_multiple_of(2) { "1" } else { "2" });
        let words: Vec<&str> = command.split(' ').collect();
        let cost = match command.as_str() {
            "mkdef -z" => ground.feed(&words, &site::own(RACK))?,
            _ => ground.run(&words)?,
        };
        self.is_refused |= cost.status != Some(0);
        self.walls.push(cost.wall);
        Ok(())
    }

    fn best(&self) -> Duration {
        self.walls.iter().min().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        let mut walls = self.walls.clone();
        walls.sort_unstable();
        walls.get(walls.len() / 2).copied().unwrap_or_default()
    }

    /// Of one run.
    fn mean_cpu(&self) -> Duration {
        self.cpu / u32::try_from(self.walls.len().max(1)).unwrap_or(u32::MAX)
    }
}

/// What was measured, command by command.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    rows: Vec<(Figures, Xcat)>,
}

impl Comparison {
    /// Measures each command `rounds` times, on a management node in `dir`, which must not exist.
    ///
    /// # Errors
    /// When something cannot be measured.
    pub(super) fn measure(dir: &Path, rounds: usize) -> Result<Self> {
        let ground = Ground::make(dir)?;
        let image = ground.dir().join("tree/tftpboot/xcat/osimage/demo");
        std::fs::create_dir_all(&image)?;
        std::fs::write(image.join("vmlinuz"), "a kernel")?;
        std::fs::write(image.join("initrd.img"), "a RAM disk")?;
        ground.feed(&["mkdef", "-z"], &site::own_ground())?;

        let mut comparison = Self::default();
        comparison.define(&ground)?;
        for row in ALONE {
            comparison.alone(&ground, row, rounds)?;
        }
        for rows in IN_TURNS {
            comparison.in_turns(&ground, rows, rounds)?;
        }
        Ok(comparison)
    }

    fn define(&mut self, ground: &Ground) -> Result<()> {
        let mut figures = Figures::of(DEFINE.0);
        let before = ground.rest()?;
        figures.walls.push(ground.feed(&["mkdef", "-z"], &site::own(NODES))?.wall);
        figures.cpu = ground.rest()?.saturating_sub(before);
        self.keep(figures, DEFINE.1);
        Ok(())
    }

    fn alone(&mut self, ground: &Ground, (command, xcat): &Row, rounds: usize) -> Result<()> {
        let mut figures = Figures::of(command);
        let before = ground.rest()?;
        for round in 0..rounds {
            figures.run(ground, command, round)?;
        }
        figures.cpu = ground.rest()?.saturating_sub(before);
        self.keep(figures, *xcat);
        Ok(())
    }

    fn in_turns(&mut self, ground: &Ground, rows: &[Row], rounds: usize) -> Result<()> {
        let mut all: Vec<Figures> = rows.iter().map(|(command, _)| Figures::of(command)).collect();
        let mut before = ground.rest()?;
        for round in 0..rounds {
            for ((command, _), figures) in rows.iter().zip(&mut all) {
                figures.run(ground, command, round)?;
                let after = ground.rest()?;
                figures.cpu += after.saturating_sub(before);
                before = after;
            }
        }
        rows.iter().zip(all).for_each(|((_, xcat), figures)| self.keep(figures, *xcat));
        Ok(())
    }

    fn keep(&mut self, figures: Figures, xcat: Option<Xcat>) {
        let (best, cpu) = (seconds(figures.best()), seconds(figures.mean_cpu()));
        eprintln!("{}: {best} (CPU {cpu})", figures.command);
        self.rows.extend(xcat.map(|xcat| (figures, xcat)));
    }

    /// Whether no goal was missed.
    pub(super) fn is_reached(&self) -> bool {
        self.rows.iter().all(|(figures, xcat)| is_reached(figures, *xcat))
    }
}

fn is_reached(figures: &Figures, xcat: Xcat) -> bool {
    !figures.is_refused && xcat.cpu / figures.mean_cpu().as_secs_f64() >= GOAL
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "1,000 nodes, each with attributes of its own; the last two rows are 100 nodes, and xCAT's of a \
             site of 100.\n"
        )?;
        writeln!(
            f,
            "| command | best | median | CPU | xCAT: best | CPU | times faster | by CPU | by CPU ≥ {GOAL} |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|(figures, xcat)| {
            let (best, cpu) = (figures.best(), figures.mean_cpu());
            let verdict = match is_reached(figures, *xcat) {
                _ if figures.is_refused => "**refused**",
                true => "reached",
                false => "**missed**",
            };
            writeln!(
                f,
                "| `{}` | {} | {} | {} | {} s | {} s | {:.0} | {:.0} | {verdict} |",
                figures.command,
                seconds(best),
                seconds(figures.median()),
                seconds(cpu),
                xcat.wall,
                xcat.cpu,
                xcat.wall / best.as_secs_f64(),
                xcat.cpu / cpu.as_secs_f64(),
            )
        })
    }
}
