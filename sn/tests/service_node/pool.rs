//! Two service nodes of one pool: who falls silent for whom.

use common::id::{Epoch, NodeName};
use common::slice::{Role, Slice};
use common::wire::join::Kind;
use common::wire::peer::PeerMessage;
use common::wire::push::{FromSn, Outcome, PeerWord, ToSn};
use common::wire::{Opening, PROTOCOL};
use runtime::link::endpoint::Dialer;
use runtime::link::identity::{Identity, Role as Member};
use runtime::link::stream::{FrameReceiver, FrameSender};

use crate::fake::{Mn, Session, Sn, node, slice, soon};

/// Something that looks like a service node to `sn`, and hears what it claims.
struct Witness {
    sender: FrameSender,
    receiver: FrameReceiver,
    _dialer: Dialer,
}

impl Witness {
    async fn of(sn: &Sn, identity: &Identity) -> Self {
        soon("a peer to connect", async {
            loop {
                let dialer = Dialer::new(identity).unwrap();
                if let Ok(link) = dialer.connect(sn.agents_at(), &sn.role()).await {
                    let (mut sender, receiver) = link.open().await.unwrap();
                    sender.send(&Opening::Control).await.unwrap();
                    sender.send(&PeerMessage::Hello { protocol: PROTOCOL }).await.unwrap();
                    return Self { sender, receiver, _dialer: dialer };
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await
    }

    /// The claims, once they are these.
    async fn hears(&mut self, want: &[(&str, u64)]) {
        let want: Vec<(NodeName, Epoch)> =
            want.iter().map(|(node, epoch)| (node.parse().unwrap(), Epoch::new(*epoch))).collect();
        soon("claims", async {
            let mut claims = Vec::new();
            loop {
                match self.receiver.expect().await.unwrap() {
                    PeerMessage::Own(some) => claims.extend(some),
                    PeerMessage::End(_) if claims == want => return,
                    PeerMessage::End(_) => claims.clear(),
                    PeerMessage::Hello { .. } | PeerMessage::Heard(_) => {}
                }
            }
        })
        .await;
    }

    async fn claims(&mut self, node: &str, epoch: u64) {
        let own = vec![(node.parse().unwrap(), Epoch::new(epoch))];
        self.sender.send(&PeerMessage::Own(own)).await.unwrap();
        self.sender.send(&PeerMessage::End(1)).await.unwrap();
        soon("that it is heard", async {
            while self.receiver.expect::<PeerMessage>().await.unwrap() != PeerMessage::Heard(1) {}
        })
        .await;
    }
}

async fn push(mn: &Mn, session: &mut Session, sn: &Sn, generation: u64, wanted: &Slice) {
    let head = mn.head(sn.name, generation, wanted, None);
    assert_eq!(session.push(head, &Slice::new(), wanted).await.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_claim_of_a_peer_silences_across_a_restart_until_the_slice_catches_up() {
    let mn = Mn::new();
    let mut sn = Sn::joined(&mn, "sn1").await;
    // In the pool with it, so that it is told; nothing listens at its address.
    let ghost = Sn::joined(&mn, "sn9").await;
    let identity = mn.identity(Kind::ServiceNode, "sn9").await;
    sn.start();
    let mut session = mn.session().await;
    let at = |epoch| slice(&sn, vec![node("n1", Role::Owner, epoch, &[&sn, &ghost], None)], &[]);
    let (one, two, three) = (at(1), at(2), at(3));
    push(&mn, &mut session, &sn, 1, &one).await;
    let mut witness = Witness::of(&sn, &identity).await;
    witness.hears(&[("n1", 1)]).await;
    witness.claims("n1", 3).await;

    sn.kill();
    drop(session);
    sn.start();
    Witness::of(&sn, &identity).await.hears(&[]).await;
    let mut session = mn.session().await;
    push(&mn, &mut session, &sn, 2, &two).await;
    let mut witness = Witness::of(&sn, &identity).await;
    witness.hears(&[]).await;
    push(&mn, &mut session, &sn, 3, &three).await;
    witness.hears(&[("n1", 3)]).await;
}

#[tokio::test]
async fn a_service_node_that_was_down_during_a_move_learns_from_its_pool_what_it_lost() {
    let mn = Mn::new();
    let (mut sn1, mut sn2) = (Sn::joined(&mn, "sn1").await, Sn::joined(&mn, "sn2").await);
    let identity = mn.identity(Kind::ServiceNode, "sn2").await;
    sn1.start();
    let mut session = mn.session().await;
    let n1 = |role, epoch, pool: &[&Sn]| node("n1", role, epoch, pool, None);
    let owned = slice(&sn1, vec![n1(Role::Owner, 1, &[&sn1, &sn2])], &[&sn2]);
    push(&mn, &mut session, &sn1, 1, &owned).await;
    sn1.kill();
    drop(session);

    // The node is moved while sn1 is down, and the pool cannot reach it.
    sn2.start();
    let mut session = mn.session().await;
    let moved = slice(&sn2, vec![n1(Role::Owner, 2, &[&sn2, &sn1])], &[&sn1]);
    push(&mn, &mut session, &sn2, 1, &moved).await;
    let address = sn1.address;
    let ask = |ask| ToSn::AskPeer { ask, sn: "sn1".parse().unwrap(), addresses: vec![address] };
    let says = |message| match message {
        FromSn::PeerSays { ask, word } => Some((ask, word)),
        _ => None,
    };
    session.sender.send(&ask(1)).await.unwrap();
    let (_, word) = session.next("the word of sn1", says).await;
    assert!(matches!(word, PeerWord::Unreachable(_)), "{word:?}");

    // It comes back without the management node, which accepts nobody else.
    sn1.start();
    let heard = soon("sn1 to hear", async {
        loop {
            session.sender.send(&ask(2)).await.unwrap();
            if let (2, PeerWord::Heard) = session.next("the word of sn1", says).await {
                return;
            }
        }
    });
    heard.await;
    Witness::of(&sn1, &identity).await.hears(&[]).await;
    assert_eq!(*session.link.peer(), Member::ServiceNode("sn2".parse().unwrap()));
}

#[tokio::test]
async fn an_old_owner_that_only_the_target_reaches_falls_silent_before_the_target_answers() {
    let mn = Mn::new();
    let (mut sn1, mut sn2) = (Sn::joined(&mn, "sn1").await, Sn::joined(&mn, "sn2").await);
    sn1.start();
    let mut session = mn.session().await;
    let n1 = |role, epoch, pool: &[&Sn]| node("n1", role, epoch, pool, None);
    // It does not know its successor: the pool had one member.
    let owned = slice(&sn1, vec![n1(Role::Owner, 1, &[&sn1])], &[]);
    push(&mn, &mut session, &sn1, 1, &owned).await;
    // From here on nobody answers it; the other one is the only one to reach it.
    session.link.close("cut off");
    drop(session);

    sn2.start();
    let mut session = loop {
        let session = mn.session().await;
        if *session.link.peer() == sn2.role() {
            break session;
        }
    };
    let held = |epoch| slice(&sn2, vec![n1(Role::Held, epoch, &[&sn2, &sn1])], &[&sn1]);
    let address = sn1.address;
    let ask = |ask| ToSn::AskPeer { ask, sn: "sn1".parse().unwrap(), addresses: vec![address] };
    let says = |message| match message {
        FromSn::PeerSays { ask, word } => Some((ask, word)),
        _ => None,
    };
    push(&mn, &mut session, &sn2, 1, &held(1)).await;
    session.sender.send(&ask(1)).await.unwrap();
    assert_eq!(session.next("the word of sn1", says).await, (1, PeerWord::Heard));
    // A move that is only prepared silences nobody.
    sn1.status("\"owned\":1,\"silenced\":0").await;
    push(&mn, &mut session, &sn2, 2, &held(2)).await;
    session.sender.send(&ask(2)).await.unwrap();
    assert_eq!(session.next("the word of sn1", says).await, (2, PeerWord::Heard));
    sn1.status("\"owned\":0,\"silenced\":1").await;
}
