use std::sync::Arc;

use common::id::{Epoch, Generation};
use common::slice::{Entry, Host};

use super::*;

fn me() -> SnName {
    "sn1".parse().unwrap()
}

fn held(generation: u64, hosts: &[(&str, usize)]) -> Held {
    let mut slice = Slice::new();
    for (name, aliases) in hosts {
        let aliases = (0..*aliases).map(|n| format!("{name}-alias-{n}")).collect();
        let addresses = vec![[10, 0, 0, 1].into()];
        slice.put(Entry::Host(Host { name: (*name).to_owned(), aliases, addresses })).unwrap();
    }
    let stamp = Stamp { sn: me(), generation: Generation::new(generation), digest: slice.digest() };
    Held { stamp, signature: vec![7; 64], slice: Arc::new(slice) }
}

fn open(dir: &Path) -> (Store, Loaded) {
    Store::open(dir, &Owner { sn: &me(), verify: &|_, signature| signature == [7; 64] }).unwrap()
}

#[test]
fn what_was_put_is_there_after_a_restart_parts_and_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    // Several thousand aliases make an entry of many parts.
    let (first, second) = (held(1, &[("a", 2000), ("b", 1)]), held(2, &[("a", 700), ("c", 3)]));
    assert!(first.slice.records().any(|(_, one)| one.bytes().len() > 4 * PART));
    let (store, loaded) = open(&path);
    assert_eq!(loaded.held, None);
    store.put_slice(Some(&Slice::new()), &first).unwrap();
    drop(store);
    let (store, loaded) = open(&path);
    assert_eq!(loaded.held.as_ref(), Some(&first));
    store.put_slice(Some(&first.slice), &second).unwrap();
    drop(store);
    let (store, loaded) = open(&path);
    assert_eq!(loaded.held.as_ref(), Some(&second));
    // What is on disk is not known, as after a failed write.
    store.put_slice(None, &first).unwrap();
    drop(store);
    assert_eq!(open(&path).1.held, Some(first));
}

#[test]
fn claims_are_remembered_until_they_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let claim = |name: &str| -> (NodeName, Heard) {
        (name.parse().unwrap(), Heard { epoch: Epoch::new(3), by: "sn2".parse().unwrap() })
    };
    let (store, _) = open(&path);
    store.put_heard(&[claim("n1"), claim("n2")]).unwrap();
    store.forget_heard(&["n1".parse().unwrap()]).unwrap();
    drop(store);
    assert_eq!(open(&path).1.heard, [claim("n2")]);
}

#[test]
fn a_slice_that_does_not_match_its_stamp_is_set_aside() {
    for damage in [
        (&|store: &Store| {
            let key = store.db.scan_prefix(b"e").keys().next().unwrap().unwrap();
            store.db.remove(key).unwrap();
        }) as &dyn Fn(&Store),
        &|store| drop(store.db.insert(b"s", b"rubbish").unwrap()),
        &|store| drop(store.db.remove(b"f").unwrap()),
        &|store| {
            let mut forged = held(9, &[("evil", 1)]);
            forged.signature = vec![8; 64];
            store.put_slice(None, &forged).unwrap();
        },
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let (store, _) = open(&path);
        store.put_slice(None, &held(1, &[("a", 1), ("b", 1)])).unwrap();
        damage(&store);
        store.db.flush().unwrap();
        drop(store);
        let (store, loaded) = open(&path);
        assert_eq!(loaded.held, None);
        assert_eq!(folders(dir.path()), 2, "the damaged one is kept");
        store.put_slice(None, &held(2, &[("a", 1)])).unwrap();
        drop(store);
        assert_eq!(open(&path).1.held, Some(held(2, &[("a", 1)])));
    }
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let (store, _) = open(&path);
    store.db.insert(b"f", &(FORMAT + 1).to_be_bytes()).unwrap();
    store.db.flush().unwrap();
    drop(store);
    let error = Store::open(&path, &Owner { sn: &me(), verify: &|_, _| true }).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
    assert_eq!(folders(dir.path()), 1);
}

/// How many stores there are, whole or set aside.
fn folders(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

mod reports {
    use super::*;
    use crate::slice::reports::Reports;
    use common::wire::push::{Report, Reported};
    use tokio_util::sync::CancellationToken;

    fn report(text: &str) -> Report {
        let what = Reported::Status(text.to_owned());
        Report { node: "n1".parse().unwrap(), at: 1, epoch: Epoch::new(1), what }
    }

    fn texts(reports: Vec<Report>) -> Vec<String> {
        let text = |one: Report| match one.what {
            Reported::Status(text) => text,
            other => panic!("{other:?}"),
        };
        reports.into_iter().map(text).collect()
    }

    #[tokio::test]
    async fn reports_are_kept_in_order_until_they_are_stored_and_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let long = "x".repeat(3 * PART);
        {
            let (reports, writer) = Reports::open(Arc::new(open(&path).0), 77).unwrap();
            for text in ["one", &long, "three"] {
                reports.append(report(text)).await;
            }
            let stop = CancellationToken::new();
            stop.cancel();
            writer.run(stop).await.unwrap();
            assert_eq!(reports.read_after(1).unwrap().0, 3);
            reports.release(1).unwrap();
        }
        let (reports, _writer) = Reports::open(Arc::new(open(&path).0), 88).unwrap();
        let state = reports.state();
        assert_eq!((state.series, state.delivered, state.newest), (77, 1, 3));
        let (through, read) = reports.read_after(state.delivered).unwrap();
        assert_eq!((through, texts(read)), (3, vec![long, "three".to_owned()]));
        reports.release(99).unwrap();
        assert_eq!(reports.state().delivered, 3);
        assert_eq!(reports.read_after(0).unwrap().1, []);
    }

    #[tokio::test]
    async fn a_message_of_reports_stays_below_the_limit_of_a_frame() {
        let dir = tempfile::tempdir().unwrap();
        let (reports, writer) = Reports::open(Arc::new(open(&dir.path().join("store")).0), 1).unwrap();
        for _ in 0..5 {
            reports.append(report(&"y".repeat(200_000))).await;
        }
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await.unwrap();
        let (through, read) = reports.read_after(0).unwrap();
        assert_eq!((through, read.len()), (2, 2));
        assert_eq!(reports.read_after(through).unwrap().0, 4);
    }
}
