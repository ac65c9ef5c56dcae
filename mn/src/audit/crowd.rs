//! Refused commands, counted: somebody who is refused over and over must not push everyone else's
//! commands out of a bounded log.

use std::collections::HashMap;

use mn_core::audit::{Entry, Outcome};

/// How many refused commands of one caller are recorded one by one in a window.
const EACH: u64 = 20;

/// How long a window is, in seconds.
pub(super) const WINDOW: u64 = 60;

/// How many callers are told apart; all others are counted as one.
const CALLERS: usize = 1024;

/// Who was refused how often in this window.
#[derive(Debug)]
pub(super) struct Crowd {
    began: u64,
    callers: HashMap<(String, String), Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    count: u64,
    last: Entry,
}

impl Crowd {
    /// Nobody yet, in a window that begins now.
    pub(super) fn new(now: u64) -> Self {
        Self { began: now, callers: HashMap::new() }
    }

    /// Whether an entry is to be recorded by itself. One that is not is counted.
    pub(super) fn lets(&mut self, entry: &Entry) -> bool {
        if !entry.outcome.is_denied() {
            return true;
        }
        let who = (entry.user.clone(), entry.host.clone());
        let is_known = self.callers.contains_key(&who);
        let who = if is_known || self.callers.len() < CALLERS { who } else { Default::default() };
        let refused = self.callers.entry(who).or_default();
        refused.count += 1;
        if refused.count <= EACH {
            return true;
        }
        refused.last = entry.clone();
        false
    }

    /// The end of a window that is over, or of all: an entry for each caller of whom some were only
    /// counted.
    pub(super) fn turn(&mut self, now: u64, is_last: bool) -> Vec<Entry> {
        if !is_last && !self.callers.is_empty() && now.saturating_sub(self.began) < WINDOW {
            return Vec::new();
        }
        self.began = now;
        let over = self.callers.drain().filter(|(_, refused)| refused.count > EACH);
        let more = |refused: Refused| Entry { outcome: Outcome::More(refused.count - EACH), ..refused.last };
        over.map(|(_, refused)| more(refused)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(user: &str) -> Entry {
        let outcome = Outcome::Denied("no".to_owned());
        Entry { user: user.to_owned(), outcome, ..Entry::default() }
    }

    #[test]
    fn who_is_refused_over_and_over_is_counted() {
        let mut crowd = Crowd::new(1_000_000);
        let let_in = (0..500).filter(|_| crowd.lets(&refused("eve"))).count();
        assert_eq!(let_in, 20);
        assert!(crowd.lets(&refused("bob")) && crowd.lets(&Entry::default()));
        let more = crowd.turn(1_000_060, false);
        assert_eq!(more.len(), 1);
        assert_eq!((more[0].user.as_str(), &more[0].outcome), ("eve", &Outcome::More(480)));
        assert!(crowd.lets(&refused("eve")), "a new window");
        assert!(crowd.turn(1_000_061, false).is_empty());
    }

    #[test]
    fn names_without_end_take_no_memory_without_end() {
        let mut crowd = Crowd::new(0);
        (0..10_000).for_each(|number| {
            crowd.lets(&refused(&format!("u{number}")));
        });
        assert!(crowd.callers.len() <= CALLERS + 1);
    }
}
