//! Scripts that behave, and some that do not.

use std::path::PathBuf;

use runtime::clock;

use super::*;

struct Written {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn written(body: &str) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    Written { dir, path }
}

async fn run_for(script: &Written, limit: Duration) -> StepOutcome {
    let node = "n1".parse().unwrap();
    let context = Context { node: &node, root: script.dir.path(), desired: None };
    run_file(&script.path, &["one".to_owned()], context, limit).await.unwrap()
}

async fn run_body(body: &str) -> StepOutcome {
    run_for(&written(body), Duration::from_secs(30)).await
}

#[tokio::test]
async fn a_script_knows_its_node_and_arguments_and_its_output_is_kept() {
    let outcome = run_body("echo $NODE $1; echo oops >&2; echo done").await;
    assert_eq!(outcome, StepOutcome::Ran { output: "n1 one\noops\ndone\n".to_owned() });
}

#[tokio::test]
async fn a_script_that_fails_says_how() {
    let outcome = run_body("echo why; exit 3").await;
    let StepOutcome::Failed { reason, status } = outcome else { panic!("{outcome:?}") };
    assert_eq!(status, Some(3));
    assert_eq!(reason, "exit status 3; it printed: why");
}

#[tokio::test]
async fn only_the_end_of_a_long_output_is_kept() {
    let outcome = run_body("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done").await;
    let StepOutcome::Ran { output } = outcome else { panic!("{outcome:?}") };
    assert!(output.len() <= MOST_OUTPUT && output.ends_with("line 2999\n"), "{}", output.len());
}

#[tokio::test]
async fn a_script_that_hangs_is_cut_off_with_all_that_it_started() {
    let script = written("sleep 1000 & echo $! > child; echo waiting; wait");
    let begun = clock::now();
    let outcome = run_for(&script, Duration::from_secs(1)).await;
    let StepOutcome::Failed { reason, .. } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("cut off after 1 s") && reason.contains("waiting"), "{reason}");
    assert!(clock::now().since(begun) < Duration::from_secs(10));
    let child = std::fs::read_to_string(script.dir.path().join("child")).unwrap();
    let child = Pid::from_raw(child.trim().parse().unwrap());
    for _ in 0..200 {
        // A killed child of a killed parent is a zombie until init takes it: state Z counts as gone.
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the child of the script still runs");
}

#[tokio::test]
async fn a_daemon_that_a_script_leaves_behind_does_not_hold_it_up() {
    let begun = clock::now();
    let outcome = run_body("sleep 5 & echo started").await;
    assert!(matches!(outcome, StepOutcome::Ran { .. }), "{outcome:?}");
    assert!(clock::now().since(begun) < Duration::from_secs(4));
}
