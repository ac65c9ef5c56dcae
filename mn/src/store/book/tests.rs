use mn_core::table::RowKey;
use mn_core::table::schema::SITE;
use runtime::supervise::Supervisor;

use super::*;

fn nothing_along(_: &Model, _: &[Edit]) -> Vec<Edit> {
    Vec::new()
}

/// A book whose writer runs until the returned supervisor is dropped.
fn opened() -> (tempfile::TempDir, Book, Supervisor) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    Store::create(&dir, &Commit::default()).unwrap();
    let (book, writer, _) = open(&dir, nothing_along).unwrap();
    let mut parts = Supervisor::new();
    let stop = parts.stop_token();
    parts.spawn("writer", writer.run(stop));
    (folder, book, parts)
}

fn set<'a>(key: &'a str, value: &'a str) -> impl FnOnce(&mut Draft) + Send + use<> {
    let (key, value) = (RowKey::one(key), value.to_owned());
    move |draft| draft.set(SITE, &key, "value", &value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_answered_reads_what_was_written() {
    let (_folder, book, _parts) = opened();
    let before = book.read();
    let done = book.edit(By::daemon("test"), set("domain", "a")).await.unwrap();
    assert_eq!(done.revision, Some(Revision::new(2)));
    assert_eq!(book.read().site("domain"), Some("a"));
    assert_eq!(before.site("domain"), None, "a snapshot stays as it was");
    let same = book.edit(By::daemon("test"), set("domain", "a")).await.unwrap();
    assert_eq!(same.revision, None, "nothing changed, nothing recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_that_queue_up_see_each_other() {
    let (_folder, book, _parts) = opened();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let book = book.clone();
        running.spawn(async move {
            book.edit(By::daemon("count"), |draft| {
                let n: u32 = draft.model().site("count").map_or(0, |text| text.parse().unwrap());
                draft.set(SITE, &RowKey::one("count"), "value", &(n + 1).to_string());
            })
            .await
            .unwrap()
        });
    }
    let revisions: std::collections::BTreeSet<_> =
        running.join_all().await.into_iter().map(|done| done.revision).collect();
    assert_eq!(book.read().site("count"), Some("200"));
    assert_eq!(revisions.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_is_no_revision_and_its_reason_is_known() {
    let (_folder, book, _parts) = opened();
    let words = vec!["chdef".to_owned(), "nosuch".to_owned()];
    let by = By { author: "root".to_owned(), words, ..By::default() };
    let plan = |_: &Model| Planned { note: "refused: no".to_owned(), ..Planned::new(None, ()) };
    let before = book.read().revision();
    assert_eq!(book.change(by.clone(), plan).await.unwrap().revision, None);
    assert_eq!((book.read().revision(), by.made.why().as_str()), (before, "refused: no"));
    let ran = |_: &Model| Planned { record: true, ..Planned::new(None, ()) };
    let revision = book.change(by.clone(), ran).await.unwrap().revision.unwrap();
    let record = book.history().record(revision).unwrap().unwrap();
    assert_eq!((record.author, record.words, record.note.as_str()), (by.author, by.words, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planner_that_panics_harms_nobody() {
    let (_folder, book, _parts) = opened();
    let failed = book.change::<()>(By::default(), |_| panic!("as the test wants")).await;
    assert_eq!(failed.unwrap_err(), BookError::Bug);
    let odd = book.edit(By::default(), set("a\0b", "x")).await;
    assert_eq!(odd.unwrap_err(), BookError::OddKey);
    book.edit(By::default(), set("domain", "b")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forgotten_goes_beside_other_work() {
    let (folder, book, parts) = opened();
    for n in 0..20 {
        book.edit(By::daemon("test"), set("domain", &n.to_string())).await.unwrap();
    }
    assert_eq!(book.forget(Revision::new(15)).await.unwrap(), 15);
    assert_eq!(book.history().oldest().unwrap(), Revision::new(16));
    let gone = async {
        while book.history().record(Revision::new(15)).unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    book.edit(By::daemon("test"), set("domain", "end")).await.unwrap();
    drop((book, parts));
    let (_, loaded) = Store::open(&folder.path().join("store")).unwrap();
    assert_eq!(loaded.revision, Revision::new(22));
}
