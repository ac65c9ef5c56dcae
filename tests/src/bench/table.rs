//! The figures, with their goals, as Markdown.

use std::fmt;
use std::time::Duration;

use super::ground::Cost;
use super::load::Latencies;

/// Rows of what was measured, what it came to, and what was wanted.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<[String; 4]>,
    missed: usize,
}

impl Table {
    pub(super) fn of_goals() -> Self {
        Self::default()
    }

    /// A command, with a goal in seconds.
    pub(super) fn cost(&mut self, what: &str, cost: &Cost, goal: Option<f64>) {
        let refused = if cost.status == Some(0) { "" } else { ", **refused**" };
        let note = format!("{} (CPU {}){refused}", seconds(cost.wall), seconds(cost.cpu));
        self.row(
            what,
            note,
            goal.map(|goal| (format!("< {}", seconds_of(goal)), cost.wall.as_secs_f64() < goal)),
        );
    }

    /// A time, with a goal in seconds.
    pub(super) fn time(&mut self, what: &str, took: Duration, goal: Option<f64>) {
        self.row(
            what,
            seconds(took),
            goal.map(|goal| (format!("< {}", seconds_of(goal)), took.as_secs_f64() < goal)),
        );
    }

    /// A number that is to stay below another.
    pub(super) fn number(&mut self, what: &str, value: f64, goal: f64, note: String) {
        self.row(what, note, Some((format!("< {goal}"), value < goal)));
    }

    /// A number that is to reach another.
    pub(super) fn rate(&mut self, what: &str, value: f64, goal: f64, note: String) {
        self.row(what, note, Some((format!("≥ {goal:.0}"), value >= goal)));
    }

    /// Latencies, with a goal in seconds for the median.
    pub(super) fn latencies(&mut self, what: &str, all: &Latencies, goal: Option<f64>) {
        let [half, most, longest] = [500, 990, 1000].map(|part| all.permille(part));
        let note = format!(
            "median {}, 99 % {}, longest {} ({} questions)",
            seconds(half),
            seconds(most),
            seconds(longest),
            all.count()
        );
        self.row(
            what,
            note,
            goal.map(|goal| (format!("median < {}", seconds_of(goal)), half.as_secs_f64() < goal)),
        );
    }

    /// Whether no goal was missed.
    pub(super) const fn is_reached(&self) -> bool {
        self.missed == 0
    }

    fn row(&mut self, what: &str, note: String, goal: Option<(String, bool)>) {
        eprintln!("{what}: {note}");
        let (goal, verdict) = match goal {
            Some((goal, true)) => (goal, "reached"),
            Some((goal, false)) => {
                self.missed += 1;
                (goal, "**missed**")
            }
            None => (String::new(), ""),
        };
        self.rows.push([what.to_owned(), note, goal, verdict.to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | goal | |\n|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// A time as people write it.
pub(super) fn seconds(time: Duration) -> String {
    seconds_of(time.as_secs_f64())
}

fn seconds_of(time: f64) -> String {
    if time < 0.01 {
        format!("{:.2} ms", time * 1000.0)
    } else if time < 1.0 {
        format!("{:.0} ms", time * 1000.0)
    } else {
        format!("{time:.2} s")
    }
}
