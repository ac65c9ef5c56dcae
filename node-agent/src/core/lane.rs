//! The lane in which scripts run, one after another: those of the desired state, and the work that
//! operators send (`updatenode`).
//!
//! A number of a run is begun once. Asked again, after a link was lost for instance, the agent gives
//! the answer that it has; for one that it had begun before it was started again, that it is lost.

use std::collections::VecDeque;

use common::wire::agent::FromAgent;
use common::wire::work::{Receipt, Run, RunAnswer, StepOutcome};

/// The most runs that wait. One operator sends one at a time; sixteen are sixteen operators.
const MOST_WAITING: usize = 16;

/// How many runs are remembered that were begun.
pub const MOST_REMEMBERED: usize = 64;

/// What occupies the lane.
#[derive(Debug, PartialEq, Eq)]
enum Busy {
    Scripts,
    Run(u64),
}

/// The lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    busy: Option<Busy>,
    scripts_wanted: bool,
    waiting: VecDeque<Box<Run>>,
    answers: VecDeque<(u64, RunAnswer)>,
}

impl Lane {
    /// An empty lane, after these runs were begun by a former process.
    pub(super) fn after(begun: Vec<u64>) -> Self {
        let answers = begun.into_iter().map(|run| (run, RunAnswer::Lost)).collect();
        Self { answers, ..Self::default() }
    }

    /// Takes a run in; the answer when there is one at once.
    pub(super) fn add(&mut self, run: Run) -> Option<FromAgent> {
        let number = run.run;
        if let Some((_, answer)) = self.answers.iter().find(|(done, _)| *done == number) {
            return Some(FromAgent::RunAnswer { run: number, answer: answer.clone() });
        }
        let known = self.busy == Some(Busy::Run(number)) || self.waiting.iter().any(|one| one.run == number);
        if known {
            return None;
        }
        if self.waiting.len() >= MOST_WAITING {
            let reason = format!("{MOST_WAITING} runs wait on this node already");
            let outcome = StepOutcome::Failed { reason, status: None };
            let answer = RunAnswer::Done(vec![Receipt { step: "run".to_owned(), outcome }]);
            return Some(FromAgent::RunAnswer { run: number, answer });
        }
        self.waiting.push_back(Box::new(run));
        None
    }

    pub(super) fn worked(&mut self, run: u64, receipts: Vec<Receipt>) -> Option<FromAgent> {
        if self.busy == Some(Busy::Run(run)) {
            self.busy = None;
        }
        let answer = RunAnswer::Done(receipts);
        self.answers.push_back((run, answer.clone()));
        if self.answers.len() > MOST_REMEMBERED {
            self.answers.pop_front();
        }
        Some(FromAgent::RunAnswer { run, answer })
    }

    /// The scripts of the desired state shall run when the lane is free.
    pub(super) fn want_scripts(&mut self) {
        self.scripts_wanted = true;
    }

    pub(super) fn scripts_ended(&mut self) {
        if self.busy == Some(Busy::Scripts) {
            self.busy = None;
        }
    }

    /// Whether the scripts of the desired state are to start now.
    pub(super) fn take_scripts(&mut self) -> bool {
        let now = self.scripts_wanted && self.busy.is_none();
        if now {
            self.scripts_wanted = false;
            self.busy = Some(Busy::Scripts);
        }
        now
    }

    /// The run that is to start now.
    pub(super) fn take_run(&mut self) -> Option<Box<Run>> {
        if self.busy.is_some() {
            return None;
        }
        let run = self.waiting.pop_front()?;
        self.busy = Some(Busy::Run(run.run));
        Some(run)
    }
}
