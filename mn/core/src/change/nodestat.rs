//! `nodestat`: which of a node's services answer, as one word a node.
//!
//! Here is decided what is asked and what the answers mean; `mn` asks. A node is alive when one of
//! the ports says yes or no, or when its agent is connected, whatever stands between it and the
//! management node. Words, their order and what `-u` keeps are xCAT's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use common::id::NodeName;
use common::report::Refusal;

use crate::command::Nodestat;
use crate::draft::Draft;
use crate::model::Model;
use crate::table::schema::{AGENT, NODELIST};
use crate::table::{RowKey, TableId};
use crate::target::range;
use crate::{node, object};

/// What is asked where nobody says otherwise.
const USUAL: [(&str, u16); 6] =
    [("https", 443), ("msrpc", 135), ("pbs", 15002), ("rdp", 3389), ("sshd", 22), ("xend", 8002)];

/// Ports of applications that `monsetting` names without one, besides those above.
const KNOWN: [(&str, u16); 8] = [
    ("ftp", 21),
    ("gpfs", 1191),
    ("ll", 9616),
    ("loadl", 9616),
    ("loadl_master", 9616),
    ("loadleveler", 9616),
    ("pbs_mom", 15002),
    ("ssh", 22),
];

/// A node to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub node: NodeName,
    /// Where it is; none where no table says so.
    pub address: Option<Ipv4Addr>,
    /// What to ask it for: names and ports, sorted by name.
    pub applications: Vec<(String, u16)>,
    /// Whether its agent is connected.
    pub has_agent: bool,
}

/// Whom to ask, and what the operator should know first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sorted by name.
    pub targets: Vec<Target>,
    /// For standard error.
    pub warnings: Vec<String>,
}

/// What a node answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Ports that are open.
    pub open: BTreeSet<u16>,
    /// Whether it answered at all, be it with a no.
    pub alive: bool,
}

/// What is known of a node now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// `ping`, `noping`, or what it is being provisioned with.
    pub status: String,
    /// The applications that answer.
    pub up: Vec<String>,
    /// Those that do not.
    pub down: Vec<String>,
}

/// Plans what to ask.
///
/// # Errors
/// When the noderange is refused, or an application has no port.
pub fn plan(model: &Model, args: &Nodestat) -> Result<Plan, Refusal> {
    let found = range::nodes(model, &args.nodes)?;
    let mut plan = Plan { warnings: found.warnings, ..Plan::default() };
    let applications = if args.applications { monitored(model, &mut plan.warnings)? } else { Vec::new() };
    let usual = || USUAL.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
    for node in found.nodes {
        let name = node.as_str();
        let is_meant = |one: &&Application| {
            one.groups.is_empty() || one.groups.iter().any(|group| model.is_member(name, group))
        };
        let asked = || applications.iter().filter(is_meant).map(|one| (one.name.clone(), one.port)).collect();
        plan.targets.push(Target {
            address: model.ip(name),
            applications: if applications.is_empty() { usual() } else { asked() },
            has_agent: object::cell(model, AGENT, name, "connected").is_some(),
            node,
        });
    }
    Ok(plan)
}

/// An application of `monsetting`.
#[derive(Debug)]
struct Application {
    name: String,
    port: u16,
    /// Whose it is; everybody's where there is none.
    groups: Vec<String>,
}

/// The applications of `monsetting`, sorted; none where the table names none. `sshd` is always among
/// them, as in xCAT.
fn monitored(model: &Model, warnings: &mut Vec<String>) -> Result<Vec<Application>, Refusal> {
    let Ok(table) = TableId::named("monsetting") else { return Ok(Vec::new()) };
    let setting = |key: &str| {
        object::cell(model, table, RowKey::of(["xcatmon", key]).as_str(), "value").unwrap_or_default()
    };
    let mut names: BTreeSet<&str> = crate::model::split(setting("apps")).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if !names.contains("ssh") {
        names.insert("sshd");
    }
    let mut found = Vec::new();
    for name in names {
        let pairs: Vec<(&str, &str)> =
            setting(name).split(',').filter_map(|pair| pair.split_once('=')).collect();
        if pairs.iter().any(|(key, _)| matches!(*key, "cmd" | "lcmd" | "dcmd")) {
            warnings
                .push(format!("{name} is asked by a command in monsetting, and commands are not run here"));
            continue;
        }
        let given = pairs.iter().find(|(key, _)| *key == "port").map(|(_, port)| port.parse().ok());
        let known = || USUAL.iter().chain(&KNOWN).find(|(known, _)| *known == name).map(|(_, port)| *port);
        let Some(port) = given.unwrap_or_else(known) else {
            return Err(Refusal::new(format!(
                "Cannot find port number for application {name}. Please either specify a port number or a command in monsetting table for {name}."
            ))
            .attempt(format!("a row of monsetting with name=xcatmon, key={name}, value=port=NUMBER")));
        };
        let groups = pairs.iter().filter(|(key, _)| *key == "group").map(|(_, group)| (*group).to_owned());
        found.push(Application { name: name.to_owned(), port, groups: groups.collect() });
    }
    Ok(found)
}

/// What the answers of a node mean. A node that answers and serves nothing is shown with what it is
/// being provisioned with, if it is.
pub fn state(model: &Model, target: &Target, answers: &Answers) -> State {
    let is_up = |one: &&(String, u16)| answers.open.contains(&one.1);
    let (up, down): (Vec<_>, Vec<_>) = target.applications.iter().partition(is_up);
    let names =
        |applications: Vec<&(String, u16)>| applications.into_iter().map(|one| one.0.clone()).collect();
    let (up, down): (Vec<String>, Vec<String>) = (names(up), names(down));
    let provisioned = || {
        let state = node::state_of(model, &target.node)?;
        let word = state.split(' ').next().unwrap_or_default();
        matches!(word, "install" | "netboot" | "statelite" | "shell" | "runcmd" | "runimage").then_some(state)
    };
    let status = match (answers.alive || target.has_agent, up.is_empty()) {
        (false, _) => "noping".to_owned(),
        (true, false) => "ping".to_owned(),
        (true, true) if target.has_agent => "ping".to_owned(),
        (true, true) => provisioned().unwrap_or_else(|| "ping".to_owned()),
    };
    State { status, up, down }
}

impl State {
    /// As it is shown.
    pub fn text(&self) -> String {
        match (self.status.as_str(), self.up.is_empty()) {
            (status, true) => status.to_owned(),
            ("ping", false) => self.up.join(","),
            (status, false) => format!("{status},{}", self.up.join(",")),
        }
    }

    /// Keeps it in `nodelist`, with the time where something changed; a node that is gone is passed
    /// over.
    pub fn keep(&self, draft: &mut Draft, node: &NodeName, time: &str) {
        if !draft.model().has_node(node.as_str()) {
            return;
        }
        let key = RowKey::one(node.as_str());
        let held = |draft: &Draft, column| {
            object::cell(draft.model(), NODELIST, node.as_str(), column).unwrap_or_default().to_owned()
        };
        if held(draft, "status") != self.status {
            draft.set(NODELIST, &key, "status", &self.status);
            draft.set(NODELIST, &key, "statustime", time);
        }
        let applications =
            if self.status == "noping" { String::new() } else { self.merged(&held(draft, "appstatus")) };
        draft.set(NODELIST, &key, "appstatus", &applications);
        draft.set(NODELIST, &key, "appstatustime", time);
    }

    /// `sshd=up,pbs=down`, with what was known of other applications.
    fn merged(&self, held: &str) -> String {
        let mut all: BTreeMap<&str, &str> = held.split(',').filter_map(|pair| pair.split_once('=')).collect();
        all.extend(self.up.iter().map(|name| (name.as_str(), "up")));
        all.extend(self.down.iter().map(|name| (name.as_str(), "down")));
        all.iter().map(|(name, state)| format!("{name}={state}")).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Range;
    use crate::fixture::model;

    const MODEL: &str = "
        nodelist n1 groups=all,compute
        nodelist n2 groups=all appstatus=gpfs=up,sshd=down
        nodelist n3 groups=all
        hosts n1 ip=10.0.0.1
        agent n2 connected=sn1
        chain n1 currstate=boot
        chain n3 currstate=install
    ";

    fn args(apps: bool) -> Nodestat {
        Nodestat { nodes: Range::new("all"), applications: apps, ..Nodestat::default() }
    }

    fn answers(open: &[u16], alive: bool) -> Answers {
        Answers { open: open.iter().copied().collect(), alive }
    }

    #[test]
    fn a_node_is_what_its_ports_and_its_agent_say() {
        let model = model(MODEL);
        let targets = plan(&model, &args(false)).unwrap().targets;
        let shown =
            |at: usize, open: &[u16], alive| state(&model, &targets[at], &answers(open, alive)).text();
        assert_eq!(targets[0].address, Some("10.0.0.1".parse().unwrap()));
        assert_eq!(shown(0, &[22, 443], true), "https,sshd");
        assert_eq!(shown(0, &[], true), "ping");
        assert_eq!(shown(0, &[], false), "noping");
        assert_eq!(shown(1, &[], false), "ping", "its agent is connected");
        assert_eq!(shown(2, &[], true), "install");
        assert_eq!(shown(2, &[22], true), "sshd");
    }

    #[test]
    fn what_is_kept_is_kept_with_the_time() {
        let model = model(MODEL);
        let targets = plan(&model, &args(false)).unwrap().targets;
        let mut draft = Draft::new(&model);
        for target in &targets {
            state(&model, target, &answers(&[22], target.has_agent)).keep(&mut draft, &target.node, "T");
        }
        let cell = |node, column| object::cell(draft.model(), NODELIST, node, column).unwrap_or_default();
        assert_eq!(
            (cell("n1", "status"), cell("n1", "statustime"), cell("n1", "appstatus")),
            ("noping", "T", "")
        );
        assert_eq!(cell("n2", "status"), "ping");
        assert_eq!(
            cell("n2", "appstatus"),
            "gpfs=up,https=down,msrpc=down,pbs=down,rdp=down,sshd=up,xend=down"
        );
    }

    #[test]
    fn monsetting_says_which_applications_there_are() {
        let lines = format!(
            "{MODEL}
            monsetting xcatmon/apps value=ll,gpfs,some
            monsetting xcatmon/gpfs value=cmd=/x,group=compute
            monsetting xcatmon/some value=port=7,group=compute"
        );
        let plan = plan(&model(&lines), &args(true)).unwrap();
        let asked = |at: usize| plan.targets[at].applications.clone();
        assert_eq!(asked(0), [("ll".to_owned(), 9616), ("some".to_owned(), 7), ("sshd".to_owned(), 22)]);
        assert_eq!(asked(1).len(), 2);
        assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
        let nothing = super::plan(&model(MODEL), &args(true)).unwrap();
        assert_eq!(nothing.targets[0].applications.len(), USUAL.len());
        let unknown = model(&format!("{MODEL}\n monsetting xcatmon/apps value=what"));
        assert!(
            super::plan(&unknown, &args(true)).unwrap_err().to_string().contains("Cannot find port number")
        );
    }
}
