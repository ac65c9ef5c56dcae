//! The machine of one slice. See the module above.

use std::sync::Arc;

use common::id::SnName;
use common::slice::{Delta, Slice, Stamp};
use common::wire::push::{Ack, Outcome, PushHead};

/// A slice with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which state it is.
    pub stamp: Stamp,
    /// The management node's signature of the stamp.
    pub signature: Vec<u8>,
    /// The entries.
    pub slice: Arc<Slice>,
}

/// How large a push may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries of a slice.
    pub entries: usize,
    /// Bytes of all parts of one push.
    pub bytes: usize,
}

impl Default for Limits {
    /// A hundred times the largest slice that the design expects (1,000 nodes of 2 KiB each, with
    /// as much again in names and files).
    fn default() -> Self {
        Self { entries: 400_000, bytes: 512 << 20 }
    }
}

/// What happens to the inbox.
#[derive(Clone, Debug)]
pub enum Event {
    /// A push begins. `genuine` says whether its signature is the management node's; the shell,
    /// which has the key, verifies it.
    Push {
        /// The beginning.
        head: PushHead,
        /// Whether the signature holds.
        genuine: bool,
    },
    /// Entries of the push that has begun.
    Part(Delta),
    /// The push is whole.
    End,
    /// The link ended; what had not become whole is forgotten.
    LinkLost,
    /// The answer to [`Action::Check`]: nothing, or what services cannot do.
    Checked(Vec<String>),
    /// The answer to [`Action::Journal`]: nothing, or why it is not on disk.
    Journalled(Option<String>),
}

/// What the shell is to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Build every service's view of this slice, switch to none, and say [`Event::Checked`].
    Check(Arc<Slice>),
    /// Put this on disk in place of what was there, and say [`Event::Journalled`].
    Journal(Held),
    /// Switch every service to the views that were built, all together.
    Swap(Held),
    /// This stamp is applied: acknowledge it, with what content is still missing.
    Applied(Stamp),
    /// Acknowledge a push that was not applied.
    Refuse(Ack),
    /// Someone must look at this: log it as an error.
    Alarm(String),
}

/// The inbox of one service node's slice.
///
/// Feed it with [`Machine::handle`]; carry out the actions in order before the next event.
#[derive(Debug)]
pub struct Machine {
    me: SnName,
    limits: Limits,
    held: Option<Held>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No push has begun, or the one that had is answered and its parts are ignored.
    Idle,
    /// Parts are put onto a copy of the base.
    Receiving { head: PushHead, slice: Slice, bytes: usize },
    /// The shell builds views.
    Checking(Held),
    /// The shell writes.
    Journalling(Held),
}

impl Machine {
    /// The inbox of `me`, with what its disk holds.
    pub const fn new(me: SnName, held: Option<Held>, limits: Limits) -> Self {
        Self { me, limits, held, state: State::Idle }
    }

    /// What is served.
    pub const fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Takes one event in and appends what is to be done.
    pub fn handle(&mut self, event: Event, actions: &mut Vec<Action>) {
        match (event, std::mem::replace(&mut self.state, State::Idle)) {
            // The shell answers a check or a write before it hands in the next frame. Should it not,
            // the push waits for the management node to send it again.
            (Event::Push { head, .. }, state @ (State::Checking(_) | State::Journalling(_))) => {
                self.state = state;
                refuse(head.stamp, vec!["another push is being applied".to_owned()], actions);
            }
            (Event::Push { head, genuine }, _) => self.begin(head, genuine, actions),
            (Event::Part(delta), State::Receiving { head, slice, bytes }) => {
                self.part(head, slice, bytes, delta, actions);
            }
            (Event::End, State::Receiving { head, slice, .. }) => self.end(head, slice, actions),
            (Event::Checked(reasons), State::Checking(next)) if reasons.is_empty() => {
                actions.push(Action::Journal(next.clone()));
                self.state = State::Journalling(next);
            }
            (Event::Checked(reasons), State::Checking(next)) => refuse(next.stamp, reasons, actions),
            (Event::Journalled(None), State::Journalling(next)) => {
                self.held = Some(next.clone());
                let stamp = next.stamp.clone();
                actions.extend([Action::Swap(next), Action::Applied(stamp)]);
            }
            (Event::Journalled(Some(reason)), State::Journalling(next)) => {
                refuse(next.stamp, vec![format!("journal: {reason}")], actions);
            }
            // What was received in part is forgotten with the link; what the shell has goes on.
            (Event::LinkLost, State::Receiving { .. }) => {}
            // A frame of a push that is answered already, or an answer to nothing.
            (_, state) => self.state = state,
        }
    }

    fn begin(&mut self, head: PushHead, genuine: bool, actions: &mut Vec<Action>) {
        let stamp = &head.stamp;
        if !genuine {
            let why = "the signature is not this cluster's management node's; was it set up anew?";
            return refuse(head.stamp, vec![format!("slice: {why}")], actions);
        }
        if stamp.sn != self.me {
            let why = format!("slice: it is the one of {}, and this is {}", stamp.sn, self.me);
            return refuse(head.stamp, vec![why], actions);
        }
        if let Some(held) = &self.held {
            if stamp.generation < held.stamp.generation {
                let why = format!(
                    "slice: generation {} is older than {}, which is held",
                    stamp.generation, held.stamp.generation
                );
                return refuse(head.stamp, vec![why], actions);
            }
            if stamp.generation == held.stamp.generation && stamp.digest != held.stamp.digest {
                let why = format!(
                    "slice: generation {} is held with digest {}, and was sent with {}",
                    stamp.generation,
                    held.stamp.digest.short(),
                    stamp.digest.short()
                );
                actions.push(Action::Alarm(why.clone()));
                return refuse(head.stamp, vec![why], actions);
            }
            if *stamp == held.stamp {
                actions.push(Action::Applied(head.stamp));
                return;
            }
        }
        let slice = match (head.base, &self.held) {
            (None, _) => Slice::new(),
            (Some(base), Some(held)) if held.stamp.generation == base => Slice::clone(&held.slice),
            (Some(_), _) => return need_whole(head.stamp, actions),
        };
        self.state = State::Receiving { head, slice, bytes: 0 };
    }

    fn part(
        &mut self,
        head: PushHead,
        mut slice: Slice,
        bytes: usize,
        delta: Delta,
        actions: &mut Vec<Action>,
    ) {
        let bytes = delta.put.iter().fold(bytes, |sum, one| sum.saturating_add(one.bytes.len()));
        if let Err(error) = slice.apply(delta) {
            return refuse(head.stamp, vec![format!("slice: {error}")], actions);
        }
        let Limits { entries, bytes: most } = self.limits;
        if slice.len() > entries || bytes > most {
            let why = format!("slice: a push of more than {entries} entries or {most} bytes");
            return refuse(head.stamp, vec![why], actions);
        }
        self.state = State::Receiving { head, slice, bytes };
    }

    fn end(&mut self, head: PushHead, slice: Slice, actions: &mut Vec<Action>) {
        let PushHead { stamp, signature, base } = head;
        if slice.digest() != stamp.digest {
            // A delta may have been made for another past than ours; a whole slice stands alone.
            if base.is_some() {
                return need_whole(stamp, actions);
            }
            let why = format!(
                "slice: its entries have digest {}, and {} is announced",
                slice.digest().short(),
                stamp.digest.short()
            );
            return refuse(stamp, vec![why], actions);
        }
        let slice = Arc::new(slice);
        actions.push(Action::Check(Arc::clone(&slice)));
        self.state = State::Checking(Held { stamp, signature, slice });
    }
}

fn refuse(stamp: Stamp, reasons: Vec<String>, actions: &mut Vec<Action>) {
    actions.push(Action::Refuse(Ack { stamp, outcome: Outcome::Refused { reasons } }));
}

fn need_whole(stamp: Stamp, actions: &mut Vec<Action>) {
    actions.push(Action::Refuse(Ack { stamp, outcome: Outcome::NeedWhole }));
}
