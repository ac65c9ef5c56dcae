//! One session with an agent: [`common::wire::agent`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::id::{Digest, NodeName};
use common::slice::Node;
use common::wire::Opening;
use common::wire::agent::{FromAgent, ToAgent};
use common::wire::push::Reported;
use common::wire::work::{Receipt, Run, RunAnswer, StepOutcome};
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::stream::{FrameReceiver, FrameSender};
use tokio::sync::mpsc;

use super::{Agents, Denied, may};

/// How long an agent may take to open its stream and greet.
const GREETING: Duration = Duration::from_secs(5);

/// The longest status, in bytes: xCAT's words are shorter.
const STATUS: usize = 64;

/// The most receipts of one report, and the longest text in one of them.
const RECEIPTS: usize = 1024;
const TEXT: usize = 4096;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("it did not greet in time")]
    Slow,
    #[error("it did not begin with its greeting")]
    NoHello,
    #[error("its node is not served here any more")]
    Gone,
    #[error("its node has another agent now")]
    Replaced,
}

/// Talks until the link ends or the node goes. Every run that came is answered, here or by the agent.
pub(super) async fn run(
    agents: &Agents,
    node: &NodeName,
    link: &Link,
    mut runs: mpsc::Receiver<Run>,
) -> Result<(), Ended> {
    let mut open = BTreeSet::new();
    let ended = talk(agents, node, link, (&mut runs, &mut open)).await;
    // What was begun and not answered; those that waited behind it never began.
    runs.close();
    while let Ok(run) = runs.try_recv() {
        open.insert(run.run);
    }
    for run in open {
        agents.answer(run, node.clone(), RunAnswer::Lost).await;
    }
    ended
}

async fn talk(
    agents: &Agents,
    node: &NodeName,
    link: &Link,
    (runs, open): (&mut mpsc::Receiver<Run>, &mut BTreeSet<u64>),
) -> Result<(), Ended> {
    let (sender, mut receiver) =
        tokio::time::timeout(GREETING, greet(link)).await.map_err(|_| Ended::Slow)??;
    agents.report(node, Reported::Connected(true)).await;
    let mut session = Session { agents, node, link, sender, seen: None, told: None, open };
    let mut serving = agents.parts.serving.clone();
    // Its state first: an agent follows a link when it has heard that, and does no work on another.
    let now = Arc::clone(&serving.borrow_and_update());
    session.tell(&now).await?;
    loop {
        tokio::select! {
            message = receiver.recv::<FromAgent>() => match message? {
                Some(message) => session.heard(message).await,
                None => return Ok(()),
            },
            changed = serving.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let now = Arc::clone(&serving.borrow_and_update());
                session.tell(&now).await?;
            }
            Some(run) = runs.recv() => session.start(run).await?,
            stream = link.accept() => {
                let (sender, receiver) = stream?;
                session.opened(sender, receiver);
            }
        }
    }
}

async fn greet(link: &Link) -> Result<(FrameSender, FrameReceiver), Ended> {
    let (sender, mut receiver) = link.accept().await?;
    let Opening::Control = receiver.expect::<Opening>().await? else { return Err(Ended::NoHello) };
    let FromAgent::Hello { .. } = receiver.expect::<FromAgent>().await? else { return Err(Ended::NoHello) };
    Ok((sender, receiver))
}

struct Session<'a> {
    agents: &'a Agents,
    node: &'a NodeName,
    link: &'a Link,
    sender: FrameSender,
    /// What the desired state was made of last.
    seen: Option<(Digest, Node)>,
    /// The digest of the desired state that was sent last.
    told: Option<Digest>,
    /// Runs without an answer yet.
    open: &'a mut BTreeSet<u64>,
}

impl Session<'_> {
    /// Sends the desired state when it is another than before.
    async fn tell(&mut self, serving: &crate::slice::Serving) -> Result<(), Ended> {
        match may(serving, self.node, self.link.peer_key()) {
            Ok(()) => {}
            Err(Denied::Unknown) => return Err(Ended::Gone),
            Err(Denied::Forged) => {
                self.link.refuse("this node has joined again with another key");
                return Err(Ended::Replaced);
            }
        }
        let Some(node) = serving.node(self.node) else { return Err(Ended::Gone) };
        if self.seen.as_ref().is_some_and(|(names, seen)| *names == serving.names && seen == node) {
            return Ok(());
        }
        self.seen = Some((serving.names, node.clone()));
        let desired = sn_proto::agent::desired(&serving.slice, node);
        let digest = desired.digest();
        if self.told != Some(digest) {
            self.sender.send(&ToAgent::Desired(Box::new(desired))).await?;
            self.told = Some(digest);
        }
        Ok(())
    }

    async fn start(&mut self, run: Run) -> Result<(), Ended> {
        let number = run.run;
        self.open.insert(number);
        Ok(self.sender.send(&ToAgent::Run(run)).await?)
    }

    async fn heard(&mut self, message: FromAgent) {
        match message {
            FromAgent::Hello { .. } => {}
            FromAgent::Settled { epoch, owner, receipts, .. } => {
                let receipts = trim(receipts);
                self.agents.report_in(self.node, epoch, Reported::Settled { owner, receipts }).await;
            }
            FromAgent::Status(status) => {
                let status = cut(status, STATUS);
                self.agents.report(self.node, Reported::Status(status)).await;
            }
            FromAgent::RunAnswer { run, answer } => {
                // Only what was asked.
                if self.open.remove(&run) {
                    let answer = match answer {
                        RunAnswer::Done(receipts) => RunAnswer::Done(trim(receipts)),
                        // It had begun it before it was started again. That it is not connected is
                        // not its to say.
                        RunAnswer::Lost | RunAnswer::NotConnected => RunAnswer::Lost,
                    };
                    self.agents.answer(run, self.node.clone(), answer).await;
                }
            }
        }
    }

    /// A stream for a file. Answered in a task of its own: a slow disk holds up nothing else.
    fn opened(&self, sender: FrameSender, mut receiver: FrameReceiver) {
        let (content, serving) = (self.agents.parts.content.clone(), self.agents.parts.serving.clone());
        let give = async move {
            let opening = tokio::time::timeout(GREETING, receiver.expect::<Opening>()).await;
            if let Ok(Ok(Opening::Fetch(fetch))) = opening {
                let slice = Arc::clone(&serving.borrow().slice);
                if let Err(error) = content.give(&slice, fetch, sender).await {
                    tracing::debug!(error = common::report::chain(&error), "could not give content");
                }
            }
        };
        if !self.agents.transfers.try_spawn(give) {
            tracing::debug!(node = %self.node, "left a file unsent: too many transfers");
        }
    }
}

/// Receipts within their bounds, so that a report always fits a message to the management node.
fn trim(receipts: Vec<Receipt>) -> Vec<Receipt> {
    let mut left: usize = 256 << 10;
    let trimmed = receipts.into_iter().take(RECEIPTS).map(|Receipt { step, outcome }| {
        let mut text = |text: String| {
            let text = cut(text, TEXT.min(left));
            left = left.saturating_sub(text.len());
            text
        };
        let outcome = match outcome {
            StepOutcome::Ran { output } => StepOutcome::Ran { output: text(output) },
            StepOutcome::Failed { reason, status } => StepOutcome::Failed { reason: text(reason), status },
            kept @ (StepOutcome::Kept | StepOutcome::Changed) => kept,
        };
        Receipt { step: cut(step, 256), outcome }
    });
    trimmed.collect()
}

/// The text without what is over `most` bytes, cut between characters.
fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_beyond_their_bounds_are_cut_and_not_dropped() {
        let receipt = |output: &str| Receipt {
            step: "script x".to_owned(),
            outcome: StepOutcome::Ran { output: output.to_owned() },
        };
        let trimmed = trim(vec![receipt(&"é".repeat(5000)); 200]);
        assert_eq!(trimmed.len(), 200);
        let bytes: usize = postcard::to_stdvec(&trimmed).unwrap().len();
        assert!(bytes < 300_000, "{bytes}");
        assert_eq!(trimmed[0], receipt(&"é".repeat(2048)));
    }
}
