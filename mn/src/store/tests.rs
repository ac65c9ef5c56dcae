use mn_core::model::Model;
use mn_core::table::{Row, RowKey, TableId};
use proptest::prelude::*;

use super::*;

fn edit(before: Option<&str>, key: &str, after: Option<&str>) -> Edit {
    let row = |value: &str| Row::new().with("key", key).with("value", value);
    Edit {
        table: TableId::named("site").unwrap(),
        key: RowKey::one(key),
        before: before.map(row),
        after: after.map(row),
    }
}

fn commit(edits: Vec<Edit>) -> Commit {
    Commit { edits, author: "root".to_owned(), at: 1, words: vec!["chdef".to_owned()], ..Commit::default() }
}

/// A store with one transaction in it.
fn made() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    Store::create(&dir, &commit(vec![edit(None, "domain", Some("cluster.local"))])).unwrap();
    (folder, dir)
}

fn value(tables: &Tables, key: &str) -> Option<String> {
    let row = tables.row(TableId::named("site").unwrap(), key)?;
    row.cell("value").map(str::to_owned)
}

#[test]
fn what_was_committed_is_there_after_opening() {
    let (_folder, dir) = made();
    {
        let (mut store, loaded) = Store::open(&dir).unwrap();
        assert_eq!(loaded.revision, Revision::new(1));
        let group = [
            commit(vec![edit(Some("cluster.local"), "domain", Some("a"))]),
            commit(vec![edit(Some("a"), "domain", Some("b")), edit(None, "master", Some("10.0.0.1"))]),
            Commit { note: "refused: no such node".to_owned(), ..commit(Vec::new()) },
        ];
        let revisions = store.commit(&group).unwrap();
        assert_eq!(revisions, [2, 3, 4].map(Revision::new));
        store.commit(&[commit(vec![edit(Some("10.0.0.1"), "master", None)])]).unwrap();
    }
    let (store, loaded) = Store::open(&dir).unwrap();
    assert_eq!(loaded.revision, Revision::new(5));
    assert_eq!(value(&loaded.tables, "domain").as_deref(), Some("b"));
    assert_eq!(value(&loaded.tables, "master"), None);
    let history = store.history();
    let notes: Vec<_> = history
        .range(Revision::new(2)..=Revision::new(9))
        .map(|record| record.unwrap())
        .map(|record| (record.revision.value(), record.edits.len()))
        .collect();
    assert_eq!(notes, [(2, 1), (3, 2), (4, 0), (5, 1)]);
    let now = Model::new(loaded.tables, loaded.revision);
    let model_at = |revision| {
        let since = history.between(revision, now.revision()).unwrap();
        let mut model = now.clone();
        model.apply(&since.iter().map(Edit::inverse).collect::<Vec<_>>(), revision);
        model
    };
    let then = model_at(Revision::new(3));
    assert_eq!((then.site("master"), then.revision()), (Some("10.0.0.1"), Revision::new(3)));
    let first = model_at(Revision::new(1));
    assert_eq!(first.site("domain"), Some("cluster.local"));
    let whole: Vec<_> = history.between(Revision::new(1), Revision::new(5)).unwrap();
    assert_eq!(whole.len(), 1, "what came and went is no difference: {whole:?}");
}

/// The revisions that touched a row, newest first.
fn touched(store: &Store, key: &str, newest: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let site = TableId::named("site").unwrap();
    let history = store.history();
    let mut walk = history.walk();
    let seen = walk.find(site, &RowKey::one(key), Revision::new(newest), |touch| {
        found.push(touch.record.revision.value());
        None::<()>
    });
    seen.unwrap();
    let span = (Revision::new(1), Revision::new(newest));
    let at_once = history.touching([(site, RowKey::one(key))], span, |_| true).unwrap();
    assert!(at_once.iter().rev().map(|revision| revision.value()).eq(found.iter().copied()), "{at_once:?}");
    assert!(history.touching([(site, RowKey::one(key))], span, |_| false).unwrap().is_empty());
    for revision in at_once {
        let (brief, whole) = (history.brief(revision).unwrap(), history.record(revision).unwrap());
        assert_eq!(brief.map(|brief| brief.rows), whole.map(|record| record.edits.len()));
    }
    found
}

#[test]
fn each_row_knows_who_touched_it_also_after_it_was_removed() {
    let (_folder, dir) = made();
    let (mut store, _) = Store::open(&dir).unwrap();
    store
        .commit(&[commit(vec![edit(None, "a", Some("1"))]), commit(vec![edit(None, "b", Some("1"))])])
        .unwrap();
    // Twice in one group, removed, and made again in another.
    let again = [
        commit(vec![edit(Some("1"), "a", Some("2"))]),
        commit(vec![edit(Some("2"), "a", None), edit(Some("1"), "b", Some("2"))]),
    ];
    store.commit(&again).unwrap();
    assert_eq!(touched(&store, "a", 9), [5, 4, 2], "it is gone");
    store.commit(&[commit(vec![edit(None, "a", Some("3"))])]).unwrap();
    store.commit(&[many(5_000, 100)]).unwrap();
    store.commit(&[commit(vec![edit(None, "k000007", Some("x"))])]).unwrap();
    let rows = |store: &Store, first| {
        store.history().rows_under(TableId::named("site").unwrap(), first).unwrap().len()
    };
    store.commit(&[commit(vec![edit(Some("2"), "b", None)])]).unwrap();
    assert_eq!(["a", "b", "k", "nosuch"].map(|first| rows(&store, first)), [1, 1, 0, 0]);
    for _ in 0..2 {
        assert_eq!(touched(&store, "a", 9), [6, 5, 4, 2]);
        assert_eq!(touched(&store, "a", 5), [5, 4, 2], "as seen from an older state");
        assert_eq!(touched(&store, "b", 9), [9, 5, 3]);
        assert_eq!(touched(&store, "k000007", 9), [8, 7]);
        assert_eq!(touched(&store, "nosuch", 9), [0; 0]);
        store.close(&dir).unwrap();
        store = Store::open(&dir).unwrap().0;
    }
}

#[test]
fn a_time_is_found_by_halving() {
    let (_folder, dir) = made();
    let (mut store, _) = Store::open(&dir).unwrap();
    let at = |at| Commit { at, ..commit(Vec::new()) };
    store.commit(&[10, 20, 20, 30].map(at)).unwrap();
    let history = store.history();
    let found = |time| history.at_time(time, store.revision()).unwrap().value();
    assert_eq!([0, 1, 9, 10, 19, 20, 29, 30, 99].map(found), [0, 1, 1, 2, 2, 4, 4, 5, 5]);
}

#[test]
fn damage_in_old_history_is_found_and_keeps_nobody_from_starting() {
    let (_folder, dir) = made();
    {
        let (mut store, _) = Store::open(&dir).unwrap();
        (0..12).for_each(|_| drop(store.commit(&vec![commit(Vec::new()); 1_000]).unwrap()));
        let mut writes = Writes::default();
        writes.remove(&key::part(&key::record(Revision::new(500)), 0));
        store.engine.apply(writes).unwrap();
        store.engine.sync().unwrap();
    }
    let (mut store, loaded) = Store::open(&dir).unwrap();
    assert_eq!(loaded.revision, Revision::new(12_001));
    let error = store.history().verify(loaded.revision).unwrap_err();
    assert!(matches!(error, StoreError::DamagedRecord { revision, .. } if revision == Revision::new(500)));
    // It goes with the rest of what is old.
    store.forget(Revision::new(600)).unwrap();
    store.history().verify(loaded.revision).unwrap();
}

/// Takes out all that is forgotten.
fn swept(store: &mut Store) {
    while store.is_unswept() {
        store.sweep().unwrap();
    }
}

#[test]
fn what_is_forgotten_is_gone_and_the_rest_is_verified_as_before() {
    let site = TableId::named("site").unwrap();
    let (_folder, dir) = made();
    let (mut store, _) = Store::open(&dir).unwrap();
    let changes: Vec<Commit> = (0..3_000)
        .map(|n| (format!("k{}", n % 7), format!("{n}"), n % 50 > 0))
        .map(|(key, after, stays)| commit(vec![edit(None, &key, stays.then_some(&after))]))
        .collect();
    changes.chunks(100).for_each(|group| drop(store.commit(group).unwrap()));
    let newest = store.revision();
    assert_eq!(store.forget(Revision::new(2_990)).unwrap(), 2_990);
    assert_eq!(store.forget(Revision::new(2_000)).unwrap(), 0);
    // Once with nothing taken out yet, once with a part, once with all.
    for step in 0..3 {
        let history = store.history();
        assert_eq!(history.oldest().unwrap(), Revision::new(2_991));
        assert_eq!(history.range(history.oldest().unwrap()..=newest).count(), 11);
        assert_eq!(history.at_time(0, newest).unwrap(), Revision::new(2_990));
        assert!(touched(&store, "k3", 9_999).iter().all(|revision| *revision > 2_990 || step < 2));
        drop(history);
        store.close(&dir).unwrap();
        store = Store::open(&dir).unwrap().0;
        assert_eq!(store.is_unswept(), step < 2);
        if step == 0 {
            store.sweep().unwrap();
        } else {
            swept(&mut store);
        }
    }
    store.history().verify(newest).unwrap();
    let records = store.engine.reader().scan_prefix(key::JOURNAL).count();
    assert_eq!(records, 11);
    assert_eq!(store.history().record(Revision::new(2_990)).unwrap(), None);
    // The newest always stays, and what comes goes on from it.
    assert_eq!(store.forget(Revision::new(99_999)).unwrap(), 10);
    swept(&mut store);
    store.commit(&[commit(vec![edit(None, "new", Some("1"))])]).unwrap();
    store.close(&dir).unwrap();
    let (store, loaded) = Store::open(&dir).unwrap();
    assert_eq!((store.oldest(), loaded.revision), (newest, newest.next()));
    assert_eq!(loaded.tables.row(site, "new").and_then(|row| row.cell("value")), Some("1"));
}

#[test]
fn a_start_of_the_journal_that_is_not_what_was_kept_is_damage() {
    let error = spoiled(|_, writes| {
        writes.put_sealed(key::BASE, &Base { revision: Revision::new(1), chain: Digest::of(b"other") });
    });
    assert!(matches!(error, StoreError::DamagedRecord { damage: Damage::Misplaced, .. }), "{error}");
    let error = spoiled(|_, writes| writes.put(key::BASE, b"x"));
    assert!(matches!(error, StoreError::DamagedHead(_)), "{error}");
}

#[test]
fn a_store_is_made_once_and_opened_only_where_there_is_one() {
    let (folder, dir) = made();
    assert!(matches!(Store::create(&dir, &Commit::default()), Err(StoreError::Exists(_))));
    assert!(matches!(Store::open(&folder.path().join("other")), Err(StoreError::Absent(_))));
    // What an attempt left that was cut short is in nobody's way.
    let again = folder.path().join("again");
    std::fs::create_dir(again.with_extension("new")).unwrap();
    std::fs::write(again.with_extension("new").join("db"), b"half").unwrap();
    Store::create(&again, &Commit::default()).unwrap();
}

#[test]
fn generations_and_cursors_are_kept() {
    let (_folder, dir) = made();
    let sn: SnName = "sn1".parse().unwrap();
    let issued = Issued { generation: common::id::Generation::new(7), digest: Digest::of(b"x") };
    let cursor = Cursor { series: 3, reports: 41 };
    {
        let (mut store, _) = Store::open(&dir).unwrap();
        store.issue(&BTreeMap::from([(sn.clone(), issued)])).unwrap();
        store.commit(&[Commit { cursor: Some((sn.clone(), cursor)), ..Commit::default() }]).unwrap();
    }
    let (_, loaded) = Store::open(&dir).unwrap();
    assert_eq!(loaded.generations.get(&sn), Some(&issued));
    assert_eq!(loaded.cursors.get(&sn), Some(&cursor));
}

#[test]
fn a_newer_format_is_refused() {
    let (_folder, dir) = made();
    {
        let (store, _) = Store::open(&dir).unwrap();
        let mut writes = Writes::default();
        writes.put(key::FORMAT, &(FORMAT + 1).to_be_bytes());
        store.engine.apply(writes).unwrap();
        store.engine.sync().unwrap();
    }
    let error = Store::open(&dir).unwrap_err();
    assert!(error.to_string().contains("use a newer one"), "{error}");
}

/// Opens the store raw, lets `spoil` at it, and gives the error of opening it again.
fn spoiled(spoil: impl FnOnce(&Store, &mut Writes)) -> StoreError {
    let (_folder, dir) = made();
    {
        let (mut store, _) = Store::open(&dir).unwrap();
        store.commit(&[commit(vec![edit(None, "a", Some("1"))]), commit(Vec::new())]).unwrap();
        let mut writes = Writes::default();
        spoil(&store, &mut writes);
        store.engine.apply(writes).unwrap();
        store.engine.sync().unwrap();
    }
    Store::open(&dir).unwrap_err()
}

#[test]
fn damage_is_named_and_never_half_read() {
    let site = TableId::named("site").unwrap();
    let part = |base: &[u8]| key::part(base, 0);
    let flip = |store: &Store, key: &[u8]| {
        let mut bytes = store.engine.get(key).unwrap().unwrap().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    let record = part(&key::record(Revision::new(2)));
    let error = spoiled(|store, writes| writes.put(&record, &flip(store, &record)));
    assert!(
        matches!(error, StoreError::DamagedRecord { revision, damage: Damage::Checksum } if revision == Revision::new(2)),
        "{error}"
    );
    let error = spoiled(|_, writes| writes.remove(&record));
    assert!(matches!(error, StoreError::DamagedRecord { damage: Damage::NotWhole, .. }), "{error}");

    let last = part(&key::record(Revision::new(3)));
    let error = spoiled(|store, writes| {
        // A whole record that is another's: each is right, and the chain is not.
        let stolen = store.engine.get(&part(&key::record(Revision::new(1)))).unwrap().unwrap();
        writes.put(&last, &stolen);
    });
    assert!(matches!(error, StoreError::DamagedRecord { damage: Damage::Misplaced, .. }), "{error}");

    let row = part(&key::row(site, &RowKey::one("a")));
    let error = spoiled(|store, writes| writes.put(&row, &flip(store, &row)));
    assert!(error.to_string().contains("row a of table site"), "{error}");
    let error = spoiled(|_, writes| writes.remove(&row));
    assert!(matches!(error, StoreError::DamagedSet(_)), "{error}");
    let error = spoiled(|store, writes| writes.put(key::HEAD, &flip(store, key::HEAD)));
    assert!(matches!(error, StoreError::DamagedHead(_)), "{error}");
}

fn many(count: usize, length: usize) -> Commit {
    commit((0..count).map(|n| edit(None, &format!("k{n:06}"), Some(&"v".repeat(length)))).collect())
}

#[test]
fn long_rows_and_large_groups_leave_no_blobs() {
    let (_folder, dir) = made();
    {
        let (mut store, _) = Store::open(&dir).unwrap();
        store.commit(&[many(40, 9_000)]).unwrap();
        store.commit(&[commit(vec![edit(None, "long", Some(&"x".repeat(300_000)))])]).unwrap();
        store.settle().unwrap();
        store.commit(&[commit(vec![edit(None, "long", Some("short"))])]).unwrap();
        store.commit(&[commit(vec![edit(None, "long2", Some(&"x".repeat(30_000)))])]).unwrap();
        for n in 0..40 {
            store.commit(&[commit(vec![edit(None, &format!("k{n:06}"), Some(&"y".repeat(9_000)))])]).unwrap();
        }
    }
    let (store, loaded) = Store::open(&dir).unwrap();
    assert_eq!(value(&loaded.tables, "long").as_deref(), Some("short"));
    assert_eq!(value(&loaded.tables, "long2").map(|text| text.len()), Some(30_000));
    assert_eq!(value(&loaded.tables, "k000039"), Some("y".repeat(9_000)));
    let left =
        store.engine.reader().scan_prefix(key::row(TableId::named("site").unwrap(), &RowKey::one("long")));
    assert_eq!(left.count(), 1, "no part of the long row is left");
    let blobs = std::fs::read_dir(dir.join("blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0);
}

#[test]
fn a_large_group_that_no_head_names_is_not_there() {
    let (_folder, dir) = made();
    {
        let (store, _) = Store::open(&dir).unwrap();
        let cut = Commit { at: 1, ..many(5_000, 100) };
        let sealed = format::seal(&format::WrittenRecord::new(&cut, Revision::new(2), &[], store.head.chain));
        store.stage(&[(Revision::new(2), sealed)]).unwrap();
    }
    let (mut store, loaded) = Store::open(&dir).unwrap();
    assert_eq!((loaded.revision, value(&loaded.tables, "k000001")), (Revision::new(1), None));
    store.commit(&[commit(vec![edit(None, "small", Some("1"))])]).unwrap();
    store.close(&dir).unwrap();
    assert_eq!(value(&Store::open(&dir).unwrap().1.tables, "small").as_deref(), Some("1"));
}

/// How many steps it takes to carry what is pending to its place.
fn carried(store: &mut Store) -> usize {
    let mut steps = 0;
    while store.is_unsettled() {
        store.carry().unwrap();
        steps += 1;
    }
    steps
}

#[test]
fn a_large_group_is_there_wherever_carrying_its_rows_is_cut() {
    let (_folder, dir) = made();
    let (mut store, _) = Store::open(&dir).unwrap();
    store.commit(&[commit(vec![edit(None, "k000003", Some("old")), edit(None, "z", Some("1"))])]).unwrap();
    store.commit(&[many(3_000, 100)]).unwrap();
    assert!(store.is_unsettled(), "its rows are carried behind the answer");
    // What comes meanwhile: over rows that are pending, over none, and one that goes.
    let after = [
        edit(None, "k000001", Some("new")),
        edit(None, "k002999", None),
        edit(None, "small", Some("1")),
        edit(Some("1"), "z", None),
    ];
    store.commit(&[commit(after.to_vec())]).unwrap();
    let whole = carried(&mut store);
    assert!(whole > 2);
    // Each time the head says again that nothing was carried, as after a cut, and the last rows of
    // the first steps are all that stands.
    for steps in [0, 1, whole - 1, whole] {
        store.head.applied = Revision::new(2);
        let mut writes = Writes::default();
        writes.put_sealed(key::HEAD, &store.head);
        for number in 0..3_000 {
            let base = key::row(TableId::named("site").unwrap(), &RowKey::one(&format!("k{number:06}")));
            writes.remove(&key::part(&base, 0));
        }
        store.engine.apply(writes).unwrap();
        store.close(&dir).unwrap();
        let (opened, loaded) = Store::open(&dir).unwrap();
        store = opened;
        let found = ["k000001", "k000003", "k002998", "k002999", "small", "z"];
        let long = "v".repeat(100);
        let want = [Some("new"), Some(&long), Some(&long), None, Some("1"), None];
        let loaded = found.map(|key| value(&loaded.tables, key));
        assert_eq!(loaded.each_ref().map(|value| value.as_deref()), want, "after {steps} steps");
        (0..steps).for_each(|_| store.carry().unwrap());
        assert_eq!(store.is_unsettled(), steps < whole);
        assert_eq!(touched(&store, "k000001", 9), [4, 3]);
        assert_eq!(touched(&store, "k000003", 9), [3, 2]);
        assert_eq!(touched(&store, "k002999", 9), [4, 3]);
        assert_eq!(touched(&store, "z", 9), [4, 2]);
        carried(&mut store);
    }
    store.close(&dir).unwrap();
    let (store, _) = Store::open(&dir).unwrap();
    assert_eq!(store.head.applied, Revision::new(4));
    store.history().verify(Revision::new(4)).unwrap();
}

#[test]
fn history_is_forgotten_only_where_no_row_is_made_of_it() {
    let (_folder, dir) = made();
    let (mut store, _) = Store::open(&dir).unwrap();
    store.commit(&[many(3_000, 100)]).unwrap();
    store.commit(&[commit(vec![edit(None, "k000001", None)])]).unwrap();
    assert!(store.is_unsettled());
    assert_eq!(store.forget(Revision::new(9)).unwrap(), 2);
    assert!(!store.is_unsettled(), "their records go");
    swept(&mut store);
    store.close(&dir).unwrap();
    let (_, loaded) = Store::open(&dir).unwrap();
    assert_eq!(value(&loaded.tables, "k002999"), Some("v".repeat(100)));
    assert_eq!(value(&loaded.tables, "k000001"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is committed in whatever groups, carried to its place or not, opening gives what
    /// applying the edits gives, and each row knows who touched it.
    #[test]
    fn opening_gives_what_was_applied(
        steps in prop::collection::vec(
            (prop::collection::vec((0u8..12, 0usize..40_000), 0..5), any::<bool>(), 0usize..4, any::<bool>()),
            1..16,
        ),
    ) {
        let (_folder, dir) = made();
        let (mut store, loaded) = Store::open(&dir).unwrap();
        let mut tables = loaded.tables;
        let mut group = Vec::new();
        let mut touches: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (revision, (edits, flush, carries, opens)) in (store.revision().value() + 1..).zip(steps) {
            let edits = edits
                .into_iter()
                .map(|(key, length)| {
                    let (key, after) = (format!("p{key}"), "z".repeat(length));
                    let touches = touches.entry(key.clone()).or_default();
                    if touches.first() != Some(&revision) {
                        touches.insert(0, revision);
                    }
                    edit(None, &key, (length % 5 > 0).then_some(after.as_str()))
                })
                .collect::<Vec<_>>();
            edits.iter().for_each(|edit| tables.apply(edit));
            group.push(commit(edits));
            if flush {
                store.commit(&std::mem::take(&mut group)).unwrap();
                (0..carries).for_each(|_| store.carry().unwrap());
                if opens {
                    store.close(&dir).unwrap();
                    store = Store::open(&dir).unwrap().0;
                }
                for (key, touches) in &touches {
                    prop_assert_eq!(&touched(&store, key, u64::MAX), touches);
                }
            }
        }
        store.commit(&group).unwrap();
        store.close(&dir).unwrap();
        let (_, loaded) = Store::open(&dir).unwrap();
        let site = TableId::named("site").unwrap();
        prop_assert!(loaded.tables.rows(site).eq(tables.rows(site)));
    }
}
