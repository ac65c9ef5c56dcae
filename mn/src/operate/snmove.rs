//! Carries a move through its steps (the steps are `mn_core::change::snmove`'s).
//!
//! Each step is committed before anything is told of it, and what comes next is read from the
//! committed state, so a management node that dies in the middle goes on where it stood
//! ([`resume`]): a move that was only prepared is taken back, for nothing has changed for anyone; one
//! that was released goes forward.

mod repoint;
mod report;
mod silence;

use std::collections::BTreeSet;
use std::time::Duration;

use common::id::{Moment, NodeName, Revision, SnName};
use common::report::Refusal;
use mn_core::change::snmove::{self, Plan};
use mn_core::command::Snmove;
use mn_core::draft::Change;
use mn_core::model::Model;
use mn_core::moves::{self, Move, State};
use runtime::supervise::BoxError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::report::Report;
use super::speaker::Speaker;
use crate::ground::{Ground, refused};
use crate::push::{Delivery, NotApplied, View};
use crate::store::book::{Book, BookError, By, Planned};

/// How long a service node may take to apply a step. It takes milliseconds; a minute is a rack of
/// busy machines.
const APPLY: Duration = Duration::from_secs(60);
/// How long content may take to reach the target before the move is given up.
const FETCH: Duration = Duration::from_secs(900);

/// How often a move looks whether there is room on the disk for its next step.
const ROOM: Duration = Duration::from_secs(1);

/// How long after a restart the old owners are given to connect before a move goes on without them:
/// one that is alive has noticed the end of its link after two seconds, tries again within three,
/// and an attempt may take two.
const OTHERS: Duration = Duration::from_secs(8);

/// What a move works with.
#[derive(Clone, Debug)]
pub struct Mover {
    /// The authoritative store.
    pub book: Book,
    /// The service nodes.
    pub delivery: Delivery,
}

/// Why a move did not come to its end.
#[derive(Debug)]
enum Stopped {
    /// It was refused or taken back; nothing has changed for anyone.
    Refused(Vec<Refusal>),
    /// The management node is ending; the move goes on when it is back.
    Store(BookError),
}

impl From<BookError> for Stopped {
    fn from(error: BookError) -> Self {
        Self::Store(error)
    }
}

/// Runs an `snmove`; gives its exit status.
pub(super) async fn run(ground: &Ground, arguments: Snmove) -> u8 {
    if arguments.postscripts.is_some() {
        // A script that was put into the tree just now is there.
        ground.site.content.rescan().await;
    }
    let mover = Mover { book: ground.site.book.clone(), delivery: ground.site.delivery.clone() };
    mover.run(arguments, ground.by.clone(), &Speaker::to(ground)).await
}

impl Mover {
    async fn run(&self, arguments: Snmove, by: By, speaker: &Speaker<'_>) -> u8 {
        let start = runtime::clock::now();
        let mut report = Report::new(start);
        let outcome = self.plan_and_move(&arguments, &by, speaker, &mut report).await;
        match outcome {
            Ok(()) => report.say(&arguments, speaker).await,
            Err(Stopped::Refused(refusals)) => {
                by.made.refuse(&refused(&refusals));
                for refusal in refusals {
                    speaker.err(refusal.render("snmove")).await;
                }
                1
            }
            Err(Stopped::Store(error)) => {
                speaker.err(crate::ground::fault(&error).render("snmove")).await;
                1
            }
        }
    }

    async fn plan_and_move(
        &self,
        arguments: &Snmove,
        by: &By,
        speaker: &Speaker<'_>,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let model = self.book.read();
        let plans = snmove::plan(&model, arguments);
        let plans = plans.map_err(Stopped::Refused).and_then(|plans| self.check_targets(plans))?;
        report.planned(&plans);
        if arguments.mode.dry_run {
            return Ok(());
        }
        for plan in plans.into_iter().filter(|plan| !plan.nodes.is_empty()) {
            let id = self.begin(plan.target.clone(), arguments.clone(), by.clone()).await?;
            self.drive(id, arguments, by, speaker, report).await?;
        }
        Ok(())
    }

    /// A target must be there: it is given everything before anyone is told anything.
    fn check_targets(&self, plans: Vec<Plan>) -> Result<Vec<Plan>, Stopped> {
        let away = |plan: &&Plan| !plan.nodes.is_empty() && !self.delivery.connected(&plan.target);
        let refusals: Vec<Refusal> = plans
            .iter()
            .filter(away)
            .map(|plan| {
                let sn = &plan.target;
                Refusal::new(format!("{sn} is not connected to the management node; nothing was changed"))
                    .because("a service node that takes nodes over is given everything it needs first")
                    .attempt(format!(
                        "start `sn serve` on {sn} and look at it with lsslice {sn}, or choose another -d"
                    ))
            })
            .collect();
        if refusals.is_empty() { Ok(plans) } else { Err(Stopped::Refused(refusals)) }
    }

    /// Plans again on the newest model, inside the writer, and commits the beginning.
    async fn begin(&self, target: SnName, arguments: Snmove, by: By) -> Result<u64, Stopped> {
        let author = by.author.clone();
        let started = runtime::clock::unix_seconds().to_string();
        let planned = self.book.change(by, move |model| {
            let plan = snmove::plan(model, &arguments)
                .map(|plans| plans.into_iter().find(|plan| plan.target == target && !plan.nodes.is_empty()));
            match plan {
                Ok(Some(plan)) => {
                    let (id, change) = snmove::begin(model, &plan, &author, &started);
                    Planned { note: format!("move {id} prepared"), ..Planned::new(Some(change), Ok(id)) }
                }
                Ok(None) => Planned::new(
                    None,
                    Err(vec![Refusal::new("someone else has moved these nodes meanwhile")]),
                ),
                Err(refusals) => Planned::new(None, Err(refusals)),
            }
        });
        planned.await?.value.map_err(Stopped::Refused)
    }

    /// Commits a step of a move; gives its revision.
    async fn step(
        &self,
        id: u64,
        by: &By,
        word: &str,
        make: fn(&Model, u64) -> Change,
    ) -> Result<Revision, Stopped> {
        let committed = loop {
            let note = format!("move {id} {word}");
            let plan = move |model: &Model| Planned { note, ..Planned::new(Some(make(model, id)), ()) };
            match self.book.change(by.clone(), plan).await {
                // A move stays nowhere in the middle: it waits until there is room.
                Err(BookError::NoRoom) => tokio::time::sleep(ROOM).await,
                done => break done?,
            }
        };
        info!(id, word, "move stepped");
        // A step without an edit was made before a restart; the newest revision holds it.
        Ok(committed.revision.unwrap_or_else(|| self.book.read().revision()))
    }

    /// Brings a move to its end from wherever it stands.
    async fn drive(
        &self,
        id: u64,
        arguments: &Snmove,
        by: &By,
        speaker: &Speaker<'_>,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let mut live = BTreeSet::new();
        while let Some(one) = moves::by_id(&self.book.read(), id) {
            let nodes = moves::nodes_of(&self.book.read(), id);
            match one.state {
                State::Prepared => {
                    speaker.progress(&format!("{} prepares", one.target), 0, 4).await;
                    self.prepare(&one, by).await?;
                    self.step(id, by, "released", snmove::release).await?;
                }
                State::Released => {
                    speaker.progress("the old owner falls silent", 1, 4).await;
                    self.silence(&one, &nodes, arguments, by, report).await?;
                    live = repoint::live(&self.book.read(), &nodes);
                    self.step(id, by, "answering", snmove::answer).await?;
                }
                State::Answering => {
                    speaker.progress(&format!("{} answers", one.target), 2, 4).await;
                    let revision = self.book.read().revision();
                    if let Err(why) = self.delivery.wait_revision(&one.target, revision, APPLY).await {
                        report.attention(
                            &one.target,
                            &format!("{} answers when it is back: {why}", one.target),
                        );
                    }
                    if !arguments.ignore_nodes {
                        self.repoint(&one, &nodes, &live, (arguments, speaker), report).await;
                    }
                    self.step(id, by, "done", snmove::finish).await?;
                    report.moved(&one, &nodes);
                }
            }
        }
        Ok(())
    }

    /// Waits until the target holds everything; otherwise takes the move back.
    async fn prepare(&self, one: &Move, by: &By) -> Result<(), Stopped> {
        let revision = self.book.read().revision();
        let mut limit = APPLY;
        let why = loop {
            match self.delivery.wait_revision(&one.target, revision, limit).await {
                Ok(_) => return Ok(()),
                Err(NotApplied::Fetching { .. }) if limit < FETCH => limit = FETCH,
                Err(why) => break why,
            }
        };
        self.step(one.id, by, "aborted", snmove::abort).await?;
        let refusal =
            Refusal::new(format!("{} could not be prepared; every node stays where it was", one.target))
                .because(why.to_string())
                .attempt(format!("lsslice {}, then the same command again", one.target));
        Err(Stopped::Refused(vec![refusal]))
    }
}

/// The service nodes that owned the nodes of a move before it.
fn old_owners(model: &Model, one: &Move, nodes: &[NodeName]) -> BTreeSet<SnName> {
    let owner = |node: &NodeName| mn_core::node::pool_of(model, node).into_iter().next();
    nodes.iter().filter_map(owner).filter(|sn| *sn != one.target).collect()
}

/// How long since `start`.
fn since(start: Moment) -> Duration {
    runtime::clock::now().since(start)
}

/// Ends the moves that a stop of the management node has left in the middle, then waits for `stop`.
///
/// # Errors
/// Never; the supervisor wants a result.
pub async fn resume(mover: Mover, stop: CancellationToken) -> Result<(), BoxError> {
    let all = async {
        for one in moves::all_under_way(&mover.book.read()) {
            mover.end(&one).await;
        }
    };
    tokio::select! {
        () = all => stop.cancelled().await,
        () = stop.cancelled() => {}
    }
    Ok(())
}

impl Mover {
    /// Ends a move that a restart has found.
    async fn end(&self, one: &Move) {
        let by = By::daemon("ends a move after a restart");
        let outcome = if one.state == State::Prepared {
            self.step(one.id, &by, "aborted", snmove::abort).await.map(drop)
        } else {
            self.are_back(one).await;
            // Whoever vouched for an old owner is gone, so nobody does: what may still answer keeps its
            // nodes.
            let arguments = Snmove::default();
            let mut report = Report::new(runtime::clock::now());
            self.drive(one.id, &arguments, &by, &Speaker::silent(), &mut report).await
        };
        match outcome {
            Ok(()) => info!(id = one.id, state = ?one.state, "move ended after a restart"),
            Err(Stopped::Refused(why)) => warn!(id = one.id, ?why, "move taken back after a restart"),
            Err(stopped) => warn!(id = one.id, ?stopped, "move could not be ended"),
        }
    }

    /// Waits until the target of a move is connected, and for its old owners if they are soon.
    async fn are_back(&self, one: &Move) {
        let mut changes = self.delivery.changes();
        let is_there =
            |view: &View, sn: &SnName| view.peers.get(sn).is_some_and(crate::push::PeerView::is_connected);
        // The other end is this daemon's own hub; when it goes, so does this wait.
        let _ = changes.wait_for(|view| is_there(view, &one.target)).await;
        let model = self.book.read();
        let owners = old_owners(&model, one, &moves::nodes_of(&model, one.id));
        let all = changes.wait_for(|view| owners.iter().all(|sn| is_there(view, sn)));
        let _ = tokio::time::timeout(OTHERS, all).await;
    }
}
