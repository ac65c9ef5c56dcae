use super::*;
use tokio_util::sync::CancellationToken;

fn entry(user: &str) -> Entry {
    Entry { user: user.to_owned(), outcome: Outcome::Ended(0), ..Entry::default() }
}

fn users(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.user.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_read_at_once_and_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, keeper) = open(dir.path(), Limits::default()).unwrap();
    let stop = CancellationToken::new();
    let (_, read) = tokio::join!(keeper.run(stop.clone()), async {
        audit.record(entry("a"));
        audit.record(entry("b"));
        let read = audit.newest(10).await.unwrap();
        // Not awaited: the stop is.
        audit.record(entry("c"));
        stop.cancel();
        read
    });
    assert_eq!(users(&read), ["a", "b"]);
    let (audit, _keeper) = open(dir.path(), Limits::default()).unwrap();
    assert_eq!(users(&audit.reader.newest(2).unwrap()), ["b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_loses_entries_and_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, keeper) = open(dir.path(), Limits::default()).unwrap();
    (0..QUEUE + 7).for_each(|_| audit.record(entry("a")));
    let stop = CancellationToken::new();
    let (_, last) = tokio::join!(keeper.run(stop.clone()), async {
        let read = audit.newest(usize::MAX).await.unwrap();
        stop.cancel();
        read
    });
    let lost = last.iter().find_map(|entry| match entry.outcome {
        Outcome::Lost(count) => Some(count),
        _ => None,
    });
    assert_eq!((lost, last.len()), (Some(7), QUEUE + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_cut_off_is_recorded_too() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, keeper) = open(dir.path(), Limits::default()).unwrap();
    let stop = CancellationToken::new();
    let (_, read) = tokio::join!(keeper.run(stop.clone()), async {
        let trail = || Left {
            seen: Revision::new(7),
            made: vec![Revision::new(5), Revision::new(7)],
            why: "it was so".to_owned(),
        };
        drop(Pending::new(&audit, entry("gone"), trail));
        Pending::new(&audit, entry("done"), trail).end(Outcome::Ended(3));
        let read = audit.newest(10).await.unwrap();
        stop.cancel();
        read
    });
    let outcomes: Vec<String> = read.iter().map(|entry| entry.outcome.text()).collect();
    assert_eq!(outcomes, ["not ended", "exit 3"]);
    assert!(read.iter().all(|entry| entry.seen == 7 && entry.made == [5, 7]), "{read:?}");
}
