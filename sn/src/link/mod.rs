//! The link with the management node: dialed, kept, and one conversation on it ([`session`]).
//!
//! The management node is not needed for anything that nodes are answered. While it is away the
//! reports and log lines wait on disk, and strangers who want to join are asked to come again.

pub mod addresses;
mod deliver;
mod session;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runtime::backoff::Backoff;
use runtime::link::authority::random_u64;
use runtime::link::endpoint::{Dialer, LinkOptions};
use runtime::link::identity::{Identity, Role};
use runtime::supervise::{BoxError, Nursery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::config::Config;
use crate::content::Content;
use crate::peers::Peers;
use crate::slice::keeper::Handle;
use crate::slice::reports::Reports;
use crate::syslog::Spool;
use crate::upstream::{Out, Upstream};

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(2);

/// What [`Uplink::run`] works on.
#[derive(Debug)]
pub struct Uplink {
    upstream: Upstream,
    out: mpsc::Receiver<Out>,
}

/// What a conversation with the management node reads and changes.
#[derive(Clone)]
pub struct Parts {
    /// What the administrator set.
    pub config: Arc<Config>,
    /// Who this is.
    pub identity: Identity,
    /// Takes slices in.
    pub keeper: Handle,
    /// Reports to deliver.
    pub reports: Reports,
    /// Log lines to deliver.
    pub logs: Arc<Spool>,
    /// What is here and what is missing.
    pub content: Content,
    /// The agents, for runs.
    pub agents: Agents,
    /// The pool, for questions.
    pub peers: Peers,
}

impl Uplink {
    /// The way for the other parts, and what keeps it open.
    pub fn new() -> (Upstream, Self) {
        let (upstream, out) = Upstream::new();
        (upstream.clone(), Self { upstream, out })
    }

    /// Keeps the conversation going until stopped.
    ///
    /// # Errors
    /// When the identity is of no use.
    pub async fn run(mut self, parts: Parts, stop: CancellationToken) -> Result<(), BoxError> {
        let options = LinkOptions {
            connect: CONNECT,
            bind: Some(SocketAddr::from((parts.config.bind, 0))),
            ..LinkOptions::default()
        };
        let dialer = Dialer::with_options(&parts.identity, options)?;
        // Runs and questions to peers that are under way; the management node bounds them too.
        let nursery = Nursery::new("errand", 256, stop.clone());
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3), random_u64());
        let mut complaint = Complaint::default();
        loop {
            let attempt = self.attempt(&dialer, &parts, &nursery, &mut backoff, &mut complaint);
            if stop.run_until_cancelled(attempt).await.is_none() {
                break;
            }
            if stop.run_until_cancelled(tokio::time::sleep(backoff.next())).await.is_none() {
                break;
            }
        }
        dialer.close().await;
        Ok(())
    }

    /// Tries the addresses in turn until a conversation has come about and ended.
    async fn attempt(
        &mut self,
        dialer: &Dialer,
        parts: &Parts,
        nursery: &Nursery,
        backoff: &mut Backoff,
        complaint: &mut Complaint,
    ) {
        let folder: PathBuf = parts.config.dir.clone();
        let addresses = match addresses::read(&folder) {
            Ok(addresses) => addresses,
            Err(error) => return complaint.say(&common::report::chain(&error)),
        };
        for address in addresses {
            let error = match dialer.connect(address, &Role::ManagementNode).await {
                Ok(link) => {
                    let ended = session::run(parts, &self.upstream, &mut self.out, &link, nursery).await;
                    let welcomed = self.upstream.set_link(None);
                    link.close("the conversation is over");
                    let _ = parts.keeper.frame(crate::slice::keeper::Frame::Lost).await;
                    if welcomed {
                        let error = common::report::chain(&ended);
                        tracing::warn!(mn = %address, error, "lost the management node; serving on without it");
                        backoff.reset();
                        complaint.forget();
                        return;
                    }
                    ended
                }
                Err(error) => session::Ended::Link(error),
            };
            complaint.about(address, &error);
        }
    }
}

/// Says the same thing once, however often it is tried.
#[derive(Debug, Default)]
struct Complaint(String);

impl Complaint {
    fn about(&mut self, mn: SocketAddr, error: &session::Ended) {
        let refused = match error {
            session::Ended::Link(error) => error.refused_us(),
            _ => None,
        };
        match refused {
            Some(why) => self.say(&format!(
                "the management node at {mn} refuses this service node: {why}; \
                 if it was removed there or set up anew, join it again with a new token"
            )),
            None => self.say(&format!("{mn}: {}", common::report::chain(error))),
        }
    }

    fn say(&mut self, text: &str) {
        if self.0 == text {
            tracing::debug!(error = text, "could not reach the management node");
        } else {
            tracing::warn!(error = text, "could not reach the management node; serving on without it");
            self.0 = text.to_owned();
        }
    }

    fn forget(&mut self) {
        self.0.clear();
    }
}
