//! Every command is on record: who, from where, when, the words, the outcome.

use nix::sys::signal::Signal;
use tests::cluster::Cluster;
use tests::{Result, sandbox, wait};

fn management_node() -> Result<Cluster> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    Ok(cluster)
}

/// The rows of the audit log, without number and time.
fn rows(cluster: &Cluster) -> Result<Vec<String>> {
    let dump = cluster.ok("tabdump auditlog")?;
    let rows = dump.lines().skip(1).filter_map(|line| line.splitn(3, "\",\"").nth(2));
    Ok(rows.map(|row| row.trim_end_matches(',').to_owned()).collect())
}

#[test]
fn reads_changes_and_refusals_are_recorded_without_secrets() {
    sandbox::test_as_root("audit::reads_changes_and_refusals_are_recorded_without_secrets", || {
        let cluster = management_node()?;
        cluster.ok("mkdef n1-n2 groups=all")?;
        cluster.ok("nodels n1 groups")?;
        cluster.ok("chdef n1 mgt=ipmi bmc=n1-bmc bmcpassword=geheim")?;
        assert_eq!(cluster.command("nodels n9")?.status, 1);
        let daemon = "setpriv --reuid daemon --regid daemon --clear-groups";
        assert_eq!(cluster.shell(&cluster.mn, &format!("{daemon} rmdef n1"))?.status, 1);
        let rows = rows(&cluster)?;
        let host = cluster.ok("nodels __mgmtnode")?;
        let host = host.trim();
        assert_eq!(
            rows,
            [
                format!("root\",\"{host}\",\"cli\",\"mkdef\",,\"n1-n2 groups=all\",\"Allowed\",\"exit 0\""),
                format!("root\",\"{host}\",\"cli\",\"nodels\",\"n1\",\"groups\",\"Allowed\",\"exit 0\""),
                format!(
                    "root\",\"{host}\",\"cli\",\"chdef\",,\"n1 mgt=ipmi bmc=n1-bmc bmcpassword=xxxxxxxx\",\"Allowed\",\"exit 0\""
                ),
                format!("root\",\"{host}\",\"cli\",\"nodels\",\"n9\",,\"Allowed\",\"exit 1\""),
                format!(
                    "daemon\",\"{host}\",\"cli\",\"rmdef\",,\"n1\",\"Denied\",\"no row of the policy table lets daemon run rmdef\""
                ),
            ]
        );
        // Newest last, also beyond the tenth; and by lsdef.
        (0..8).try_for_each(|_| cluster.ok("nodels n2").map(drop))?;
        let last = cluster.ok("tabdump -n 2 auditlog")?;
        let ids: Vec<&str> = last.lines().skip(1).filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(ids, ["14", "15"]);
        assert!(cluster.ok("lsdef -t auditlog 5 -i userid,status")?.contains("userid=daemon"));
        // A secret is nowhere on the disk but in the row that holds it.
        let found = cluster.shell(&cluster.mn, "grep -rl geheim mn/audit mn.log")?;
        assert_eq!((found.status, found.out.as_str()), (1, ""));
        Ok(())
    });
}

#[test]
fn changes_reads_and_refusals_stand_in_one_line_of_time() {
    sandbox::test_as_root("audit::changes_reads_and_refusals_stand_in_one_line_of_time", || {
        let cluster = management_node()?;
        cluster.ok("mkdef n1-n2 groups=all")?;
        cluster.ok("nodels n1")?;
        cluster.ok("chdef n1 usercomment=x")?;
        assert_eq!(cluster.command("nodels n9")?.status, 1);
        assert_eq!(cluster.command("rmdef n9")?.status, 1);
        let daemon = "setpriv --reuid daemon --regid daemon --clear-groups";
        assert_eq!(cluster.shell(&cluster.mn, &format!("{daemon} chdef n2 usercomment=y"))?.status, 1);
        // No request at all, and one that looks whether somebody listens.
        let forger = format!("{daemon} {} mn/mn.sock", env!("CARGO_BIN_EXE_forger"));
        cluster.shell(&cluster.mn, &format!("printf '\\377\\377\\377\\377' | {forger}"))?;
        cluster.shell(&cluster.mn, &format!("{forger} </dev/null"))?;
        // It is recorded once it is looked at, which nobody waits for.
        let is_there = || (shown(&cluster, "--refused").ok()?.len() == 4).then_some(());
        wait::until("the request that was none", wait::LONG, is_there)?;
        assert_eq!(
            shown(&cluster, "--all --reverse -n all")?,
            [
                "change root: mkdef n1-n2 groups=all: ended 0",
                "command root: nodels n1: ended 0",
                "change root: chdef n1 usercomment=x: ended 0",
                "command root: nodels n9: ended 1",
                "command root: rmdef n9: ended 1",
                "command daemon: chdef n2 usercomment=y: refused",
                "command uid 1: connect: refused",
            ]
        );
        let refused = "command daemon: chdef n2 usercomment=y: refused";
        assert_eq!(shown(&cluster, "--refused --by daemon")?, [refused]);
        assert_eq!(shown(&cluster, "--all n2 --by daemon")?, [refused]);
        assert_eq!(shown(&cluster, "--all n9 --command rmdef")?, ["command root: rmdef n9: ended 1"]);
        assert_eq!(
            shown(&cluster, "--all --command nodels --from localhost -n 1")?,
            ["command root: nodels n9: ended 1"]
        );
        assert_eq!(shown(&cluster, "--refused --from 10.9.9.9")?, [""; 0]);
        // And what was on record at an earlier revision.
        let then = cluster.ok("tabdump auditlog --at 2")?;
        assert!(then.contains("mkdef") && !then.contains("chdef"), "{then}");
        assert!(cluster.ok("lsmn --at 1")?.contains("nodes            1 in"), "the management node alone");
        Ok(())
    });
}

/// What `mn history` shows of commands: who, what, and what became of it.
fn shown(cluster: &Cluster, options: &str) -> Result<Vec<String>> {
    let text = cluster.ok(&format!("mn history --json {options}"))?;
    let records: Vec<serde_json::Value> = serde_json::from_str(&text)?;
    let line = |record: &serde_json::Value| {
        let word = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let status = record["status"].as_u64().map(|status| format!(" {status}")).unwrap_or_default();
        let (kind, author, command) = (word("kind"), word("author"), word("command"));
        format!("{kind} {author}: {command}: {}{status}", word("outcome"))
    };
    // What the daemon did of its own accord, what made it, and the questions of this test.
    let is_about = |record: &&serde_json::Value| {
        record["author"] != "mn"
            && record["revision"] != 1
            && !record["command"].as_str().is_some_and(|text| text.starts_with("history"))
    };
    Ok(records.iter().filter(is_about).map(line).collect())
}

#[test]
fn the_oldest_are_pruned_and_numbers_go_on() {
    sandbox::test("audit::the_oldest_are_pruned_and_numbers_go_on", || {
        let cluster = management_node()?;
        (0..5).try_for_each(|_| cluster.ok("tabdump site").map(drop))?;
        assert_eq!(cluster.ok("tabprune auditlog -n 3")?, "tabprune of auditlog complete.\n");
        let ids = || -> Result<Vec<String>> {
            let dump = cluster.ok("tabdump auditlog")?;
            Ok(dump.lines().skip(1).filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect())
        };
        assert_eq!(ids()?, ["4", "5", "6"]);
        assert_eq!(cluster.ok("gettab recid=5 auditlog.command")?, "tabdump\n");
        cluster.ok("tabprune auditlog -a")?;
        assert_eq!(ids()?, ["9"]);
        Ok(())
    });
}

#[test]
fn the_site_says_what_is_not_shown() {
    sandbox::test("audit::the_site_says_what_is_not_shown", || {
        let cluster = management_node()?;
        cluster.ok("chdef -t site clustersite auditskipcmds=nodels,tabdump")?;
        let before = rows(&cluster)?.len();
        cluster.ok("nodels")?;
        cluster.ok("lsdef -t site")?;
        assert_eq!(rows(&cluster)?.len(), before + 1);
        Ok(())
    });
}

#[test]
fn a_kill_loses_no_more_than_the_last_moment() {
    sandbox::test("audit::a_kill_loses_no_more_than_the_last_moment", || {
        let mut cluster = management_node()?;
        for number in 1..=5 {
            cluster.ok(&format!("tabdump -w key==x{number} site"))?;
        }
        // Nobody waits for the disk, so the log comes to it a moment after the answer.
        let is_written = || {
            let found = cluster.shell(&cluster.mn, "grep -rq key==x5 mn/audit").ok()?;
            (found.status == 0).then_some(())
        };
        wait::until("the reads to be on the disk", wait::LONG, is_written)?;
        cluster.stop_mn(Signal::SIGKILL)?;
        cluster.serve_mn()?;
        let after_kill = rows(&cluster)?;
        assert!((1..=5).all(|number| after_kill.iter().any(|row| row.contains(&format!("key==x{number} ")))));
        // A stop in order loses nothing, however soon.
        cluster.ok("tabdump -w key==last site")?;
        cluster.stop_mn(Signal::SIGTERM)?;
        cluster.serve_mn()?;
        assert!(rows(&cluster)?.iter().any(|row| row.contains("key==last ")));
        Ok(())
    });
}

#[test]
fn who_is_refused_over_and_over_does_not_push_others_out() {
    sandbox::test_as_root("audit::who_is_refused_over_and_over_does_not_push_others_out", || {
        let cluster = management_node()?;
        let daemon = "setpriv --reuid daemon --regid daemon --clear-groups";
        let flood = format!("for i in $(seq 60); do {daemon} nodels n$i & done; wait");
        cluster.shell(&cluster.mn, &flood)?.ok()?;
        let denied = || {
            let rows = rows(&cluster).ok()?;
            let count = rows.iter().filter(|row| row.contains("\"Denied\"")).count();
            (count >= 20).then_some(count)
        };
        let count = wait::until("the refusals", wait::LONG, denied)?;
        // Those who found no place are one caller, those whom the table refused another.
        assert!(count <= 42, "{count} of 60 are recorded one by one");
        Ok(())
    });
}
