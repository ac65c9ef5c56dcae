//! Checks with names and times, told while they happen.
//!
//! On a terminal a line says what is going on and becomes its result; elsewhere the results alone
//! are printed. With `--json` the story goes nowhere and [`Story::json`] is all there is.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::Result;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What must be so.
    pub name: String,
    /// Whether it is.
    pub ok: bool,
    /// How long it took to bring about and to see, in seconds.
    pub seconds: f64,
    /// Why not.
    #[serde(skip)]
    pub error: Option<String>,
}

/// All of it, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    nodes: usize,
    service_nodes: usize,
    checks: &'a [Check],
    passed: usize,
    failed: usize,
}

/// A run of checks.
#[derive(Debug)]
pub struct Story {
    checks: Vec<Check>,
    silent: bool,
    start: Instant,
}

impl Story {
    /// A story that is told, or one that is only counted.
    pub fn new(silent: bool) -> Self {
        Self { checks: Vec::new(), silent, start: Instant::now() }
    }

    /// A heading: what happens now.
    pub fn chapter(&self, text: &str) {
        self.say(&format!("\n{text}"));
    }

    /// A line of the story.
    pub fn say(&self, text: &str) {
        if !self.silent {
            eprintln!("{text}");
        }
    }

    /// Brings something about and looks whether it is so. What `act` returns is told beside it.
    pub fn check(&mut self, name: &str, act: impl FnOnce(&Progress) -> Result<String>) -> bool {
        let start = Instant::now();
        let progress = Progress::new(name, self.silent);
        let outcome = act(&progress);
        progress.bar.finish_and_clear();
        let took = start.elapsed();
        let (mark, told, error) = match outcome {
            Ok(told) => ("  ok  ", told, None),
            Err(error) => (" FAIL ", error.to_string(), Some(error.to_string())),
        };
        let told = if told.is_empty() { told } else { format!("  ({told})") };
        self.say(&format!("{mark} {name}{told}  {}", brief(took)));
        let ok = error.is_none();
        self.checks.push(Check { name: name.to_owned(), ok, seconds: took.as_secs_f64(), error });
        ok
    }

    /// How many checks failed.
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.ok).count()
    }

    /// The last line for a person.
    pub fn end(&self) {
        let passed = self.checks.len() - self.failed();
        self.say(&format!("\n{passed} passed, {} failed in {}", self.failed(), brief(self.start.elapsed())));
    }

    /// The one JSON object.
    ///
    /// # Errors
    /// Never in practice: plain data.
    pub fn json(&self, nodes: usize, service_nodes: usize) -> Result<String> {
        let failed = self.failed();
        let passed = self.checks.len() - failed;
        Ok(serde_json::to_string(&Summary { nodes, service_nodes, checks: &self.checks, passed, failed })?)
    }
}

/// How far the check that is under way has come.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(name: &str, silent: bool) -> Self {
        // indicatif draws on a terminal only.
        let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("  {spinner}   {msg} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// There are this many steps.
    pub fn total(&self, steps: usize) {
        self.bar.set_length(steps as u64);
    }

    /// One more step is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }
}

fn brief(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
