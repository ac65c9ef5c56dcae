//! `kill -9` in the middle of one large command: all of it or nothing, and what was answered as done
//! is there. `import` is in `exchange`, `restorexCATdb` in `tables`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tests::cluster::Cluster;
use tests::{Result, sandbox};

/// How many nodes a file says something of.
const NODES: usize = 2000;

/// In how many parts of its life a command is killed.
const ROUNDS: u32 = 8;

/// A part of the time that a command took when nobody killed it.
fn part(took: Duration, round: u32) -> Duration {
    took * round / (ROUNDS - 1)
}

fn management_node() -> Result<Cluster> {
    let mut cluster = Cluster::lay(0, 0)?;
    cluster.start_mn()?;
    Ok(cluster)
}

/// A file that says of all nodes one word, in two tables.
fn file(word: &str) -> Result<PathBuf> {
    let mut text = "# <xCAT data object stanza file>\n".to_owned();
    for number in 1..=NODES {
        write!(text, "\nk{number}:\n    objtype=node\n    groups=g\n    os={word}\n    room={word}\n")?;
    }
    let path = sandbox::work().join(word);
    fs::write(&path, text)?;
    Ok(path)
}

/// The word that all nodes say in both tables; an error where they do not say the same.
fn word(cluster: &Cluster) -> Result<String> {
    let tables = [cluster.ok("tabdump nodetype")?, cluster.ok("tabdump nodepos")?];
    let counts = ["one", "two"].map(|word| {
        let quoted = format!("\"{word}\"");
        (word, tables.each_ref().map(|text| text.matches(&quoted).count()))
    });
    match counts.iter().find(|(_, counts)| *counts == [NODES; 2]) {
        Some((word, _)) if counts.iter().any(|(_, counts)| *counts == [0; 2]) => Ok((*word).to_owned()),
        _ => Err(format!("a mixture: {counts:?}").into()),
    }
}

#[test]
fn an_applied_file_is_whole_or_not_there() {
    sandbox::test("durability::commands::an_applied_file_is_whole_or_not_there", || {
        let mut cluster = management_node()?;
        let files = [("one", file("one")?), ("two", file("two")?)];
        cluster.ok(&format!("apply {}", files[0].1.display()))?;
        let took = cluster.command(&format!("apply {}", files[1].1.display()))?.took;
        let mut seen = word(&cluster)?;
        assert_eq!(seen, "two");
        for round in 0..ROUNDS {
            let other = files.iter().find(|(word, _)| *word != seen).ok_or("no other")?;
            let ended = cluster.kill_during(&format!("apply {}", other.1.display()), part(took, round))?;
            seen = word(&cluster).map_err(|error| format!("round {round}: {error}"))?;
            assert!(ended.status != 0 || seen == other.0, "what was answered as done is there: {ended:?}");
        }
        let other = files.iter().find(|(word, _)| *word != seen).ok_or("no other")?;
        cluster.ok(&format!("apply {}", other.1.display()))?;
        assert_eq!(word(&cluster)?, other.0);
        Ok(())
    });
}

/// The first revision that the history has.
fn first(cluster: &Cluster) -> Result<u64> {
    let records: Vec<serde_json::Value> = serde_json::from_str(&cluster.ok("history -a -n all --json")?)?;
    // Commands are on record longer than what they changed.
    let changes = records.iter().filter(|record| record["kind"] == "change");
    let revisions = changes.filter_map(|record| record["revision"].as_u64());
    revisions.min().ok_or_else(|| "there is no history".into())
}

#[test]
fn a_history_is_forgotten_wholly_or_not_at_all() {
    sandbox::test("durability::commands::a_history_is_forgotten_wholly_or_not_at_all", || {
        let mut cluster = management_node()?;
        cluster.ok("mkdef h[1-300] groups=g usercomment=0")?;
        for number in 1..=30 {
            cluster.ok(&format!("chdef g usercomment={number} -t node"))?;
        }
        let comments = cluster.ok("nodels g nodelist.comments")?;
        let begin = first(&cluster)?;
        let took = cluster.command(&format!("history --prune {}", begin + 3))?.took;
        let mut seen = first(&cluster)?;
        assert_eq!(seen, begin + 3);
        for round in 0..ROUNDS {
            let wanted = seen + 3;
            // The last are killed after the answer, while what is forgotten is taken out.
            let ended = cluster.kill_during(&format!("history --prune {wanted}"), part(took * 2, round))?;
            let now = first(&cluster)?;
            assert!(
                now == wanted || (now == seen && ended.status != 0),
                "{seen}, {wanted}, {now}: {ended:?}"
            );
            seen = now;
            assert_eq!(cluster.ok("nodels g nodelist.comments")?, comments, "no definition changes");
            // What is kept is there to the last.
            cluster.ok(&format!("diff {seen}.."))?;
        }
        let said = ["mn.log", "mn.log.old"].map(|name| fs::read_to_string(cluster.work.join(name)));
        assert!(said.iter().flatten().all(|text| !text.contains("damaged")), "{said:?}");
        cluster.ok("chdef h1 usercomment=more").map(drop)
    });
}
