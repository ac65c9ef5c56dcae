//! The one task that changes what is served: it carries out what the inbox and the silence decide.
//!
//! It is synchronous and has a thread of its own: building views and writing the journal take
//! milliseconds to a second, and happen one after the other. Everyone else asks it through a
//! [`Handle`] and follows [`Serving`].

use std::sync::Arc;

use common::id::{Epoch, NodeName, SnName};
use common::slice::{Delta, Slice};
use common::wire::push::{Ack, Outcome, PushHead};
use runtime::link::identity::Identity;
use runtime::supervise::BoxError;
use sn_proto::inbox::{Action, Event, Held, Limits, Machine};
use sn_proto::peer::Silence;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::Serving;
use super::store::{Loaded, Store};
use super::views::{Built, Views};

/// Questions that wait. Each asker waits for its answer, so more than a few never do.
const QUEUE: usize = 64;

/// A frame of a push, as it came.
#[derive(Debug)]
pub enum Frame {
    /// The beginning.
    Head(PushHead),
    /// Entries.
    Part(Delta),
    /// The end.
    End,
    /// No frame: the link was lost.
    Lost,
}

#[derive(Debug)]
enum Ask {
    Frame(Frame, oneshot::Sender<Option<Ack>>),
    Claims(SnName, Vec<(NodeName, Epoch)>, oneshot::Sender<bool>),
    Speak(&'static str),
}

/// Asks the keeper. Clones ask the same.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    serving: watch::Receiver<Arc<Serving>>,
}

impl Handle {
    /// Takes a frame of a push in; gives what is to be acknowledged, if anything is. `Applied`
    /// says nothing about content, which is the caller's to look at.
    pub async fn frame(&self, frame: Frame) -> Option<Ack> {
        let (answer, answered) = oneshot::channel();
        // Both fail only while stopping.
        self.asks.send(Ask::Frame(frame, answer)).await.ok()?;
        answered.await.ok()?
    }

    /// Obeys the claims of a peer; says whether they are, for good.
    pub async fn claims(&self, by: SnName, own: Vec<(NodeName, Epoch)>) -> bool {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Claims(by, own, answer)).await.is_ok() && answered.await.unwrap_or(false)
    }

    /// Ends the hush of the start: from here on this service node answers for what it owns. `word`
    /// says for the log at whose word.
    pub async fn speak(&self, word: &'static str) {
        let _ = self.asks.send(Ask::Speak(word)).await;
    }

    /// What is served, now and later.
    pub fn serving(&self) -> watch::Receiver<Arc<Serving>> {
        self.serving.clone()
    }
}

/// See the module above.
pub struct Keeper {
    identity: Identity,
    store: Arc<Store>,
    machine: Machine,
    silence: Silence,
    /// What is known to be on disk; none after a write that failed.
    on_disk: Option<Arc<Slice>>,
    /// Whether the pool is still being asked what was lost.
    hushed: bool,
    built: Option<Built>,
    views: Views,
    serving: watch::Sender<Arc<Serving>>,
    asks: mpsc::Receiver<Ask>,
}

impl Keeper {
    /// Begins with what was on disk. While `hushed`, no node is answered as its owner would.
    pub fn new(
        identity: &Identity,
        sn: SnName,
        store: Arc<Store>,
        loaded: Loaded,
        hushed: bool,
    ) -> (Self, Handle, Views) {
        let mut silence = Silence::restore(loaded.heard);
        let slice = loaded.held.as_ref().map(|held| Arc::clone(&held.slice)).unwrap_or_default();
        silence.settle(&slice);
        let claimed = silence.effective(&slice);
        let effective = if hushed { Silence::hushed(&slice) } else { Arc::clone(&claimed) };
        let stamp = loaded.held.as_ref().map(|held| held.stamp.clone());
        let views = Views::new(build_or_nothing(&effective).at(stamp.as_ref()));
        let on_disk = Some(Arc::clone(&slice));
        let (serving, receiver) = watch::channel(Arc::new(Serving::new(stamp, slice, claimed, effective)));
        let (sender, asks) = mpsc::channel(QUEUE);
        let keeper = Self {
            identity: identity.clone(),
            store,
            machine: Machine::new(sn, loaded.held, Limits::default()),
            silence,
            on_disk,
            hushed,
            built: None,
            views: views.clone(),
            serving,
            asks,
        };
        (keeper, Handle { asks: sender, serving: receiver }, views)
    }

    /// Works until stopped.
    ///
    /// # Errors
    /// When it panicked.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let runtime = tokio::runtime::Handle::current();
        let working = tokio::task::spawn_blocking(move || {
            while let Some(Some(ask)) = runtime.block_on(stop.run_until_cancelled(self.asks.recv())) {
                self.answer(ask);
            }
        });
        Ok(working.await?)
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Frame(frame, answer) => {
                let ack = self.frame(frame);
                // The link that asked may be gone; the next one says what is held.
                let _ = answer.send(ack);
            }
            Ask::Claims(by, own, answer) => {
                let obeyed = self.claims(&by, &own);
                let _ = answer.send(obeyed);
            }
            Ask::Speak(word) => self.speak(word),
        }
    }

    /// Ends the hush of the start, at someone's word or at nobody's.
    fn speak(&mut self, word: &str) {
        if std::mem::take(&mut self.hushed) {
            self.reveal();
            let serving = self.serving.borrow();
            let (owned, silenced) = (serving.owned(), serving.silenced());
            tracing::info!(owned, silenced, word, "answering for the nodes it owns");
        }
    }

    fn frame(&mut self, frame: Frame) -> Option<Ack> {
        let event = match frame {
            Frame::Head(head) => {
                let genuine = self.identity.verify_stamp(&head.stamp, &head.signature);
                Event::Push { head, genuine }
            }
            Frame::Part(delta) => Event::Part(delta),
            Frame::End => Event::End,
            Frame::Lost => Event::LinkLost,
        };
        let mut ack = None;
        let mut actions = Vec::new();
        self.machine.handle(event, &mut actions);
        // Each answer of ours to an action may bring more of them; a push brings five at most.
        while !actions.is_empty() {
            let mut more = Vec::new();
            for action in actions {
                if let Some(said) = self.act(action, &mut more) {
                    ack = Some(said);
                }
            }
            actions = more;
        }
        ack
    }

    fn act(&mut self, action: Action, more: &mut Vec<Action>) -> Option<Ack> {
        match action {
            Action::Check(slice) => {
                // A slice that arrives now is the management node's newest word: no hush holds it.
                let reasons = match Built::build(&self.silence.effective(&slice)) {
                    Ok(built) => {
                        self.built = Some(built);
                        Vec::new()
                    }
                    Err(reasons) => reasons,
                };
                self.machine.handle(Event::Checked(reasons), more);
                None
            }
            Action::Journal(held) => {
                let failed = self.journal(&held);
                self.machine.handle(Event::Journalled(failed), more);
                None
            }
            Action::Swap(held) => {
                self.swap(held);
                None
            }
            Action::Applied(stamp) => {
                // Also where nothing is switched: what is held is the newest, says who knows.
                self.speak("the management node");
                Some(Ack { stamp, outcome: Outcome::Applied })
            }
            Action::Refuse(ack) => {
                if let Outcome::Refused { reasons } = &ack.outcome {
                    let generation = ack.stamp.generation;
                    tracing::error!(%generation, error = reasons.join("; "), "refused a slice");
                }
                Some(ack)
            }
            Action::Alarm(error) => {
                tracing::error!(error, "two slices have one generation; is there a second management node?");
                None
            }
        }
    }

    fn journal(&mut self, held: &Held) -> Option<String> {
        match self.store.put_slice(self.on_disk.as_deref(), held) {
            Ok(()) => {
                self.on_disk = Some(Arc::clone(&held.slice));
                None
            }
            Err(error) => {
                self.on_disk = None;
                Some(common::report::chain(&error))
            }
        }
    }

    fn swap(&mut self, held: Held) {
        let Held { stamp, slice, .. } = held;
        self.hushed = false;
        let effective = self.silence.effective(&slice);
        // It was built in the check of this very slice; nothing can have come between.
        let built = self.built.take().unwrap_or_else(|| build_or_nothing(&effective));
        self.views.swap(built.at(Some(&stamp)));
        tracing::info!(
            generation = %stamp.generation, digest = stamp.digest.short(), entries = slice.len(),
            "applied a slice"
        );
        let settled = self.silence.settle(&slice);
        if !settled.is_empty()
            && let Err(error) = self.store.forget_heard(&settled)
        {
            tracing::warn!(error = common::report::chain(&error), "could not forget claims that are settled");
        }
        let claimed = Arc::clone(&effective);
        self.serving.send_replace(Arc::new(Serving::new(Some(stamp), slice, claimed, effective)));
    }

    fn claims(&mut self, by: &SnName, own: &[(NodeName, Epoch)]) -> bool {
        let slice = Arc::clone(&self.serving.borrow().slice);
        let news = self.silence.hear(&slice, by, own);
        if news.is_empty() {
            return true;
        }
        // Silent first: that is safe even when the disk then fails and nothing is confirmed.
        self.reveal();
        let silenced = self.serving.borrow().silenced();
        tracing::warn!(peer = %by, news = news.len(), silenced, "fell silent for nodes that a peer owns now");
        match self.store.put_heard(&news) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error = common::report::chain(&error), "could not keep the claims of a peer");
                false
            }
        }
    }

    /// Shows the services the slice that is held as it is to be seen now.
    fn reveal(&mut self) {
        let serving = Arc::clone(&self.serving.borrow());
        let claimed = self.silence.effective(&serving.slice);
        let effective = if self.hushed { Silence::hushed(&claimed) } else { Arc::clone(&claimed) };
        if effective.digest() != serving.effective.digest() {
            self.views.swap(build_or_nothing(&effective).at(serving.stamp.as_ref()));
        }
        self.serving.send_replace(Arc::new(Serving { claimed, effective, ..Serving::clone(&serving) }));
    }
}

/// The views of a slice that is on disk already. One that a newer program checked may be too much
/// for this one; then silence is the only safe answer.
fn build_or_nothing(slice: &Slice) -> Built {
    match Built::build(slice) {
        Ok(built) => built,
        Err(reasons) => {
            tracing::error!(error = reasons.join("; "), "cannot serve the slice on disk; answering nothing");
            #[expect(clippy::expect_used, reason = "a slice without entries asks nothing of any service")]
            Built::build(&Slice::new()).expect("the empty slice can be served")
        }
    }
}
