//! Power cuts of the management node, replayed: its whole life, command by command.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use nix::sys::signal::Signal;
use tests::cluster::{Cluster, DOMAIN};
use tests::powerloss::{Cut, History, Keep, Recorder};
use tests::process::Run;
use tests::{Result, sandbox};

/// A command of the life, and what is true after it.
struct Step {
    line: String,
    input: String,
    nodes: Vec<String>,
    /// The comment that they have afterwards; none where they are gone.
    comment: Option<String>,
}

impl Step {
    fn new(line: String, nodes: impl IntoIterator<Item = String>, comment: Option<&str>) -> Self {
        let (nodes, comment) = (nodes.into_iter().collect(), comment.map(str::to_owned));
        Self { line, input: String::new(), nodes, comment }
    }

    fn chdef(number: usize) -> Self {
        let (node, comment) = (format!("n{:03}", number % 20 + 1), format!("v{number}"));
        Self::new(format!("chdef {node} usercomment={comment}"), [node], Some(&comment))
    }

    fn prune(before: usize) -> Self {
        Self::new(format!("history --prune {before}"), [], None)
    }
}

fn numbered(letter: char, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| format!("{letter}{number:04}"))
}

/// The life up to a kill in the middle, and after it.
fn life() -> [Vec<Step>; 2] {
    let many = 2000;
    let mut first = vec![Step::new(
        "mkdef n[001-020] groups=g usercomment=new".to_owned(),
        (1..=20).map(|number| format!("n{number:03}")),
        Some("new"),
    )];
    first.extend((0..25).map(Step::chdef));
    let stanzas =
        numbered('z', 500).fold("# <xCAT data object stanza file>\n".to_owned(), |mut text, name| {
            let _ = write!(text, "\n{name}:\n    objtype=node\n    groups=g\n    usercomment=stanza\n");
            text
        });
    let mkdef = Step::new("mkdef -z".to_owned(), numbered('z', 500), Some("stanza"));
    first.push(Step { input: stanzas, ..mkdef });
    let mkdef = format!("mkdef m[0001-{many}] groups=g usercomment=new");
    first.push(Step::new(mkdef, numbered('m', many), Some("new")));
    // Forgetting the start of the history changes no node, wherever it is cut.
    first.push(Step::prune(20));
    first.extend((25..40).map(Step::chdef));
    let chdef = format!("chdef m[0001-{many}] usercomment=changed");
    let mut second = vec![Step::chdef(40), Step::new(chdef, numbered('m', many), Some("changed"))];
    second.extend((41..60).map(Step::chdef));
    second.push(Step::new("rmdef z[0001-0500]".to_owned(), numbered('z', 500), None));
    second.push(Step::prune(60));
    second.extend((60..70).map(Step::chdef));
    [first, second]
}

type State = BTreeMap<String, String>;

/// What is true after each number of steps.
fn states(life: &[Step]) -> Vec<State> {
    let mut states = vec![State::new()];
    for step in life {
        let mut state = states.last().cloned().unwrap_or_default();
        for node in &step.nodes {
            match &step.comment {
                Some(comment) => state.insert(node.clone(), comment.clone()),
                None => state.remove(node),
            };
        }
        states.push(state);
    }
    states
}

/// The comments of all nodes.
fn seen(cluster: &Cluster) -> Result<State> {
    let text = cluster.ok("nodels g nodelist.comments")?;
    let pair =
        |line: &str| line.split_once(": ").map(|(node, comment)| (node.to_owned(), comment.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// Serves what a power cut leaves, and looks.
fn after(
    cluster: &mut Cluster,
    history: &History,
    cut: &Cut,
    look: impl FnOnce(&Cluster) -> Result<()>,
) -> Result<()> {
    history.rebuild(cut, &cluster.mn_dir())?;
    let looked = cluster.serve_mn().and_then(|()| look(cluster));
    looked.map_err(|error| format!("{cut}: {error}"))?;
    cluster.stop_mn(Signal::SIGKILL)
}

/// A management node that is about to be made, its folder recorded.
fn unmade() -> Result<(Cluster, Recorder)> {
    let cluster = Cluster::lay(0, 0)?;
    let recorder = Recorder::new(&cluster.mn_dir(), &cluster.work.join("notes"))?;
    cluster.mn_program(&["install-applets", "--all", &cluster.applets().to_string_lossy()])?.ok()?;
    Ok((cluster, recorder))
}

fn init(cluster: &Cluster, recorder: &mut Recorder) -> Result<()> {
    let init = Run::new(cluster.programs().path("mn")).args(["init", "--domain", DOMAIN]);
    recorder.under(init.env("DROVER_DIR", cluster.mn_dir())).on(&cluster.mn)?.ok()?;
    recorder.answered();
    Ok(())
}

#[test]
fn a_management_node_that_said_it_is_made_is_made() {
    sandbox::test("durability::power_mn::a_management_node_that_said_it_is_made_is_made", || {
        let (mut cluster, mut recorder) = unmade()?;
        init(&cluster, &mut recorder)?;
        let history = recorder.finish()?;
        for seed in 0..12 {
            let keep = [Keep::Nothing, Keep::Some, Keep::Most][seed % 3];
            after(&mut cluster, &history, &history.right_after(1, keep, seed as u64), |cluster| {
                let site = cluster.ok("lsdef -t site -i domain")?;
                assert!(site.contains(DOMAIN), "{site}");
                Ok(())
            })?;
        }
        Ok(())
    });
}

#[test]
fn a_management_node_whose_making_was_cut_short_can_be_made() {
    sandbox::test("durability::power_mn::a_management_node_whose_making_was_cut_short_can_be_made", || {
        let (mut cluster, mut recorder) = unmade()?;
        recorder.answered();
        init(&cluster, &mut recorder)?;
        let history = recorder.finish()?;
        for cut in history.cuts_at_each_step(5) {
            history.rebuild(&cut, &cluster.mn_dir())?;
            let init = cluster.mn_program(&["init"])?;
            let made = init.status == 0 || init.err.contains("is a management node already");
            assert!(made, "{cut}: {}", init.err);
            cluster.serve_mn().map_err(|error| format!("{cut}: {error}"))?;
            cluster.stop_mn(Signal::SIGKILL)?;
        }
        Ok(())
    });
}

#[test]
fn a_start_that_was_cut_short_can_be_repeated() {
    sandbox::test("durability::power_mn::a_start_that_was_cut_short_can_be_repeated", || {
        let mut cluster = Cluster::lay(0, 0)?;
        cluster.start_mn()?;
        cluster.ok("mkdef n[001-020] groups=g usercomment=new")?;
        (0..20).try_for_each(|number| cluster.ok(&Step::chdef(number).line).map(drop))?;
        let before = seen(&cluster)?;
        cluster.stop_mn(Signal::SIGKILL)?;
        let mut recorder = Recorder::new(&cluster.mn_dir(), &cluster.work.join("notes"))?;
        recorder.answered();
        cluster.serve_mn_under(|run| recorder.under(run))?;
        recorder.answered();
        cluster.stop_mn(Signal::SIGKILL)?;
        let history = recorder.finish()?;
        let mut half_a_snapshot = 0;
        for cut in history.cuts_at_each_step(9) {
            history.rebuild(&cut, &cluster.mn_dir())?;
            half_a_snapshot += usize::from(has_half_a_snapshot(&cluster.mn_dir().join("store"))?);
            after(&mut cluster, &history, &cut, |cluster| {
                if seen(cluster)? == before { Ok(()) } else { Err("something is missing".into()) }
            })?;
        }
        assert!(half_a_snapshot > 0, "no cut fell into the moment that matters most");
        Ok(())
    });
}

/// What sled takes for a whole one, so that it never opens the store again.
fn has_half_a_snapshot(store: &Path) -> Result<bool> {
    let names = std::fs::read_dir(store)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<Result<Vec<_>>>()?;
    Ok(names.iter().any(|name| name.to_string_lossy().ends_with(".generating")))
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    sandbox::test("durability::power_mn::what_was_acknowledged_survives_a_power_cut", || {
        let (mut cluster, mut recorder) = unmade()?;
        init(&cluster, &mut recorder)?;
        let life = life();
        for part in &life {
            cluster.serve_mn_under(|run| recorder.under(run))?;
            for Step { line, input, .. } in part {
                let ended = cluster.command_with_input(line, input)?;
                ended.ok().map_err(|error| format!("{line}: {error}"))?;
                recorder.answered();
            }
            cluster.stop_mn(Signal::SIGKILL)?;
        }
        let history = recorder.finish()?;
        let states = states(&life.into_iter().flatten().collect::<Vec<Step>>());
        assert_eq!(history.answers(), states.len(), "one for each command, and one for init");
        for cut in history.cuts(44, 7) {
            after(&mut cluster, &history, &cut, |cluster| survived(cluster, &cut, &states))?;
        }
        Ok(())
    });
}

/// Everything acknowledged is there, the command after that wholly or not at all, and more can be done.
fn survived(cluster: &Cluster, cut: &Cut, states: &[State]) -> Result<()> {
    let done = cut.answers - 1;
    // Before the first command there is no group to ask for.
    let seen = if done == 0 { seen(cluster).unwrap_or_default() } else { seen(cluster)? };
    if seen != states[done] && Some(&seen) != states.get(done + 1) {
        let odd = states[done].iter().find(|(node, comment)| seen.get(*node) != Some(comment));
        return Err(format!("after {done} commands there are {} nodes; at first {odd:?}", seen.len()).into());
    }
    cluster.ok("mkdef later groups=later").map(drop)
}
