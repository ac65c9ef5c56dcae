//! What a large site costs: the real daemon and the real commands, by their names.
//!
//! Times on a machine that does other work are upper bounds; processor time is there beside them.
//! The goals are those of `docs/performance.md`.

mod compare;
mod ground;
mod load;
mod site;
mod table;

use std::path::Path;
use std::time::Duration;

use self::compare::Comparison;
use self::ground::{Cost, Ground};
use self::load::{CLIENTS, Latencies, Load};
pub use self::site::Size;
use self::table::Table;
use crate::Result;

/// How long each load of many clients goes on.
const LOAD: Duration = Duration::from_secs(5);

/// Measures everything in `dir`, which must not exist, and gives the tables as Markdown, and
/// whether all goals were reached. A question of the large site is asked `runs` times, each command of
/// the comparison `rounds` times.
///
/// # Errors
/// When something cannot be measured.
pub fn play(dir: &Path, size: Size, runs: usize, rounds: usize) -> Result<(String, bool)> {
    let mut large = Large { table: Table::of_goals(), runs, size };
    let mut text = large.measure(&dir.join("large"))?;
    let comparison = Comparison::measure(&dir.join("small"), rounds)?;
    text.push_str(&format!("\n{comparison}"));
    Ok((text, large.table.is_reached() && comparison.is_reached()))
}

/// The measures of the large site.
struct Large {
    table: Table,
    runs: usize,
    size: Size,
}

impl Large {
    fn measure(&mut self, dir: &Path) -> Result<String> {
        let mut ground = Ground::make(dir)?;
        let (base, _) = ground.memory()?;
        self.fill(&ground)?;
        self.memory("memory a node, after `mkdef`", &ground, base)?;
        ground.stop()?;
        let cost = ground.start()?;
        self.table.cost("`mn serve` until a command is answered", &cost, Some(3.0));
        self.memory("memory a node, after a restart", &ground, base)?;
        self.reads(&ground)?;
        self.writes(&ground)?;
        self.loads(&ground)?;
        self.files(&ground, dir)?;
        self.memory("memory a node, at the end", &ground, base)?;
        ground.stop()?;
        let cost = ground.start()?;
        self.table.cost("`mn serve` after all of this", &cost, Some(3.0));
        self.whole(&ground, &["rmdef", "all"], None)?;
        Ok(format!(
            "{} nodes in {} groups, {} service nodes\n\n{}",
            self.size.nodes,
            self.size.groups,
            self.size.service_nodes(),
            self.table
        ))
    }

    fn fill(&mut self, ground: &Ground) -> Result<()> {
        let cost = ground.feed(&["mkdef", "-z", "--no-wait"], &site::ground(self.size))?;
        self.table.cost("`mkdef -z`, groups and service nodes", &cost, None);
        let cost = ground.feed(&["mkdef", "-z", "--no-wait"], &site::nodes(self.size))?;
        self.table.cost("`mkdef -z`, all nodes", &cost, None);
        Ok(())
    }

    fn memory(&mut self, what: &str, ground: &Ground, base: u64) -> Result<()> {
        let (now, most) = ground.memory()?;
        #[expect(clippy::cast_precision_loss, reason = "KiB of a process")]
        let a_node = now.saturating_sub(base) as f64 / self.size.nodes as f64;
        let note = format!(
            "{a_node:.2} KiB ({} MiB now, {} MiB at most, {} MiB empty)",
            now >> 10,
            most >> 10,
            base >> 10
        );
        self.table.number(what, a_node, 1.5, note);
        Ok(())
    }

    fn reads(&mut self, ground: &Ground) -> Result<()> {
        let all = self.size.nodes + self.size.service_nodes();
        let one = site::node(self.size.nodes / 2);
        let nodes = self.usual(ground, &["nodels", "all"], Some(0.3))?;
        if nodes.lines < all {
            return Err(format!("nodels all showed {} nodes of {all}", nodes.lines).into());
        }
        self.usual(ground, &["lsdef", &one], Some(0.015))?;
        self.usual(ground, &["lsdef", "all"], Some(2.0))?;
        self.usual(ground, &["lsdef", "all", "-i", "ip,mac"], None)?;
        self.usual(ground, &["lsdef", "-t", "node"], None)?;
        self.usual(ground, &["nodels", "/n.*5$"], Some(0.1))?;
        self.usual(ground, &["nodels", "all", "noderes.servicenode"], None)?;
        self.usual(ground, &["nodels", "rack0001@compute,-n000100"], None)?;
        self.usual(ground, &["tabdump", "mac"], None)?;
        self.refused(ground, &["snmove", "-s", "sn001", "-d", "sn002", "--dry-run"])
    }

    /// A move is planned as a whole before it is refused: no service node of this site is connected.
    fn refused(&mut self, ground: &Ground, words: &[&str]) -> Result<()> {
        let cost = median(ground, words, self.runs)?;
        let said = std::fs::read_to_string(ground.said())?;
        if !said.contains("is not connected") {
            return Err(format!("{} was not refused as it should be: {said}", words.join(" ")).into());
        }
        let what = format!("`{}`, planned, and refused without its target", words.join(" "));
        self.table.cost(&what, &Cost { status: Some(0), ..cost }, None);
        Ok(())
    }

    fn writes(&mut self, ground: &Ground) -> Result<()> {
        let one = site::node(self.size.nodes / 2);
        for value in ["usercomment=one", "usercomment=two"] {
            self.whole(ground, &["chdef", "all", value, "--no-wait"], Some(2.0))?;
        }
        self.past(ground)?;
        self.whole(ground, &["chdef", &one, "usercomment=three", "--no-wait"], None)?;
        self.whole(ground, &["chdef", &one, "usercomment=four"], None)?;
        self.whole(ground, &["nodech", "all", "noderes.nfsserver=sn001", "--no-wait"], None)?;
        self.whole(ground, &["nodeset", "all", "boot", "--no-wait"], None)?;
        self.whole(ground, &["nodeset", "all", "offline", "--no-wait"], None)?;
        Ok(())
    }

    /// What the last two changes of every node did, and the last of them taken back.
    fn past(&mut self, ground: &Ground) -> Result<()> {
        ground.run(&["lsmn", "--json"])?;
        let shown: serde_json::Value = serde_json::from_slice(&std::fs::read(ground.said())?)?;
        let newest = shown.get(0).and_then(|mn| mn.get("revision")).and_then(serde_json::Value::as_u64);
        let newest = newest.ok_or("lsmn does not say the newest revision")?;
        let node = site::node(self.size.nodes / 2);
        self.whole(ground, &["mn", "diff", &format!("{}..{newest}", newest - 2)], None)?;
        self.usual(ground, &["mn", "history"], None)?;
        self.whole(ground, &["mn", "history", "rack0001"], None)?;
        self.usual(ground, &["explain", &node], None)?;
        self.whole(ground, &["undo", &newest.to_string(), "--no-wait"], None)
    }

    /// The site as files, out and in again; and into a management node that knows nothing.
    fn files(&mut self, ground: &Ground, dir: &Path) -> Result<()> {
        let (text, tables) = (dir.join("site.txt"), dir.join("tables"));
        let (text_name, tables_name) = (text.to_string_lossy(), tables.to_string_lossy());
        self.whole(ground, &["mn", "export"], None)?;
        std::fs::copy(ground.said(), &text)?;
        self.whole(ground, &["mn", "apply", &text_name, "--no-wait"], None)?;
        self.whole(ground, &["dumpxCATdb", "-p", &tables_name], None)?;
        self.whole(ground, &["restorexCATdb", "-p", &tables_name, "--no-wait"], None)?;
        self.whole(
            &Ground::make(&dir.join("empty"))?,
            &["mn", "import", "xcat", &tables_name, "--no-wait"],
            None,
        )
    }

    /// A change is made once: a second time it would change nothing.
    fn whole(&mut self, ground: &Ground, words: &[&str], goal: Option<f64>) -> Result<()> {
        eprintln!("{} …", words.join(" "));
        let cost = ground.run(words)?;
        let name = |word: &&str| word.rsplit('/').next().unwrap_or_default().to_owned();
        let words: Vec<String> = words.iter().map(name).collect();
        self.table.cost(&format!("`{}`", words.join(" ")), &cost, goal);
        Ok(())
    }

    fn usual(&mut self, ground: &Ground, words: &[&str], goal: Option<f64>) -> Result<Cost> {
        eprintln!("{} …", words.join(" "));
        let cost = median(ground, words, self.runs)?;
        self.table.cost(&format!("`{}`", words.join(" ")), &cost, goal);
        Ok(cost)
    }

    /// What many clients see, with a writer and without.
    fn loads(&mut self, ground: &Ground) -> Result<()> {
        ground.rest()?;
        let (dir, nodes) = (ground.dir(), self.size.nodes);
        let hold = |clients, writes| -> Result<Latencies> {
            let load = Load::start(dir, clients, nodes, writes);
            std::thread::sleep(LOAD);
            load.stop()
        };
        eprintln!("one client, then {CLIENTS} …");
        let single = hold(1, true)?;
        self.table.latencies("one client changes one node after the other", &single, Some(0.01));
        let idle = hold(CLIENTS, false)?;
        self.table.latencies(&format!("{CLIENTS} clients look at a node each"), &idle, None);

        let before = load::syncs_a_second(dir)?;
        let busy = hold(CLIENTS, true)?;
        let syncs = before.min(load::syncs_a_second(dir)?);
        self.table.latencies(&format!("{CLIENTS} clients change a node each"), &busy, None);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let rate = busy.count() as f64 / LOAD.as_secs_f64();
        let goal = syncs.min(2000.0);
        self.table.rate(
            "durable changes a second",
            rate,
            goal,
            format!("{rate:.0} (the disk syncs {syncs:.0} times)"),
        );

        let load = Load::start(dir, CLIENTS, nodes, false);
        let cost = ground.run(&["chdef", "all", "usercomment=five", "--no-wait"])?;
        let beside = load.stop()?;
        self.table.latencies(&format!("{CLIENTS} clients look while `chdef all` runs"), &beside, None);
        self.table.cost("that `chdef all`", &cost, None);
        // A read that waited for the writer would wait for most of it.
        self.table.time(
            "the longest of these looks",
            beside.permille(1000),
            Some(cost.wall.as_secs_f64() / 2.0),
        );
        Ok(())
    }
}

/// The run of median wall time.
fn median(ground: &Ground, words: &[&str], runs: usize) -> Result<Cost> {
    let mut costs: Vec<Cost> = (0..runs.max(1)).map(|_| ground.run(words)).collect::<Result<_>>()?;
    costs.sort_by_key(|cost| cost.wall);
    costs.get(costs.len() / 2).copied().ok_or_else(|| "no run".into())
}
