//! `makedns` and `makedhcp`: the definitions are looked at, the service nodes are asked whether they
//! hold what is defined, and what is missing is said.

use std::collections::BTreeSet;

use common::id::{Revision, SnName};
use common::report::Refusal;
use mn_core::change::Outcome;
use mn_core::command::{Makedhcp, Makedns};
use mn_core::make::{Answers, dhcp, dns};
use mn_core::model::Model;
use mn_core::talk::Context;

use crate::ground::Ground;

/// Runs `makedhcp`; gives the exit status.
pub(super) async fn dhcp(ground: &Ground, args: Makedhcp) -> u8 {
    let survey = |model: &Model, args: &Makedhcp, context: &Context| {
        let survey = dhcp::Survey::new(model, args, context)?;
        Ok((survey.service_nodes.clone(), survey))
    };
    survey_and_report(ground, args, survey, dhcp::Survey::report).await
}

/// Runs `makedns`; gives the exit status.
pub(super) async fn dns(ground: &Ground, args: Makedns) -> u8 {
    let survey = |model: &Model, args: &Makedns, context: &Context| {
        let survey = dns::Survey::new(model, args, context)?;
        Ok((survey.service_nodes.clone(), survey))
    };
    survey_and_report(ground, args, survey, dns::Survey::report).await
}

/// What both commands do: `survey` looks at the definitions and says whom to ask, `report` says what
/// is missing once they have answered.
async fn survey_and_report<A, S>(
    ground: &Ground,
    args: A,
    survey: impl FnOnce(&Model, &A, &Context) -> Result<(BTreeSet<SnName>, S), Outcome> + Send + 'static,
    report: fn(&S, &Model, &A, &Answers, &Context) -> Outcome,
) -> u8
where
    A: Clone + Send + 'static,
    S: Send + 'static,
{
    let (model, context) = (ground.model(), ground.context.clone());
    let revision = model.revision();
    let (asked, survey) = {
        let (args, model, context) = (args.clone(), model.clone(), context.clone());
        match apart(move || survey(&model, &args, &context)).await {
            Ok(Ok(surveyed)) => surveyed,
            Ok(Err(outcome)) => return show(ground, outcome).await,
            Err(refusal) => return ground.refuse(&[refusal]).await,
        }
    };
    let answers = ask(ground, asked, revision).await;
    match apart(move || report(&survey, &model, &args, &answers, &context)).await {
        Ok(outcome) => show(ground, outcome).await,
        Err(refusal) => ground.refuse(&[refusal]).await,
    }
}

/// Computes on a thread of its own: a hundred thousand nodes take their time.
async fn apart<T: Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(compute)
        .await
        .map_err(|_| Refusal::new("it failed by a bug of ours").attempt("again; the daemon's log has more"))
}

/// Whether service nodes hold and serve what the definitions say; waits as long as any command does.
async fn ask(ground: &Ground, sns: BTreeSet<SnName>, revision: Revision) -> Answers {
    let behind = ground.site.delivery.wait_all(sns.iter().cloned(), revision, ground.site.wait).await;
    let mut answers: Answers = sns.into_iter().map(|sn| (sn, None)).collect();
    answers.extend(behind.into_iter().map(|(sn, why)| (sn, Some(why.to_string()))));
    answers
}

async fn show(ground: &Ground, outcome: Outcome) -> u8 {
    // Whoever has gone does not hear it; nothing was changed.
    let _ = ground.replies.lines(outcome.lines).await;
    outcome.status
}
