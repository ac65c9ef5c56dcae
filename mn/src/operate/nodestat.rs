//! `nodestat`: asks nodes which of their services answer, by connecting to them.
//!
//! Nothing is sent on a connection, and no privilege is needed: a port that is open and one that is
//! closed both say that the node is there. A node behind a firewall that drops both is known by its
//! agent alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::id::NodeName;
use mn_core::change::nodestat::{self, Answers, State, Target};
use mn_core::command::Nodestat;
use mn_core::draft::Draft;
use mn_core::talk::{Line, warning};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ground::Gone;
use crate::ground::Ground;
use crate::push::local_time;

/// How long a node may take to answer. On the networks of a cluster milliseconds are usual; what is
/// off does not answer at all.
const LIMIT: Duration = Duration::from_millis(1500);

/// How many nodes are asked at once, each on some six ports: 5,000 nodes that are off take half a
/// minute, and no more than 1,500 descriptors are used.
const AT_ONCE: usize = 256;

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Nodestat) -> u8 {
    let model = ground.model();
    let plan = match nodestat::plan(&model, &args) {
        Ok(plan) => plan,
        Err(refusal) => {
            let _ = ground.replies.err(refusal.render("Error")).await;
            return 1;
        }
    };
    for text in &plan.warnings {
        if ground.say(Line::Err(warning(&ground.context, text))).await.is_err() {
            return 1;
        }
    }
    let Ok(answers) = ask_all(ground, &plan.targets, args.known).await else { return 1 };
    let none = Answers::default();
    let states: Vec<(NodeName, State)> = plan
        .targets
        .iter()
        .map(|target| {
            let state = nodestat::state(&model, target, answers.get(&target.node).unwrap_or(&none));
            (target.node.clone(), state)
        })
        .collect();
    if show(ground, &states, args.power).await.is_err() {
        return 1;
    }
    if args.update { keep(ground, states).await } else { 0 }
}

/// What each node answered, asked side by side.
async fn ask_all(
    ground: &Ground,
    targets: &[Target],
    known: bool,
) -> Result<BTreeMap<NodeName, Answers>, Gone> {
    let mut answers = BTreeMap::new();
    if known {
        return Ok(answers);
    }
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    for target in targets {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let target = target.clone();
        asking.spawn(async move {
            let answer = ask(&target).await;
            drop(place);
            (target.node, answer)
        });
        // Whoever waits sees how far it is, and nobody is asked for somebody who has gone.
        while let Some(Ok(done)) = asking.try_join_next() {
            take(ground, done, &mut answers, targets.len()).await?;
        }
    }
    while let Some(done) = asking.join_next().await {
        if let Ok(done) = done {
            take(ground, done, &mut answers, targets.len()).await?;
        }
    }
    Ok(answers)
}

async fn take(
    ground: &Ground,
    (node, answer): (NodeName, Option<Answers>),
    answers: &mut BTreeMap<NodeName, Answers>,
    total: usize,
) -> Result<(), Gone> {
    if answer.is_none() && !ground.context.view.json {
        let text = format!("{node}: Please make sure {node} exists in /etc/hosts or DNS or hosts table");
        ground.say(Line::Out(text)).await?;
    }
    answers.insert(node, answer.unwrap_or_default());
    ground.progress("nodestat", answers.len() as u64, total as u64).await
}

/// What a node answers; none where nobody knows where it is.
async fn ask(target: &Target) -> Option<Answers> {
    let address = match target.address {
        Some(address) => IpAddr::V4(address),
        None => resolve(target.node.as_str()).await?,
    };
    let mut asking = JoinSet::new();
    for (_, port) in &target.applications {
        let place = SocketAddr::new(address, *port);
        asking.spawn(async move { (place.port(), timeout(LIMIT, TcpStream::connect(place)).await) });
    }
    let mut answers = Answers::default();
    while let Some(answered) = asking.join_next().await {
        match answered {
            Ok((port, Ok(Ok(_)))) => {
                answers.open.insert(port);
                answers.alive = true;
            }
            Ok((_, Ok(Err(error)))) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                answers.alive = true
            }
            // Nothing came back, or nothing can go there.
            Ok((_, Ok(Err(_)) | Err(_))) | Err(_) => {}
        }
    }
    Some(answers)
}

/// The address that this machine knows for a name that no table has an address for.
async fn resolve(name: &str) -> Option<IpAddr> {
    let found = timeout(LIMIT, tokio::net::lookup_host((name, 0))).await.ok()?.ok()?;
    found.map(|address| address.ip()).min_by_key(IpAddr::is_ipv6)
}

async fn show(ground: &Ground, states: &[(NodeName, State)], power: bool) -> Result<(), Gone> {
    for (node, state) in states {
        let line = if ground.context.view.json {
            Line::Record(
                json!({"node": node.as_str(), "state": state.text(), "status": state.status, "up": state.up}),
            )
        } else {
            Line::Out(format!("{node}: {}", state.text()))
        };
        ground.say(line).await?;
    }
    if power && states.iter().any(|(_, state)| state.status == "noping") {
        let text = "power states are not known here: Drover has no power control, so nodes stay 'noping'";
        ground.say(Line::Err(warning(&ground.context, text))).await?;
    }
    Ok(())
}

/// Keeps what was found; gives the exit status.
async fn keep(ground: &Ground, states: Vec<(NodeName, State)>) -> u8 {
    let time = local_time(runtime::clock::unix_seconds());
    let kept = ground
        .step("nodestat", move |model| {
            let mut draft = Draft::new(model);
            states.iter().for_each(|(node, state)| state.keep(&mut draft, node, &time));
            Ok((draft.finish(), ()))
        })
        .await;
    match kept {
        Ok(_) => 0,
        Err(error) => ground.fault(&error).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn open_and_closed_ports_both_say_that_a_node_is_there() {
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = |listener: &tokio::net::TcpListener| listener.local_addr().unwrap().port();
        let (up, down) = (port(&open), port(&closed));
        drop(closed);
        let target = |applications: &[(&str, u16)]| Target {
            node: "n1".parse().unwrap(),
            address: Some("127.0.0.1".parse().unwrap()),
            applications: applications.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect(),
            has_agent: false,
        };
        let answers = ask(&target(&[("up", up), ("down", down)])).await.unwrap();
        assert_eq!((answers.open.into_iter().collect::<Vec<_>>(), answers.alive), (vec![up], true));
        let answers = ask(&target(&[("down", down)])).await.unwrap();
        assert!(answers.alive && answers.open.is_empty());
    }

    #[tokio::test]
    async fn a_node_that_nobody_knows_is_not_asked() {
        let target = Target {
            node: "no-such-host.invalid".parse().unwrap(),
            address: None,
            applications: vec![("sshd".to_owned(), 22)],
            has_agent: false,
        };
        assert_eq!(ask(&target).await, None);
    }
}
