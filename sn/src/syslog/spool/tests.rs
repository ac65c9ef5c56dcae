use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;

use proptest::prelude::*;

use super::*;

fn open(folder: &Path, limit: u64) -> Spool {
    Spool::with_limit(folder, "sn1".parse().unwrap(), limit).unwrap()
}

fn put(spool: &Spool, texts: &[&str]) {
    for text in texts {
        spool.append(&"n1".parse().unwrap(), text.as_bytes()).unwrap();
    }
    spool.sync().unwrap();
}

fn texts(lines: &[(u64, LogLine)]) -> Vec<String> {
    lines.iter().map(|(number, line)| format!("{number} {}", String::from_utf8_lossy(&line.line))).collect()
}

fn all(spool: &Spool) -> Vec<String> {
    texts(&spool.read_after(0, usize::MAX, usize::MAX).unwrap())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn lines_are_read_in_order_and_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), LIMIT);
    put(&spool, &["a", "bb", "ccc"]);
    assert_eq!(texts(&spool.read_after(0, 2, 100).unwrap()), ["1 a", "2 bb"]);
    assert_eq!(texts(&spool.read_after(2, 2, 100).unwrap()), ["3 ccc"]);
    assert_eq!(texts(&spool.read_after(0, 9, 3).unwrap()), ["1 a", "2 bb"]);
    assert_eq!(texts(&spool.read_after(2, 9, 0).unwrap()), ["3 ccc"], "one at least");
    assert!(spool.read_after(3, 9, 9).unwrap().is_empty());
    put(&spool, &["d"]);
    assert_eq!(texts(&spool.read_after(3, 9, 9).unwrap()), ["4 d"]);
    assert_eq!(spool.last(), 4);
}

#[test]
fn a_line_that_is_not_on_disk_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), LIMIT);
    put(&spool, &["a"]);
    spool.append(&"n1".parse().unwrap(), b"b").unwrap();
    assert_eq!(all(&spool), ["1 a"]);
    assert_eq!(spool.last(), 1);
    spool.sync().unwrap();
    assert_eq!(all(&spool), ["1 a", "2 b"]);
}

#[test]
fn released_segments_go_and_numbers_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(100);
    {
        let spool = open(dir.path(), 16 * 300);
        for _ in 0..9 {
            put(&spool, &[&long]);
        }
        assert!(files(dir.path()).len() > 2);
        spool.release(9).unwrap();
        assert_eq!(files(dir.path()).len(), 1);
    }
    let spool = open(dir.path(), 16 * 300);
    assert_eq!(spool.last(), 9);
    put(&spool, &["next"]);
    assert_eq!(texts(&spool.read_after(9, 9, 99).unwrap()), ["10 next"]);
}

#[test]
fn the_oldest_go_when_it_is_full_and_the_stream_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 16 * 600;
    let spool = open(dir.path(), limit);
    let long = "x".repeat(100);
    for _ in 0..200 {
        put(&spool, &[&long]);
    }
    assert!(spool.dropped() > 100);
    let lines = spool.read_after(0, usize::MAX, usize::MAX).unwrap();
    let kept = lines.iter().filter(|(_, line)| line.node.as_str() == "n1").count() as u64;
    let notices: Vec<_> = lines.iter().filter(|(_, line)| line.node.as_str() == "sn1").collect();
    // A notice may itself have been dropped since; the newest never is.
    assert!(kept + spool.dropped() >= 200 && !notices.is_empty());
    assert!(String::from_utf8_lossy(&notices[0].1.line).contains("log lines of this service node's nodes"));
    let size: u64 = files(dir.path()).iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(size <= limit, "{size}");
}

#[test]
fn what_the_management_node_has_is_not_counted_as_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), 16 * 600);
    let long = "x".repeat(100);
    for number in 1..=200 {
        put(&spool, &[&long]);
        spool.release(number).unwrap();
    }
    assert_eq!(spool.dropped(), 0);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    put(&open(dir.path(), LIMIT), &["a"]);
    let file = &files(dir.path())[0];
    OpenOptions::new().write(true).open(file).unwrap().write_all_at(b"2", 13).unwrap();
    let refused = Spool::open(dir.path(), "sn1".parse().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

#[tokio::test]
async fn the_reader_is_woken_by_lines_that_came_before_it_waited() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), LIMIT);
    put(&spool, &["a"]);
    spool.notified().await;
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    Release(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..200).prop_map(Step::Append),
        2 => Just(Step::Sync),
        1 => (0u64..40).prop_map(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_crash_at_any_byte_loses_nothing_that_was_synced(
        steps in prop::collection::vec(step(), 1..40), cut in any::<prop::sample::Index>(), noise: Vec<u8>,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut appended: Vec<String> = Vec::new();
        let (synced, synced_length) = {
            let spool = open(dir.path(), LIMIT);
            let (mut synced, mut length) = (0, 16);
            for step in &steps {
                match step {
                    Step::Append(long) => {
                        let text = "y".repeat(*long);
                        let number = spool.append(&"n1".parse().unwrap(), text.as_bytes()).unwrap();
                        appended.push(format!("{number} {text}"));
                    }
                    Step::Sync => {
                        spool.sync().unwrap();
                        synced = appended.len();
                        length = files(dir.path())[0].metadata().unwrap().len();
                    }
                    Step::Release(through) => spool.release(*through).unwrap(),
                }
            }
            (synced, length)
        };
        // What was not synced may be there in part, or be noise.
        let path = &files(dir.path())[0];
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let unsynced = file.metadata().unwrap().len() - synced_length;
        let keep = synced_length + cut.index(usize::try_from(unsynced).unwrap() + 1) as u64;
        file.set_len(keep).unwrap();
        file.write_all_at(&noise, keep).unwrap();

        let spool = open(dir.path(), LIMIT);
        let found = all(&spool);
        prop_assert!(found.len() >= synced);
        prop_assert_eq!(&found[..], &appended[..found.len()]);
        put(&spool, &["after"]);
        let lines = spool.read_after(found.len() as u64, 9, 99).unwrap();
        prop_assert_eq!(lines.len(), 1);
        prop_assert!(lines[0].0 > found.len() as u64 && lines[0].1.line == b"after");
        let again = open(dir.path(), LIMIT);
        prop_assert_eq!(all(&again).len(), found.len() + 1);
    }
}
