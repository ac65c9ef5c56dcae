//! How the old owner of moved nodes is brought to silence, or known to be.

use std::time::Duration;

use common::id::{NodeName, Revision, SnName};
use common::report::Refusal;
use common::wire::push::PeerWord;
use mn_core::change::snmove::{self, Asked, Verdict};
use mn_core::command::Snmove;
use mn_core::model::Model;
use mn_core::moves::Move;
use mn_core::node;
use tracing::{info, warn};

use super::{APPLY, Mover, Report, Stopped, old_owners};
use crate::push::{NotApplied, Unanswered};
use crate::store::book::By;

/// How long an old owner whose link is up may take to fall silent. One that takes longer hangs.
const RELEASE: Duration = Duration::from_secs(5);
/// How soon a live old owner answers; its peer is asked when it has not.
const SOON: Duration = Duration::from_millis(300);
/// How long the target may take to ask its peer; the peer itself is given 1.5 s.
const ASK: Duration = Duration::from_secs(3);

impl Mover {
    /// Waits until every old owner has fallen silent, or is known to be off.
    ///
    /// An old owner that is connected has to say so. One that is not is asked by the target, over
    /// the network of the nodes: if it hears, it obeys the higher epoch at once; if the target
    /// cannot reach it there, neither can the nodes, and when it comes back it asks its pool before
    /// it answers anyone. What was found is in the history and in the report.
    pub(super) async fn silence(
        &self,
        one: &Move,
        nodes: &[NodeName],
        arguments: &Snmove,
        by: &By,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let model = self.book.read();
        let revision = model.revision();
        // The target's claim to the new epoch is what an old owner obeys, now or when it starts again.
        if let Err(error) = self.delivery.wait_revision(&one.target, revision, APPLY).await {
            warn!(id = one.id, %error, "target did not confirm the release");
            let refusal = Refusal::new(format!("{} did not confirm; every node stays", one.target))
                .because(error.to_string())
                .attempt(format!("lsslice {}, then the same command again", one.target));
            return Err(self.taken_back(one, by, refusal).await);
        }
        for sn in old_owners(&model, one, nodes) {
            let (why, answer) = match self.ask_both_ways(&model, one, &sn, revision).await {
                Ok(()) => continue,
                Err(silent) => silent,
            };
            let asked = Asked {
                word: answer.ok(),
                is_connected: self.delivery.connected(&sn),
                is_vouched: arguments.force_fence,
            };
            match snmove::verdict(&asked) {
                Verdict::Silent => {}
                Verdict::Off => report
                    .note(format!("{sn} is reached neither from here nor from {}: taken as off", one.target)),
                Verdict::Fenced => {
                    report.note(format!("{sn} was taken as off, as --force-fence says"));
                }
                Verdict::MayAnswer => {
                    warn!(id = one.id, %sn, ?asked, "old owner could not be silenced");
                    let refusal =
                        Refusal::new(format!("{sn} may still answer for its nodes; they stay with it"))
                            .because(format!("{why}, and {} could not silence it", one.target))
                            .attempt("power it off, then the same command with --force-fence");
                    return Err(self.taken_back(one, by, refusal).await);
                }
            }
        }
        Ok(())
    }

    /// Takes a move back that was released; says why.
    async fn taken_back(&self, one: &Move, by: &By, refusal: Refusal) -> Stopped {
        match self.step(one.id, by, "aborted", snmove::abort).await {
            Ok(_) => Stopped::Refused(vec![refusal]),
            Err(stopped) => stopped,
        }
    }

    /// Waits for an old owner's own word, and for its peer's word where its own does not come soon.
    /// The two waits overlap: a dead service node costs the longer of them, not their sum.
    ///
    /// # Errors
    /// When it has neither said that it is silent nor been heard to hear it: both answers.
    async fn ask_both_ways(
        &self,
        model: &Model,
        one: &Move,
        sn: &SnName,
        revision: Revision,
    ) -> Result<(), (NotApplied, Result<PeerWord, Unanswered>)> {
        let own = self.delivery.wait_revision(sn, revision, RELEASE);
        let peer = async {
            tokio::time::sleep(SOON).await;
            self.delivery.ask_peer(&one.target, sn, node::addresses_of(model, sn), ASK).await
        };
        tokio::pin!(own, peer);
        let (own, peer) = tokio::select! {
            own = &mut own => match own {
                Ok(_) => return Ok(()),
                Err(why) => (Err(why), peer.await),
            },
            peer = &mut peer => match peer {
                Ok(PeerWord::Heard) => return Ok(()),
                peer => (own.await, peer),
            },
        };
        match (own, peer) {
            (Ok(_), _) | (_, Ok(PeerWord::Heard)) => {
                info!(id = one.id, %sn, "old owner fell silent");
                Ok(())
            }
            (Err(why), peer) => Err((why, peer)),
        }
    }
}
