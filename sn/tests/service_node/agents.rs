//! Agents: who comes in, what is told, reported and run.

use common::slice::{Role, Slice};
use common::wire::agent::{FromAgent, ToAgent};
use common::wire::join::{JoinAnswer, Kind};
use common::wire::push::{FromSn, Outcome, Report, Reported, ToSn};
use common::wire::work::{Run, RunAnswer, RunResult, Work};
use runtime::link::identity::{Identity, Role as Member};

use crate::fake::{Mn, Session, Sn, agent, node, silent_agent, slice, soon};

/// A service node that owns n1, whose agent has an identity.
async fn rack(mn: &Mn) -> (Sn, Session, Identity, Slice) {
    let mut sn = Sn::joined(mn, "sn1").await;
    let identity = mn.identity(Kind::Agent, "n1").await;
    sn.start();
    let mut session = mn.session().await;
    let wanted = slice(&sn, vec![node("n1", Role::Owner, 1, &[&sn], identity.key_digest())], &[]);
    let ack = session.push(mn.head("sn1", 1, &wanted, None), &Slice::new(), &wanted).await;
    assert_eq!(ack.outcome, Outcome::Applied);
    (sn, session, identity, wanted)
}

#[tokio::test]
async fn an_agent_is_told_at_once_and_again_when_its_state_changes() {
    let mn = Mn::new();
    let (sn, mut session, identity, first) = rack(&mn).await;
    let mut agent = agent(&identity, &sn).await;
    assert_eq!(agent.desired().await.unwrap().epoch.value(), 1);
    let second = slice(&sn, vec![node("n1", Role::Owner, 2, &[&sn], identity.key_digest())], &[]);
    session.push(mn.head("sn1", 2, &second, Some(1)), &first, &second).await;
    assert_eq!(agent.desired().await.unwrap().epoch.value(), 2);
}

#[tokio::test]
async fn who_is_not_the_agent_of_a_node_here_does_not_come_in() {
    let (mn, foreign) = (Mn::new(), Mn::new());
    let (sn, _session, _identity, _slice) = rack(&mn).await;

    // A certificate of another cluster: its own side does not accept the service node either.
    let identity = foreign.identity(Kind::Agent, "n1").await;
    let dialer = runtime::link::endpoint::Dialer::new(&identity).unwrap();
    assert!(dialer.connect(sn.agents_at(), &sn.role()).await.is_err());

    // A certificate for n1 that is not the one its node was given last.
    let stolen = mn.identity(Kind::Agent, "n1").await;
    // A node of another service node, and an operator.
    let other = mn.identity(Kind::Agent, "n2").await;
    let operator = mn.identity(Kind::Operator, "alice").await;
    let refused = async |identity: &Identity| {
        let mut link = agent(identity, &sn).await;
        assert!(link.desired().await.is_err());
        link.link.closed().await.refused_us()
    };
    let (stolen, other, operator) = tokio::join!(refused(&stolen), refused(&other), refused(&operator));
    let stolen = stolen.unwrap();
    assert!(stolen.contains("given to this node last"), "{stolen}");
    assert_eq!(other, None, "its node may come here yet");
    assert!(operator.is_some());
}

#[tokio::test]
async fn the_newest_link_of_a_node_wins() {
    let mn = Mn::new();
    let (sn, _session, identity, _slice) = rack(&mn).await;
    let mut first = agent(&identity, &sn).await;
    first.desired().await.unwrap();
    let mut second = agent(&identity, &sn).await;
    second.desired().await.unwrap();
    soon("the first link to end", first.link.closed()).await;
    assert!(second.link.close_reason().is_none());
}

async fn reports(session: &mut Session) -> (u64, Vec<Report>) {
    let reports = session.next("reports", |message| match message {
        FromSn::Reports { through, reports } => Some((through, reports)),
        _ => None,
    });
    reports.await
}

#[tokio::test]
async fn a_report_survives_the_kill_of_the_service_node_until_it_is_stored() {
    let mn = Mn::new();
    let (mut sn, mut session, identity, _slice) = rack(&mn).await;
    let series = session.hello.series;
    let mut agent_link = agent(&identity, &sn).await;
    agent_link.desired().await.unwrap();
    agent_link.sender.send(&FromAgent::Status("booted".to_owned())).await.unwrap();
    let booted =
        |reports: &[Report]| reports.iter().any(|one| one.what == Reported::Status("booted".to_owned()));
    let mut through = 0;
    while through == 0 {
        let (last, some) = reports(&mut session).await;
        through = if booted(&some) { last } else { 0 };
    }
    sn.kill();
    drop(session);
    sn.start();

    // Not stored, so it comes again, under the same number.
    let mut session = mn.session().await;
    assert_eq!(session.hello.series, series);
    let (last, again) = reports(&mut session).await;
    assert!(booted(&again) && last >= through, "{again:?}");
    session.sender.send(&ToSn::ReportsStored(last)).await.unwrap();

    // Stored, so it does not.
    drop(session);
    let mut session = mn.session_having(last, 0).await;
    let mut agent_link = agent(&identity, &sn).await;
    agent_link.sender.send(&FromAgent::Status("later".to_owned())).await.unwrap();
    let (_, more) = reports(&mut session).await;
    assert!(!booted(&more), "{more:?}");

    // A management node that knows numbers which were lost here makes it number anew.
    drop(session);
    let renumbered = soon("another series", async {
        loop {
            let session = mn.session_having(1_000_000, 0).await;
            if session.hello.series != series {
                return session.hello.series;
            }
            session.link.closed().await;
        }
    });
    assert_ne!(renumbered.await, series);
}

#[tokio::test]
async fn a_stranger_joins_through_the_service_node_and_later_while_nobody_can_sign() {
    let mn = Mn::new();
    let (sn, mut session, _identity, _slice) = rack(&mn).await;
    let token = mn.token(Kind::Agent, "n1", sn.agents_at());
    let joining = runtime::link::join::join(&token);
    let signing = async {
        let (ask, join) = session
            .next("a join", |message| match message {
                FromSn::Join { ask, join } => Some((ask, join)),
                _ => None,
            })
            .await;
        let answer = mn.certify(&join);
        assert!(matches!(answer, JoinAnswer::Welcome { .. }));
        session.sender.send(&ToSn::Joined { ask, answer }).await.unwrap();
    };
    let (identity, ()) = soon("the join", async { tokio::join!(joining, signing) }).await;
    assert_eq!(*identity.unwrap().role(), Member::Agent("n1".parse().unwrap()));

    session.link.close("away");
    drop(session);
    let refused = soon("the answer", async {
        loop {
            match runtime::link::join::join(&token).await {
                Err(error) if error.to_string().contains("out of reach") => return error,
                _ => tokio::task::yield_now().await,
            }
        }
    });
    assert!(refused.await.is_passing());
}

#[tokio::test]
async fn a_run_is_answered_for_every_node() {
    let mn = Mn::new();
    let (sn, mut session, identity, _slice) = rack(&mn).await;
    let mut link = agent(&identity, &sn).await;
    link.desired().await.unwrap();
    let work = Work { sync: vec![], scripts: vec![], settle: true, timeout_seconds: 1 };
    let nodes = vec!["n1".parse().unwrap(), "n9".parse().unwrap()];
    let result = |message| match message {
        FromSn::RunResult(result) => Some(result),
        _ => None,
    };
    let answered = |node: &str, run, answer| RunResult { run, node: node.parse().unwrap(), answer };

    session.sender.send(&ToSn::Run(Run { run: 7, nodes: nodes.clone(), work: work.clone() })).await.unwrap();
    assert_eq!(session.next("n9", result).await, answered("n9", 7, RunAnswer::NotConnected));
    let ToAgent::Run(order) = soon("the run", link.receiver.expect()).await.unwrap() else { panic!() };
    assert_eq!((order.run, order.nodes), (7, vec!["n1".parse().unwrap()]));
    // An answer to a run that nobody asked for goes nowhere.
    for run in [6, 7] {
        let answer = RunAnswer::Done(vec![]);
        link.sender.send(&FromAgent::RunAnswer { run, answer }).await.unwrap();
    }
    assert_eq!(session.next("n1", result).await, answered("n1", 7, RunAnswer::Done(vec![])));

    let nodes = vec!["n1".parse().unwrap()];
    session.sender.send(&ToSn::Run(Run { run: 8, nodes, work })).await.unwrap();
    let ToAgent::Run(_) = soon("the run", link.receiver.expect()).await.unwrap() else { panic!() };
    link.link.close("the node lost power");
    assert_eq!(session.next("n1", result).await, answered("n1", 8, RunAnswer::Lost));
}

/// An agent follows a link once it has heard its state there, and does no work before.
#[tokio::test]
async fn work_that_waits_for_an_agent_comes_behind_its_state() {
    let mn = Mn::new();
    let (sn, mut session, identity, _slice) = rack(&mn).await;
    let work = Work { sync: vec![], scripts: vec![], settle: true, timeout_seconds: 1 };
    let nodes: Vec<common::id::NodeName> = vec!["n1".parse().unwrap(), "n9".parse().unwrap()];
    let mut number = 0;
    // Whether a run for n1 waits for its agent: then n9, which nobody knows, is answered for first.
    let mut is_waiting = async || {
        number += 1;
        let run = Run { run: number, nodes: nodes.clone(), work: work.clone() };
        session.sender.send(&ToSn::Run(run)).await.unwrap();
        let answer = |message| match message {
            FromSn::RunResult(result) if result.run == number => Some(result.node),
            _ => None,
        };
        let is_first = session.next("n1 or n9", answer).await == nodes[1];
        if !is_first {
            session.next("n9", answer).await;
        }
        is_first
    };
    for _ in 0..8 {
        let mut link = silent_agent(&identity, &sn).await;
        soon("work that waits", async { while !is_waiting().await {} }).await;
        link.greet().await;
        let first = soon("the first word", link.receiver.expect()).await.unwrap();
        assert!(matches!(first, ToAgent::Desired(_)), "{first:?}");
        link.link.close("the next one comes");
        soon("its end", async { while is_waiting().await {} }).await;
    }
}
