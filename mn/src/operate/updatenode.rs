//! `updatenode`: the work goes through the owners to the agents, all at once, and one result comes
//! back for each node.
//!
//! [`errand`] finds the agents, wherever they are connected.

use std::time::Duration;

use common::id::{NodeName, SnName};
use common::wire::work::{Receipt, RunAnswer, RunResult, StepOutcome, Work};
use mn_core::change::updatenode::{self, Batch};
use mn_core::command::Updatenode;
use mn_core::model::Model;
use mn_core::talk::{Line, warning};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{errand, sync};
use crate::ground::Gone;
use crate::ground::{Ground, refused};
use crate::store::book::Planned;

/// What is added to the time that the scripts may take, for the way there and back.
const WAY: Duration = Duration::from_secs(15);

/// Runs the command; gives the exit status: 0 when every node did everything, else 1.
pub(super) async fn run(ground: &Ground, args: Updatenode) -> u8 {
    if args.sync || args.scripts.is_some() {
        ground.site.content.rescan().await;
    }
    let tree = ground.site.content.tree().to_owned();
    let asked = args.clone();
    let model = ground.model();
    // Reading lists blocks on the disk.
    let planned = tokio::task::spawn_blocking(move || {
        updatenode::plan(&model, &asked, &|node: &NodeName| sync::files(&model, &tree, node))
    })
    .await;
    let Ok(planned) = planned else {
        return ground.refuse(&[common::report::Refusal::new("planning failed by a bug of ours")]).await;
    };
    if planned.is_ok() && !args.mode.dry_run {
        // What runs on nodes changes them, so it is in the history.
        let ran = |_: &Model| Planned { record: true, ..Planned::new(None, ()) };
        if let Err(error) = ground.site.book.change(ground.by.clone(), ran).await {
            return ground.fault(&error).await;
        }
    }
    match planned {
        // In the frame of every command with a noderange, as xCAT's server refuses it.
        Err(refusals) if args.nodes.expand(&ground.model()).is_err() => {
            ground.by.made.refuse(&refused(&refusals));
            for refusal in refusals {
                // Whoever has gone does not hear it.
                let _ = ground.say(Line::Err(refusal.render("Error"))).await;
            }
            1
        }
        Err(refusals) => ground.refuse(&refusals).await,
        Ok(plan) => {
            let dry_run = args.mode.dry_run;
            let said = warn(ground, &plan.warnings).await;
            match said {
                Err(Gone) => 1,
                Ok(()) if dry_run => preview(ground, &plan.batches).await.map_or(1, |()| 0),
                Ok(()) => carry_out(ground, plan.batches, args.verbose).await.unwrap_or(1),
            }
        }
    }
}

async fn warn(ground: &Ground, warnings: &[String]) -> Result<(), Gone> {
    for text in warnings {
        ground.say(Line::Err(warning(&ground.context, text))).await?;
    }
    Ok(())
}

async fn preview(ground: &Ground, batches: &[Batch]) -> Result<(), Gone> {
    for batch in batches {
        let owner = batch.pool.first().map(SnName::to_string).unwrap_or_default();
        for node in &batch.nodes {
            let mut what: Vec<String> =
                batch.work.sync.iter().map(|file| format!("sync {}", file.path)).collect();
            what.extend(batch.work.settle.then(|| "the desired state".to_owned()));
            what.extend(batch.work.scripts.iter().map(|script| format!("script {}", script.name)));
            if what.is_empty() {
                what.push("nothing to do".to_owned());
            }
            let line = if ground.context.view.json {
                Line::Record(json!({ "node": node.as_str(), "through": owner, "steps": what }))
            } else {
                Line::Out(format!("{node}: through {owner}: {}", what.join(", ")))
            };
            ground.say(line).await?;
        }
    }
    Ok(())
}

async fn carry_out(ground: &Ground, batches: Vec<Batch>, verbose: bool) -> Result<u8, Gone> {
    let total: usize = batches.iter().map(|batch| batch.nodes.len()).sum();
    // One place for each node: a batch never waits for a terminal.
    let (results, mut came) = mpsc::channel(total.max(1));
    let mut running = JoinSet::new();
    for batch in batches {
        let site = (ground.site.book.clone(), ground.site.delivery.clone());
        let limit = limit(&batch.work);
        running.spawn(errand::bring(site, batch, limit, results.clone()));
    }
    drop(results);
    let (mut done, mut status) = (0, 0);
    ground.progress("updatenode", 0, total as u64).await?;
    while let Some(result) = came.recv().await {
        done += 1;
        if !show(ground, &result, verbose).await? {
            status = 1;
        }
        ground.progress("updatenode", done, total as u64).await?;
    }
    // Every node has one result; fewer means that a batch was lost.
    Ok(if done < total as u64 { 1 } else { status })
}

/// How long a batch may take at most, its scripts one after another.
pub(super) fn limit(work: &Work) -> Duration {
    let scripts = u32::try_from(work.scripts.len()).unwrap_or(u32::MAX).saturating_add(1);
    Duration::from_secs(u64::from(work.timeout_seconds.saturating_mul(scripts))) + WAY
}

/// Shows a node's result; says whether it did everything.
async fn show(ground: &Ground, result: &RunResult, verbose: bool) -> Result<bool, Gone> {
    let node = &result.node;
    let receipts: &[Receipt] = match &result.answer {
        RunAnswer::Done(receipts) => receipts,
        RunAnswer::NotConnected | RunAnswer::Lost => &[],
    };
    let trouble = match &result.answer {
        RunAnswer::Done(_) => None,
        RunAnswer::NotConnected => Some("its agent is not connected to any service node of its pool"),
        RunAnswer::Lost => Some("the connection ended before it answered; how far it came is not known"),
    };
    let all_done = trouble.is_none() && receipts.iter().all(|receipt| receipt.outcome.is_ok());
    if ground.context.view.json {
        let record = json!({ "node": node.as_str(), "ok": all_done, "error": trouble, "receipts": receipts });
        ground.say(Line::Record(record)).await?;
        return Ok(all_done);
    }
    if let Some(trouble) = trouble {
        ground.say(Line::Err(format!("{node}: Error: {trouble}"))).await?;
        return Ok(false);
    }
    for receipt in receipts {
        let step = &receipt.step;
        match &receipt.outcome {
            StepOutcome::Failed { reason, .. } => {
                for (at, line) in reason.trim_end().lines().enumerate() {
                    let step = if at == 0 { format!("Error: {step}: ") } else { String::new() };
                    ground.say(Line::Err(format!("{node}: {step}{line}"))).await?;
                }
            }
            StepOutcome::Ran { output } => {
                for line in output.lines().filter(|_| verbose || step.starts_with("script")) {
                    ground.say(Line::Out(format!("{node}: {line}"))).await?;
                }
                ground.say(Line::Out(format!("{node}: {step}: done"))).await?;
            }
            StepOutcome::Changed => ground.say(Line::Out(format!("{node}: {step}: changed"))).await?,
            StepOutcome::Kept if verbose => ground.say(Line::Out(format!("{node}: {step}: kept"))).await?,
            StepOutcome::Kept => {}
        }
    }
    if all_done {
        ground.say(Line::Out(format!("{node}: updatenode completed"))).await?;
    }
    Ok(all_done)
}
