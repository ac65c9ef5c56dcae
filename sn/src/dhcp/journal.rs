//! What DHCP writes to the log. What any client can cause is `debug` and counted; what an
//! administrator should see is `warn`, at most once a minute for each kind.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use common::id::Moment;
use runtime::clock;
use sn_proto::dhcp::machine::{Datagram, Note, Silence};

const MINUTE: Duration = Duration::from_secs(60);

/// Counters, and when each warning was given last.
#[derive(Debug, Default)]
pub(super) struct Journal {
    answered: u64,
    silent: BTreeMap<Silence, u64>,
    warned: BTreeMap<&'static str, (Moment, u64)>,
}

impl Journal {
    /// What became of a request.
    pub(super) fn note(&mut self, note: &Note) {
        match note {
            Note::Answered(kind, mac, ip) => {
                self.answered += 1;
                tracing::debug!(?kind, %mac, %ip, answered = self.answered, "request was answered");
            }
            Note::Silent(why, mac) => {
                let count = self.silent.entry(*why).or_default();
                *count += 1;
                tracing::debug!(?why, mac = ?mac, count = *count, "request was not answered");
            }
            Note::Conflict(node, mac, ip) => {
                if let Some(left_out) = self.may_warn("conflict") {
                    tracing::warn!(%node, %mac, %ip, left_out, "node found its address in use");
                }
            }
        }
    }

    /// How an answer went out.
    pub(super) fn sent(&mut self, answer: &Datagram, sent: io::Result<()>) {
        if let Err(error) = sent
            && let Some(left_out) = self.may_warn("send")
        {
            tracing::warn!(to = %answer.to, %error, left_out, "answer could not be sent");
        }
    }

    /// The disk refused a lease.
    pub(super) fn disk(&mut self, error: &io::Error) {
        if let Some(left_out) = self.may_warn("disk") {
            tracing::error!(%error, left_out, "lease could not be kept, so it was not given");
        }
    }

    /// Whether a warning is due, and how many of its kind were left out since the last.
    fn may_warn(&mut self, kind: &'static str) -> Option<u64> {
        let now = clock::now();
        match self.warned.get_mut(kind) {
            Some((last, left_out)) if now.since(*last) < MINUTE => {
                *left_out += 1;
                None
            }
            Some((last, left_out)) => {
                *last = now;
                Some(std::mem::take(left_out))
            }
            None => {
                self.warned.insert(kind, (now, 0));
                Some(0)
            }
        }
    }
}
