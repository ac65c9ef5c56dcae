//! A management node that replays or forges: a service node takes no older slice, and none that is
//! not signed for it.

use std::net::SocketAddrV4;

use common::id::{Digest, Generation};
use common::slice::{Slice, Stamp};
use common::wire::push::{FromSn, Outcome, PushHead, ToSn};
use common::wire::{MN_PORT, Opening, PROTOCOL};
use nix::sys::signal::Signal;
use runtime::link::authority::Authority;
use runtime::link::endpoint::{Arrived, Listener};
use tests::cluster::{Cluster, MN_IP};
use tests::{Result, sandbox, wait};

use super::all_is_well;

/// A management node that has the real one's keys, and pushes this to the next that comes; gives
/// what it answered.
fn pushed(cluster: &Cluster, head: impl FnOnce(&Authority, Stamp) -> PushHead + Send) -> Result<Outcome> {
    let authority = Authority::load(&cluster.mn_dir())?;
    cluster.mn.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(wait::LONG, push(&authority, head)).await? })
    })
}

async fn push(authority: &Authority, head: impl FnOnce(&Authority, Stamp) -> PushHead) -> Result<Outcome> {
    let listener = Listener::bind(SocketAddrV4::new(MN_IP, MN_PORT).into(), &authority.own_identity()?)?;
    let link = loop {
        let incoming = listener.accept().await.ok_or("the listener ended")?;
        match incoming.establish().await {
            Ok(Arrived::Member(link)) => break link,
            Ok(Arrived::Stranger(_)) | Err(_) => {}
        }
    };
    let (mut sender, mut receiver) = link.accept().await?;
    let Opening::Control = receiver.expect().await? else { return Err("no conversation".into()) };
    let FromSn::Hello(hello) = receiver.expect().await? else { return Err("no hello".into()) };
    let holds = hello.holds.ok_or("it holds nothing")?;
    sender.send(&ToSn::Welcome { protocol: PROTOCOL, reports_through: 0, logs_through: 0 }).await?;
    sender.send(&ToSn::Push(head(authority, holds))).await?;
    sender.send(&ToSn::PushEnd).await?;
    let outcome = loop {
        if let FromSn::Ack(ack) = receiver.expect().await? {
            break ack.outcome;
        }
    };
    link.close("enough");
    listener.close();
    listener.drained().await;
    Ok(outcome)
}

/// A push of an empty slice.
fn nothing(authority: &Authority, stamp: Stamp) -> PushHead {
    let stamp = Stamp { digest: Slice::new().digest(), ..stamp };
    PushHead { signature: authority.sign_stamp(&stamp), stamp, base: None }
}

#[test]
fn a_slice_that_is_old_or_forged_is_refused() {
    sandbox::test("security::slices::a_slice_that_is_old_or_forged_is_refused", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        cluster.stop_mn(Signal::SIGTERM)?;
        let reason = |outcome: Outcome| match outcome {
            Outcome::Refused { reasons } => Ok(reasons.join("\n")),
            other => Err(format!("it was not refused: {other:?}")),
        };
        let earlier =
            |stamp: Stamp| Stamp { generation: Generation::new(stamp.generation.value() - 1), ..stamp };
        let why = reason(pushed(&cluster, |keys, held| nothing(keys, earlier(held)))?)?;
        assert!(why.contains("is older than"), "{why}");
        let why = reason(pushed(&cluster, nothing)?)?;
        assert!(why.contains("is held with digest"), "{why}");
        let later = |stamp: Stamp| Stamp { generation: stamp.generation.next(), ..stamp };
        let forged =
            pushed(&cluster, |keys, held| PushHead { signature: vec![7; 64], ..nothing(keys, later(held)) });
        let why = reason(forged?)?;
        assert!(why.contains("signature"), "{why}");
        let sn2 = "sn2".parse()?;
        let others = pushed(&cluster, |keys, held| nothing(keys, Stamp { sn: sn2, ..later(held) }));
        let why = reason(others?)?;
        assert!(why.contains("the one of sn2"), "{why}");
        // A digest that the parts do not have.
        let cut = pushed(&cluster, |keys, held| {
            let stamp = Stamp { digest: Digest::of(b"other"), ..later(held) };
            PushHead { signature: keys.sign_stamp(&stamp), stamp, base: None }
        });
        let why = reason(cut?)?;
        assert!(why.contains("its entries have digest"), "{why}");
        cluster.serve_mn()?;
        all_is_well(&cluster, "afterwards")
    });
}
