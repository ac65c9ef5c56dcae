//! Work that is brought to nodes' agents wherever they are connected, and one answer of each brought
//! back.
//!
//! An agent is asked for where it was connected last, then through the rest of its pool: agents fall
//! back along it. One that goes from one service node to another just then is found at neither, and
//! one whose service node dies cannot answer through it; both are looked for again ([`LOOK`]).
//!
//! **Invariants**: all asking is under one number of a run, and an agent begins a number once, however
//! often and through whomever it is asked (`node-agent`, `core::lane`), so that asking again repeats
//! nothing; a node is asked for in one place at a time; each node has one result.

use std::collections::BTreeMap;
use std::time::Duration;

use common::id::{Moment, NodeName, SnName};
use common::wire::work::{RunAnswer, RunResult};
use mn_core::change::updatenode::Batch;
use mn_core::model::Model;
use tokio::sync::mpsc;

use super::agent;
use crate::push::Delivery;
use crate::store::book::Book;

/// How long an agent that is known to be connected is looked for: to notice that its service node
/// has died, and to be in at the next one, takes it some 4 s (`node-agent`, `LINKS` and `STAGGER`).
const LOOK: Duration = Duration::from_secs(8);

/// How often.
const AGAIN: Duration = Duration::from_millis(200);

/// Brings a batch's work to its nodes; gives one result for each, in the order in which they come,
/// and after `limit` says which did not answer. Ends early when nobody listens any more.
pub(super) async fn bring(
    (book, delivery): (Book, Delivery),
    batch: Batch,
    limit: Duration,
    results: mpsc::Sender<RunResult>,
) {
    let Batch { pool, nodes, work } = batch;
    let run = delivery.number();
    let mut search = Search::new(pool, nodes, runtime::clock::now() + limit);
    // One place for each node, so that the hub never waits for us.
    let (sender, mut came) = mpsc::channel(search.left.len().max(1));
    while !search.left.is_empty() {
        let asked = search.ask(runtime::clock::now(), |node| connected(&book.read(), node));
        if !asked.is_empty() && !delivery.run(run, asked, &work, (search.until, &sender)).await {
            // Nobody brings it, because the daemon is stopping: the time is over at once.
            search.until = Moment::START;
        }
        let wait = tokio::time::sleep(search.wake().since(runtime::clock::now()));
        let first = tokio::select! {
            result = came.recv() => result,
            () = wait => None,
            () = results.closed() => return,
        };
        // What else is there is taken with it, so that they are asked for again together.
        let rest = std::iter::from_fn(|| came.try_recv().ok());
        let heard = first.into_iter().chain(rest).collect::<Vec<_>>();
        let (now, model) = (runtime::clock::now(), book.read());
        let done = heard.into_iter().filter_map(|RunResult { node, answer, .. }| {
            let is_live = agent::is_live(&model, &node);
            search.heard(now, is_live, &node, answer).map(|answer| (node, answer))
        });
        let done: Vec<_> = done.collect();
        for (node, answer) in done.into_iter().chain(search.overdue(now)) {
            // That nobody listens is seen above.
            let _ = results.send(RunResult { run, node, answer }).await;
        }
    }
}

/// Where an agent was connected when it was last heard of.
fn connected(model: &Model, node: &NodeName) -> Option<SnName> {
    agent::cell(model, node, "connected").and_then(|name| name.parse().ok())
}

/// Who has not answered yet, and where each is asked for next.
struct Search {
    pool: Vec<SnName>,
    until: Moment,
    left: BTreeMap<NodeName, Look>,
}

/// The search for one node.
#[derive(Default)]
struct Look {
    /// Where it was connected when this round of the pool began.
    first: Option<SnName>,
    /// The next place in this round.
    turn: usize,
    /// When it is asked for next; none while an answer is awaited.
    next: Option<Moment>,
    /// The end of the first round that did not find it.
    since: Option<Moment>,
    /// Whether it was found once, and its way broke.
    was_found: bool,
}

impl Search {
    fn new(pool: Vec<SnName>, nodes: Vec<NodeName>, until: Moment) -> Self {
        let look = || Look { next: Some(Moment::START), ..Look::default() };
        Self { pool, until, left: nodes.into_iter().map(|node| (node, look())).collect() }
    }

    /// Whom to ask now, and for which nodes.
    fn ask(
        &mut self,
        now: Moment,
        connected: impl Fn(&NodeName) -> Option<SnName>,
    ) -> BTreeMap<SnName, Vec<NodeName>> {
        let mut asked: BTreeMap<SnName, Vec<NodeName>> = BTreeMap::new();
        for (node, look) in &mut self.left {
            if look.next.is_none_or(|at| at > now) {
                continue;
            }
            if look.turn == 0 {
                look.first = connected(node).filter(|sn| self.pool.contains(sn));
            }
            let rest = self.pool.iter().filter(|sn| look.first.as_ref() != Some(*sn));
            if let Some(sn) = look.first.iter().chain(rest).nth(look.turn) {
                look.next = None;
                asked.entry(sn.clone()).or_default().push(node.clone());
            }
        }
        asked
    }

    /// An answer came; gives it when it is the last word.
    fn heard(&mut self, now: Moment, is_live: bool, node: &NodeName, answer: RunAnswer) -> Option<RunAnswer> {
        let look = self.left.get_mut(node)?;
        match answer {
            RunAnswer::Done(_) => {
                self.left.remove(node);
                return Some(answer);
            }
            RunAnswer::Lost => look.was_found = true,
            RunAnswer::NotConnected => {}
        }
        look.turn += 1;
        look.next = Some(now);
        if look.turn < self.pool.len() {
            return None;
        }
        let since = *look.since.get_or_insert(now);
        if is_live && now.since(since) < LOOK && now < self.until {
            (look.turn, look.next) = (0, Some(now + AGAIN));
            return None;
        }
        let last = look.last_word();
        self.left.remove(node);
        Some(last)
    }

    /// Those that are given up, because the time is over.
    fn overdue(&mut self, now: Moment) -> Vec<(NodeName, RunAnswer)> {
        if now < self.until + AGAIN {
            return Vec::new();
        }
        let left = std::mem::take(&mut self.left);
        left.into_iter().map(|(node, look)| (node, look.last_word())).collect()
    }

    /// When to go on if nothing comes. The hub says at `until` who has not answered; who was not
    /// told even that is given up a little later.
    fn wake(&self) -> Moment {
        self.left.values().filter_map(|look| look.next).min().unwrap_or(self.until + AGAIN)
    }
}

impl Look {
    /// What is said of a node that gave no answer: an awaited one may have begun.
    const fn last_word(&self) -> RunAnswer {
        if self.was_found || self.next.is_none() { RunAnswer::Lost } else { RunAnswer::NotConnected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sn(name: &str) -> SnName {
        name.parse().unwrap()
    }

    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    fn search() -> (Search, NodeName) {
        let node: NodeName = "n1".parse().unwrap();
        (Search::new(vec![sn("sn1"), sn("sn2")], vec![node.clone()], at(60_000)), node)
    }

    fn whom(search: &mut Search, now: Moment, connected: &str) -> String {
        let asked = search.ask(now, |_| connected.parse().ok());
        asked.into_keys().map(|sn| sn.to_string()).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn it_is_asked_for_where_it_was_last_and_then_along_the_pool() {
        let (mut search, node) = search();
        assert_eq!(whom(&mut search, at(0), "sn2"), "sn2");
        assert_eq!(whom(&mut search, at(1), "sn2"), "", "its answer is awaited");
        assert_eq!(search.heard(at(2), true, &node, RunAnswer::NotConnected), None);
        assert_eq!(whom(&mut search, at(2), "sn2"), "sn1");
        let done = RunAnswer::Done(Vec::new());
        assert_eq!(search.heard(at(3), true, &node, done.clone()), Some(done));
        assert!(search.left.is_empty());
    }

    #[test]
    fn a_service_node_that_is_not_of_the_pool_is_not_asked() {
        let (mut search, _) = search();
        assert_eq!(whom(&mut search, at(0), "sn9"), "sn1");
    }

    #[test]
    fn one_whose_way_broke_is_looked_for_until_it_is_found() {
        let (mut search, node) = search();
        assert_eq!(whom(&mut search, at(0), "sn1"), "sn1");
        assert_eq!(search.heard(at(10_000), true, &node, RunAnswer::Lost), None);
        assert_eq!(whom(&mut search, at(10_000), "sn1"), "sn2");
        assert_eq!(search.heard(at(10_001), true, &node, RunAnswer::NotConnected), None);
        assert_eq!(whom(&mut search, at(10_001), ""), "", "it has a moment to come");
        assert_eq!(search.wake(), at(10_201));
        assert_eq!(whom(&mut search, at(10_201), "sn2"), "sn2");
    }

    #[test]
    fn one_that_does_not_come_back_is_given_up_and_may_have_begun() {
        for (answer, said) in
            [(RunAnswer::Lost, RunAnswer::Lost), (RunAnswer::NotConnected, RunAnswer::NotConnected)]
        {
            let (mut search, node) = search();
            let mut now = 0;
            let last = loop {
                assert_ne!(whom(&mut search, at(now), ""), "");
                let answer = if now == 0 { answer.clone() } else { RunAnswer::NotConnected };
                if let Some(last) = search.heard(at(now), true, &node, answer) {
                    break last;
                }
                now = search.wake().since_start().as_millis().try_into().unwrap();
            };
            assert_eq!(last, said);
            assert!((8_000..9_000).contains(&now), "{now}");
        }
    }

    #[test]
    fn one_that_is_down_is_not_looked_for() {
        let (mut search, node) = search();
        for _ in ["sn1", "sn2"] {
            whom(&mut search, at(0), "");
            let heard = search.heard(at(0), false, &node, RunAnswer::NotConnected);
            assert_eq!(heard, search.left.is_empty().then_some(RunAnswer::NotConnected));
        }
        assert!(search.left.is_empty());
    }

    #[test]
    fn nobody_is_waited_for_beyond_the_limit() {
        let (mut search, node) = search();
        whom(&mut search, at(0), "");
        assert!(search.overdue(at(60_000)).is_empty(), "the hub says it first");
        assert_eq!(search.overdue(search.wake()), [(node, RunAnswer::Lost)]);
    }
}
