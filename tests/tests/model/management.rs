//! The management node: one writer over a durable store, the hub that follows it, and the commands
//! of operators.
//!
//! | mirrored here | the shell's file |
//! |---|---|
//! | [`Management::write`] | `mn/src/store/book.rs`: planned on the newest model, committed as a group, then answered |
//! | [`Management::hub`] | `mn/src/push/hub.rs`: numbers are durable before a push |
//! | [`Management::hears`] | `mn/src/push/session.rs` |
//! | [`Wait`] | `mn/src/push/mod.rs` (`wait_revision`) |
//!
//! Moves are in [`super::mover`]. A transaction is on the disk whole or not at all, which
//! `mn::store` and its power-cut test see to.

use mn_core::command::Define;
use mn_core::draft::Draft;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::id::{Generation, Moment, NodeName, Revision, SnName};
use common::slice::Stamp;
use common::wire::join::Kind;
use common::wire::push::{FromSn, PeerWord, PushHead, ToSn};
use mn_core::command::Command;
use mn_core::delivery::{Action, Event, Machine, Standing};
use mn_core::derive::{Derivation, Facts};
use mn_core::draft::Change;
use mn_core::model::Model;
use mn_core::table::Edit;
use mn_core::talk::Context;

use super::mover::{Mover, Moves};
use super::net::{Crash, LinkId, Message, Net, Party, Timer};
use super::{Mutant, wire};

const ME: Party = Party::Mn;
const TICK: Duration = Duration::from_millis(500);
pub(crate) const FACTS: Facts = Facts { authority: [0; 32] };

/// What survives a crash.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) model: Model,
    pub(crate) journal: Vec<(Revision, Vec<Edit>)>,
    pub(crate) numbers: BTreeMap<SnName, Stamp>,
}

/// What is planned inside the writer, on the newest model; gives the change and, for who asked,
/// whether it was refused.
pub(crate) type Planner = Box<dyn FnOnce(&Model) -> (Option<Change>, Answer)>;

/// What a planner says to who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused,
    Done,
    /// A move has begun, with this number.
    Begun(u64),
}

/// Who asked the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// An operator's `chdef`.
    Operator,
    /// The move with this handle.
    Mover(u64),
}

/// Something that was answered to an operator with success.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) revision: Revision,
    pub(crate) edits: Vec<Edit>,
}

/// See the module above.
pub(crate) struct Management {
    machine: Machine,
    derivation: Derivation,
    /// The model that the slices stand on.
    model: Model,
    sessions: BTreeMap<SnName, LinkId>,
    writer: VecDeque<(Asker, Planner)>,
    questions: BTreeMap<u64, SnName>,
    next: u64,
    pub(crate) answers: BTreeMap<u64, PeerWord>,
    pub(crate) moves: Moves,
    pub(crate) mutant: Option<Mutant>,
}

impl Management {
    /// As after a restart.
    pub(crate) fn start(net: &mut Net, store: &Store, mutant: Option<Mutant>) -> Self {
        net.start(ME);
        net.timer(ME, Duration::ZERO, Timer::Hub);
        net.timer(ME, Duration::ZERO, Timer::Tick);
        let next = net.dice.roll() >> 1;
        Self {
            machine: Machine::new(store.numbers.values().cloned()),
            derivation: Derivation::new(&store.model, FACTS),
            model: store.model.clone(),
            sessions: BTreeMap::new(),
            writer: VecDeque::new(),
            questions: BTreeMap::new(),
            next,
            answers: BTreeMap::new(),
            moves: Moves::resume(&store.model),
            mutant,
        }
    }

    /// Takes an operator's `chdef` or the like.
    pub(crate) fn command(&mut self, net: &mut Net, command: Command) {
        let plan = move |model: &Model| {
            let outcome = mn_core::plan(model, &command, &Context::default());
            let answer = if outcome.status == 0 { Answer::Done } else { Answer::Refused };
            (outcome.change, answer)
        };
        self.ask_writer(net, Asker::Operator, Box::new(plan));
    }

    pub(crate) fn ask_writer(&mut self, net: &mut Net, asker: Asker, plan: Planner) {
        self.writer.push_back((asker, plan));
        let delay = net.dice.between(Duration::ZERO, Duration::from_millis(8));
        net.timer(ME, delay, Timer::Writer);
    }

    /// A timer of its own.
    pub(crate) fn wake(
        &mut self,
        net: &mut Net,
        store: &mut Store,
        acknowledged: &mut Vec<Acknowledged>,
        timer: &Timer,
    ) -> Result<(), Crash> {
        match timer {
            Timer::Writer => self.write(net, store, acknowledged)?,
            Timer::Hub => self.hub(net, store)?,
            Timer::Tick => {
                let actions = self.look_at_the_whole();
                self.act(net, store, actions)?;
                self.hub(net, store)?;
                net.timer(ME, TICK, Timer::Tick);
            }
            _ => {}
        }
        self.advance(net, store)
    }

    /// Commits what has queued up as one group; then answers.
    fn write(
        &mut self,
        net: &mut Net,
        store: &mut Store,
        acknowledged: &mut Vec<Acknowledged>,
    ) -> Result<(), Crash> {
        let mut model = store.model.clone();
        let (mut group, mut answers) = (Vec::new(), Vec::new());
        for (asker, plan) in std::mem::take(&mut self.writer) {
            let (change, answer) = plan(&model);
            let edits = change.map(|change| change.edits().to_vec()).unwrap_or_default();
            assert!(answer != Answer::Refused || edits.is_empty(), "what is refused changes nothing");
            if !edits.is_empty() {
                let revision = model.revision().next();
                model.apply(&edits, revision);
                group.push((revision, edits.clone()));
            }
            answers.push((asker, answer, model.revision(), edits));
        }
        if self.mutant == Some(Mutant::AnswersBeforeCommit) {
            answer_operators(&answers, acknowledged);
        }
        net.step(ME)?;
        if !group.is_empty() {
            store.journal.append(&mut group);
            store.model = model;
        }
        net.step(ME)?;
        if self.mutant != Some(Mutant::AnswersBeforeCommit) {
            answer_operators(&answers, acknowledged);
        }
        for (asker, answer, revision, _) in answers {
            if let Asker::Mover(handle) = asker {
                self.moves.written(handle, revision, &answer);
            }
        }
        let delay = net.dice.between(Duration::ZERO, Duration::from_millis(5));
        net.timer(ME, delay, Timer::Hub);
        net.step(ME)
    }

    /// Follows the model, and does what the delivery machine wants.
    fn hub(&mut self, net: &mut Net, store: &mut Store) -> Result<(), Crash> {
        let mut actions = Vec::new();
        if store.model.revision() != self.model.revision() {
            let newer = |(revision, _): &&(Revision, Vec<Edit>)| *revision > self.model.revision();
            let edits: Vec<Edit> =
                store.journal.iter().filter(newer).flat_map(|(_, edits)| edits.clone()).collect();
            for sn in self.derivation.follow(&self.model, &store.model, &edits) {
                self.desire(sn, &mut actions);
            }
            self.model = store.model.clone();
        }
        self.act(net, store, actions)
    }

    fn desire(&mut self, sn: SnName, actions: &mut Vec<Action>) {
        let event = match self.derivation.outline(&sn) {
            Some(slice) => Event::Desired { sn, slice: slice.clone() },
            None => Event::Gone(sn),
        };
        self.machine.handle(event, actions);
    }

    fn look_at_the_whole(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        let all: Vec<SnName> = self.derivation.outlines().map(|(sn, _)| sn.clone()).collect();
        all.into_iter().for_each(|sn| self.desire(sn, &mut actions));
        actions
    }

    fn act(&mut self, net: &mut Net, store: &mut Store, mut actions: Vec<Action>) -> Result<(), Crash> {
        while !actions.is_empty() {
            let mut more = Vec::new();
            for action in actions {
                match action {
                    Action::Number(stamp) => {
                        net.step(ME)?;
                        store.numbers.insert(stamp.sn.clone(), stamp.clone());
                        net.step(ME)?;
                        self.machine.handle(Event::Numbered(stamp), &mut more);
                    }
                    Action::Push { stamp, base, changed } => {
                        let delta = self.derivation.filled(&self.model, &stamp.sn, &changed);
                        let Some(link) = self.sessions.get(&stamp.sn).copied() else { continue };
                        let head = PushHead { stamp, signature: Vec::new(), base };
                        for message in [ToSn::Push(head), ToSn::Part(delta), ToSn::PushEnd] {
                            net.send(link, ME, Message::ToSn(message));
                            net.step(ME)?;
                        }
                    }
                    // A refusal is answered by the mover; what else there is has no place here.
                    Action::Alarm { text, .. } if text.starts_with("refused") => {}
                    Action::Alarm { sn, text } => panic!("{sn} {text}"),
                }
            }
            actions = more;
        }
        Ok(())
    }

    /// A message of a service node.
    pub(crate) fn hears(
        &mut self,
        net: &mut Net,
        store: &mut Store,
        (link, sn): (LinkId, SnName),
        message: FromSn,
    ) -> Result<(), Crash> {
        let mut actions = Vec::new();
        let is_current = self.sessions.get(&sn) == Some(&link);
        match message {
            FromSn::Hello(hello) => {
                self.admit(net, store, &sn)?;
                let welcome = ToSn::Welcome { protocol: 1, reports_through: 0, logs_through: 0 };
                net.send(link, ME, Message::ToSn(welcome));
                net.step(ME)?;
                if let Some(older) = self.sessions.insert(sn.clone(), link) {
                    net.close(older, ME);
                    self.questions.retain(|_, via| *via != sn);
                }
                self.machine.handle(Event::Connected { sn, holds: hello.holds }, &mut actions);
            }
            FromSn::Ack(ack) if is_current => self.machine.handle(Event::Acked(ack), &mut actions),
            FromSn::PeerSays { ask, word } if self.questions.remove(&ask).is_some() => {
                self.answers.insert(ask, word);
            }
            _ => {}
        }
        self.act(net, store, actions)?;
        self.hub(net, store)?;
        self.advance(net, store)
    }

    /// Makes a member of a service node that is none yet: it joined just before it came.
    fn admit(&mut self, net: &mut Net, store: &mut Store, sn: &SnName) -> Result<(), Crash> {
        if mn_core::member::has_joined(&store.model, sn) {
            return Ok(());
        }
        let mut draft = Draft::new(&store.model);
        put_member(&mut draft, Kind::ServiceNode, &NodeName::from(sn));
        let change = draft.finish();
        net.step(ME)?;
        commit(&mut store.model, &mut store.journal, &change);
        net.step(ME)
    }

    /// A link is over.
    pub(crate) fn ended(&mut self, net: &mut Net, store: &mut Store, link: LinkId) -> Result<(), Crash> {
        let sn = self.sessions.iter().find(|(_, known)| **known == link).map(|(sn, _)| sn.clone());
        if let Some(sn) = sn {
            self.sessions.remove(&sn);
            self.questions.retain(|_, via| *via != sn);
            self.machine.handle(Event::Disconnected(sn), &mut Vec::new());
        }
        self.advance(net, store)
    }

    /// Lets moves go on as far as they can.
    pub(crate) fn advance(&mut self, net: &mut Net, store: &mut Store) -> Result<(), Crash> {
        let mut moves = std::mem::take(&mut self.moves);
        let done = moves.movers().try_for_each(|mover: &mut Mover| mover.advance(self, net, store));
        moves.sweep();
        self.moves = moves;
        done
    }

    /// Whether a service node's link is up.
    pub(crate) fn is_connected(&self, sn: &SnName) -> bool {
        !matches!(self.machine.standing(sn), None | Some(Standing::Away))
    }

    /// Whether a question is still to be answered.
    pub(crate) fn is_open(&self, ask: u64) -> bool {
        self.questions.contains_key(&ask)
    }

    /// Lets `via` tell its peer who owns what; gives the number of the question, or none where `via`
    /// is away.
    pub(crate) fn ask_peer(&mut self, net: &mut Net, via: &SnName, about: &SnName) -> Option<u64> {
        let link = *self.sessions.get(via)?;
        self.next += 1;
        let message = ToSn::AskPeer { ask: self.next, sn: about.clone(), addresses: Vec::new() };
        net.send(link, ME, Message::ToSn(message));
        self.questions.insert(self.next, via.clone());
        Some(self.next)
    }
}

fn answer_operators(answers: &[(Asker, Answer, Revision, Vec<Edit>)], acknowledged: &mut Vec<Acknowledged>) {
    for (asker, answer, revision, edits) in answers {
        if *asker == Asker::Operator && *answer == Answer::Done && !edits.is_empty() {
            acknowledged.push(Acknowledged { revision: *revision, edits: edits.clone() });
        }
    }
}

/// Why a service node has not applied something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotApplied {
    Unknown,
    Away,
    Refused,
    Late,
}

/// A wait until a service node serves what a revision says, or later.
pub(crate) struct Wait {
    sn: SnName,
    revision: Revision,
    generation: Option<Generation>,
    until: Moment,
}

impl Wait {
    pub(crate) fn new(net: &Net, sn: &SnName, revision: Revision, limit: Duration) -> Self {
        Self { sn: sn.clone(), revision, generation: None, until: net.now + limit }
    }

    /// How it stands; none while it is to be waited on.
    pub(crate) fn poll(&mut self, mn: &Management, net: &Net) -> Option<Result<(), NotApplied>> {
        if self.generation.is_none() && mn.model.revision() >= self.revision {
            if mn.machine.desired(&self.sn).is_none() {
                return Some(Err(NotApplied::Unknown));
            }
            self.generation = mn.machine.stamp(&self.sn).map(|stamp| stamp.generation);
        }
        if let Some(generation) = self.generation {
            let held = mn.machine.held(&self.sn).is_some_and(|held| held.generation >= generation);
            match mn.machine.standing(&self.sn) {
                None => return Some(Err(NotApplied::Unknown)),
                Some(Standing::Refused(_)) => return Some(Err(NotApplied::Refused)),
                Some(Standing::Away) => return Some(Err(NotApplied::Away)),
                _ if held => return Some(Ok(())),
                _ => {}
            }
        }
        (net.now >= self.until).then_some(Err(NotApplied::Late))
    }
}

/// A store as `mn init` and the first commands leave it.
pub(crate) fn first_store(service_nodes: u8, nodes: u8) -> Store {
    // Made once for each size: planning some hundred attributes takes as long as a minute of a cluster.
    static MADE: Mutex<BTreeMap<(u8, u8), Store>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry((service_nodes, nodes)).or_insert_with(|| make_store(service_nodes, nodes)).clone()
}

fn make_store(service_nodes: u8, nodes: u8) -> Store {
    let mut model = Model::new(mn_core::table::Tables::new(), Revision::new(1));
    let stanza = Some(wire::stanza(service_nodes, nodes));
    let command = Command::Mkdef(Define { stanza, ..Define::default() });
    let outcome = mn_core::plan(&model, &command, &Context::default());
    assert_eq!(outcome.status, 0, "{:?}", outcome.lines);
    let mut journal = Vec::new();
    commit(&mut model, &mut journal, &outcome.change.expect("definitions"));
    let mut draft = Draft::new(&model);
    for node in 1..=nodes {
        put_member(&mut draft, Kind::Agent, &wire::node(node));
    }
    let change = draft.finish();
    commit(&mut model, &mut journal, &change);
    Store { model, journal, numbers: BTreeMap::new() }
}

fn commit(model: &mut Model, journal: &mut Vec<(Revision, Vec<Edit>)>, change: &Change) {
    let revision = model.revision().next();
    model.apply(change.edits(), revision);
    journal.push((revision, change.edits().to_vec()));
}

fn put_member(draft: &mut Draft, kind: Kind, name: &NodeName) {
    let key = mn_core::member::row_key(kind, name.as_str());
    draft.set(mn_core::table::schema::MEMBER, &key, "key", &wire::key(name).to_string());
}
