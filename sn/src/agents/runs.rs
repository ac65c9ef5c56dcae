//! Runs on agents (`updatenode`): brought to those that are connected, and answered for those that
//! are not.

use common::wire::work::{Run, RunAnswer};

use super::Agents;

impl Agents {
    /// Starts a run on its nodes. Each answers by itself, or is answered for.
    pub async fn run_on_nodes(&self, run: Run) {
        let files = run.work.sync.iter().map(|file| (file.hash, Some(file.size)));
        let scripts = run.work.scripts.iter().map(|script| (script.hash, None));
        self.parts.content.want(files.chain(scripts));
        let Run { run, nodes, work } = run;
        for node in nodes {
            let session = self.sessions().get(&node).map(|session| session.runs.clone());
            let order = Run { run, nodes: vec![node.clone()], work: work.clone() };
            let answer = match session.map(|session| session.try_send(order)) {
                Some(Ok(())) => continue,
                // It has more runs waiting than any operator starts, or is just ending.
                Some(Err(_)) => RunAnswer::Lost,
                None => RunAnswer::NotConnected,
            };
            self.answer(run, node, answer).await;
        }
    }
}
