//! The table commands, by name and with real files: what is dumped is restored, and a restore that
//! is cut off anywhere has happened or has not.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::cluster::Cluster;
use tests::{Result, sandbox};

/// How many rows a table has that a restore takes a moment with.
const ROWS: usize = 3000;

/// Writes a folder of two tables, all of whose rows say the same word; a third that is empty.
fn folder(path: &Path, word: &str) -> Result<()> {
    fs::create_dir_all(path)?;
    let mut rows = "#node,mgt,comments\n".to_owned();
    let mut others = "#node,os\n".to_owned();
    for number in 0..ROWS {
        writeln!(rows, "m{number},{word},\"a \"\"note\"\",\nover lines\"")?;
        writeln!(others, "m{number},{word}")?;
    }
    fs::write(path.join("nodehm.csv"), rows)?;
    fs::write(path.join("nodetype.csv"), others)?;
    Ok(fs::write(path.join("mp.csv"), "#node,id\n")?)
}

/// The word that every row says, in a dump, which is of one moment; an error where they do not say
/// the same.
fn word(cluster: &Cluster) -> Result<String> {
    let path = sandbox::work().join("seen");
    cluster.ok(&format!("dumpxCATdb -p {}", path.display()))?;
    let tables =
        [fs::read_to_string(path.join("nodehm.csv"))?, fs::read_to_string(path.join("nodetype.csv"))?];
    let counts = ["one", "two"].map(|word| {
        let quoted = format!("\"{word}\"");
        (word, tables.iter().map(|text| text.matches(&quoted).count()).sum::<usize>())
    });
    let all = counts.iter().find(|(_, count)| *count == 2 * ROWS);
    match all {
        Some((word, _)) if counts.iter().map(|(_, count)| count).sum::<usize>() == 2 * ROWS => {
            Ok((*word).to_owned())
        }
        _ => Err(format!("a mixture: {counts:?}").into()),
    }
}

/// A management node that holds the first of two folders, and both.
fn restored() -> Result<(Cluster, [(&'static str, PathBuf); 2])> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    let folders = ["one", "two"].map(|word| (word, sandbox::work().join(word)));
    for (word, path) in &folders {
        folder(path, word)?;
    }
    cluster.ok(&format!("restorexCATdb -p {}", folders[0].1.display()))?;
    Ok((cluster, folders))
}

#[test]
fn a_restore_is_whole_or_nothing_wherever_the_client_is_killed() {
    sandbox::test("tables::a_restore_is_whole_or_nothing_wherever_the_client_is_killed", || {
        let (cluster, folders) = restored()?;
        let mut seen = word(&cluster)?;
        for round in 0..16_u64 {
            let other = folders.iter().find(|(word, _)| **word != seen).ok_or("no other")?;
            // The first are killed before they have sent anything, the last after they have ended.
            let line = format!(
                "restorexCATdb -p {} & sleep 0.{:03}; kill -9 $!; wait",
                other.1.display(),
                round * 25
            );
            cluster.shell(&cluster.mn, &line)?;
            // A restore that was sent whole is carried out, though nobody waits for its answer; each
            // look at it sees all of it or nothing.
            seen = word(&cluster)?;
        }
        Ok(())
    });
}

#[test]
fn a_restore_is_whole_or_nothing_wherever_the_daemon_is_killed() {
    sandbox::test("tables::a_restore_is_whole_or_nothing_wherever_the_daemon_is_killed", || {
        let (mut cluster, folders) = restored()?;
        let mut seen = word(&cluster)?;
        for round in 0..8_u64 {
            let other = folders.iter().find(|(word, _)| **word != seen).ok_or("no other")?;
            let line = format!("restorexCATdb -p {}", other.1.display());
            let ended = cluster.kill_during(&line, Duration::from_millis(round * 60))?;
            let now = word(&cluster)?;
            if ended.status == 0 && now != other.0 {
                return Err("a restore was said to be done and is gone".into());
            }
            seen = now;
        }
        Ok(())
    });
}

#[test]
fn a_full_dump_brings_a_cluster_back() {
    sandbox::test("tables::a_full_dump_brings_a_cluster_back", || {
        let mut cluster = Cluster::lay(3, 2)?;
        cluster.start_all()?;
        cluster.ok("snmove n001 -d sn2")?;
        cluster.ok("chtab key=note site.value=a,\"b\"")?;
        let dump = |cluster: &Cluster| -> Result<String> {
            let tables = cluster.ok("tabdump")? + &cluster.ok("tabdump --own")?;
            let counted = |table: &&str| !matches!(*table, "auditlog" | "agent");
            tables.lines().filter(counted).map(|table| cluster.ok(&format!("tabdump {table}"))).collect()
        };
        let before = dump(&cluster)?;
        let [full, plain] = ["full", "plain"].map(|name| sandbox::work().join(name));
        cluster.ok(&format!("dumpxCATdb --full -a -p {}", full.display()))?;
        cluster.ok(&format!("dumpxCATdb -p {}", plain.display()))?;
        assert!(full.join("ownership.csv").is_file() && !plain.join("ownership.csv").is_file());
        for line in ["rmdef n003", "chtab key=note site.value=other", "tabprune hosts -a"] {
            cluster.ok(line)?;
        }
        cluster.ok(&format!("restorexCATdb --full -a -p {}", full.display()))?;
        assert_eq!(dump(&cluster)?, before);
        // Without --full, Drover's own tables stay as they are, and so does all else.
        cluster.ok(&format!("restorexCATdb -p {}", plain.display()))?;
        assert_eq!(dump(&cluster)?, before);
        Ok(())
    });
}

#[test]
fn the_audit_log_is_pruned_and_not_written() {
    sandbox::test("tables::the_audit_log_is_pruned_and_not_written", || {
        let mut cluster = Cluster::lay(0, 0)?;
        cluster.start_mn()?;
        cluster.ok("chtab key=a site.value=1")?;
        let file = sandbox::work().join("auditlog.csv");
        cluster.ok(&format!("tabdump -f {} auditlog", file.display()))?;
        let refused = cluster.command(&format!("tabrestore {}", file.display()))?;
        assert!(refused.status == 1 && refused.err.contains("nobody writes it"), "{refused:?}");
        assert_eq!(cluster.ok("gettab command=chtab auditlog.args")?, "key=a site.value=1\n");
        assert_eq!(cluster.ok("tabprune auditlog -a")?, "tabprune of auditlog complete.\n");
        assert!(!cluster.ok("tabdump auditlog")?.contains("key=a"));
        Ok(())
    });
}
