//! Slices: taken in, refused, kept.

use common::id::Digest;
use common::slice::{Entry, File, Role, Slice};
use common::wire::join::Kind;
use common::wire::push::{Ack, Outcome};

use crate::fake::{Mn, Sn, agent, node, slice, soon};

fn refusal(ack: Ack) -> String {
    match ack.outcome {
        Outcome::Refused { reasons } => reasons.join("; "),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_slice_is_pushed_changed_and_served_from_disk_without_the_management_node() {
    let mn = Mn::new();
    let mut sn = Sn::joined(&mn, "sn1").await;
    let identity = mn.identity(Kind::Agent, "n1").await;
    let key = identity.key_digest();
    sn.start();
    let mut session = mn.session().await;
    assert_eq!(session.hello.holds, None);
    assert_eq!(session.hello.addresses[0].address.addr(), sn.address);

    let first = slice(&sn, vec![], &[]);
    let ack = session.push(mn.head("sn1", 1, &first, None), &Slice::new(), &first).await;
    assert_eq!(ack.outcome, Outcome::Applied);
    let second = slice(&sn, vec![node("n1", Role::Owner, 1, &[&sn], key)], &[]);
    let ack = session.push(mn.head("sn1", 2, &second, Some(1)), &first, &second).await;
    assert_eq!(ack.outcome, Outcome::Applied);

    assert!(sn.stop().await.success());
    drop(session);
    let mn = {
        // Nobody accepts while it starts again; an agent is told its state all the same.
        sn.start();
        let mut agent = agent(&identity, &sn).await;
        assert_eq!(agent.desired().await.unwrap().owner.as_str(), "sn1");
        mn.restart().await
    };
    let session = mn.session().await;
    assert_eq!(session.hello.holds.unwrap(), mn.head("sn1", 2, &second, None).stamp);
}

#[tokio::test]
async fn what_may_not_be_applied_is_refused_and_changes_nothing() {
    let (mn, foreign) = (Mn::new(), Mn::new());
    let mut sn = Sn::joined(&mn, "sn1").await;
    sn.start();
    let mut session = mn.session().await;
    let (old, new) =
        (slice(&sn, vec![], &[]), slice(&sn, vec![node("n1", Role::Owner, 1, &[&sn], None)], &[]));
    let empty = Slice::new();
    let good = mn.head("sn1", 5, &new, None);
    assert_eq!(session.push(good.clone(), &empty, &new).await.outcome, Outcome::Applied);

    let replayed = session.push(mn.head("sn1", 4, &old, None), &empty, &old).await;
    assert!(refusal(replayed).contains("generation 4 is older than 5"));
    let twice = session.push(mn.head("sn1", 5, &old, None), &empty, &old).await;
    assert!(refusal(twice).contains("generation 5 is held with digest"));
    let forged = session.push(foreign.head("sn1", 9, &old, None), &empty, &old).await;
    assert!(refusal(forged).contains("signature"));
    let other = session.push(mn.head("sn2", 9, &old, None), &empty, &old).await;
    assert!(refusal(other).contains("the one of sn2"));
    let torn = session.push(mn.head("sn1", 9, &new, None), &empty, &old).await;
    assert!(refusal(torn).contains("is announced"));
    let baseless = session.push(mn.head("sn1", 9, &new, Some(3)), &old, &new).await;
    assert_eq!(baseless.outcome, Outcome::NeedWhole);

    sn.kill();
    drop(session);
    sn.start();
    assert_eq!(mn.session().await.hello.holds, Some(good.stamp));
}

#[tokio::test]
async fn a_slice_is_ready_when_its_content_is_here() {
    let mn = Mn::new();
    let mut sn = Sn::joined(&mn, "sn1").await;
    let identity = mn.identity(Kind::Agent, "n1").await;
    sn.start();
    let mut session = mn.session().await;
    let kernel: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();
    let hash = Digest::of(&kernel);
    let mut wanted = slice(&sn, vec![node("n1", Role::Owner, 1, &[&sn], identity.key_digest())], &[]);
    let path = "tftpboot/vmlinuz".parse().unwrap();
    wanted.put(Entry::File(File { path, hash, size: kernel.len() as u64, executable: false })).unwrap();
    let head = mn.head("sn1", 1, &wanted, None);
    let ack = session.push(head.clone(), &Slice::new(), &wanted).await;
    assert_eq!(ack.outcome, Outcome::Fetching { files: 1, bytes: kernel.len() as u64 });

    // The first transfer is cut in the middle; the second goes on where it stopped.
    assert_eq!(serve_half(&session, &kernel).await, 0);
    sn.kill();
    drop(session);
    sn.start();
    let mut session = mn.session().await;
    let offset = session.serve_content(&kernel).await;
    assert!(offset > 0, "it began at the front again");
    let ready = session.next("that it is ready", |message| match message {
        common::wire::push::FromSn::Ack(Ack { stamp, outcome: Outcome::Applied }) => Some(stamp),
        _ => None,
    });
    assert_eq!(ready.await, head.stamp);
    assert_eq!(std::fs::read(sn::content::path(&sn.dir(), &hash)).unwrap(), kernel);

    let agent = agent(&identity, &sn).await;
    assert_eq!(fetch(&agent.link, hash).await, Some(kernel));
    assert_eq!(fetch(&agent.link, Digest::of(b"another slice's")).await, None);
}

async fn serve_half(session: &crate::fake::Session, content: &[u8]) -> u64 {
    use common::wire::{Opening, content::Fetched};
    let (mut sender, mut receiver) = session.link.accept().await.unwrap();
    let Opening::Fetch(fetch) = receiver.expect().await.unwrap() else { panic!("not a fetch") };
    sender.send(&Fetched::Bytes(content.len() as u64)).await.unwrap();
    sender.send_bytes(&content[..content.len() / 2]).await.unwrap();
    sender.finish();
    sender.delivered().await;
    // It is on the service node's disk when the transfer has failed there and is asked for again.
    let again = soon("another attempt", session.link.accept()).await;
    drop(again);
    fetch.offset
}

async fn fetch(link: &runtime::link::connection::Link, hash: Digest) -> Option<Vec<u8>> {
    use common::wire::Opening;
    use common::wire::content::{Fetch, Fetched};
    let (mut sender, mut receiver) = link.open().await.unwrap();
    sender.send(&Opening::Fetch(Fetch { hash, offset: 0 })).await.unwrap();
    let Fetched::Bytes(len) = soon("content", receiver.expect()).await.unwrap() else { return None };
    let mut content = vec![0; usize::try_from(len).unwrap()];
    let mut at = 0;
    while at < content.len() {
        at += soon("bytes", receiver.read_bytes(&mut content[at..])).await.unwrap();
    }
    Some(content)
}
