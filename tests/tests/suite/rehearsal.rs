//! The README's first command, as a script would run it. It makes its own sandbox.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::wait;

fn rehearsal(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    // Cargo has built the programs for this test run; the rehearsal need not ask it again.
    command.args(words).stdin(Stdio::null()).env_remove("CARGO");
    command
}

#[test]
fn it_prints_one_json_object_and_every_check_holds() {
    let output = rehearsal(&["--nodes", "16", "--json"]).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let told: Value = serde_json::from_str(&text).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] != Value::Bool(true)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(told["nodes"], 16);
    assert_eq!(told["service_nodes"], 2);
    assert_eq!(told["passed"], checks.len());
    assert_eq!(told["failed"], 0);
    assert!(output.status.success());
    // That every agent had followed when the command returned is one of the checks. How long it took
    // is judged where the build is optimised; here it is on record.
    let takeover = checks.iter().find(|check| check["name"] == "snmove -s sn1 -d sn2").unwrap();
    eprintln!("{takeover}");
}

#[test]
fn killed_it_leaves_nothing_behind() {
    let mut child = rehearsal(&["--nodes", "2"]).stderr(Stdio::null()).spawn().unwrap();
    let outer = child.id();
    // The first process of its pid namespace is its child; the daemons are further down.
    let descendants = || {
        let mut found = vec![outer];
        let mut at = 0;
        while let Some(pid) = found.get(at).copied() {
            // Children belong to the thread that started them.
            for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                found.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            }
            at += 1;
        }
        found
    };
    let many = || Some(descendants()).filter(|found| found.len() > 4);
    let family = wait::until("daemons inside the sandbox", wait::LONG, many).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = || {
        let is_there = |pid: &&u32| std::fs::metadata(format!("/proc/{pid}")).is_ok();
        family.iter().find(is_there).is_none().then_some(())
    };
    wait::until("the end of every process", Duration::from_secs(10), gone).unwrap();
}

#[test]
fn wrong_usage_is_refused() {
    let status = rehearsal(&["--nodes", "0"]).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}
